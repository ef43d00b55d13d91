"""Makes the vectors of ``services/ledger/FORMAT.md``: run ``python -m tests.vectors.make`` after a change that is meant to change bytes.

Everything is derived from fixed seeds, so a second run writes the same files. ``rfc8032.json`` and ``rfc6962.json`` are not made:
they are copied from where they were published.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from services.codec import merkle
from services.codec.cloudevents import envelope_to_structured
from services.codec.content import content_digest, field_digest, format_disclosure, new_disclosure, redact
from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, Envelope, frame, seal, seal_batch
from services.codec.json_form import json_form
from services.codec.keys import signer_from_seed
from services.codec.numbering import Numbered, format_numbering
from services.codec.schema import EventSchema, compile_schema
from services.codec.signature import batch_message, parse_signature
from services.codec.statement import Statement, format_statement
from services.kernel.ids import uuid7, uuid8
from services.kernel.ports import CountedEntropy
from tests.vectors.make_ledger import LOG, ledger_vectors

HERE = Path(__file__).parent
SOURCE, OTHER, POLICE = "320100.market_regulator", "330100.market_regulator", "330100.police"
SIGNER = signer_from_seed(SOURCE, bytes(range(32)))
PARTY = {
    "type": "record",
    "name": "Party",
    "doc": "A firm. 企业。",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "uscc", "type": ["null", "string"], "default": None},
    ],
}
DOCUMENT: dict[str, Any] = {
    "type": "record",
    "namespace": "cn.ipx.clue",
    "name": "VectorSeen",
    "doc": "An event type with every kind of field, for vectors alone. 仅用于测试向量。",
    "fields": [
        {"name": "title", "type": "string"},
        {"name": "reporter", "type": ["null", "string"], "default": None, "ipx.disclosure": "restricted"},
        {"name": "seen_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "seen_on", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["SHOP", "FAIR", "PORT"]}},
        {"name": "suspects", "type": {"type": "array", "items": PARTY}, "default": []},
        {"name": "classes", "type": {"type": "array", "items": "int"}, "default": []},
        {"name": "price_fen", "type": ["null", "long"], "default": None},
        {"name": "urgent", "type": "boolean", "default": False},
        {"name": "photo", "type": "bytes"},
        {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 4}},
        {"name": "accuser", "type": ["null", "Party"], "default": None, "ipx.disclosure": "restricted"},
        {"name": "phone", "type": ["null", "string"], "default": None, "ipx.disclosure": "restricted"},
    ],
}
SCHEMA: EventSchema = compile_schema(json.dumps(DOCUMENT))
FULL: dict[str, Any] = {
    "title": "网店销售假冒商标商品",
    "reporter": "王某",
    "seen_at": 1_790_000_000_123,
    "seen_on": 20_781,
    "kind": "FAIR",
    "suspects": [{"name": "甲", "uscc": "91320100MA1XXXXX0X"}, {"name": "乙", "uscc": None}],
    "classes": [25, 35],
    "price_fen": -9_900,
    "urgent": True,
    "photo": b"\x89PNG",
    "mark": b"\x00\x01\x02\x03",
    "accuser": {"name": "李某", "uscc": None},
    "phone": "13800000000",
}
BARE: dict[str, Any] = {
    "title": "",
    "reporter": None,
    "seen_at": 0,
    "seen_on": None,
    "kind": "SHOP",
    "suspects": [],
    "classes": [],
    "price_fen": None,
    "urgent": False,
    "photo": b"",
    "mark": bytes(4),
    "accuser": None,
    "phone": None,
}


def _draft(number: int, **changes: str) -> Draft:
    said = {
        "id": uuid7(1_790_000_000_000 + number, number.to_bytes(10, "big")),
        "source": SOURCE,
        "subject": f"CL-320100-2026-{number:06d}",
        "time": "2026-11-24T06:11:37.123Z",
        "agreement": "yrd-enforcement@3",
        "addressee": OTHER,
    }
    return Draft(**{**said, **changes})


def _sealed() -> Envelope:
    return seal(SCHEMA, FULL, _draft(1), SIGNER, CountedEntropy())


def statements() -> Iterator[dict[str, Any]]:
    """Statements at the bounds of the grammar."""
    plain = _sealed().statement
    most = ",".join(f"{number:06d}.{'z' * 40}" for number in range(64))
    for name, statement in (
        ("with one addressee", plain),
        ("with nothing but what must be there", replace(plain, agreement="-", addressee="-", cause="-")),
        ("derived by the exchange", _derived(plain)),
        ("from customs, with the most addressees", replace(plain, source="customs.2300", addressee=most)),
        ("at the first instant", replace(plain, time="1970-01-01T00:00:00.000Z", subject="0")),
        ("at the last instant", replace(plain, time="9999-12-31T23:59:59.999Z", subject="A" * 128)),
    ):
        yield {"name": name, "fields": asdict(statement), "text": format_statement(statement).decode("ascii")}


def _derived(cause: Statement) -> Statement:
    return replace(cause, id=uuid8("clues", cause.id, "0"), source="exchange.clues", agreement="-", cause=cause.id)


def contents() -> dict[str, Any]:
    """The schema, values of it, and every redaction of them."""
    return {
        "schema": DOCUMENT,
        "schema_digest": SCHEMA.digest_text,
        "restricted": list(SCHEMA.restricted),
        "cases": [_content("every field filled", FULL), _content("everything empty", BARE)],
    }


def _content(name: str, value: dict[str, Any]) -> dict[str, Any]:
    parts = SCHEMA.encode_parts(value)
    disclosure = new_disclosure(SCHEMA, CountedEntropy())
    restricted = {s.restricted: part for s, part in zip(SCHEMA.segments, parts, strict=True) if s.restricted}
    copies = []
    for mask in range(1 << len(SCHEMA.restricted)):
        withheld = [field for position, field in enumerate(SCHEMA.restricted) if mask >> position & 1]
        _, redacted, line = redact(SCHEMA, value, parts, disclosure, withheld)
        copies.append(
            {"withheld": withheld, "body": b"".join(redacted).hex(), "disclosure": format_disclosure(SCHEMA, line)}
        )
    return {
        "name": name,
        "json": json_form(SCHEMA).write(value),
        "segments": [part.hex() for part in parts],
        "salts": {field: salt.hex() for field, salt in disclosure.salts.items()},
        "field_digests": {
            field: field_digest(disclosure.salts[field], part).hex() for field, part in restricted.items()
        },
        "content": f"sha256:{content_digest(SCHEMA, parts, disclosure).hex()}",
        "copies": copies,
    }


def signatures() -> dict[str, Any]:
    """Signature lines, single and of batches of several sizes."""
    single = _sealed()
    batches = []
    for size in (1, 2, 3, 5, 8, 13):
        envelopes = seal_batch([(SCHEMA, BARE, _draft(n)) for n in range(size)], SIGNER, CountedEntropy())
        texts = [format_statement(envelope.statement) for envelope in envelopes]
        root = merkle.levels_of([merkle.leaf_hash(text) for text in texts])[-1][0]
        batches.append(
            {
                "size": size,
                "root": root.hex(),
                "message": batch_message(size, root).decode("ascii"),
                "statements": [text.decode("ascii") for text in texts],
                "lines": [envelope.signature for envelope in envelopes],
            }
        )
    return {
        "seed": SIGNER.secret[:32].hex(),
        "public_key": SIGNER.public.data.hex(),
        "key_id": SIGNER.key_id,
        "public_line": SIGNER.public.line(),
        "single": {
            "statement": format_statement(single.statement).decode("ascii"),
            "line": single.signature,
            "signature": parse_signature(single.signature).value.hex(),
        },
        "batches": batches,
    }


def entries() -> Iterator[dict[str, Any]]:
    """Entries without, with one and with several copies."""
    envelope = _sealed()
    text = format_statement(envelope.statement)
    for name, seq, deliveries in (
        ("first of its log, for nobody", 0, ()),
        ("for one, in full", 1042, (Delivery(OTHER, 0),)),
        ("for two, redacted", 10**18 - 1, (Delivery(OTHER, 118), Delivery(POLICE, 7, ("reporter", "phone")))),
    ):
        data = format_entry(text, envelope.signature, "2026-11-24T06:11:37.456Z", "ipx.clues/3", seq, 57, deliveries)
        yield {
            "name": name,
            "admitted": "2026-11-24T06:11:37.456Z",
            "log": "ipx.clues/3",
            "seq": seq,
            "members": 57,
            "deliveries": [asdict(delivery) for delivery in deliveries],
            "text": data.decode("ascii"),
            "leaf": merkle.leaf_hash(data).hex(),
        }


def envelopes() -> Iterator[dict[str, Any]]:
    """The same event as a proposal and as an inbox copy: Kafka headers and value, structured JSON."""
    proposal = replace(_sealed(), trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    disclosure = new_disclosure(SCHEMA, CountedEntropy())
    _, parts, line = redact(SCHEMA, FULL, SCHEMA.encode_parts(FULL), disclosure, ["phone"])
    delivery = Delivery(POLICE, 7, ("phone",))
    text = format_statement(proposal.statement)
    entry = format_entry(
        text, proposal.signature, "2026-11-24T06:11:37.456Z", "ipx.clues/3", 1042, 57, (delivery,)
    ).decode("ascii")
    copy = replace(
        proposal,
        trace=None,
        body=b"".join(parts),
        salts=format_disclosure(SCHEMA, line),
        entry=entry,
        delivery=format_numbering(Numbered(POLICE, "ipx.clues/3", 7)),
    )
    for name, envelope in (("proposal", proposal), ("inbox copy without phone", copy)):
        yield {
            "name": name,
            "schema_id": 7,
            "headers": [[key, data.decode()] for key, data in envelope.headers()],
            "value": frame(7, envelope.body).hex(),
            "structured": envelope_to_structured(envelope),
        }


def _first_entry() -> bytes:
    envelope = _sealed()
    text = format_statement(envelope.statement)
    return format_entry(text, envelope.signature, "2026-11-24T06:11:37.456Z", LOG, 0, 57, (Delivery(OTHER, 0),))


def made() -> dict[str, Any]:
    """Every vector file by name."""
    return {
        "statement.json": list(statements()),
        "content.json": contents(),
        "signature.json": signatures(),
        "entry.json": list(entries()),
        "envelope.json": list(envelopes()),
        **ledger_vectors(_first_entry()),
    }


def text_of(vectors: Any) -> str:
    """A vector file as it is checked in."""
    return json.dumps(vectors, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    for file_name, vectors in made().items():
        (HERE / file_name).write_text(text_of(vectors), encoding="utf-8")
