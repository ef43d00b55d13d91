"""An operator who writes what it likes into its own log is refused with a sentence, never answered with a traceback."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.evidence import compose
from services.codec.evidence import Evidence, MemberEvidence, format_evidence
from services.codec.schema import EventSchema, compile_schema
from services.codec.tiles import Tree
from services.events import to_value
from services.events.member import MemberEvent
from services.verifier.report import Step
from services.verifier.verify import Options, verify
from tests.unit.services.members.town import notice
from tests.vectors.evidence.exchange import Exchange, routes, schema_of, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import (
    HANGZHOU,
    NANJING,
    OPERATOR,
    first_release,
    founded,
    key_added,
    key_revoked,
    proposed,
    registered,
    signed,
    signer,
)

EVENTS: tuple[MemberEvent, ...] = (
    key_added(HANGZHOU, 2),
    key_revoked(HANGZHOU),
    registered(HANGZHOU),
    replace(proposed(), version=2),
    signed(),
    notice(),
)
OTHER_TYPES: tuple[tuple[Any, Any], ...] = (
    ("int", 7),
    ("string", "\u202e?"),
    ("bytes", b"\x00"),
    ("boolean", True),
    (["null", "string"], None),
    ({"type": "array", "items": "long"}, [1]),
)


def with_schema(event_type: str, **types: Any) -> EventSchema:
    """The released schema with other types of these fields; None leaves a field out."""
    document = copy.deepcopy(first_release(event_type).json)
    for field in list(document["fields"]):
        if field["name"] in types:
            field.pop("default", None)
            field.pop("ipx.disclosure", None)
            field["type"] = types[field["name"]]
            if field["type"] is None:
                document["fields"].remove(field)
    return compile_schema(json.dumps(document))


def judged(event: MemberEvent, types: dict[str, Any], values: dict[str, Any]) -> Step | None:
    """What the verifier says of an event after such a record of the members log, signed and proved."""
    exchange, event_type = town(), type(event).TYPE
    schema = with_schema(event_type, **types)
    value = {name: held for name, held in (to_value(event) | values).items() if name in schema.fields}
    source = HANGZHOU if event_type.endswith("AgreementSigned") else OPERATOR
    hostile = exchange.admit(exchange.members, event_type, value, signer(source), subject="t", copies=(), schema=schema)
    return first_bad(exchange, with_record(exchange, hostile.entry or "", hostile.body, hostile.salts, schema))


def with_record(exchange: Exchange, entry: str, body: bytes, salts: str, schema: EventSchema) -> Evidence:
    taken = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    size = len(exchange.members.envelopes)
    later = (taken.entry or "").replace(f"members: {size - 1}\n", f"members: {size}\n")
    exchange.clues.envelopes[-1] = replace(taken, entry=later)
    exchange.sign()
    assert later != taken.entry
    path = Tree(exchange.members.read, size).inclusion(size - 1)
    record = MemberEvidence(entry.encode(), body, salts, path)
    return composed(exchange, record, schema)


def composed(exchange: Exchange, record: MemberEvidence, schema: EventSchema) -> Evidence:
    records = (*exchange.history.since(0), exchange.history.since(0)[-1])
    made = compose(
        exchange.clues.envelopes[-1],
        exchange.clues,
        exchange.members,
        records,
        schema_of=schema_of,
        withheld=lambda entry, schema: schema.restricted,
    ).evidence
    members = (*made.members, record)
    return replace(made, members=members, schemas={**made.schemas, schema.digest_text: rfc8785.dumps(schema.json)})


def first_bad(exchange: Exchange, evidence: Evidence) -> Step | None:
    return verify(format_evidence(evidence), exchange.policy(), Options(exchange.root, (), routes())).first_bad


def test_an_honest_record_of_the_same_making_is_taken() -> None:
    assert judged(key_added(HANGZHOU, 2), {}, {}) is None


@pytest.mark.parametrize(
    ("event", "field", "code"),
    [
        (key_added(HANGZHOU, 2), "valid_from", "bad-schema"),
        (key_added(HANGZHOU, 2), "public_key", "bad-schema"),
        (key_revoked(HANGZHOU), "revoked_at", "bad-schema"),
        (registered(HANGZHOU), "valid_from", "bad-schema"),
        (registered(HANGZHOU), "participant", "bad-schema"),
        (notice(), "year", "bad-schema"),
    ],
)
def test_a_field_of_another_type_is_named(event: MemberEvent, field: str, code: str) -> None:
    bad = judged(
        event, {field: "string" if field != "participant" else "int"}, {field: "x" if field != "participant" else 7}
    )
    assert bad is not None
    assert (bad.title_en, bad.code, (bad.place or "").partition("[")[0]) == ("members events", code, "members.records")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVENTS), st.data())
def test_whatever_types_an_operator_gives_its_fields_there_is_a_report(event: MemberEvent, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(list(to_value(event))), min_size=1, max_size=3, unique=True))
    drawn = {name: data.draw(st.sampled_from((*OTHER_TYPES, (None, None)))) for name in names}
    bad = judged(
        event, {name: kind for name, (kind, _) in drawn.items()}, {name: held for name, (_, held) in drawn.items()}
    )
    assert bad is None or bad.number >= 7


def test_a_founding_with_a_key_that_is_none_is_refused_before_it_is_used() -> None:
    for key in (b"", b"short", bytes(64)):
        exchange = Exchange()
        value = to_value(replace(founded(), public_key=key))
        exchange.admit(exchange.members, type(founded()).TYPE, value, signer(OPERATOR), subject="t", copies=())
        exchange.members.sign()
        made = exchange.evidence(exchange.members.envelopes[0])
        bad = first_bad(exchange, made.evidence)
        assert bad is not None
        assert bad.code == "bad-field"


def test_an_event_type_that_is_not_known_here_is_not_called_wrong() -> None:
    exchange = town()
    document = copy.deepcopy(first_release(ACCEPTED).json) | {"name": "ClueWeighed"}
    schema = compile_schema(json.dumps(document))
    exchange.admit(exchange.clues, schema.name, accepted(), signer(HANGZHOU), subject="x", copies=(), schema=schema)
    exchange.sign()
    made = compose(
        exchange.clues.envelopes[0],
        exchange.clues,
        exchange.members,
        exchange.history.since(0),
        schema_of=lambda digest: schema if digest == schema.digest_text else schema_of(digest),
        withheld=lambda entry, schema: (),
    )
    report = verify(format_evidence(made.evidence), exchange.policy(), Options(exchange.root, (), routes()))
    assert report.first_bad is None
    assert report.steps[14].finding == "not-proved"
