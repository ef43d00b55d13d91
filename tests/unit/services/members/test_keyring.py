from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.kernel.errors import BadSettings
from services.kernel.ports import CountedEntropy
from services.members.keyring import Keyring

NAME = "320100.police"


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys", CountedEntropy())
    assert ring.signer(NAME) is None
    made = ring.ensure(NAME)
    assert ring.ensure(NAME) == made
    assert Keyring(tmp_path / "keys", CountedEntropy(50)).signer(NAME) == made


def test_a_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys", CountedEntropy())
    ring.ensure(NAME)
    assert stat.S_IMODE(ring.path_of(NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(ring.directory.stat().st_mode) == 0o700


def test_another_key_lies_beside_the_one_in_use(tmp_path: Path) -> None:
    ring = Keyring(tmp_path, CountedEntropy())
    first = ring.ensure(NAME)
    second, path = ring.make_another(NAME)
    assert path.is_file()
    assert ring.signer(NAME) == first
    assert ring.signers(NAME) == (first, second)
    assert ring.signers("320500.police") == ()


@pytest.mark.parametrize("name", ["../secret", "320100", "320100.police/../x", ""])
def test_a_name_that_is_no_participant_names_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSettings):
        Keyring(tmp_path, CountedEntropy()).path_of(name)


def test_a_key_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    ring = Keyring(tmp_path, CountedEntropy())
    ring.ensure(NAME)
    ring.path_of(NAME).rename(ring.path_of("320500.police"))
    with pytest.raises(BadSettings, match=r"320100\.police"):
        ring.signer("320500.police")


def test_an_sm2_key_lies_beside_the_one_in_use_and_never_takes_its_place(tmp_path: Path) -> None:
    ring = Keyring(tmp_path, CountedEntropy())
    first = ring.ensure(NAME)
    gm, path = ring.make_another(NAME, "sm2-sm3")
    assert gm.suite == "sm2-sm3"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.name == f"{NAME}.{gm.key_id.partition('#')[2]}.key"
    assert (ring.signer(NAME), ring.signers(NAME)) == (first, (first, gm))
    path.rename(ring.path_of(NAME))
    with pytest.raises(BadSettings):
        ring.signer(NAME)
