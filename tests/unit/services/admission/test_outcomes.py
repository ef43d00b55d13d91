from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.index import SourceNumbers
from services.admission.outcomes import SOURCE, OutcomeWriter, by_source
from services.admission.sequence import Answer
from services.codec.envelope import envelope_from_record
from services.codec.schema import MAX_BODY_BYTES
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events.receipt import OutcomesRecorded
from tests.unit.services.members.town import HANGZHOU, NANJING, released, signer

SCHEMA = released().named(OutcomesRecorded.TYPE)
WRITER = OutcomeWriter(SCHEMA, 42, signer(SOURCE))
PLACE, ADMITTED = "t.clues.in/3", "2026-09-21T14:13:20.000Z"


def item(event: str = "an-id", message: str | None = None) -> dict[str, Any]:
    names = ("statement", "log", "seq", "code", "field", "message_zh")
    return {"event": event, "outcome": "refused", **dict.fromkeys(names), "message_en": message}


def values(records: list[Any]) -> list[dict[str, Any]]:
    return [SCHEMA.decode(envelope_from_record(r.headers, r.value)[1].body) for r in records]


def test_a_record_is_a_signed_event_to_the_source_with_its_numbers() -> None:
    records, after = WRITER.write(PLACE, NANJING, [item("a"), item("b")], SourceNumbers(5, 50), ADMITTED)
    (record,) = records
    assert after == SourceNumbers(6, 52)
    assert (record.source, record.key) == (NANJING, NANJING.encode())
    schema_id, envelope = envelope_from_record(record.headers, record.value)
    assert schema_id == 42
    assert envelope.outcome == f"{NANJING} {PLACE} 5"
    assert (envelope.entry, envelope.delivery) == (None, None)
    statement = envelope.statement
    assert (statement.source, statement.addressee, statement.subject) == (SOURCE, NANJING, NANJING)
    assert (statement.type, statement.time, statement.agreement) == (OutcomesRecorded.TYPE, ADMITTED, "-")
    public = signer(SOURCE).public.data
    assert verify(format_statement(statement), parse_signature(envelope.signature), public, RootCache())
    (value,) = values(records)
    assert (value["log"], value["first_number"]) == (PLACE, 50)
    assert [each["event"] for each in value["outcomes"]] == ["a", "b"]


def test_the_same_outcomes_have_the_same_id_and_others_another() -> None:
    def id_of(place: str, source: str, number: int) -> str:
        (record,), _ = WRITER.write(place, source, [item()], SourceNumbers(number, 9), ADMITTED)
        return envelope_from_record(record.headers, record.value)[1].statement.id

    assert id_of(PLACE, NANJING, 1) == id_of(PLACE, NANJING, 1)
    assert (
        len({id_of(PLACE, NANJING, 1), id_of(PLACE, NANJING, 2), id_of(PLACE, HANGZHOU, 1), id_of("t.x/1", NANJING, 1)})
        == 4
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(0, 400),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=1000),
)
def test_however_many_they_are_they_fit_and_their_numbers_go_on(start: int, count: int, message: str) -> None:
    items = [item(f"id-{number}", message) for number in range(count)]
    records, after = WRITER.write(PLACE, NANJING, items, SourceNumbers(start, start * 10), ADMITTED)
    assert after == SourceNumbers(start + len(records), start * 10 + count)
    found = values(records)
    assert [each["event"] for value in found for each in value["outcomes"]] == [each["event"] for each in items]
    expected = start * 10
    for record, value in zip(records, found, strict=True):
        assert len(record.value) <= MAX_BODY_BYTES
        assert value["first_number"] == expected
        expected += len(value["outcomes"])


def test_fifteen_hundred_admissions_are_one_record() -> None:
    admitted = item("0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52") | {
        "outcome": "admitted",
        "statement": "sha256:" + "0" * 64,
        "log": "ipx.clues/3",
        "seq": 10**9,
    }
    records, _ = WRITER.write(PLACE, NANJING, [admitted] * 1500, SourceNumbers(), ADMITTED)
    assert len(records) == 1


def test_outcomes_are_gathered_by_source_in_their_order() -> None:
    answers = [Answer(NANJING, item("a")), Answer(HANGZHOU, item("b")), Answer(NANJING, item("c"))]
    assert {name: [each["event"] for each in found] for name, found in by_source(answers).items()} == {
        NANJING: ["a", "c"],
        HANGZHOU: ["b"],
    }
