"""Cases at the gateway: the caller's own alone, a page at a time, judged at the time that is asked for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.gateway.case_cursor import format_case_cursor
from services.gateway.cases import CasePages
from services.gateway.exchange import Incoming, Reply, Trace
from services.kernel.errors import Refused
from services.kernel.instants import parse_instant
from services.kernel.ports import SettableClock
from services.transfers.listing import CaseQuery

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
NOW_MS = 1_790_000_000_000


class HeldCases:
    """A desk that holds a few cases of Nanjing, and remembers what it was asked."""

    def __init__(self, *numbers: str) -> None:
        self.numbers = numbers
        self.asked: list[tuple[CaseQuery, int]] = []
        self.shown: list[tuple[str, int, str | None]] = []

    def cases(self, asked: CaseQuery, now_ms: int) -> list[dict[str, Any]]:
        self.asked.append((asked, now_ms))
        if asked.informed != NANJING:
            return []
        return [{"case": number} for number in self.numbers if number > asked.after][: asked.limit]

    def case(self, subject: str, now_ms: int, participant: str | None) -> dict[str, Any] | None:
        self.shown.append((subject, now_ms, participant))
        return {"case": subject} if subject in self.numbers and participant == NANJING else None


def incoming(path: str, query: str = "", **values: str) -> Incoming:
    async def nothing() -> Any:
        raise AssertionError("a GET has no body")

    made = Incoming("GET", path, query.encode(), {}, (), "-", Trace("0" * 32, "-"), nothing)
    made.path_values = values
    return made


def page(desk: HeldCases, query: str = "", reader: str = NANJING) -> dict[str, Any]:
    pages = CasePages(desk, lambda _: reader, SettableClock(NOW_MS))
    return document(asyncio.run(pages.page(incoming("/v1/cases", query))))


def case(desk: HeldCases, number: str, query: str = "", reader: str = NANJING) -> dict[str, Any]:
    pages = CasePages(desk, lambda _: reader, SettableClock(NOW_MS))
    return document(asyncio.run(pages.case(incoming(f"/v1/cases/{number}", query, case=number))))


def document(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200
    found: dict[str, Any] = json.loads(reply.body)
    return found


def test_pages_follow_one_another_and_the_last_one_says_so() -> None:
    desk = HeldCases("TR-1", "TR-2", "TR-3")
    first = page(desk, "limit=2")
    second = page(desk, f"limit=2&after={first['cursor']}")

    assert [item["case"] for item in first["items"]] == ["TR-1", "TR-2"]
    assert [item["case"] for item in second["items"]] == ["TR-3"]
    assert "cursor" not in second


def test_the_list_is_confined_to_the_callers_own_view_whatever_is_asked() -> None:
    desk = HeldCases("TR-1")
    assert page(desk, "kind=city_to_city&overdue=true", reader=HANGZHOU) == {"items": []}
    assert desk.asked[0][0].informed == HANGZHOU
    with pytest.raises(Refused) as refused:
        page(desk, f"informed={NANJING}", reader=HANGZHOU)
    assert refused.value.code == "bad-request"


def test_every_filter_reaches_the_desk() -> None:
    desk = HeldCases()
    page(desk, "kind=a&state=b&overdue=true&provisional=true&due_before=2026-12-01T00:00:00.000Z&limit=7")

    assert desk.asked[0][0] == CaseQuery(
        informed=NANJING,
        kind="a",
        state="b",
        overdue=True,
        provisional=True,
        due_before=parse_instant("2026-12-01T00:00:00.000Z"),
        limit=7,
    )
    assert desk.asked[0][1] == NOW_MS


def test_a_hidden_case_and_none_are_answered_alike() -> None:
    desk = HeldCases("TR-1")
    told = []
    for number, reader in (("TR-1", HANGZHOU), ("TR-2", HANGZHOU), ("TR-2", NANJING)):
        with pytest.raises(Refused) as refused:
            case(desk, number, reader=reader)
        told.append((refused.value.code, refused.value.message, refused.value.field))

    assert set(told) == {("not-found", told[0][1], "case")}
    assert "TR-1" not in told[0][1]
    assert case(desk, "TR-1") == {"case": "TR-1"}


def test_a_case_is_judged_now_or_at_the_time_asked_for() -> None:
    desk = HeldCases("TR-1")
    case(desk, "TR-1")
    case(desk, "TR-1", "at=2027-01-01T00:00:00.000Z")
    page(desk, "at=2027-01-01T00:00:00.000Z")

    later = parse_instant("2027-01-01T00:00:00.000Z")
    assert [shown[1] for shown in desk.shown] == [NOW_MS, later]
    assert desk.asked[0][1] == later


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("overdue=yes", "overdue"),
        ("provisional=", "provisional"),
        ("due_before=tomorrow", "due_before"),
        ("at=2026-13-01T00:00:00.000Z", "at"),
        ("at=9999-12-31T23:59:59.999Z", "at"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("kind=", "kind"),
        ("state=%E5%B7%B2", "state"),
        ("after=x", "after"),
        (f"after={format_case_cursor(HANGZHOU, 'TR-1')}", "after"),
        ("city=320100", "city"),
    ],
)
def test_what_is_not_of_the_form_is_refused_by_name(query: str, field: str) -> None:
    desk = HeldCases("TR-1")
    with pytest.raises(Refused) as refused:
        page(desk, query)
    assert (refused.value.code, refused.value.field) == ("bad-request", field)
    assert desk.asked == []
