"""The pure part of the runner: which entries are next, what they change, how far the logs vouch for the past."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.errors import Corrupt
from services.runtime.fold import Emission, Folded, Logged, Room
from services.runtime.planner import Gap, Position, check, fold_all, horizon_of, keys_of, tick_all
from tests.unit.services.receipts.scene import Aside, event_id, logged

T = "t.clues"


def entry(seq: int, *, partition: int = 0, offset: int | None = None, at: int = 1_000, subject: str = "S") -> Logged:
    made = logged(
        Aside(),
        id_=event_id(f"{partition}/{seq}"),
        source="exchange.x",
        subject=subject,
        at=at,
        seq=seq,
        log=f"{T}/{partition}",
    )
    return replace(made, offset=seq * 2 if offset is None else offset)


def test_the_next_entries_are_taken_and_the_position_moves_behind_the_last():
    checked = check([entry(3), entry(4, at=1_500)], {(T, 0): Position(3, 6, 900)})
    assert [e.seq for e in checked.entries] == [3, 4]
    assert checked.positions == {(T, 0): Position(5, 9, 1_500)}
    assert (checked.skipped, checked.gaps) == (0, ())


def test_a_known_entry_is_skipped_and_moves_nothing():
    checked = check([entry(0), entry(1)], {(T, 0): Position(2, 4, 1_000)})
    assert (checked.entries, checked.positions, checked.skipped) == ((), {}, 2)


def test_from_a_missing_entry_on_nothing_of_that_partition_is_taken():
    checked = check([entry(0), entry(2), entry(3), entry(0, partition=1)], {})
    assert [(e.partition, e.seq) for e in checked.entries] == [(0, 0), (1, 0)]
    assert checked.gaps == (Gap((T, 0), 1, 1, 2, 4),)
    assert checked.positions[(T, 0)].next_seq == 1


def test_a_partition_begins_with_seq_zero():
    assert check([entry(1)], {}).gaps == (Gap((T, 0), 0, 0, 1, 2),)


def test_the_order_of_a_batch_does_not_depend_on_how_partitions_were_mixed():
    mixed = [entry(0, partition=2), entry(0, partition=0), entry(1, partition=2), entry(0, partition=1)]
    taken = [(e.partition, e.seq) for e in check(mixed, {}).entries]
    assert taken == [(0, 0), (1, 0), (2, 0), (2, 1)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=40), st.randoms())
def test_whatever_is_brought_again_or_left_out_each_entry_is_taken_once_and_in_order(cuts, random):
    logs = {p: [entry(seq, partition=p) for seq in range(20)] for p in range(3)}
    stored: dict = {}
    taken: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for partition, back in [*cuts, (0, 0), (1, 0), (2, 0)]:
        at = stored.get((T, partition), Position()).next_seq
        start = max(0, at - back) if random.random() < 0.8 else min(19, at + 1)
        batch = logs[partition][start : start + random.randint(1, 20 if back == 0 else 4)]
        checked = check(batch, stored)
        stored |= checked.positions
        for e in checked.entries:
            taken[e.partition].append(e.seq)
    for seqs in taken.values():
        assert seqs == list(range(len(seqs)))


@dataclass(frozen=True, slots=True)
class Sum:
    seqs: tuple[int, ...] = ()
    due: int | None = None


def emission(cause: str, ordinal: int, at: int = 0) -> Emission:
    return Emission(Aside(), "S", (), cause, ordinal, at)


def room(**more) -> Room[Sum]:
    def fold(state, e, world):
        state = replace(state or Sum(), seqs=(*(state.seqs if state else ()), e.seq))
        return Folded(state, (emission(e.id, 0),) if e.seq % 2 else ())

    given = {
        "name": "sum",
        "families": ("clues",),
        "key_of": lambda e: (e.entry.statement.subject,),
        "fold": fold,
        "encode": lambda s: {},
        "decode": lambda d: Sum(),
    }
    return Room(**{**given, **more})


def test_entries_of_one_state_are_folded_in_order_over_what_was_loaded():
    r = room()
    entries = [entry(1, subject="A"), entry(2, subject="B"), entry(3, subject="A")]
    outcome = fold_all(r, keys_of(r, entries), {"A": Sum((0,))}, None)
    assert {key: state.seqs for key, state in outcome.states.items()} == {"A": (0, 1, 3), "B": (2,)}
    assert [told.emission.cause for told in outcome.emissions] == [entries[0].id, entries[2].id]


def test_an_emission_carries_the_trace_of_its_entry():
    r = room()
    traced = replace(entry(1), trace="00-abc")
    assert fold_all(r, keys_of(r, [traced]), {}, None).emissions[0].trace == "00-abc"


def test_a_state_that_folds_to_none_is_taken_away_only_where_there_was_one():
    r = room(fold=lambda state, e, world: Folded(None))
    outcome = fold_all(r, keys_of(r, [entry(0, subject="A"), entry(1, subject="B")]), {"A": Sum()}, None)
    assert outcome.states == {"A": None}


def test_two_emissions_of_one_cause_with_one_ordinal_are_a_bug():
    r = room(fold=lambda state, e, world: Folded(Sum(), (emission("c", 1), emission("c", 1))))
    with pytest.raises(Corrupt):
        fold_all(r, keys_of(r, [entry(0)]), {}, None)


def test_one_id_under_which_two_things_were_said_of_two_subjects_stops_nobody():
    one, two = (replace(emission("c", 1), subject=subject) for subject in ("S", "T"))
    r = room(fold=lambda state, e, world: Folded(Sum(), (one if e.entry.statement.subject == "S" else two,)))
    outcome = fold_all(r, keys_of(r, [entry(0, subject="S"), entry(1, subject="T")]), {}, None)
    assert [told.emission for told in outcome.emissions] == [one, two]


def test_a_state_is_ticked_at_each_of_its_due_times_in_order_and_not_past_the_horizon():
    seen = []

    def tick(state, due, world):
        seen.append((state.seqs, due, world))
        return Folded(replace(state, due=due + 10), (emission("c", due, due),))

    outcome = tick_all(room(tick=tick, due_of=lambda s: s.due), {"B": Sum((2,), 25), "A": Sum((1,), 10)}, 30, "W")
    assert seen == [((1,), 10, "W"), ((1,), 20, "W"), ((1,), 30, "W"), ((2,), 25, "W")]
    assert {key: state.due for key, state in outcome.states.items()} == {"A": 40, "B": 35}


def test_a_tick_that_asks_for_the_same_time_again_is_a_bug():
    r = room(tick=lambda state, due, world: Folded(state), due_of=lambda s: s.due)
    with pytest.raises(Corrupt):
        tick_all(r, {"A": Sum((), 10)}, 10, None)


def test_a_state_that_is_not_due_is_left_alone():
    outcome = tick_all(room(tick=lambda s, due, world: Folded(s), due_of=lambda s: s.due), {"A": Sum((), 31)}, 30, None)
    assert (outcome.states, outcome.emissions) == ({}, ())


def test_the_horizon_lies_just_before_the_last_entry_of_the_slowest_partition():
    positions = {(T, 0): Position(1, 1, 5_000), (T, 1): Position(1, 1, 4_000)}
    assert horizon_of(positions, {}, [(T, 0), (T, 1)]) == 3_999


def test_a_partition_without_entries_holds_the_horizon_back_until_a_probe_vouches_for_it():
    positions = {(T, 0): Position(1, 1, 5_000)}
    places = [(T, 0), (T, 1)]
    assert horizon_of(positions, {}, places) == 0
    assert horizon_of(positions, {(T, 1): 4_500}, places) == 4_500
    assert horizon_of(positions, {(T, 1): 9_000}, places) == 4_999


def test_no_partition_is_no_horizon():
    assert horizon_of({}, {}, []) == 0
