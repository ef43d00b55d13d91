from dataclasses import replace
from typing import Any

import pytest

from services.codec.envelope import Draft, Envelope, envelope_from_record, seal, seal_batch
from services.codec.examples import read_examples
from services.codec.json_form import json_form
from services.codec.keys import signer_from_seed
from services.codec.released import load_released
from services.codec.schema import EventSchema
from services.gateway.forwarding import Sent, forward
from services.gateway.intake import Intake
from services.kernel.errors import Refused, Transient
from services.kernel.ids import uuid7
from services.kernel.ports import CountedEntropy
from services.runtime.topics import Topics

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
RELEASED, TOPICS = load_released(), Topics("ipx")
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
SCHEMA = RELEASED.named("cn.ipx.clue.ClueReported")
CLUE = next(e.data for e in read_examples() if (e.type, e.name) == (SCHEMA.name, "valid-online"))
ENTROPY = CountedEntropy()


class FixedIds:
    """Ids that a registry might have given; none while it is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    def id_of(self, schema: EventSchema) -> int:
        if self.away:
            raise Transient("not told yet")
        return 7


def event(**changed: str) -> Envelope:
    said = {"source": NANJING, "subject": "CL-1", "addressee": HANGZHOU, "agreement": "yrd-enforcement@1", **changed}
    draft = Draft(id=uuid7(1_790_000_000_000, ENTROPY.draw(10)), time="2026-11-24T06:11:37.123Z", **said)
    return seal(SCHEMA, json_form(SCHEMA).read(CLUE), draft, signer_from_seed(NANJING, bytes(32)), ENTROPY)


def intake(*, away: bool = False) -> Intake:
    return Intake(RELEASED, FixedIds(away=away), TOPICS)


def statement(envelope: Envelope, **changed: str) -> Envelope:
    return replace(envelope, statement=replace(envelope.statement, **changed))


def test_an_event_is_handed_over_keyed_by_its_subject_with_all_it_came_with() -> None:
    sent = event()
    taken = intake().take(sent, NANJING, TRACE)

    assert (taken.family, taken.record.topic, taken.record.key) == ("clues", "ipx.clues.in", b"CL-1")
    schema_id, read = envelope_from_record(taken.record.headers, taken.record.value)
    assert (schema_id, read) == (7, replace(sent, trace=TRACE))
    assert (taken.awaited.source, taken.awaited.event) == (NANJING, sent.statement.id)


def test_the_trace_that_an_event_brings_is_its_own() -> None:
    own = TRACE.replace("a", "c")
    taken = intake().take(replace(event(), trace=own), NANJING, TRACE)

    assert envelope_from_record(taken.record.headers, taken.record.value)[1].trace == own


def test_an_event_of_a_batch_signature_is_taken_like_any_other() -> None:
    draft = Draft(uuid7(1, ENTROPY.draw(10)), NANJING, "CL-2", "2026-11-24T06:11:37.123Z")
    value = json_form(SCHEMA).read(CLUE)
    (sent,) = seal_batch([(SCHEMA, value, draft)], signer_from_seed(NANJING, bytes(32)), ENTROPY)

    assert intake().take(sent, NANJING, TRACE).family == "clues"


OTHER = RELEASED.named("cn.ipx.clue.ClueAccepted")
WRONG: list[tuple[str, Any, tuple[str, str | None]]] = [
    ("another source", lambda e: statement(e, source=HANGZHOU), ("forbidden", "source")),
    ("an entry", lambda e: replace(e, entry="x"), ("bad-attribute", "ipxentry")),
    ("a delivery", lambda e: replace(e, delivery="x"), ("bad-attribute", "ipxdelivery")),
    ("an outcome", lambda e: replace(e, outcome="x"), ("bad-attribute", "ipxoutcome")),
    ("a foreign type", lambda e: statement(e, type="cn.other.Thing"), ("unknown-schema", "type")),
    ("an unreleased schema", lambda e: statement(e, schema=f"sha256:{'0' * 64}"), ("unreleased-schema", "schema")),
    ("the schema of another type", lambda e: statement(e, schema=OTHER.digest_text), ("statement-mismatch", None)),
    ("a line in the subject", lambda e: statement(e, subject="CL-1\nid: x"), ("bad-attribute", "subject")),
    ("no signature", lambda e: replace(e, signature=""), ("bad-signature", "ipxsignature")),
    ("a foreign suite", lambda e: replace(e, signature="rsa:x"), ("unknown-suite", "ipxsignature")),
    ("a byte more", lambda e: replace(e, body=e.body + b"\x00"), ("not-canonical", None)),
    ("no body", lambda e: replace(e, body=b""), ("undecodable", None)),
    ("another content", lambda e: statement(e, content=f"sha256:{'0' * 64}"), ("statement-mismatch", None)),
    ("no salts", lambda e: replace(e, salts="-"), ("bad-disclosure", None)),
    ("endless salts", lambda e: replace(e, salts="x" * 70_000), ("bad-disclosure", None)),
]


@pytest.mark.parametrize(("change", "answer"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_certainly_wrong_is_refused_by_name(change: Any, answer: tuple[str, str | None]) -> None:
    with pytest.raises(Refused) as refused:
        intake().take(change(event()), NANJING, TRACE)
    assert refused.value.code == answer[0]
    if answer[1] is not None:
        assert refused.value.field == answer[1]


def test_before_the_registry_has_told_the_ids_the_sender_is_told_to_come_again() -> None:
    with pytest.raises(Transient):
        intake(away=True).take(event(), NANJING, TRACE)


def sent_by_kafka(envelope: Envelope, owner: str = NANJING, headers: list[tuple[str, Any]] | None = None) -> Sent:
    record = intake().take(envelope, envelope.statement.source, TRACE).record
    return Sent(owner, "ipx.outbox.x/0@5", record.key, record.value, record.headers if headers is None else headers)


def test_the_kafka_door_makes_the_same_record_as_the_http_door() -> None:
    sent = event()

    assert forward(sent_by_kafka(sent), intake(), TOPICS, TRACE).record == intake().take(sent, NANJING, TRACE).record
