"""The tally counts what was read and finds what is missing or stands twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, Envelope, frame, seal
from services.codec.keys import signer_from_seed
from services.codec.statement import format_statement
from services.demo.tally import Record, Refusal, Run, Tally, released
from services.events import Event, to_value
from services.events.clue import ClueAccepted, ClueResultReturned
from services.events.receipt import Committed, Delivered, OutcomeItem, OutcomesRecorded, Rejected
from services.kernel.errors import Refused
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from services.runtime.topics import Topics

TOPICS = Topics("ipx")
NANJING, NINGBO, PLACE = "320100.market_regulator", "330200.market_regulator", "ipx.clues/0"
NOON = 1_795_500_000_000
ENTROPY = CountedEntropy()
SIGNER = signer_from_seed(NANJING, b"s" * 32)


def sealed(event: Event, source: str = NANJING, number: int = 0) -> Envelope:
    draft = Draft(id=uuid7(NOON, number.to_bytes(10, "big")), source=source, subject="CL-1", time=format_instant(NOON))
    return seal(released().named(event.TYPE), to_value(event), draft, SIGNER, ENTROPY)


def logged(envelope: Envelope, seq: int, *deliveries: Delivery, log: str = PLACE) -> Envelope:
    statement = format_statement(envelope.statement)
    entry = format_entry(statement, envelope.signature, format_instant(NOON), log, seq, 9, deliveries)
    return replace(envelope, entry=entry.decode())


def record(envelope: Envelope, topic: str, offset: int = 0) -> Record:
    return Record(topic, 0, offset, envelope.headers(), frame(1, envelope.body))


def accepted(number: int = 0) -> Envelope:
    return sealed(ClueAccepted(accepted_at=NOON), NINGBO, number)


def copy(envelope: Envelope, number: int, to: str = NINGBO) -> Record:
    return record(replace(envelope, delivery=f"{to} {PLACE} {number}"), TOPICS.inbox(to), number)


def receipt(event: Event) -> Record:
    return record(logged(sealed(event, NINGBO, 500), 0, log="ipx.receipts/0"), TOPICS.log("receipts"))


def test_a_clean_way_of_one_event_is_counted_without_gap_or_repeat() -> None:
    tally, said = Tally(TOPICS), accepted()
    entry = logged(said, 0, Delivery(NINGBO, 0))
    event = said.statement.id
    assert tally.undecided() == set()
    tally.take(record(said, TOPICS.proposals("clues")))
    assert tally.undecided() == {event}
    tally.take(record(entry, TOPICS.log("clues")))
    tally.take(copy(entry, 0))
    hosted = frozenset({NINGBO})
    assert (tally.undecided(), tally.undelivered(hosted)) == (set(), {(event, NINGBO)})
    told = {"event": event, "recipient": NINGBO, "log": PLACE, "number": 0}
    tally.take(receipt(Delivered(**told, delivered_at=NOON)))
    assert tally.undelivered(hosted) == {(event, NINGBO)}  # delivered is not committed
    tally.take(receipt(Committed(**told, committed_at=NOON)))
    assert tally.undelivered(hosted) == set()
    assert tally.summary(1.04) == {
        "published": 1,
        "admitted": 1,
        "refused": 0,
        "delivered": 1,
        "committed": 1,
        "rejected_by_city": 0,
        "returned_results": 0,
        "gaps": 0,
        "repeats": 1,  # both receipts of this test stand at seq 0 of their log
        "seconds": 1.0,
    }


def test_what_a_city_declines_is_told_and_is_an_end() -> None:
    tally, said = Tally(TOPICS), accepted()
    tally.take(record(said, TOPICS.proposals("clues")))
    tally.take(record(logged(said, 0, Delivery(NINGBO, 0)), TOPICS.log("clues")))
    rejected = Rejected(
        event=said.statement.id,
        recipient=NINGBO,
        log=PLACE,
        number=0,
        rejected_at=NOON,
        code="not-our-jurisdiction",
        reason="不属于本机关管辖",
    )
    tally.take(receipt(rejected))
    assert tally.undelivered(frozenset({NINGBO})) == set()
    assert tally.declined[said.statement.id, NINGBO].code == "not-our-jurisdiction"
    assert tally.summary(0)["rejected_by_city"] == 1


def test_a_receipt_for_an_event_of_an_earlier_run_is_not_counted() -> None:
    tally = Tally(TOPICS)
    told = {"event": accepted(99).statement.id, "recipient": NINGBO, "log": PLACE, "number": 0}
    tally.take(receipt(Delivered(**told, delivered_at=NOON)))
    tally.take(receipt(Committed(**told, committed_at=NOON)))
    assert (tally.summary(0)["delivered"], tally.summary(0)["committed"]) == (0, 0)


def test_participants_whose_node_takes_no_part_are_not_waited_for() -> None:
    tally = Tally(TOPICS)
    tally.take(record(logged(accepted(), 0, Delivery(NINGBO, 0)), TOPICS.log("clues")))
    assert tally.undelivered(frozenset({NANJING})) == set()


@pytest.mark.parametrize(
    ("seqs", "gaps", "repeats"),
    [((0, 1, 2), 0, 0), ((0, 2), 1, 0), ((1,), 1, 0), ((0, 0), 0, 1), ((0, 3, 3, 5), 3, 1)],
)
def test_a_numbering_tells_what_is_missing_and_what_stands_twice(
    seqs: tuple[int, ...], gaps: int, repeats: int
) -> None:
    tally = Tally(TOPICS)
    for offset, seq in enumerate(seqs):
        tally.take(record(logged(accepted(offset), seq), TOPICS.log("clues"), offset))
    assert (tally.gaps, tally.repeats) == (gaps, repeats)


def test_a_promised_copy_that_no_inbox_holds_is_a_gap() -> None:
    tally = Tally(TOPICS)
    tally.take(record(logged(accepted(), 0, Delivery(NINGBO, 0)), TOPICS.log("clues")))
    assert tally.gaps == 1
    tally.take(copy(accepted(), 0))
    assert (tally.gaps, tally.repeats) == (0, 0)


def test_a_copy_that_no_entry_promises_is_a_repeat() -> None:
    tally = Tally(TOPICS)
    tally.take(copy(accepted(), 0))
    assert tally.repeats == 1


def test_a_copy_in_the_inbox_of_another_shows() -> None:
    tally = Tally(TOPICS)
    stray = copy(accepted(), 0)
    tally.take(replace(stray, topic=TOPICS.inbox(NANJING)))
    assert tally.repeats >= 1


def test_what_admission_refused_is_known_from_the_sources_inbox() -> None:
    tally, said = Tally(TOPICS), accepted()
    tally.take(record(said, TOPICS.proposals("clues")))
    item = OutcomeItem(
        event=said.statement.id, outcome="refused", code="addressee-not-a-member", message_en="no member"
    )
    outcomes = sealed(OutcomesRecorded(log=PLACE, first_number=0, outcomes=(item,)), "exchange.admission", 7)
    outcome = replace(outcomes, outcome=f"{NINGBO} ipx.clues.in/0 0")
    tally.take(record(outcome, TOPICS.inbox(NINGBO)))
    assert tally.undecided() == set()
    refused = Refusal(said.statement.id, NINGBO, "addressee-not-a-member", None, "no member", None)
    assert tally.refusals == {said.statement.id: refused}
    assert (tally.summary(0)["refused"], tally.gaps, tally.repeats) == (1, 0, 0)


def test_results_are_counted_from_the_log() -> None:
    tally = Tally(TOPICS)
    result = ClueResultReturned(
        result="filed",
        origin=NANJING,
        handled_by=NINGBO,
        report_event="a",
        result_event="b",
        reported_at=NOON,
        decided_at=NOON,
    )
    tally.take(record(logged(sealed(result, "exchange.clues"), 0), TOPICS.log("clues")))
    assert list(tally.results.values()) == [("CL-1", result)]


def test_an_earlier_run_is_checked_and_not_counted() -> None:
    tally = Tally(TOPICS, marks={("ipx.clues", 0): 1, ("ipx.clues.in", 0): 1})
    for offset in (0, 1):
        tally.take(record(accepted(offset), TOPICS.proposals("clues"), offset))
        tally.take(record(logged(accepted(offset), offset), TOPICS.log("clues"), offset))
    assert (len(tally.published), len(tally.entries), tally.gaps, tally.repeats) == (1, 1, 0, 0)


def test_what_an_earlier_run_published_and_this_one_admitted_is_not_of_this_run() -> None:
    tally = Tally(TOPICS, marks={("ipx.clues.in", 0): 1})
    tally.take(record(accepted(), TOPICS.proposals("clues"), 0))
    tally.take(record(logged(accepted(), 0), TOPICS.log("clues"), 0))
    assert (tally.summary(0)["published"], tally.summary(0)["admitted"]) == (0, 0)


def test_a_proposal_that_was_sent_twice_is_published_once() -> None:
    tally, said = Tally(TOPICS), accepted()
    for offset in (0, 1):
        tally.take(record(said, TOPICS.proposals("clues"), offset))
    assert tally.summary(0)["published"] == 1


def test_bytes_that_are_not_of_the_exchange_are_not_passed_over() -> None:
    with pytest.raises(Refused):
        Tally(TOPICS).take(Record("ipx.clues", 0, 0, [], b"\x01nonsense"))


def test_an_empty_numbering_has_no_gap() -> None:
    assert (Run().gaps, Run().repeats) == (0, 0)
