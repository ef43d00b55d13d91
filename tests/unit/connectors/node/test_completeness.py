"""The node counts for itself what it got, and answers each statement once: with what it has, and where that differs."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.node.completeness import Kept, count
from connectors.node.journal import open_database
from services.codec.cloudevents import envelope_from_structured, envelope_to_structured
from services.codec.content import NOTHING_RESTRICTED
from services.codec.envelope import Draft, prepare
from services.codec.merkle import RightEdge
from services.codec.signature import sign
from services.events import to_value
from services.events.receipt import CompletenessStated, SenderCount
from services.kernel.codes import day_of
from services.kernel.instants import format_instant
from services.ledger.completeness import ROOM, Completeness
from services.runtime.fold import Emission
from services.runtime.proposals import id_of
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node.test_reading import read, say
from tests.unit.connectors.node_rig import Rig
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, RELEASED, SUZHOU, SmallExchange, signer_of

LEDGER = "exchange.ledger"
ANSWERS = ("CompletenessConfirmed", "CompletenessDisputed")


def statement_of(exchange: SmallExchange, participant: str = HANGZHOU) -> Emission:
    """What the ledger says of the clues that a participant got: the real fold over the entries in its inbox."""
    if LEDGER not in exchange.history.latest.participants:
        exchange.join(LEDGER)
    copies = [envelope_from_structured(document) for document in exchange.inboxes[participant]]
    entries = [copy.entry for copy in copies if copy.entry is not None and "log: small.clues" in copy.entry]
    counting = Completeness(entries[0].partition("\nlog: ")[2].partition("\n")[0])
    assert [said for entry in entries for said in counting.take(entry.encode())] == []
    [said] = counting.close()
    return said


def state(exchange: SmallExchange, said: Emission, source: str = LEDGER) -> str:
    """Proposes it as the ledger does; the outcome's word."""
    draft = Draft(
        id=id_of(ROOM, said),
        source=source,
        subject=said.subject,
        time=format_instant(said.time_ms),
        addressee=",".join(said.addressee),
        cause=said.cause,
    )
    schema = RELEASED.named(CompletenessStated.TYPE)
    text, unsigned = prepare(schema, to_value(said.event), draft, NOTHING_RESTRICTED)
    return exchange.propose(envelope_to_structured(replace(unsigned, signature=sign(text, signer_of(source)))))


async def answers(rig: Rig) -> list[tuple[str, dict[str, Any]]]:
    """Answers in the outbox, as they were signed."""
    rows = await rig.rows("select type, document from outbox order by n")
    found = []
    for kind, document in rows:
        envelope = envelope_from_structured(json.loads(document))
        name = str(kind).rpartition(".")[2]
        if name in ANSWERS:
            assert envelope.statement.addressee == "-"
            found.append((name, RELEASED.named(str(kind)).decode(envelope.body)))
    return found


