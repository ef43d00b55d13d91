"""Key lines: one spelling each, and the private part is never shown."""

from __future__ import annotations

import base64

import pytest

from services.codec import sm2
from services.codec.keys import (
    PublicKey,
    parse_participant_private,
    parse_participant_public,
    parse_private,
    parse_public,
    signer_from_seed,
    sm2_signer,
)
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


SM2_SIGNER = sm2_signer(SOURCE, bytes(range(1, 33)))


def test_lines_of_either_suite_give_the_key_back() -> None:
    for made in (SIGNER, SM2_SIGNER):
        assert parse_participant_public(made.public.line()) == made.public
        assert parse_participant_private(made.private_line()) == made
        assert parse_participant_private(made.private_line() + "\n") == made
    assert (SIGNER.suite, SIGNER.public.suite) == ("ed25519", "ed25519")
    assert (SM2_SIGNER.suite, SM2_SIGNER.public.suite) == ("sm2-sm3", "sm2-sm3")
    assert SM2_SIGNER.public.line().startswith(f"ipx-sm2-public-key/v1 {SOURCE} ")
    assert SM2_SIGNER.private_line().startswith(f"ipx-sm2-private-key/v1 {SOURCE} ")


def test_an_sm2_key_that_was_read_signs_for_its_public_part() -> None:
    read = parse_participant_private(SM2_SIGNER.private_line())
    assert sm2.verify(read.public.data, b"message", read.sign(b"message"))
    assert read.key_id == SM2_SIGNER.key_id


def test_where_ed25519_is_needed_an_sm2_key_is_not_taken() -> None:
    for parse, line in ((parse_private, SM2_SIGNER.private_line()), (parse_public, SM2_SIGNER.public.line())):
        with pytest.raises(BadSettings):
            parse(line)


def test_the_secret_of_an_sm2_key_is_not_in_its_text() -> None:
    assert SM2_SIGNER.private_line().split()[2] not in repr(SM2_SIGNER)
    assert repr(SM2_SIGNER.secret) not in repr(SM2_SIGNER)
    assert SM2_SIGNER.secret.hex() not in repr(SM2_SIGNER)


OFF_CURVE = SM2_SIGNER.public.data[:-1] + bytes([SM2_SIGNER.public.data[-1] ^ 1])


@pytest.mark.parametrize(
    "line",
    [
        PublicKey(SOURCE, OFF_CURVE).line(),
        PublicKey(SOURCE, bytes(64)).line(),
        SM2_SIGNER.public.line().replace("v1", "v2"),
        SM2_SIGNER.public.line().replace("sm2-", ""),
        SIGNER.public.line().replace("ipx-", "ipx-sm2-"),
        SM2_SIGNER.public.line() + " ",
        f"ipx-sm2-public-key/v1 {SOURCE} " + base64.b64encode(b"\x04" + SM2_SIGNER.public.data).decode(),
        f"ipx-sm2-public-key/v1 {SOURCE} " + base64.b64encode(SM2_SIGNER.public.data[:63]).decode(),
        SM2_SIGNER.private_line(),
    ],
    ids=range(9),
)
def test_an_sm2_public_key_is_a_point_of_the_curve_in_64_bytes(line: str) -> None:
    with pytest.raises(BadSettings):
        parse_participant_public(line)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32], ids=["zero", "past the order"])
def test_an_sm2_private_key_out_of_range_is_refused_without_being_repeated(secret: bytes) -> None:
    text = base64.b64encode(secret).decode()
    with pytest.raises(BadSettings) as caught:
        parse_participant_private(f"ipx-sm2-private-key/v1 {SOURCE} {text}")
    assert text not in str(caught.value)
    with pytest.raises(BadSettings):
        parse_participant_private(SM2_SIGNER.public.line())
