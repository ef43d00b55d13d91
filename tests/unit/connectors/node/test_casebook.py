"""A node computes its cases from its own copies, as the room does from the log; what it was told otherwise is seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785

from connectors.node import case_entries, case_report, members_log, report
from connectors.node.case_entries import CaseEntry, ClockNotice
from connectors.node.casebook import Casebook
from connectors.node.config import NodeConfig
from connectors.node.intake import HoldPage
from services.cases.fold import Around, Said, Step, step
from services.cases.state import Case
from services.cases.view import verdict_document
from services.events.notice import ClockStarted
from services.events.transfer import TransferMoved
from services.kernel.errors import BadSettings, Corrupt, Transient
from services.runtime.fold import Emission
from tests.unit.connectors.node.test_intake import letters, play
from tests.unit.connectors.node_rig import Rig
from tests.unit.connectors.small_exchange import HANGZHOU, NAME, NANJING, OPERATOR, RELEASED, SUZHOU, signer_of
from tests.unit.connectors.small_transfers import SUBJECT, SmallRoom, answer, move, request

DAY_MS = 86_400_000
OPENED_MS = 1_789_956_000_000
"""2026-09-21 10:00 in China, when ``request`` happens."""


async def held(rig: Rig, participant: str) -> tuple[Sequence[CaseEntry], Sequence[ClockNotice]]:
    kept = await rig.journal.change(lambda change: case_entries.entries(change.db, participant, SUBJECT))
    told = await rig.journal.change(lambda change: case_entries.notices(change.db, participant, SUBJECT))
    return kept, told


async def opened(rig: Rig, room: SmallRoom) -> None:
    """A case of assistance that both sides and the room have heard of."""
    rig.clock.at_ms = OPENED_MS + 1_000
    rig.exchange.publish(2026)
    rig.seats[NANJING].city.happenings = [request()]
    await rig.turn(2)
    room.work()
    await rig.turn(2)


def test_sender_and_receiver_compute_the_verdicts_that_the_room_computes(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange)
        await opened(rig, room)
        rig.clock.advance(30 * DAY_MS)
        room.work()
        await rig.turn(2)
        rig.seats[HANGZHOU].city.happenings = [answer("WANCHENGXIEZHU", "1", "2026-10-20T10:00:00+08:00")]
        await rig.turn(3)
        room.work()
        await rig.turn(2)
        state = room.states[SUBJECT]
        assert state is not None
        document = verdict_document(state, rig.book.around(state), rig.clock.now_ms())
        assert [(clock["clock"], clock["state"]) for clock in document["clocks"]] == [("A8/1", "late")]
        for participant in (NANJING, HANGZHOU):
            kept, told = await held(rig, participant)
            computed = rig.book.case(kept)
            assert computed is not None
            _, data = rig.book.verdicts(computed.case, rig.clock.now_ms())
            assert data == rfc8785.dumps(document), participant
            kinds = [notice.type.rpartition(".")[2] for notice in told]
            assert kinds == ["ClockStarted", "ClockWarned", "ClockExpired", "ClockStopped"]
            assert {notice.state for notice in told} == {case_entries.SAME}
        assert rig.teller.counts["compared_events_total", (("outcome", "same"), ("participant", NANJING))] == 4

    play(tmp_path, work, NANJING, HANGZHOU)


def test_what_the_exchange_computes_otherwise_is_counted_logged_and_shown(tmp_path: Path) -> None:
    def bend(emission: Emission) -> Emission:
        event = emission.event
        assert isinstance(event, ClockStarted)
        due = None if event.verdict.due_at is None else event.verdict.due_at + DAY_MS
        return replace(emission, event=replace(event, verdict=replace(event.verdict, due_at=due)))

    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange, bend))
        _, (told,) = await held(rig, HANGZHOU)
        assert told.state == case_entries.DIFFERS
        assert rig.teller.counts["compared_events_total", (("outcome", "differs"), ("participant", HANGZHOU))] == 1
        (line,) = [
            about
            for level, what, about in rig.teller.lines
            if level == "error" and "computes a clock otherwise" in what and about["participant"] == HANGZHOU
        ]
        assert (line["subject"], line["clock"]) == (SUBJECT, "A8/1")
        assert line["told"] != line["computed"]
        pushed = [taken.message.door for taken in rig.seats[HANGZHOU].city.taken.values()]
        assert pushed == ["anjian", "qixian"]

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_change_that_does_not_follow_differs(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange, lambda emission: replace(emission, ordinal=7))
        await opened(rig, room)
        _, (told,) = await held(rig, NANJING)
        assert told.state == case_entries.DIFFERS

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_move_goes_to_all_other_parties_when_the_city_names_nobody(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.clock.at_ms = OPENED_MS + 4_000_000
        rig.exchange.publish(2026)
        nanjing = rig.seats[NANJING]
        both = {"jsdqh": None, "jsdw": [{"qh": "330100", "dwlx": "SJ"}, {"qh": "320500", "dwlx": "SJ"}]}
        nanjing.city.happenings = [request(ajlx="GXZY", **both), move("TCXSYJ", "2")]
        for _ in range(2):  # the second time nothing more is taken
            with pytest.raises(HoldPage):
                await nanjing.puller.once()
        assert rig.exchange.proposed == []
        await nanjing.publisher.once()
        await rig.members.once()
        await nanjing.reader.once()
        await rig.turn(1)
        assert await letters(rig) == []
        (moved,) = rig.exchange.types_admitted("TransferMoved")
        assert moved.statement.addressees == tuple(sorted((SUZHOU, HANGZHOU)))
        (opening,) = rig.exchange.types_admitted("TransferOpened")
        assert moved.statement.cause == opening.statement.id
        assert moved.statement.agreement == opening.statement.agreement

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_case_that_a_participant_came_into_later_is_not_computed(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        kept, told = await held(rig, HANGZHOU)
        later = [replace(kept[0], type="cn.ipx.transfer.TransferMoved")]
        assert rig.book.case(later) is None
        assert [one.state for one in rig.book.compare(later, told)] == [case_entries.UNKNOWN]
        assert rig.book.case([]) is None
        assert rig.book.known(HANGZHOU, later) is None

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_size_of_the_members_log_that_was_not_read_is_waited_for(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        kept, _ = await held(rig, HANGZHOU)
        with pytest.raises(Transient):
            rig.book.case([replace(kept[0], members=rig.history.size + 1)])

    play(tmp_path, work, NANJING, HANGZHOU)


def test_what_was_folded_is_not_folded_again_while_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []

    def counted(case: Case | None, said: Said, around: Around) -> Step:
        folded.append(said.event)
        return step(case, said, around)

    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        (opening,), told = await held(rig, HANGZHOU)
        rig.exchange.publish(2025)
        await rig.members.catch_up()
        assert opening.members is not None
        kept = [opening, *(supplement(opening, number) for number in range(1, 6))]
        book = Casebook(rig.book.laws, rig.history)
        monkeypatch.setattr("connectors.node.casebook.step", counted)

        def folds(entries: Sequence[CaseEntry]) -> list[str]:
            """Which of them are folded; that nothing else comes of it than of all of them is looked at beside."""
            folded.clear()
            computed = book.case(entries)
            done = list(folded)
            assert computed == Casebook(book.laws, book.history).case(entries)
            return done

        events = [one.event for one in kept]
        assert [folds(kept[:count]) for count in (3, 3, 6)] == [events[:3], [], events[3:]]
        assert book.compare(kept, told)[0].state == case_entries.SAME
        others = (
            [*kept[:5], replace(kept[5], members=opening.members + 1)],
            [*kept[:4], replace(kept[4], recipients=()), kept[5]],
            [*kept[:4], kept[5]],
        )
        for other in others:
            assert folds(other) == [one.event for one in other]
            assert folds(kept) == events

    play(tmp_path, work, NANJING, HANGZHOU)


def test_of_so_many_cases_it_is_remembered_how_far_they_were_folded(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        (opening,), _ = await held(rig, HANGZHOU)
        for number in range(300):
            assert rig.book.case([replace(opening, subject=f"TR-{number}")]) is not None
        assert list(rig.book._folded) == [f"TR-{number}" for number in range(300 - 256, 300)]

    play(tmp_path, work, NANJING, HANGZHOU)


def supplement(opening: CaseEntry, number: int) -> CaseEntry:
    """What Nanjing adds to its case, so many entries after the opening."""
    assert opening.seq is not None
    at_ms = opening.time_ms + number * 1_000
    return replace(
        opening,
        event=f"supplement-{number}",
        type=TransferMoved.TYPE,
        seq=opening.seq + number,
        time_ms=at_ms,
        admitted_ms=at_ms,
        value={"kind": "assistance_request", "move": "supplement", "happened_at": at_ms, "text": "-"},
    )


def test_an_own_event_is_judged_by_what_was_admitted_to_the_members_log_by_then(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        kept, _ = await held(rig, NANJING)
        assert kept[0].members is None
        size = rig.history.size
        rig.exchange.publish(2025)
        await rig.members.catch_up()
        assert rig.history.size > size
        assert rig.book._sizes(kept) == [rig.history.size]  # the small exchange dates its members log by its founding
        bounded = [kept[0], replace(kept[0], members=size, seq=1, event="later")]
        assert rig.book._sizes(bounded) == [size, size]

    play(tmp_path, work, NANJING, HANGZHOU)


def test_nothing_is_told_twice_and_nothing_of_another_partys_case(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange)
        await opened(rig, room)
        before = dict(rig.teller.counts)
        for seat in rig.seats.values():
            await seat.reader.watch.look()
        assert rig.teller.counts == before
        assert await rig.rows("select subject from case_entries where participant = ?", SUZHOU) == []

    play(tmp_path, work, NANJING, HANGZHOU, SUZHOU)


def test_a_move_whose_case_is_not_known_in_time_is_set_aside_and_comes_back_with_the_outcome(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.clock.at_ms = OPENED_MS + 4_000_000
        nanjing = rig.seats[NANJING]
        nanjing.city.happenings = [request(), move("CH", "2")]
        with pytest.raises(HoldPage):
            await nanjing.puller.once()
        with pytest.raises(HoldPage):
            await nanjing.puller.once()
        rig.clock.advance(31_000)
        await nanjing.puller.once()
        assert await letters(rig) == [("unknown-reference", None)]
        await rig.turn(3)
        assert await letters(rig) == []
        (moved,) = rig.exchange.types_admitted("TransferMoved")
        assert moved.statement.addressee == HANGZHOU

    play(tmp_path, work, NANJING, HANGZHOU)


def test_an_own_event_that_was_refused_is_no_part_of_its_case(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.clock.at_ms = OPENED_MS + 4_000_000
        rig.exchange.refuse_subjects = "TR"
        rig.seats[NANJING].city.happenings = [request()]
        await rig.turn(2)
        assert await rig.rows("select event from case_entries") == []
        assert await rig.rows("select state from outbox") == [("refused",)]

    play(tmp_path, work, NANJING, HANGZHOU)


def test_who_has_a_copy_and_no_part_is_shown_no_verdict(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        await rig.rows(
            "insert into case_entries select ?, event, type, source, addressees, recipients, subject, agreement,"
            " time_ms, value, log, seq, admitted_ms, members from case_entries where participant = ?",
            SUZHOU,
            HANGZHOU,
        )
        config = NodeConfig(node={"name": "s"}, participants=[{"id": SUZHOU, "key_file": "s"}])  # type: ignore[arg-type]
        (row,) = await rig.journal.change(
            lambda change: case_report.cases(config, change.db, rig.book, case=None, at_ms=rig.clock.now_ms())
        )
        assert (row["whole"], row["party"]) == (True, False)
        assert "verdicts" not in row

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_second_opening_of_a_case_is_not_taken_for_the_case(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange)
        await opened(rig, room)
        for key in ("1", "2"):
            said = answer("WANCHENGXIEZHU", key, "2026-09-21T11:00:00+08:00")
            rig.seats[HANGZHOU].city.happenings = [*rig.seats[HANGZHOU].city.happenings, said]
            await rig.turn(3)
            room.work()
            await rig.turn(2)
        for participant in (NANJING, HANGZHOU):
            kept, _ = await held(rig, participant)
            assert [entry.voided for entry in kept] == [False, False, True], participant
            assert rig.book.case(kept) is not None
        await rig.rows("delete from case_entries where participant = ? and type like '%Moved'", HANGZHOU)
        await rig.rows(
            "insert into case_voids select participant, event from case_entries where participant = ?", HANGZHOU
        )
        kept, _ = await held(rig, HANGZHOU)
        assert [(entry.type.rpartition(".")[2], entry.voided) for entry in kept] == [("TransferOpened", True)]
        assert rig.book.case(kept) is None
        assert rig.book.case([replace(kept[0], voided=False)]) is not None
        config = NodeConfig(node={"name": "s"}, participants=[{"id": HANGZHOU, "key_file": "s"}])  # type: ignore[arg-type]
        (row,) = await rig.journal.change(
            lambda change: case_report.cases(config, change.db, rig.book, case=None, at_ms=rig.clock.now_ms())
        )
        assert (row["whole"], row["party"]) == (False, False)
        assert "verdicts" not in row

    play(tmp_path, work, NANJING, HANGZHOU)


def test_of_an_event_only_codes_are_kept(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await opened(rig, SmallRoom(rig.exchange))
        ((value,),) = await rig.rows("select value from case_entries where participant = ?", NANJING)
        assert "承办人" not in value
        assert json.loads(value) == {
            "kind": "assistance_request",
            "title": "协助调查供货商",
            "facts": "-",
            "requests": "-",
            "officer": "-",
        }

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_database_of_an_older_release_is_named_as_such(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await rig.rows("drop table members_log")

    play(tmp_path, work, NANJING)
    with pytest.raises(BadSettings, match="older release"), report.opened(tmp_path / "n.db"):
        pass


def test_the_members_log_that_is_kept_is_verified_anew(tmp_path: Path) -> None:
    exchange = play(tmp_path, lambda rig: opened(rig, SmallRoom(rig.exchange)), NANJING, HANGZHOU)
    root, log = signer_of(OPERATOR).public, f"{NAME}.members/0"
    with report.opened(tmp_path / "n.db", read_only=False) as db:
        assert members_log.read(db, log, root, RELEASED.with_digest).latest == exchange.history.latest
        (document,) = db.execute("select document from members_log where seq = 3").fetchone()
        db.execute("update members_log set document = ? where seq = 2", (document,))
        with pytest.raises(Corrupt):
            members_log.read(db, log, root, RELEASED.with_digest)
        db.execute("delete from members_log")
        with pytest.raises(Transient):
            members_log.read(db, log, root, RELEASED.with_digest)
