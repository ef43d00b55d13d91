"""The example evidence files are what the code makes today, and hold by their policy; what tools of others see in them is what is meant."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from services.codec.keys import parse_public
from services.codec.tlog_policy import parse_policy
from services.codec.tlog_proof import parse_proof, proves
from services.verifier.command import load_routes
from services.verifier.verify import Options, verify
from tests.vectors.evidence.make import made

HERE = Path(__file__).parent / "evidence"
MADE = made()
FILES = sorted(name for name in MADE if name.endswith(".json"))


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_code_still_makes_the_bytes_that_are_checked_in(name: str) -> None:
    assert MADE[name] == (HERE / name).read_bytes()


def test_every_file_is_made() -> None:
    assert {path.name for path in HERE.iterdir() if path.suffix != ".py" and path.is_file()} == {*MADE}


@pytest.mark.parametrize("name", FILES)
def test_a_stored_file_holds_by_the_stored_policy(name: str) -> None:
    options = Options(root=parse_public((HERE / "root.pub").read_text()), routes=load_routes())
    report = verify((HERE / name).read_bytes(), parse_policy((HERE / "policy").read_bytes()), options)
    assert report.first_bad is None


@pytest.mark.parametrize("name", FILES)
def test_inclusion_follows_by_hashing_alone(name: str) -> None:
    event = json.loads((HERE / name).read_bytes())["event"]
    entry = "".join(f"{line}\n" for line in event["entry"]).encode()
    proof = "".join(f"{line}\n" for line in event["proof"]).encode()
    assert proves(parse_proof(proof), entry)
    head = event["proof"].index("")
    index, hashes = int(event["proof"][1].split()[1]), [base64.b64decode(line) for line in event["proof"][2:head]]
    size, root = int(event["proof"][head + 2]), base64.b64decode(event["proof"][head + 3])
    assert _root(hashlib.sha256(b"\x00" + entry).digest(), index, size, hashes) == root


def _root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 6962 section 2.1.1, read from the root down: the last hash of a path is the sibling of the largest subtree."""
    if size == 1:
        assert not path
        return leaf
    half = 1 << ((size - 1).bit_length() - 1)
    if index < half:
        return hashlib.sha256(b"\x01" + _root(leaf, index, half, path[:-1]) + path[-1]).digest()
    return hashlib.sha256(b"\x01" + path[-1] + _root(leaf, index - half, size - half, path[:-1])).digest()