def test_a_node_confirms_what_it_has_and_the_exchange_takes_its_answer_once(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(5):
            say(rig.exchange, number, SUZHOU if number == 2 else NANJING, subject="CL-1")
        said = statement_of(rig.exchange)
        await read(rig)
        assert state(rig.exchange, said) == "admitted"
        assert state(rig.exchange, said) == "duplicate"
        await read(rig)
        [(name, value)] = await answers(rig)
        assert name == "CompletenessConfirmed"
        assert (value["first_number"], value["count"], value["root"]) == (0, 5, said.event.root)
        await rig.seats[HANGZHOU].publisher.once()
        assert [e.statement.source for e in rig.exchange.types_admitted(*ANSWERS)] == [HANGZHOU]
        await rig.rows("delete from cursors")
        await read(rig)
        assert len(await answers(rig)) == 1

    play(tmp_path, work, HANGZHOU)


def test_a_node_that_lacks_a_copy_says_which_one(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(5):
            say(rig.exchange, number, subject="CL-1")
        said = statement_of(rig.exchange)
        await read(rig)
        await rig.rows("delete from copies where number = 3")
        state(rig.exchange, said)
        await read(rig)
        [(name, value)] = await answers(rig)
        assert name == "CompletenessDisputed"
        assert (value["count"], value["differs_at"], value["source"]) == (4, 3, None)
        assert [about["number"] for _, what, about in rig.teller.lines if "is disputed" in what] == [3]
        await rig.seats[HANGZHOU].publisher.once()
        assert len(rig.exchange.types_admitted("CompletenessDisputed")) == 1

    play(tmp_path, work, HANGZHOU)


def test_a_journal_that_did_not_keep_entries_before_says_nothing_of_them(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1, subject="CL-1")
        said = statement_of(rig.exchange)
        await read(rig)
        await rig.rows("insert into copies_from select participant, log, next from numbers")
        state(rig.exchange, said)
        await read(rig)
        assert await answers(rig) == []

    play(tmp_path, work, HANGZHOU)


def test_only_the_ledger_states_and_only_to_the_one_that_it_counts_for(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1, subject="CL-1")
        said = statement_of(rig.exchange)
        assert state(rig.exchange, said, source="exchange.clues") == "refused"
        assert state(rig.exchange, replace(said, addressee=(NANJING,))) == "refused"

    play(tmp_path, work, HANGZHOU)


def test_a_journal_of_before_begins_to_keep_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    open_database(path).close()
    with sqlite3.connect(path) as db:
        db.executescript("drop table copies; drop table copies_from; delete from about where name = 'copies';")
        db.execute("insert into numbers values ('p', 'ipx.clues/0', 7)")
    for _ in range(2):
        open_database(path).close()
    with sqlite3.connect(path) as db:
        assert db.execute("select * from copies_from").fetchall() == [("p", "ipx.clues/0", 7)]
        assert db.execute("select count(*) from copies").fetchone() == (0,)


def stated(copies: list[Kept]) -> CompletenessStated:
    """What is stated of these copies."""

    def root(own: list[Kept]) -> str:
        return f"sha256:{RightEdge().extend(copy.leaf for copy in own).root().hex()}"

    senders = []
    for source in sorted({copy.source for copy in copies}):
        own = [copy for copy in copies if copy.source == source]
        senders.append(
            SenderCount(
                source=source,
                count=len(own),
                first_number=own[0].number,
                last_number=own[-1].number,
                root=root(own),
            )
        )
    return CompletenessStated(
        recipient=HANGZHOU,
        log="ipx.clues/0",
        admitted_on=day_of(0),
        first_number=copies[0].number,
        count=len(copies),
        root=root(copies),
        senders=tuple(senders),
    )


COPIES = st.builds(
    lambda first, sources: [Kept(first + n, source, bytes([n]) * 32) for n, source in enumerate(sources)],
    st.integers(0, 9),
    st.lists(st.sampled_from([NANJING, SUZHOU]), min_size=1, max_size=12),
)


@given(COPIES, st.data())
def test_whatever_is_missing_besides_or_other_is_named_by_the_first_number_that_differs(
    copies: list[Kept], data: st.DataObject
) -> None:
    said = stated(copies)
    assert count(said, copies).differs_at is None
    at = data.draw(st.integers(0, len(copies) - 1))
    assert count(said, copies[:at] + copies[at + 1 :]).differs_at == copies[at].number
    extra = copies[-1].number + data.draw(st.integers(1, 3))
    assert count(said, [*copies, Kept(extra, NANJING, b"e" * 32)]).differs_at == extra
    if copies[0].number:
        before = copies[0].number - 1
        assert count(said, [Kept(before, NANJING, b"e" * 32), *copies]).differs_at == before
    other = [*copies[:at], replace(copies[at], leaf=b"o" * 32), *copies[at + 1 :]]
    found = count(said, other)
    own = [copy.number for copy in copies if copy.source == copies[at].source]
    assert (found.differs_at, found.source) == (own[0], copies[at].source)
    assert count(said, []).differs_at == said.first_number
