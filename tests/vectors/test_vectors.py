"""The vectors are what the code makes today, and the published ones of RFC 8032 and RFC 6962 hold."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.codec import merkle, sm2, sm3_tree
from services.codec.cloudevents import envelope_from_structured
from services.codec.content import content_digest, parse_disclosure
from services.codec.entry import parse_entry
from services.codec.envelope import check_content, envelope_from_record
from services.codec.json_form import json_form
from services.codec.keys import parse_participant_private, parse_participant_public, parse_public, signer_from_seed
from services.codec.schema import compile_schema
from services.codec.signature import RootCache, parse_signature, verify, verify_ed25519
from services.codec.statement import parse_statement
from tests.unit.services.codec import gm_judge
from tests.vectors.make import made, text_of

HERE = Path(__file__).parent
MADE = made()


def stored(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_code_still_makes_the_bytes_that_are_checked_in(name: str) -> None:
    assert text_of(MADE[name]) == (HERE / name).read_text(encoding="utf-8")


def test_every_vector_file_is_made_or_says_where_it_was_published() -> None:
    names = {path.name for path in HERE.glob("*.json")}
    assert names >= {*MADE, "rfc8032.json", "rfc6962.json"}
    for name in names - set(MADE):
        assert stored(name).get("published", stored(name))["source"]


@pytest.mark.parametrize("case", stored("rfc8032.json")["cases"])
def test_ed25519_is_that_of_rfc_8032(case: dict[str, str]) -> None:
    seed, public, message, signature = (
        bytes.fromhex(case[name]) for name in ("seed", "public", "message", "signature")
    )
    signer = signer_from_seed("exchange.test", seed)
    assert signer.public.data == public
    assert signer.sign(message) == signature
    assert verify_ed25519(public, message, signature)


def test_trees_are_those_of_rfc_6962() -> None:
    known = stored("rfc6962.json")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in known["leaves"]]
    edge = merkle.RightEdge()
    for size, root in enumerate(known["roots"]):
        assert edge.root().hex() == root
        if size:
            assert merkle.levels_of(leaves[:size])[-1][0].hex() == root
        if size < len(leaves):
            edge = edge.append(leaves[size])


@pytest.mark.parametrize("case", stored("statement.json"), ids=lambda case: case["name"])
def test_a_stored_statement_is_read(case: dict[str, Any]) -> None:
    statement = parse_statement(case["text"].encode("ascii"))
    assert {name: getattr(statement, name) for name in case["fields"]} == case["fields"]


@pytest.mark.parametrize("case", stored("content.json")["cases"], ids=lambda case: case["name"])
def test_every_stored_copy_has_the_commitment_of_its_event(case: dict[str, Any]) -> None:
    schema = compile_schema(json.dumps(stored("content.json")["schema"]))
    assert schema.encode(json_form(schema).read(case["json"])).hex() == "".join(case["segments"])
    for copy in case["copies"]:
        value, parts = schema.decode_parts(bytes.fromhex(copy["body"]))
        assert all(value[name] is None for name in copy["withheld"])
        disclosure = parse_disclosure(schema, copy["disclosure"])
        assert f"sha256:{content_digest(schema, parts, disclosure).hex()}" == case["content"]


@pytest.mark.parametrize("case", stored("content.json")["cases"], ids=lambda case: case["name"])
def test_the_commitment_follows_from_the_stored_parts_by_hashing_alone(case: dict[str, Any]) -> None:
    content = stored("content.json")
    restricted = {field["name"] for field in content["schema"]["fields"] if "ipx.disclosure" in field}
    runs: list[str] = []  # "" for a run of open fields, else the name of a restricted one
    for field in content["schema"]["fields"]:
        name = field["name"] if field["name"] in restricted else ""
        if name or not runs or runs[-1]:
            runs.append(name)
    opened = hashlib.sha256(b"ipx-open/v1\n")
    digests = b""
    for name, part in zip(runs, map(bytes.fromhex, case["segments"]), strict=True):
        if name:
            digest = hashlib.sha256(b"ipx-field/v1\n" + bytes.fromhex(case["salts"][name]) + part).digest()
            assert digest.hex() == case["field_digests"][name]
            digests += digest
        else:
            opened.update(part)
    schema_digest = bytes.fromhex(content["schema_digest"].removeprefix("sha256:"))
    found = hashlib.sha256(b"ipx-content/v1\n" + schema_digest + opened.digest() + digests)
    assert f"sha256:{found.hexdigest()}" == case["content"]


def test_stored_signatures_verify() -> None:
    stored_signatures = stored("signature.json")
    key = parse_public(stored_signatures["public_line"])
    assert key.key_id == stored_signatures["key_id"]
    assert key.data.hex() == stored_signatures["public_key"]
    single = stored_signatures["single"]
    signature = parse_signature(single["line"])
    assert signature.value.hex() == single["signature"] == base64.b64decode(single["line"].split(":")[2]).hex()
    assert verify(single["statement"].encode("ascii"), signature, key.data, RootCache())
    for batch in stored_signatures["batches"]:
        for text, line in zip(batch["statements"], batch["lines"], strict=True):
            signature = parse_signature(line)
            assert verify(text.encode("ascii"), signature, key.data, RootCache())
            assert verify_ed25519(key.data, batch["message"].encode("ascii"), signature.value)


@pytest.mark.parametrize("case", stored("entry.json"), ids=lambda case: case["name"])
def test_a_stored_entry_is_read_and_hashes_to_its_leaf(case: dict[str, Any]) -> None:
    data = case["text"].encode("ascii")
    entry = parse_entry(data)
    assert (entry.admitted, entry.log, entry.seq, entry.members) == tuple(
        case[name] for name in ("admitted", "log", "seq", "members")
    )
    assert [delivery.recipient for delivery in entry.deliveries] == [each["recipient"] for each in case["deliveries"]]
    assert hashlib.sha256(b"\x00" + data).hexdigest() == case["leaf"]


@pytest.mark.parametrize("case", stored("envelope.json"), ids=lambda case: case["name"])
def test_a_stored_event_is_the_same_over_kafka_and_http(case: dict[str, Any]) -> None:
    headers = [(name, text.encode()) for name, text in case["headers"]]
    schema_id, envelope = envelope_from_record(headers, bytes.fromhex(case["value"]))
    assert schema_id == case["schema_id"]
    assert envelope_from_structured(case["structured"]) == envelope
    schema = compile_schema(json.dumps(stored("content.json")["schema"]))
    assert check_content(schema, envelope)["title"] == "网店销售假冒商标商品"


def test_sm2_and_sm3_are_those_of_the_published_examples() -> None:
    known = stored("sm2.json")
    for case in known["sm3"]["cases"]:
        assert sm2.sm3(case["message"].encode()).hex() == case["digest"]
    example = known["published"]
    secret, public = bytes.fromhex(example["secret"]), bytes.fromhex(example["public_key"])
    message, value = example["message"].encode(), bytes.fromhex(example["r"] + example["s"])
    assert sm2.public_key_of(secret) == public
    assert sm2.USER_ID.decode() == example["user_id"]
    assert sm2.sm3(bytes.fromhex(example["za"]) + message).hex() == example["digest"]
    assert sm2.verify(public, message, value)
    assert sm2.verify(public, message, sm2.sign(secret, public, message))
    assert gm_judge.is_good(public, message, value)


def test_trees_over_sm3_are_those_of_rfc_6962() -> None:
    known = stored("sm2.json")["tree"]
    leaves = [sm3_tree.leaf_hash(bytes.fromhex(leaf)) for leaf in known["leaves"]]
    assert [sm3_tree.Sm3Edge().extend(leaves[:size]).root().hex() for size in range(len(leaves) + 1)] == known["roots"]


def test_stored_lines_of_suite_sm2_sm3_verify() -> None:
    known = stored("sm2.json")["lines"]
    key = parse_participant_public(known["public_line"])
    assert (key.data.hex(), key.key_id, key.suite) == (known["public_key"], known["key_id"], "sm2-sm3")
    assert parse_participant_private(known["private_line"]).public == key
    statement = known["statement"].encode("ascii")
    single = parse_signature(known["single"])
    assert verify(statement, single, key.data, RootCache())
    assert gm_judge.is_good(key.data, statement, single.value)
    roots = RootCache()
    for text, line in zip(known["statements"], known["batch"], strict=True):
        assert verify(text.encode("ascii"), parse_signature(line), key.data, roots)
    root = sm3_tree.levels_of([sm3_tree.leaf_hash(text.encode("ascii")) for text in known["statements"]])[-1][0]
    message = f"ipx-batch/v1\nsize: {len(known['statements'])}\nroot: sm3:{root.hex()}\n".encode()
    assert gm_judge.is_good(key.data, message, parse_signature(known["batch"][0]).value)
