"""A page of the city becomes signed events in one transaction with its cursor; what cannot is set aside with its reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import dead_letters
from connectors.kit.port import Fault, TryLater
from connectors.node import places, report
from connectors.node.intake import HoldPage
from connectors.node.site import Pace
from services.codec.cloudevents import envelope_from_structured
from services.codec.signature import parse_signature
from services.kernel.ids import is_event_id
from tests.unit.connectors.node_rig import Rig, clue
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, SmallExchange

Work = Callable[[Rig], Awaitable[None]]


def play(tmp_path: Path, work: Work, *participants: str, pace: Pace | None = None) -> SmallExchange:
    exchange = SmallExchange()

    async def go() -> None:
        rig = Rig(exchange, tmp_path / "n.db", *(participants or (NANJING,)), pace=pace)
        try:
            await work(rig)
        finally:
            await rig.close()

    asyncio.run(go())
    return exchange


async def outbox(rig: Rig) -> list[dict[str, Any]]:
    rows = await rig.rows("select document from outbox where kind = 'event' order by n")
    return [json.loads(row[0]) for row in rows]


async def letters(rig: Rig) -> list[tuple[str, str | None]]:
    found = await rig.journal.change(lambda change: dead_letters.listed(change.db))
    return [(letter.code, letter.field) for letter in found]


def test_a_page_rests_on_one_batch_signature_and_is_in_the_order_of_the_city(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(f"2026-{n:06d}") for n in range(254)]
        rig.seats[NANJING].city.page_size = 300
        await rig.seats[NANJING].puller.once()
        documents = await outbox(rig)
        assert len(documents) == 254
        assert [d["subject"] for d in documents] == [f"CL-320100-2026-{n:06d}" for n in range(254)]
        signatures = [parse_signature(d["ipxsignature"]) for d in documents]
        assert {s.value for s in signatures} == {signatures[0].value}
        assert [s.index for s in signatures] == list(range(254))
        assert all(is_event_id(d["id"]) for d in documents)
        assert rig.seats[NANJING].city.acknowledged == "254"
        name = places.pull_name(rig.seats[NANJING].city.name)
        assert await rig.journal.change(lambda change: places.cursor(change.db, name)) == "254"

    play(tmp_path, work)


def test_a_page_of_one_has_a_signature_of_its_own(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue()]
        await rig.seats[NANJING].puller.once()
        (document,) = await outbox(rig)
        assert document["ipxsignature"].startswith("ed25519:")
        assert document["ipxaddressee"] == HANGZHOU
        assert document["traceparent"].startswith("00-")
        envelope_from_structured(document)

    play(tmp_path, work)


def test_a_happening_told_twice_is_one_event(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(), clue("2026-000002"), clue()]
        await rig.seats[NANJING].puller.once()
        assert len(await outbox(rig)) == 2

    play(tmp_path, work)


def test_a_page_that_was_not_stored_is_taken_anew_with_other_ids_and_one_that_was_is_not(tmp_path: Path) -> None:
    """Between the pull and the commit a kill leaves nothing; after the commit the cursor has moved and the ids stand."""

    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        page = await seat.city.pull("")
        await seat.puller.once()
        (before,) = await outbox(rig)
        again = await rig.journal.change(lambda change: seat.puller.intake.take(change, page, 1))
        assert (again.events, again.known) == (0, 1)
        (after,) = await outbox(rig)
        assert after["id"] == before["id"]

    play(tmp_path, work)


def test_the_cursor_and_the_events_are_stored_together_or_not_at_all(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue()]
        page = await seat.city.pull("")

        def dying(change: Any) -> None:
            seat.puller.intake.take(change, page, 1)
            raise HoldPage("the process dies here")

        with pytest.raises(HoldPage):
            await rig.journal.change(dying)
        assert await outbox(rig) == []
        name = places.pull_name(seat.city.name)
        assert await rig.journal.change(lambda change: places.cursor(change.db, name)) == ""

    play(tmp_path, work)


@pytest.mark.parametrize(
    ("happening", "code", "field"),
    [
        (clue(sjlx="XX"), "no-mapping", None),
        (clue(sjlx=None), "no-mapping", None),
        (clue(lsh=None), "no-key", None),
        (clue(lsh={"a": 1}), "no-key", None),
        (clue(bt=""), "cannot-map", "title"),
        (clue(qqlx="77"), "cannot-map", "right_type"),
        (clue(fssj="yesterday"), "cannot-map", "time_ms"),
        (clue(sawp=[{"mc": "电池", "sl": "many"}]), "cannot-map", "goods.quantity"),
        (clue(xsbh="有空格 的"), "bad-attribute", "subject"),
        (clue(ssje="99999999999999999999"), "cannot-map", "turnover_fen"),
        ({"sjlx": "SL", "lsh": "9", "fssj": "2026-09-21 10:00:00", "slbh": "NOBODY"}, "unknown-reference", "slbh"),
        ({"sjlx": "SL", "lsh": "9", "fssj": "2026-09-21 10:00:00"}, "unknown-reference", "slbh"),
    ],
)
def test_what_cannot_be_mapped_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, happening: dict[str, Any], code: str, field: str | None
) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [happening, clue("2026-000009")]
        await seat.puller.once()
        assert await letters(rig) == [(code, field)]
        assert [d["subject"] for d in await outbox(rig)] == ["CL-320100-2026-000009"]
        await seat.puller.once()
        assert await letters(rig) == [(code, field)]

    play(tmp_path, work)


def test_no_line_and_no_list_shows_what_a_happening_says(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(qqlx="77"), clue("2026-000002")]
        await rig.turn(2)
        told = repr(rig.teller.lines) + repr(rig.teller.counts)
        listed = await rig.journal.change(lambda change: report.listed_dead_letters(change.db, connector=None, limit=9))
        sent = await rig.journal.change(lambda change: report.listed_outbox(change.db, state=None, kind=None, limit=9))
        for secret in ("举报人某某", "13800000000", "320106199003071234", "店铺A"):
            assert secret not in told
            assert secret not in repr(listed)
            assert secret not in repr(sent)

    play(tmp_path, work)


def test_a_kind_that_the_city_says_does_not_matter_is_left_out_in_silence(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(sjlx="JA")]
        await rig.seats[NANJING].puller.once()
        assert await letters(rig) == []
        assert await outbox(rig) == []

    play(tmp_path, work)


def test_another_happening_under_a_used_id_is_set_aside(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(), clue(bt="别的标题")]
        await rig.seats[NANJING].puller.once()
        assert await letters(rig) == [("changed", None)]
        assert len(await outbox(rig)) == 1

    play(tmp_path, work)


def test_the_city_is_told_of_what_was_set_aside(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [clue(qqlx="77")]
        await seat.puller.once()
        await rig.push(seat)
        (taken,) = seat.city.taken.values()
        assert taken.message.door == "fankui"
        assert taken.message.document["fklx"] == "JHJJ"
        assert taken.message.document["jjdm"] == "cannot-map"
        assert taken.message.document["zdm"] == "right_type"
        assert await rig.rows("select kind from outbox") == []

    play(tmp_path, work)


def test_a_redrive_takes_a_happening_once_its_mapping_is_mended(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        seat = rig.seats[NANJING]
        seat.city.happenings = [{"sjlx": "SL", "lsh": "9", "fssj": "2026-09-21 10:00:00", "slbh": "NOBODY"}]
        await seat.puller.once()
        marked = await rig.journal.change(lambda change: dead_letters.mark_redrive(change.db, connector=None, item="9"))
        assert marked == [(seat.city.name, "from_city", "9")]
        await seat.puller.once()
        assert await letters(rig) == [("unknown-reference", "slbh")]

    play(tmp_path, work)


def accepted(number: str, reference: str) -> dict[str, Any]:
    return {
        "sjlx": "SL",
        "lsh": number,
        "fssj": "2026-09-21 10:00:00",
        "slbh": reference,
        "slsj": "2026-09-21 10:00:00",
        "cbr": "承办人",
    }


def clue_for_nanjing(number: str) -> dict[str, Any]:
    """A clue that Hangzhou's system has found, for Nanjing."""
    return {
        "shijianBianhao": f"SJ-{number}",
        "shijianLeixing": "XIANSUO_YISONG",
        "fashengShijian": "2026-09-21T10:00:00+08:00",
        "jiaohuanXinxi": {"xiezuoXieyi": "CHANGSANJIAO", "jieshouDanwei": NANJING},
        "xiansuo": {
            "bianhao": number,
            "leixing": "WANGLUO",
            "quanliLeixing": "SHANGBIAO",
            "biaoti": "题",
            "miaoshu": "事实",
            "didian": {"quhua": "320106"},
            "faxianShijian": "2026-09-20T10:00:00+08:00",
        },
    }


