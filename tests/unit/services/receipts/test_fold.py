"""The receipts room: what is missing is decided by admission's clock alone, whatever order the logs are folded in."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.events.receipt import (
    Committed,
    CompletenessConfirmed,
    CompletenessStated,
    Delivered,
    NotCommitted,
    Rejected,
    StepMissing,
)
from services.receipts.fold import due_of, fold, key_of, tick
from services.receipts.state import Tracked, decode, encode
from tests.unit.services.receipts.scene import (
    CLUES,
    HANGZHOU,
    HANGZHOU_POLICE,
    NANJING,
    SUZHOU,
    T0,
    World,
    clue,
    delivered,
    event_id,
    logged,
    registry,
)

WORLD = World()


def folded(*entries) -> Tracked:
    state = None
    for entry in entries:
        assert key_of(entry), "the entry does not concern the room"
        result = fold(state, entry, WORLD)
        assert result.emissions == ()
        state = result.state
    return state


def committed(name: str, by: str, number: int, *, at: int, reference: str = "R-1"):
    event = Committed(
        event=event_id(name), recipient=by, log=CLUES, number=number, committed_at=at, reference=reference
    )
    return logged(event, id_=event_id(f"{name} {by} committed {at}"), source=by, at=at)


def rejected(name: str, by: str, number: int, *, at: int):
    event = Rejected(
        event=event_id(name),
        recipient=by,
        log=CLUES,
        number=number,
        rejected_at=at,
        code="incomplete",
        reason="no place",
    )
    return logged(event, id_=event_id(f"{name} {by} rejected {at}"), source=by, at=at)


def test_an_event_under_an_agreement_is_due_at_the_limits_of_its_flow():
    state = folded(clue("a", {HANGZHOU: 4}))
    assert due_of(state) == T0 + 60_000
    assert [(due, step) for due, _, step in state.due()] == [(T0 + 60_000, "delivered"), (T0 + 600_000, "committed")]


def test_a_copy_has_the_limits_of_the_flow_that_gives_it():
    state = folded(clue("a", {HANGZHOU: 4, HANGZHOU_POLICE: 0}))
    assert [(c.recipient, c.delivered_within_s) for c in state.copies] == [(HANGZHOU, 60), (HANGZHOU_POLICE, 60)]


def test_an_event_under_no_agreement_is_never_due():
    assert due_of(folded(clue("a", {HANGZHOU: 4}, agreement="-"))) is None


@pytest.mark.parametrize(("at", "missing"), [(T0 + 60_000, False), (T0 + 60_001, True)])
def test_a_receipt_admitted_at_the_due_time_is_in_time_and_a_millisecond_later_it_is_not(at, missing):
    state = folded(clue("a", {HANGZHOU: 4}), delivered("a", HANGZHOU, 4, at=at))
    assert (due_of(state) == T0 + 60_000) is missing


def test_a_step_that_is_due_is_reported_once_to_the_source_and_the_recipient():
    state = folded(clue("a", {HANGZHOU: 4}))
    first = tick(state, T0 + 60_000, WORLD)
    [emission] = first.emissions
    assert emission.event == StepMissing(
        event=event_id("a"),
        recipient=HANGZHOU,
        log=CLUES,
        number=4,
        source=NANJING,
        step="delivered",
        due_at=T0 + 60_000,
        limit_s=60,
        agreement="yrd-test@1",
        last_step="admitted",
    )
    assert (emission.cause, emission.ordinal, emission.time_ms) == (event_id("a"), 0, T0 + 60_000)
    assert emission.addressee == (NANJING, HANGZHOU)
    assert tick(first.state, T0 + 60_000, WORLD).emissions == ()
    assert due_of(first.state) == T0 + 600_000


def test_the_last_step_is_what_had_a_receipt_when_the_step_was_due():
    in_time = folded(clue("a", {HANGZHOU: 4}), delivered("a", HANGZHOU, 4, at=T0 + 1))
    [emission] = tick(in_time, T0 + 600_000, WORLD).emissions
    assert (emission.event.step, emission.event.last_step, emission.ordinal) == ("committed", "delivered", 1)
    late = folded(clue("a", {HANGZHOU: 4}), delivered("a", HANGZHOU, 4, at=T0 + 600_001))
    [emission] = tick(late, T0 + 600_000, WORLD).emissions
    assert emission.event.last_step == "admitted"


def test_a_receipt_after_the_missing_step_is_kept_and_the_missing_step_stays():
    state = tick(folded(clue("a", {HANGZHOU: 4})), T0 + 60_000, WORLD).state
    later = fold(state, delivered("a", HANGZHOU, 4, at=T0 + 90_000), WORLD).state
    assert [(m.step, m.due_at) for m in later.missing] == [("delivered", T0 + 60_000)]
    assert [a.first.admitted_at for a in later.answers] == [T0 + 90_000]


def test_a_rejection_answers_the_committed_step_and_a_negative_receipt_does_not():
    refused = folded(
        clue("a", {HANGZHOU: 4}), delivered("a", HANGZHOU, 4, at=T0 + 1), rejected("a", HANGZHOU, 4, at=T0 + 2)
    )
    assert due_of(refused) is None
    event = NotCommitted(
        event=event_id("a"), recipient=HANGZHOU, log=CLUES, number=4, step="committed", limit_s=60, due_at=T0 + 60_000
    )
    negative = folded(
        clue("a", {HANGZHOU: 4}),
        delivered("a", HANGZHOU, 4, at=T0 + 1),
        logged(event, id_=event_id("neg"), source=HANGZHOU, at=T0 + 60_001),
    )
    assert due_of(negative) == T0 + 600_000


def test_a_receipt_in_the_name_of_another_concerns_nobody():
    assert key_of(delivered("a", HANGZHOU, 4, at=T0 + 1, source=SUZHOU)) == ()


@pytest.mark.parametrize(
    "wrong", [delivered("a", SUZHOU, 4, at=T0 + 1), delivered("a", HANGZHOU, 5, at=T0 + 1)], ids=["stranger", "number"]
)
@pytest.mark.parametrize("before", [True, False])
def test_a_receipt_from_no_recipient_or_for_another_delivery_has_no_effect(wrong, before):
    entry = clue("a", {HANGZHOU: 4})
    state = folded(wrong, entry) if before else folded(entry, wrong)
    assert state == folded(entry)


def test_a_receipt_for_another_log_is_of_another_state():
    here = delivered("a", HANGZHOU, 4, at=T0 + 1)
    there = delivered("a", HANGZHOU, 4, at=T0 + 1, log="t.clues/1")
    assert key_of(here) == key_of(clue("a", {HANGZHOU: 4}))
    assert key_of(there) != key_of(here)


def test_a_receipt_gets_no_receipt():
    missing = StepMissing(
        event=event_id("a"),
        recipient=HANGZHOU,
        log=CLUES,
        number=4,
        source=NANJING,
        step="delivered",
        due_at=T0,
        limit_s=1,
    )
    assert key_of(logged(missing, id_=event_id("m"), source="exchange.receipts", to={HANGZHOU: 9})) == ()
    receipt = logged(
        Delivered(event=event_id("a"), recipient=HANGZHOU, log=CLUES, number=4, delivered_at=T0),
        id_=event_id("r"),
        source=HANGZHOU,
        to={NANJING: 3},
    )
    assert key_of(receipt) == (f"{event_id('a')} {CLUES}",)


def test_the_first_and_the_last_receipt_of_a_step_are_kept():
    state = folded(
        clue("a", {HANGZHOU: 4}),
        rejected("a", HANGZHOU, 4, at=T0 + 10),
        rejected("a", HANGZHOU, 4, at=T0 + 30),
        rejected("a", HANGZHOU, 4, at=T0 + 20),
        rejected("a", HANGZHOU, 4, at=T0 + 5),  # from another partition of the receipts log
    )
    [answer] = state.answers
    assert (answer.first.admitted_at, answer.last.admitted_at) == (T0 + 5, T0 + 30)
    assert answer.first.code == "incomplete"


# --- the logs in any interleaving -------------------------------------------------------------------------------------

NAMES = ("a", "b", "c")
RECIPIENTS = (HANGZHOU, HANGZHOU_POLICE, SUZHOU)


@st.composite
def logs(draw):
    """The clues log and two partitions of the receipts log of a short history, each in its own order."""
    times = st.integers(0, 12).map(lambda tens: T0 + tens * 10_000)  # due times are hit exactly, and often
    entries, start = [], T0
    for seq, name in enumerate(NAMES):
        to = draw(st.dictionaries(st.sampled_from(RECIPIENTS), st.integers(0, 1), max_size=3))
        start += draw(st.integers(0, 2)) * 10_000
        entries.append(clue(name, to, at=start, seq=seq))
    said = []
    for number in range(draw(st.integers(0, 8))):
        name, by = draw(st.sampled_from(NAMES)), draw(st.sampled_from(RECIPIENTS))
        make = draw(st.sampled_from([_delivered, committed, rejected]))
        said.append((draw(times), number, make, name, by, draw(st.integers(0, 1))))
    receipts = [make(name, by, of, at=at) for at, _, make, name, by, of in sorted(said, key=lambda item: item[:2])]
    unique = list({receipt.id: receipt for receipt in receipts}.values())
    in_first = draw(st.lists(st.booleans(), min_size=len(unique), max_size=len(unique)))
    first = [r for r, here in zip(unique, in_first, strict=True) if here]
    second = [replace(r, partition=1) for r, here in zip(unique, in_first, strict=True) if not here]
    return entries, first, second


def _delivered(name, by, number, *, at):
    return delivered(name, by, number, at=at, receipt=f"{name} {by} {number} delivered {at}")


class Play:
    """The runner and the ticker over the logs, in memory: ticks only what both receipts partitions vouch for."""

    def __init__(self) -> None:
        self.world = World(registry(delivered_s=20, committed_s=50))
        self.states: dict[str, Tracked] = {}
        self.emitted: list[tuple] = []
        self.horizons = [-1, -1]

    def fold(self, entry, partition: int | None = None) -> None:
        for key in key_of(entry):
            result = fold(self.states.get(key), entry, self.world)
            assert result.emissions == ()
            self.states[key] = result.state
        if partition is not None:
            self.horizons[partition] = max(self.horizons[partition], entry.admitted_ms - 1)
        self.tick()

    def tick(self) -> None:
        for key in list(self.states):
            while (due_ms := due_of(self.states[key])) is not None and due_ms <= min(self.horizons):
                result = tick(self.states[key], due_ms, self.world)
                self.emitted += [(e.cause, e.ordinal, e.time_ms, e.event) for e in result.emissions]
                self.states[key] = result.state

    def end(self) -> None:
        self.horizons = [T0 + 10**9] * 2
        self.tick()


@settings(max_examples=300, deadline=None)
@given(logs(), st.data())
def test_any_interleaving_of_the_logs_gives_the_same_states_and_the_same_missing_steps(histories, data):
    entries, *receipts = histories
    straight = Play()
    for entry in entries:
        straight.fold(entry)
    for partition, log in enumerate(receipts):
        for receipt in log:
            straight.fold(receipt, partition)
    straight.end()

    mixed = Play()
    left = [(None, list(entries)), (0, list(receipts[0])), (1, list(receipts[1]))]
    while left := [(partition, log) for partition, log in left if log]:
        partition, log = data.draw(st.sampled_from(left))
        entry = log.pop(0)
        mixed.fold(entry, partition)
        if data.draw(st.booleans()):
            mixed.fold(entry, partition)  # a redelivery
    mixed.end()

    assert mixed.states == straight.states
    assert sorted(map(repr, mixed.emitted)) == sorted(map(repr, straight.emitted))
    assert len({(cause, ordinal) for cause, ordinal, *_ in mixed.emitted}) == len(mixed.emitted)
    assert {(m.event, m.recipient, m.step) for *_, m in mixed.emitted} == _truly_missing(
        entries, list(chain(*receipts))
    )


def _truly_missing(entries, receipts) -> set[tuple[str, str, str]]:
    """The definition, once more and plainly: no answering receipt admitted at or before the due time."""
    missing = set()
    for entry in entries:
        for delivery in entry.entry.deliveries:
            limits = {"delivered": (20, (Delivered,)), "committed": (50, (Committed, Rejected))}
            for step, (limit_s, kinds) in limits.items():
                due_ms = entry.admitted_ms + limit_s * 1000
                answered = any(
                    isinstance(r.event, kinds)
                    and (r.event.event, r.event.recipient, r.event.number)
                    == (entry.id, delivery.recipient, delivery.number)
                    and r.admitted_ms <= due_ms
                    for r in receipts
                )
                if not answered:
                    missing.add((entry.id, delivery.recipient, step))
    return missing


@settings(deadline=None)
@given(logs())
def test_every_state_survives_its_json(histories):
    play = Play()
    for entry in chain(*histories):
        play.fold(entry)
    play.end()
    assert all(decode(encode(state)) == state for state in play.states.values())


def test_what_is_said_of_whole_days_concerns_no_delivery():
    day = {"recipient": HANGZHOU, "log": CLUES, "admitted_on": 20_000, "first_number": 0, "count": 1, "root": ""}
    state = folded(clue("a", {HANGZHOU: 0}))
    for event in (CompletenessStated(**day, senders=()), CompletenessConfirmed(**day, event=event_id("a"))):
        entry = logged(event, id_=event_id("day"), source=HANGZHOU, at=T0)
        assert key_of(entry) == ()
        assert fold(state, entry, WORLD).state is state
