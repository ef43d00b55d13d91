"""The fold that states completeness: exact, the same however often it runs, and never the cause of itself."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.entry import Delivery, format_entry
from services.codec.merkle import leaf_hash
from services.codec.statement import Statement, format_statement
from services.events.receipt import CompletenessStated, Delivered
from services.kernel.codes import day_of
from services.kernel.errors import Corrupt
from services.kernel.ids import uuid8
from services.kernel.instants import format_instant
from services.ledger.completeness import Completeness, end_of_day_ms
from services.runtime.fold import Emission

LOG = "ipx.clues/3"
NANJING, SUZHOU = "320100.market_regulator", "320500.market_regulator"
HANGZHOU, POLICE = "330100.market_regulator", "330100.police"
T0 = 1_795_500_697_456  # 14:11 in Shanghai
DAY = 86_400_000
CLUE = "cn.ipx.clue.ClueReported"


class Log:
    """Entries of one log as admission numbers them."""

    def __init__(self, log: str = LOG) -> None:
        self.log = log
        self.entries: list[bytes] = []
        self.ids: list[str] = []
        self._numbers: dict[str, int] = {}

    def say(self, *to: str, source: str = NANJING, at: int = T0, kind: str = CLUE) -> bytes:
        seq = len(self.entries)
        statement = Statement(
            id=uuid8("test", self.log, str(seq)),
            source=source,
            type=kind,
            subject=f"CL-{seq}",
            time=format_instant(at),
            agreement="-",
            addressee="-",
            cause="-",
            schema="sha256:" + "0" * 64,
            content="sha256:" + "1" * 64,
        )
        lines = tuple(Delivery(name, self.number(name)) for name in sorted(to))
        entry = format_entry(format_statement(statement), "ed25519:x", format_instant(at), self.log, seq, 1, lines)
        self.entries.append(entry)
        self.ids.append(statement.id)
        return entry

    def number(self, name: str) -> int:
        self._numbers[name] = self._numbers.get(name, -1) + 1
        return self._numbers[name]


def fold(log: Log, start: int = 0) -> list[Emission]:
    counting = Completeness(log.log)
    return [said for entry in log.entries[start:] for said in counting.take(entry)] + list(counting.close())


def root(entries: list[bytes]) -> str:
    """MTH of RFC 6962 section 2.1, by its recursive definition."""

    def mth(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        k = 1
        while k * 2 < len(leaves):
            k *= 2
        return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()

    return f"sha256:{mth([leaf_hash(entry) for entry in entries]).hex()}"


def test_a_statement_counts_the_copies_of_one_recipient_and_those_of_each_sender():
    log = Log()
    first = log.say(HANGZHOU)
    second = log.say(HANGZHOU, POLICE, source=SUZHOU)
    third = log.say(HANGZHOU)
    log.say(POLICE)
    [hangzhou, police] = fold(log)
    event = hangzhou.event
    assert isinstance(event, CompletenessStated)
    assert (event.recipient, event.log, event.admitted_on) == (HANGZHOU, LOG, day_of(T0))
    assert (event.first_number, event.count, event.root) == (0, 3, root([first, second, third]))
    assert [(s.source, s.count, s.first_number, s.last_number, s.root) for s in event.senders] == [
        (NANJING, 2, 0, 2, root([first, third])),
        (SUZHOU, 1, 1, 1, root([second])),
    ]
    assert (hangzhou.addressee, hangzhou.ordinal, hangzhou.time_ms) == ((HANGZHOU,), 0, T0)
    assert police.subject == "ipx.clues/3:330100.police:2026-11-24"


def test_a_day_ends_with_the_first_entry_of_another_at_midnight_in_shanghai():
    log = Log()
    midnight = end_of_day_ms(day_of(T0))
    log.say(HANGZHOU, at=midnight - 1)
    log.say(HANGZHOU, at=midnight)
    counting = Completeness(LOG)
    assert counting.take(log.entries[0]) == ()
    [said] = counting.take(log.entries[1])
    assert said.event.admitted_on == day_of(midnight) - 1
    assert (counting.day, counting.first_seq) == (day_of(midnight), 1)
    assert [each.event.first_number for each in counting.close()] == [1]


def test_a_day_of_statements_alone_is_not_stated_but_where_there_is_more_they_count():
    alone, mixed = Log(), Log()
    alone.say(HANGZHOU, kind=CompletenessStated.TYPE)
    assert fold(alone) == []
    mixed.say(HANGZHOU, kind=CompletenessStated.TYPE)
    mixed.say(HANGZHOU, kind=Delivered.TYPE)
    assert [said.event.count for said in fold(mixed)] == [2]


def test_parts_of_the_exchange_are_no_recipients():
    log = Log()
    log.say("exchange.clues")
    log.say()
    assert fold(log) == []


SAYINGS = st.tuples(st.sampled_from([NANJING, SUZHOU]), st.sets(st.sampled_from([HANGZHOU, POLICE])), st.integers(0, 2))


@given(st.lists(SAYINGS, max_size=40))
def test_folding_again_from_the_open_day_says_the_same_and_no_id_is_given_twice(plan):
    log, at = Log(), T0
    for source, to, days in plan:
        at += days * DAY
        log.say(*to, source=source, at=at)
    whole = fold(log)
    assert fold(log) == whole
    assert len({(said.cause, said.ordinal) for said in whole}) == len(whole)
    counting = Completeness(LOG)
    for number, entry in enumerate(log.entries):
        counting.take(entry)
        again = fold(log, counting.first_seq)
        assert again == whole[len(whole) - len(again) :]
        assert counting.first_seq <= number
    for recipient in (HANGZHOU, POLICE):
        ranges = [(s.event.first_number, s.event.count) for s in whole if s.event.recipient == recipient]
        assert all(first == sum(count for _, count in ranges[:n]) for n, (first, _) in enumerate(ranges))


def test_a_log_that_is_not_one_is_corrupt():
    log = Log()
    for _ in range(3):
        log.say(HANGZHOU)
    for entries in ([log.entries[0], log.entries[2]], [b"nonsense"], [Log("ipx.clues/1").say(HANGZHOU)]):
        counting = Completeness(LOG)
        for entry in entries[:-1]:
            counting.take(entry)
        with pytest.raises(Corrupt):
            counting.take(entries[-1])
    skipped = Log()
    skipped.say(HANGZHOU)
    skipped.number(HANGZHOU)
    skipped.say(HANGZHOU)
    with pytest.raises(Corrupt, match="is not the next one"):
        fold(skipped)
