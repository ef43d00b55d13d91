import base64
import json

import pytest

from services.codec.content import NOTHING_RESTRICTED
from services.codec.envelope import Draft, Envelope, frame, prepare
from services.codec.released import load_released
from services.codec.schema import EventSchema
from services.events.receipt import OutcomeItem, OutcomesRecorded
from services.events.registry import to_value
from services.gateway.reading import outcomes_in, structured
from services.kernel.errors import Refused

ID = "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"
RECORDED = OutcomesRecorded(
    log="ipx.clues.in/3",
    first_number=7,
    outcomes=(OutcomeItem(event=ID, outcome="refused", code="bad-field", field="uscc"),),
)


@pytest.fixture(scope="module")
def schema() -> EventSchema:
    return load_released().named(OutcomesRecorded.TYPE)


def envelope(schema: EventSchema, outcome: str | None) -> Envelope:
    draft = Draft(ID, "exchange.admission", "ipx.clues.in/3", "2026-11-24T06:11:37.123Z", trace="00-x")
    _, made = prepare(schema, to_value(RECORDED), draft, NOTHING_RESTRICTED)
    return Envelope(made.statement, "ed25519:x", made.salts, made.body, trace="00-x", outcome=outcome)


def test_a_record_is_told_as_a_structured_event_with_its_body_as_it_stands(schema: EventSchema) -> None:
    record = envelope(schema, "320100.market_regulator ipx.clues.in/3 7")
    told = json.loads(structured(record.headers(), frame(9, record.body)))

    assert base64.b64decode(told.pop("data_base64")) == record.body
    assert told == {"specversion": "1.0", "datacontenttype": "application/avro", **record.attributes()}


def test_headers_that_are_not_of_an_event_are_left_out(schema: EventSchema) -> None:
    told = json.loads(structured([("internal", b"secret"), ("ce_id", b"x")], None))

    assert told == {"id": "x", "data_base64": ""}


def read(record: Envelope, value: bytes | None, schema: EventSchema) -> OutcomesRecorded | None:
    return outcomes_in(record.headers, value, lambda _: schema)


def test_an_outcome_record_is_read(schema: EventSchema) -> None:
    record = envelope(schema, "320100.market_regulator ipx.clues.in/3 7")

    assert read(record, frame(9, record.body), schema) == RECORDED


def test_a_record_without_the_outcome_header_is_no_outcome_record_whatever_it_holds(schema: EventSchema) -> None:
    record = envelope(schema, None)

    for value in (frame(9, record.body), frame(9, b"\xff"), b"", None):
        assert read(record, value, schema) is None


def test_the_headers_of_a_record_of_another_schema_are_not_looked_at() -> None:
    def headers() -> list[tuple[str, bytes]]:
        raise AssertionError

    other = load_released().named("cn.ipx.clue.ClueReported")
    assert outcomes_in(headers, frame(9, b"x"), lambda _: other) is None


def test_an_outcome_record_that_cannot_be_read_is_refused_by_name(schema: EventSchema) -> None:
    record = envelope(schema, "x")
    for value in (None, b"", b"\x00\x00\x00\x00\x09\xff"):
        with pytest.raises(Refused) as refused:
            read(record, value, schema)
        assert refused.value.code in ("undecodable", "not-canonical")


def test_an_outcome_record_of_a_schema_that_is_not_known_is_refused_and_a_copy_of_one_is_not(
    schema: EventSchema,
) -> None:
    def unknown(_schema_id: int) -> EventSchema:
        raise Refused("unknown-schema", "unknown")

    told, copy = envelope(schema, "x"), envelope(schema, None)
    assert outcomes_in(copy.headers, frame(9, copy.body), unknown) is None
    with pytest.raises(Refused):
        outcomes_in(told.headers, frame(9, told.body), unknown)