def test_a_happening_that_answers_a_delivery_goes_back_to_its_source(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[HANGZHOU].city.happenings = [clue_for_nanjing("1")]
        await rig.turn(2)
        ((event, reference),) = await rig.rows(
            "select id, reference from deliveries where participant = ? and type like '%ClueReported'", NANJING
        )
        rig.seats[NANJING].city.happenings = [accepted("1", reference)]
        await rig.turn(2)
        (back,) = rig.exchange.types_admitted("ClueAccepted")
        assert back.statement.addressee == HANGZHOU
        assert back.statement.cause == event
        assert back.statement.subject == "CL-330100-1"
        assert any(t.message.document.get("fankuiLeixing") == "SHOULI" for t in rig.seats[HANGZHOU].city.taken.values())

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_page_is_held_while_a_push_is_undecided_and_taken_when_its_reference_is_known(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        nanjing, hangzhou = rig.seats[NANJING], rig.seats[HANGZHOU]
        hangzhou.city.happenings = [clue_for_nanjing("1")]
        nanjing.city.answers = [TryLater(Fault.TIMEOUT, "the answer was lost")]
        await rig.turn(2)
        nanjing.city.happenings = [accepted("1", "F-1")]
        with pytest.raises(HoldPage):
            await nanjing.puller.once()
        assert await letters(rig) == []
        rig.clock.advance(60_000)
        await rig.push(nanjing)
        await nanjing.puller.once()
        assert await letters(rig) == []
        assert len(await outbox(rig)) == 2

    play(tmp_path, work, NANJING, HANGZHOU)


def test_a_reference_that_stays_unknown_is_set_aside_at_the_limit_and_comes_back_with_the_reference(
    tmp_path: Path,
) -> None:
    async def work(rig: Rig) -> None:
        nanjing, hangzhou = rig.seats[NANJING], rig.seats[HANGZHOU]
        hangzhou.city.happenings = [clue_for_nanjing("1")]
        nanjing.city.answers = [TryLater(Fault.TIMEOUT, "x")]
        await rig.turn(2)
        nanjing.city.happenings = [accepted("1", "F-2")]  # F-1 will be the notice of what was set aside
        with pytest.raises(HoldPage):
            await nanjing.puller.once()
        rig.clock.advance(5_000)
        await nanjing.puller.once()
        assert await letters(rig) == [("unknown-reference", "slbh")]
        for _ in range(4):
            rig.clock.advance(60_000)
            await rig.push(nanjing)
        await nanjing.puller.once()
        assert await letters(rig) == []
        await nanjing.publisher.once()
        assert len(rig.exchange.types_admitted("ClueAccepted")) == 1

    play(tmp_path, work, NANJING, HANGZHOU, pace=Pace(hold_s=3))
