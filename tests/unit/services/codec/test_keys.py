"""Key lines: one spelling each, and the private part is never shown."""

from __future__ import annotations

import base64

import pytest

from services.codec.keys import parse_private, parse_public, signer_from_seed
from services.codec.signature import verify_ed25519
from services.kernel.errors import BadSettings
from tests.unit.services.codec.samples import SOURCE, signer

SIGNER = signer()


def test_a_key_line_gives_the_key_back() -> None:
    assert parse_public(SIGNER.public.line()) == SIGNER.public
    assert parse_private(SIGNER.private_line()) == SIGNER
    assert parse_private(SIGNER.private_line() + "\n") == SIGNER


def test_the_key_that_was_read_signs_for_its_public_part() -> None:
    read = parse_private(SIGNER.private_line())
    assert verify_ed25519(read.public.data, b"message", read.sign(b"message"))
    assert read.suite == "ed25519"


def test_the_secret_is_not_in_the_text_of_a_signer() -> None:
    assert SIGNER.private_line().split()[2] not in repr(SIGNER)
    assert repr(SIGNER.secret) not in repr(SIGNER)
    assert SIGNER.secret.hex() not in repr(SIGNER)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: "",
        lambda line: line.replace("v1", "v2"),
        lambda line: line.replace(" ", "  "),
        lambda line: f" {line}",
        lambda line: f"{line} comment",
        lambda line: f"{line}\n\n",
        lambda line: line[:-1],
        lambda line: f"{line}=",
        lambda line: line.replace(SOURCE, "nanjing.police"),
        lambda line: line.rpartition(" ")[0] + " " + base64.b64encode(bytes(31)).decode(),
        lambda line: line.rpartition(" ")[0] + " 钥匙",
        lambda line: line.rpartition(" ")[0],
    ],
)
def test_other_lines_are_refused_without_being_repeated(change) -> None:  # type: ignore[no-untyped-def]
    for line, parse in ((SIGNER.private_line(), parse_private), (SIGNER.public.line(), parse_public)):
        with pytest.raises(BadSettings) as caught:
            parse(change(line))
        assert line.split()[2] not in str(caught.value)


def test_one_kind_of_line_is_not_taken_for_the_other() -> None:
    with pytest.raises(BadSettings):
        parse_public(SIGNER.private_line())
    with pytest.raises(BadSettings):
        parse_private(SIGNER.public.line())


def test_the_same_seed_gives_the_same_key() -> None:
    assert signer_from_seed(SOURCE, bytes(32)) == signer_from_seed(SOURCE, bytes(32))
    assert signer_from_seed(SOURCE, bytes(32)).key_id == f"{SOURCE}#139e3940e64b5491"
