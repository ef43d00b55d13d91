"""Cases that the real room has folded, read at the real gateway and by the operator's commands: each sees its own, in pages."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from services.events.transfer import TransferMoved, TransferOpened
from tests.broker.gateway_running import HANGZHOU, NANJING, Client, RunningGateway, running_gateway
from tests.broker.log_writer import EPOCH_MS, Said
from tests.broker.room_rig import free_port, pause_until
from tests.broker.transfers_rig import ASSISTANCE, SUZHOU, Docket
from tests.contracts.test_openapi import answered_as_told

STRANGER = "330200.market_regulator"
DAY = 86_400_000
LONG_AGO = EPOCH_MS  # 2026-09-21: fifteen working days from there have passed
NUMBERS = tuple(f"TR-320100-2026-{number:06d}" for number in range(1, 7))
"""Nanjing asks Hangzhou in all but the fifth, which is between Suzhou and Hangzhou; the second is finished, the sixth accepted."""


@dataclass(frozen=True)
class Scene:
    exchange: Any
    gateway: RunningGateway
    metrics_port: str

    def of(self, participant: str) -> Client:
        return Client(self.gateway, self.exchange, participant)

    def page(self, participant: str, **query: str) -> dict[str, Any]:
        reply = self.of(participant).get("/v1/cases", query)
        assert reply.status == 200, reply.body
        document: dict[str, Any] = json.loads(reply.body)
        return document

    def numbers(self, participant: str, **query: str) -> list[str]:
        return [line["case"] for line in self.page(participant, **query)["items"]]

    def command(self, *words: str) -> dict[str, Any]:
        ran = self.exchange.ipx(*words, "--json")
        assert ran.returncode == 0, ran.stderr
        document: dict[str, Any] = json.loads(ran.stdout)
        return document


def opened(number: str, at: int, source: str, to: str, members: int) -> Said:
    body = TransferOpened(kind=ASSISTANCE, title=f"协查 {number}", facts="检查发现", requests="请协助")
    return Said(body, number, 0, at, source, "-", (to,), members=members)


def moved(number: str, move: str, at: int, members: int, **more: Any) -> Said:
    body = TransferMoved(kind=ASSISTANCE, move=move, happened_at=at, **more)
    return Said(body, number, 0, at, HANGZHOU, "-", (NANJING,), members=members)


def entries(members: int) -> list[Said]:
    """In the order of their admission, as admission appends them."""
    pair = [(NANJING if place != 4 else SUZHOU) for place in range(6)]
    said = [opened(NUMBERS[place], LONG_AGO + place, pair[place], HANGZHOU, members) for place in range(6)]
    said.append(moved(NUMBERS[1], "finish", LONG_AGO + DAY, members, text="已核实"))
    said.append(moved(NUMBERS[5], "accept", LONG_AGO + 2 * DAY, members))
    return said


@pytest.fixture(scope="module")
def scene(make_exchange) -> Iterator[Scene]:
    with make_exchange() as exchange:
        docket = Docket(exchange, (STRANGER,))
        docket.writer.write(entries(docket.members))
        port = free_port()
        worker = docket.start(IPX_ROOM_FIGURES_S="0.5", IPX_METRICS_PORT=port)
        try:
            with running_gateway(exchange) as gateway:
                made = Scene(exchange, gateway, port)
                pause_until(
                    lambda: len(made.numbers(HANGZHOU, overdue="true")) == 5,
                    within_s=60,
                    what="every end that came is told",
                )
                yield made
        finally:
            assert worker.stop() == 0


def test_a_participant_sees_the_cases_it_was_told_of_and_no_others(scene: Scene) -> None:
    assert scene.numbers(HANGZHOU) == list(NUMBERS)
    assert scene.numbers(NANJING) == [number for place, number in enumerate(NUMBERS) if place != 4]
    assert scene.numbers(SUZHOU) == [NUMBERS[4]]
    assert scene.numbers(STRANGER) == []


def test_a_hidden_case_and_none_are_answered_in_the_same_words(scene: Scene) -> None:
    hidden, absent = (scene.of(STRANGER).get(f"/v1/cases/{number}") for number in (NUMBERS[0], "TR-none"))
    assert (hidden.status, absent.status) == (404, 404)
    told = [{k: v for k, v in json.loads(reply.body).items() if k != "instance"} for reply in (hidden, absent)]
    assert told[0] == told[1]
    assert told[0]["code"] == "not-found"
    assert NUMBERS[0] not in hidden.body.decode()


def test_pages_follow_one_another_to_the_end(scene: Scene) -> None:
    found, query, pages = [], {"limit": "4"}, 0
    while True:
        page = scene.page(HANGZHOU, **query)
        found += [line["case"] for line in page["items"]]
        pages += 1
        if "cursor" not in page:
            break
        query["after"] = page["cursor"]
    assert (found, pages) == (list(NUMBERS), 2)
    anothers = scene.page(HANGZHOU, limit="4")["cursor"]
    refused = scene.of(NANJING).get("/v1/cases", {"after": anothers})
    assert (refused.status, refused.json()["field"]) == (400, "after")


def test_filters_find_what_they_name(scene: Scene) -> None:
    assert scene.numbers(NANJING, state="finished") == [NUMBERS[1]]
    assert scene.numbers(NANJING, kind="city_to_city") == []
    assert scene.numbers(NANJING, overdue="true", state="accepted") == [NUMBERS[5]]
    assert scene.numbers(HANGZHOU, provisional="true") == []


def test_the_case_says_who_is_late_and_why_and_what_was_done(scene: Scene) -> None:
    late = scene.of(NANJING).get(f"/v1/cases/{NUMBERS[5]}").json()
    assert [step["move"] for step in late["story"]] == ["open", "accept"]
    [clock] = late["open_clocks"]
    assert (clock["clock"], clock["state"], clock["breach"], clock["overdue"]) == ("A8/1", "expired", True, True)
    assert "15 个工作日" in clock["explanation"]["zh"]
    assert [line["participant"] for line in late["next"]] == [HANGZHOU]
    assert late == scene.of(HANGZHOU).get(f"/v1/cases/{NUMBERS[5]}").json() | {"at": late["at"]}

    done = scene.of(NANJING).get(f"/v1/cases/{NUMBERS[1]}").json()
    assert (done["closed"], done["next"], done["ended_clocks"][0]["state"]) == (True, [], "met")


def test_a_case_is_judged_at_the_instant_asked_for(scene: Scene) -> None:
    path = f"/v1/cases/{NUMBERS[0]}"
    then = scene.of(NANJING).get(path, {"at": "2026-09-25T00:00:00.000Z"}).json()
    assert (then["open_clocks"][0]["state"], then["at"]) == ("running", "2026-09-25T00:00:00.000Z")
    assert scene.of(NANJING).get(path).json()["open_clocks"][0]["state"] == "expired"


def test_every_reply_is_of_the_shape_that_the_document_tells(scene: Scene) -> None:
    document = scene.gateway.get("/openapi.json").json()
    client = scene.of(HANGZHOU)
    answered_as_told(document, "/v1/cases", "get", client.get("/v1/cases", {"limit": "2"}))
    answered_as_told(document, "/v1/cases", "get", client.get("/v1/cases", {"overdue": "perhaps"}))
    for number in (*NUMBERS, "TR-none"):
        answered_as_told(document, "/v1/cases/{case}", "get", client.get(f"/v1/cases/{number}"))
    assert scene.gateway.get(f"/v1/cases/{NUMBERS[0]}").status == 401


def test_the_operator_lists_what_is_overdue_in_a_city(scene: Scene) -> None:
    overdue = [NUMBERS[place] for place in (0, 2, 3, 4, 5)]
    found = scene.command("cases", "list", "--overdue", "--city", "330100")
    assert [line["case"] for line in found["cases"]] == overdue
    of_suzhou = scene.command("cases", "list", "--overdue", "--city", "320500")
    assert [line["case"] for line in of_suzhou["cases"]] == [NUMBERS[4]]
    assert scene.command("cases", "list", "--overdue", "--city", "330200")["cases"] == []
    clocks = scene.command("clocks", "list", "--overdue", "--city", "330100", "--rule", "A8")["clocks"]
    assert [line["case"] for line in clocks] == overdue
    assert scene.command("clocks", "list", "--city", "320100")["clocks"] == [], "Hangzhou must act, not Nanjing"


def test_the_operator_sees_a_case_whole_and_a_number_that_is_none_is_refused(scene: Scene) -> None:
    shown = scene.command("cases", "show", NUMBERS[4], "--at", "2026-09-25")
    assert [part["participant"] for part in shown["parts"]] == [SUZHOU, HANGZHOU]
    assert shown["next"][0]["overdue"] is False
    refused = scene.exchange.ipx("cases", "show", "TR-none")
    assert (refused.returncode, "not-found" in refused.stderr) == (1, True)
    table = scene.exchange.ipx("clocks", "list").stdout
    assert "届满 due" in table
    assert NUMBERS[0] in table


def test_the_room_tells_in_figures_who_is_late_and_how_long_acting_took(scene: Scene) -> None:
    place = f'{{city="330100",clock="A8",kind="{ASSISTANCE}"}}'
    pause_until(lambda: f"ipx_room_overdue_clocks{place} 5.0" in told(scene), within_s=20, what="the figures are told")
    lines = told(scene)
    assert f"ipx_room_open_clocks{place} 5.0" in lines
    assert f"ipx_room_provisional_clocks{place} 0.0" not in lines, "what was never so is not told"
    assert f"ipx_room_act_seconds_count{place} 1.0" in lines
    assert f'ipx_room_act_seconds_bucket{{city="330100",clock="A8",kind="{ASSISTANCE}",le="86400.0"}} 1.0' in lines


def told(scene: Scene) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{scene.metrics_port}/metrics", timeout=5) as reply:
        return reply.read().decode().splitlines()
