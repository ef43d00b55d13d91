from __future__ import annotations

from dataclasses import replace

from services.admission.judgement import Judged
from services.admission.proposal import refusal
from services.admission.records import quarantined, written
from services.admission.sequence import Numbers, Sequencing, Unanswerable
from services.codec.content import content_digest, parse_disclosure
from services.codec.envelope import Envelope, envelope_from_record
from services.kernel.instants import format_instant
from services.members.recipients import Recipient
from services.runtime.topics import Topics
from tests.unit.services.admission.desk import checked, proposed, sealed
from tests.unit.services.members.town import HANGZHOU, HANGZHOU_IP, NOW_MS, XIHU

TOPICS = Topics("t")
LOG = "t.clues/2"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALL = (
    "reporter",
    "reporter_phone",
    "reporter_id_number",
    "reporter_address",
    "informant_notes",
    "suspect_id_number",
    "suspect_phone",
)


def records(envelope: Envelope, *recipients: Recipient, more: tuple[tuple[str, bytes], ...] = ()) -> list[object]:
    said = checked(envelope, headers=[*envelope.headers(), *more])
    sequencing = Sequencing(LOG, Numbers(next_seq=4), {})
    event = sequencing.take(Judged(said, recipients), format_instant(NOW_MS), NOW_MS, 9)
    assert event is not None
    return list(written(event, "t.clues", LOG, TOPICS))


def read(record: object) -> Envelope:
    return envelope_from_record(record.headers, record.value)[1]  # type: ignore[attr-defined]


def test_the_log_holds_the_event_as_it_came_and_its_entry() -> None:
    envelope = sealed()
    (logged,) = records(envelope)
    proposal = proposed(envelope)
    assert (logged.topic, logged.partition, logged.key, logged.value) == (
        "t.clues",
        proposal.partition,
        proposal.key,
        proposal.value,
    )
    assert replace(read(logged), entry=None) == envelope
    entry = read(logged).entry
    assert entry is not None
    assert f"log: {LOG}\nseq: 4\nmembers: 9\n" in entry


def test_a_copy_goes_to_each_inbox_without_what_its_line_leaves_out() -> None:
    envelope = sealed()
    hidden = tuple(name for name in ALL if name != "reporter")
    logged, whole, partly, nothing = records(
        envelope, Recipient(HANGZHOU_IP, ()), Recipient(HANGZHOU, hidden), Recipient(XIHU, ALL)
    )
    assert [r.topic for r in (whole, partly, nothing)] == [TOPICS.inbox(n) for n in (HANGZHOU_IP, HANGZHOU, XIHU)]
    assert {r.partition for r in (whole, partly, nothing)} == {0}
    schema = checked(envelope).schema
    shown = []
    for record, name in ((whole, HANGZHOU_IP), (partly, HANGZHOU), (nothing, XIHU)):
        copy = read(record)
        assert copy.entry == read(logged).entry
        assert copy.delivery == f"{name} {LOG} 0"
        assert copy.statement == envelope.statement
        value, parts = schema.decode_parts(copy.body)
        digest = content_digest(schema, parts, parse_disclosure(schema, copy.salts)).hex()
        assert copy.statement.content == f"sha256:{digest}"
        shown.append((value["reporter"], value["reporter_phone"]))
    assert shown == [("张某", "13900000000"), ("张某", None), (None, None)]
    assert "张某".encode() not in nothing.value
    assert b"13900000000" not in partly.value + b"".join(data for _, data in partly.headers)


def test_headers_that_are_no_attributes_stay_behind_and_a_good_trace_goes_on() -> None:
    envelope = sealed()
    (logged,) = records(envelope, more=(("x-internal", b"1"), ("ce_traceparent", TRACE.encode()), ("ce_other", b"2")))
    names = [name for name, _ in logged.headers]
    assert "x-internal" not in names
    assert "ce_other" not in names
    assert read(logged).trace == TRACE
    (other,) = records(envelope, more=(("ce_traceparent", b"nonsense"),))
    assert "ce_traceparent" not in [name for name, _ in other.headers]


def test_what_is_kept_is_kept_whole_with_origin_and_reason() -> None:
    origin = proposed(sealed(), value=b"\x07", offset=12)
    record = quarantined(Unanswerable(origin, "undecodable", "not in frame"), TOPICS)
    assert (record.topic, record.partition, record.key, record.value) == ("t.quarantine", 0, origin.key, b"\x07")
    assert record.headers[:3] == [
        ("ipx_origin", f"t.clues.in/{origin.partition}@12".encode()),
        ("ipx_code", b"undecodable"),
        ("ipx_reason", b"not in frame"),
    ]
    assert record.headers[3:] == origin.headers


def test_a_refusal_says_what_could_be_read_of_a_record_and_no_more() -> None:
    from services.kernel.errors import Refused

    origin = proposed(sealed())._replace(headers=[("ce_id", b"i" * 500), ("ce_source", b"\xff\xfe")])
    found = refusal(origin, Refused("undecodable", "no"), 3)
    assert found.event == "i" * 128
    assert found.source == "\ufffd\ufffd"
    assert found.digest is None
    assert found.is_unreadable
