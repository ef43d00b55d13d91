"""The outbox goes out in order and once; what the gateway or the exchange refuses is told to the city, the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.node import report
from connectors.node.gateway import GatewayAway, Published, Took
from connectors.node.outbox import Waiting
from connectors.node.wire import Fault
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node_rig import Rig, clue
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING


async def states(rig: Rig) -> list[tuple[str, str | None]]:
    rows = await rig.rows("select state, code from outbox where kind = 'event' order by n")
    return [(str(state), code) for state, code in rows]


def test_events_go_out_in_order_in_one_request_and_are_admitted(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(f"2026-{n:06d}") for n in range(5)]
        await rig.turn(1)
        assert await states(rig) == [("admitted", None)] * 5
        assert [len(batch) for batch in rig.gateway.batches] == [5]
        assert [e.statement.subject[-1] for e in rig.exchange.admitted] == list("01234")

    play(tmp_path, work)


def test_nothing_is_lost_while_the_gateway_is_away(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        await seat.puller.once()
        rig.gateway.away = True
        with pytest.raises(GatewayAway):
            await seat.publisher.once()
        assert await states(rig) == [("new", None)]
        rig.gateway.away = False
        assert await seat.publisher.once()
        assert await states(rig) == [("sent", None)]
        assert not await seat.publisher.once()

    play(tmp_path, work)


def test_an_answer_that_was_lost_makes_no_second_event(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        await seat.puller.once()
        (row,) = await rig.rows("select n, id, document from outbox")
        await rig.gateway.publish(NANJING, [Waiting(*row)])  # the node dies before it hears of it
        await rig.turn(1)
        assert await states(rig) == [("admitted", None)]
        assert len(rig.exchange.admitted) == 1

    play(tmp_path, work)


def test_an_event_without_an_outcome_is_sent_again_after_a_while(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        rig.gateway.lose_next = True
        await rig.turn(1)
        assert await states(rig) == [("sent", None)]
        assert await rig.resender.once() == 0
        rig.clock.advance(59_999)
        assert await rig.resender.once() == 0
        rig.clock.advance(1)
        assert await rig.resender.once() == 1
        await rig.turn(1)
        assert await states(rig) == [("admitted", None)]

    play(tmp_path, work)


def test_the_wait_for_an_outcome_doubles_each_time(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        await seat.puller.once()
        waits = []
        for _ in range(4):
            rig.gateway.lose_next = True
            await seat.publisher.once()
            waited = 0
            while not await rig.resender.once():
                rig.clock.advance(20_000)
                waited += 20
            waits.append(waited)
        assert waits == [60, 120, 240, 480]

    play(tmp_path, work)


def test_a_refusal_of_the_exchange_is_kept_shown_and_told_to_the_city(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue("2026-000001", jsdqh="330200"), clue("2026-000002")]
        await rig.turn(2)
        assert await states(rig) == [("refused", "addressee-not-a-member"), ("admitted", None)]
        (told,) = seat.city.taken.values()
        assert told.message.document["fklx"] == "JHJJ"
        assert told.message.document["jjdm"] == "addressee-not-a-member"
        assert told.message.document["lsh"] == "2026-000001"
        listed = await rig.journal.change(
            lambda change: report.listed_outbox(change.db, state="refused", kind=None, limit=9)
        )
        assert [row["code"] for row in listed] == ["addressee-not-a-member"]

    play(tmp_path, work)


def test_the_events_that_the_gateway_names_are_refused_and_the_rest_goes_out(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue(f"2026-{n:06d}") for n in range(3)]
        await seat.puller.once()

        def refuse(rows: list[Waiting]) -> Published | None:
            bad = [row for row in rows if b"2026-000001" in row.document]
            faults = tuple(Fault(row.id, "bad-signature", "ipxsignature", "no") for row in bad)
            return Published(Took.NONE, faults) if bad else None

        rig.gateway.refuse = refuse
        await seat.publisher.once()
        await seat.publisher.once()
        assert await states(rig) == [("sent", None), ("refused", "bad-signature"), ("sent", None)]
        await rig.push(seat)
        assert [t.message.document["jjdm"] for t in seat.city.taken.values()] == ["bad-signature"]

    play(tmp_path, work)


@pytest.mark.parametrize("took", [Took.NONE, Took.TOO_LARGE])
def test_a_fault_that_nobody_names_is_found_by_halving(tmp_path: Path, took: Took) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue(f"2026-{n:06d}") for n in range(9)]
        await seat.puller.once()
        asked = []

        def refuse(rows: list[Waiting]) -> Published | None:
            asked.append(len(rows))
            return Published(took) if any(b"2026-000006" in row.document for row in rows) else None

        rig.gateway.refuse = refuse
        while await seat.publisher.once():
            pass
        found = await states(rig)
        code = "too-large" if took is Took.TOO_LARGE else "bad-request"
        assert found == [("sent", None)] * 6 + [("refused", code)] + [("sent", None)] * 2
        assert asked[:2] == [9, 4]

    play(tmp_path, work)


def test_a_conflict_is_a_refusal_like_any_other(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue(), clue("2026-000002")]
        await seat.puller.once()
        first, second = (json.loads(row[0]) for row in await rig.rows("select document from outbox order by n"))
        rig.exchange.propose({**second, "id": first["id"]})  # somebody used the id before, with other words
        await rig.turn(2)
        assert (await states(rig))[0] == ("refused", "conflict") or (await states(rig))[0][0] == "refused"

    play(tmp_path, work)


def test_the_receipts_of_the_recipients_show_how_far_an_event_has_come(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue()]
        await rig.turn(3)
        listed = await rig.journal.change(
            lambda change: report.listed_outbox(change.db, state=None, kind="event", limit=9)
        )
        (row,) = listed
        assert [(r["recipient"], r["step"], r["detail"]) for r in row["receipts"]] == [
            (HANGZHOU, "committed", "F-1"),
            (HANGZHOU, "delivered", None),
        ]

    play(tmp_path, work, NANJING, HANGZHOU)
