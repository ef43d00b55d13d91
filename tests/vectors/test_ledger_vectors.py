"""The vectors of section 6, checked from their bytes: by RFC 6962 word for word, by OpenSSL's Ed25519, and read by our parsers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.codec.checkpoint import format_checkpoint, open_checkpoint, parse_checkpoint
from services.codec.entry import parse_entry
from services.codec.merkle import is_consistent
from services.codec.note import cosigned_at, parse_note, parse_vkey
from services.codec.tiles import bundle_path, new_tiles, tile_path
from services.codec.tlog_policy import format_policy, judge, parse_policy
from services.codec.tlog_proof import format_proof, parse_proof, proves
from tests.unit.services.codec.rfc6962 import Definitions

HERE = Path(__file__).parent
LINE = re.compile(r"— (?P<name>[^ +]+) (?P<data>\S+)")


def stored(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


TREE = stored("tree.json")
RFC = Definitions(lambda seq: TREE["entry"].replace("\nseq: 0\n", f"\nseq: {seq}\n").encode("ascii"))


def test_the_roots_and_proofs_are_those_of_rfc_6962() -> None:
    assert [RFC.mth(0, size).hex() for size in range(len(TREE["roots"]))] == TREE["roots"]
    assert [RFC.mth(seq, seq + 1).hex() for seq in range(len(TREE["leaves"]))] == TREE["leaves"]
    assert [RFC.mth(0, size).hex() for size in TREE["grown"]] == TREE["grown_roots"]
    for case in TREE["inclusion"]:
        assert [node.hex() for node in RFC.path(case["index"], 0, case["size"])] == case["path"]
    for case in TREE["consistency"]:
        wanted = RFC.proof(case["old"], case["size"]) if 0 < case["old"] < case["size"] else []
        assert [node.hex() for node in wanted] == case["path"]
        roots = (bytes.fromhex(TREE["roots"][size]) for size in (case["old"], case["size"]))
        old_root, root = roots
        assert is_consistent(case["old"], old_root, case["size"], root, [bytes.fromhex(node) for node in case["path"]])


def test_the_tiles_of_a_log_that_grew_have_the_hashes_of_c2sp() -> None:
    wanted = {}
    for size in TREE["grown"]:
        for level in range(2):
            for index in range(3):
                hashes = size // 256**level
                width = min(256, hashes - 256 * index)
                if width > 0:
                    starts = [(256 * index + place) * 256**level for place in range(width)]
                    tile = b"".join(RFC.mth(start, start + 256**level) for start in starts)
                    wanted[tile_path(level, index, width)] = tile
                    if level == 0:
                        texts = [TREE["entry"].replace("\nseq: 0\n", f"\nseq: {seq}\n").encode() for seq in starts]
                        wanted[bundle_path(index, width)] = b"".join(len(t).to_bytes(2, "big") + t for t in texts)
    assert {path: hashlib.sha256(data).hexdigest() for path, data in wanted.items()} == TREE["tiles"]
    assert len(TREE["tiles"]) == sum(
        2 if level == 0 else 1 for level, _, _ in (*new_tiles(0, 300), *new_tiles(300, 700))
    )


def test_the_leaves_are_entries() -> None:
    assert parse_entry(TREE["entry"].encode("ascii")).seq == 0


@pytest.mark.parametrize("case", stored("log_key.json"), ids=lambda case: case["origin"])
def test_a_log_key_follows_from_the_seed_of_the_ledger(case: dict[str, str]) -> None:
    message = b"ipx-log-key/v1\n" + case["origin"].encode()
    seed = hmac.digest(bytes.fromhex(case["ledger_seed"]), message, "sha256")
    assert seed.hex() == case["seed"]
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert public.hex() == case["public_key"]
    assert case["key_id"] == f"exchange.ledger#{hashlib.sha256(public).hexdigest()[:16]}"
    named = hashlib.sha256(case["origin"].encode() + b"\n\x01" + public).hexdigest()[:8]
    assert case["vkey"] == f"{case['origin']}+{named}+{base64.b64encode(bytes([1]) + public).decode()}"


def openssl_takes(vkey: str, message: bytes, value: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(vkey.split("+", 2)[2])[1:])
    try:
        key.verify(value, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("case", stored("checkpoint.json"), ids=lambda case: case["name"])
def test_a_stored_checkpoint_is_signed_and_cosigned(case: dict[str, Any]) -> None:
    text, lines = case["note"].split("\n\n")
    assert f"{text}\n" == case["text"]
    head = [case["origin"], str(case["size"]), base64.b64encode(bytes.fromhex(case["root"])).decode()]
    assert text.split("\n") == [*head, *case["extensions"]]
    keys = [case["log_key"], *case["witness_keys"]]
    for line, vkey in zip(lines.splitlines(), keys, strict=True):
        match = LINE.fullmatch(line)
        assert match is not None
        data = base64.b64decode(match["data"])
        assert (match["name"], data[:4].hex()) == tuple(vkey.split("+")[:2])
        said = case["text"].encode()
        if vkey != case["log_key"]:
            assert int.from_bytes(data[4:12], "big") == case["cosigned_at"]
            said = b"cosignature/v1\ntime %d\n" % case["cosigned_at"] + said
        assert openssl_takes(vkey, said, data[-64:])
        assert not openssl_takes(vkey, said + b" ", data[-64:])


@pytest.mark.parametrize("case", stored("checkpoint.json"), ids=lambda case: case["name"])
def test_a_stored_checkpoint_is_read(case: dict[str, Any]) -> None:
    checkpoint, note = open_checkpoint(case["note"].encode(), parse_vkey(case["log_key"]))
    assert (checkpoint.origin, checkpoint.size, checkpoint.root.hex()) == (case["origin"], case["size"], case["root"])
    assert format_checkpoint(checkpoint).decode() == case["text"]
    assert {cosigned_at(note, parse_vkey(key)) for key in case["witness_keys"]} <= {case["cosigned_at"]}


@pytest.mark.parametrize("case", stored("tlog_proof.json"), ids=lambda case: str(case["index"]))
def test_a_stored_proof_proves_its_entry_by_the_stored_policy(case: dict[str, Any]) -> None:
    proof = parse_proof(case["proof"].encode())
    assert format_proof(proof) == case["proof"].encode()
    assert proof.index == case["index"] == parse_entry(case["entry"].encode("ascii")).seq
    assert list(proof.path) == RFC.path(proof.index, 0, proof.checkpoint.size)
    assert proof.checkpoint.root == RFC.mth(0, proof.checkpoint.size)
    assert proves(proof, case["entry"].encode("ascii"))
    assert not proves(proof, case["entry"].encode("ascii") + b"\n")
    assert judge(proof.note, parse_policy(stored("tlog_policy.json")[0]["policy"].encode())).is_witnessed


@pytest.mark.parametrize("case", stored("tlog_policy.json"))
def test_a_stored_policy_is_met_by_the_sets_that_stand_with_it(case: dict[str, Any]) -> None:
    policy = parse_policy(case["policy"].encode())
    assert format_policy(policy).decode() == case["policy"]
    assert all(policy.is_met(set(names)) for names in case["met"])
    assert not any(policy.is_met(set(names)) for names in case["not_met"])


def test_the_text_of_a_stored_checkpoint_signs_nothing_else() -> None:
    """No text of this section begins as a statement, a batch message, a token or a cosigned message does."""
    for case in stored("checkpoint.json"):
        text = parse_note(case["note"].encode()).text
        assert parse_checkpoint(text).origin.count("/") == 2
        assert not text.startswith((b"ipx-", b"cosignature/", b"eyJ"))
