"""Stories of transfers against fake desks: each step in its time, once, and what is otherwise than expected is kept in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.demo import hand_over_play
from services.demo.ends import Trail
from services.demo.forms import Forms
from services.demo.hand_over import parse_time, read_hand_over
from services.demo.hand_over_play import Around, HandOverPlay
from services.demo.tally import Refusal, Tally
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.errors import Transient
from services.kernel.ids import uuid7
from services.kernel.ports import SettableClock
from services.runtime.topics import Topics

HEFEI, SHANGHAI, NINGBO = "340100.market_regulator", "310000.market_regulator", "330200.market_regulator"
SUBJECT = "TR-340100-R1-case-a"
TEXT = """
title_zh = "标题"
title_en = "title"
source = "A8"
story_zh = "经过"
story_en = "story"

[[step]]
at = "2023-10-30 09:00"
do = "open"
case = "a"
by = "340100.market_regulator"
kind = "assistance_request"
to = ["310000.market_regulator"]
zh = "请求"
en = "ask"
[[step.expect]]
told = "TransferOpened"
to = ["310000.market_regulator"]

[[step]]
at = "2023-10-31 09:00"
do = "move"
case = "a"
by = "310000.market_regulator"
move = "finish"
ahead = "1 h"
zh = "完成"
en = "finish"
[[step.expect]]
refused = "time-in-future"

[[step]]
at = "2023-11-02 09:00"
do = "calendar"
case = "a"
file = "year.toml"
zh = "安排"
en = "calendar"
[[step.expect]]
no_clock = "A8"
"""


@dataclass
class FakeDesk:
    typed: list[tuple[str, dict[str, Any], int]] = field(default_factory=list)
    ahead_ms: int = 0
    lost: bool = False

    def type_in(self, form: str, documents: Sequence[Mapping[str, Any]]) -> None:
        self.typed += [(form, dict(one), self.ahead_ms) for one in documents]
        if self.lost:
            self.lost = False
            raise Transient("the answer was lost")

    def set_ahead(self, ahead_ms: int) -> None:
        self.ahead_ms = ahead_ms

    def holdings(self) -> dict[str, Any]:
        return {"happenings": [{"nr": {**document, "fssj": "now"}} for _, document, _ in self.typed]}


class NoCases:
    """A fold in which no case ever is; its clocks are those of the test."""

    states: Mapping[str, Any] = {}
    clocks: tuple[Any, ...] = ()

    def follow(self, tally: Tally) -> None:
        """Nothing to fold."""

    def has_folded(self, tally: Tally) -> bool:
        return True

    def judged(self, subject: str, now_ms: int) -> tuple[Any, ...]:
        return self.clocks


@dataclass
class Scene:
    play: HandOverPlay
    desks: dict[str, FakeDesk]
    clock: SettableClock
    loaded: list[str]
    tally: Tally = field(default_factory=lambda: Tally(Topics("ipx")))
    said: int = 0

    def advance(self) -> bool:
        return self.play.advance(Trail(self.tally))

    def says(self, source: str, kind: str, *to: str, logged: bool = True) -> str:
        self.said += 1
        event = uuid7(self.clock.now_ms(), self.said.to_bytes(10, "big"))
        at, none = "2023-10-30T01:00:00.000Z", "sha256:" + "0" * 64
        statement = Statement(event, source, kind, SUBJECT, at, "a@1", "-", "-", none, none)
        self.tally._take_proposal(statement)
        if logged:
            deliveries = tuple(Delivery(name, self.said) for name in sorted(to))
            self.tally.entries[event] = Entry(statement, "s", at, "ipx.transfers/0", self.said, 9, deliveries)
        return event


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(hand_over_play, "PATIENCE_S", 0.0)
    path = tmp_path / "01-case.toml"
    path.write_text(TEXT, encoding="utf-8")
    desks, clock, loaded = {HEFEI: FakeDesk(), SHANGHAI: FakeDesk()}, SettableClock(parse_time("2023-10-29 09:00")), []
    forms = {HEFEI: Forms("flat", "340100"), SHANGHAI: Forms("nested", "310000")}
    around = Around("R1", desks, forms, NoCases(), clock, lambda file: loaded.append(file.name))
    return Scene(HandOverPlay(read_hand_over("case", path), around), desks, clock, loaded)


def test_a_step_waits_for_its_time_and_says_which(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over_play, "PATIENCE_S", 60.0)
    assert not scene.advance()
    assert (scene.play.waits_until, scene.desks[HEFEI].typed) == (parse_time("2023-10-30 09:00"), [])
    scene.clock.at_ms = parse_time("2023-10-30 09:00")
    assert scene.advance()
    ((form, document, _),) = scene.desks[HEFEI].typed
    assert (form, document["ajbh"], scene.play.waits_until) == ("transfer", "R1-case-a", None)


def test_a_step_is_made_once_even_when_the_answer_was_lost(scene: Scene) -> None:
    scene.clock.at_ms = parse_time("2023-10-30 09:00")
    scene.desks[HEFEI].lost = True
    assert not scene.advance()
    scene.advance()
    assert len(scene.desks[HEFEI].typed) == 1


def test_the_story_goes_on_when_what_is_expected_has_come(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over_play, "PATIENCE_S", 60.0)
    scene.clock.at_ms = parse_time("2023-10-30 09:00")
    scene.advance()
    assert scene.play.at == 0
    event = scene.says(HEFEI, TransferOpened.TYPE, SHANGHAI)
    scene.advance()
    assert (scene.play.at, scene.play.failed, scene.play.subjects(scene.tally)) == (1, [], {"a": SUBJECT})
    scene.clock.at_ms = parse_time("2023-10-31 09:00")
    scene.advance()
    assert scene.desks[SHANGHAI].typed == [], "the opening has not reached Shanghai's own system"
    scene.tally.committed.add((event, SHANGHAI))
    scene.advance()
    ((form, document, ahead_ms),) = scene.desks[SHANGHAI].typed
    assert (form, document["anjian"]["jiaohuanBianhao"], ahead_ms) == ("move", SUBJECT, 3_600_000)
    assert scene.desks[SHANGHAI].ahead_ms == 0
    refused = scene.says(SHANGHAI, TransferMoved.TYPE, logged=False)
    scene.tally.refusals[refused] = Refusal(refused, SHANGHAI, "time-in-future", None, None, None)
    scene.advance()
    assert (scene.play.at, scene.play.failed) == (2, [])
    scene.clock.at_ms = parse_time("2023-11-02 09:00")
    scene.advance()
    assert (scene.play.is_done, scene.play.failed, scene.loaded) == (True, [], ["year.toml"])
    assert scene.play.waits_for == ""


def test_what_is_otherwise_is_kept_in_words_and_hides_nothing_after_it(scene: Scene) -> None:
    scene.clock.at_ms = parse_time("2023-11-03 09:00")
    scene.says(HEFEI, TransferOpened.TYPE, NINGBO)
    scene.advance()
    assert scene.play.is_done
    assert [line.en for line in scene.play.failed] == [
        f"ask: TransferOpened was told to {NINGBO}, not {SHANGHAI}",
        "finish: refused with nothing, not time-in-future",
    ]
    assert [line.en for line in scene.play.ends(Trail(scene.tally))] == ["ask", "finish", "calendar"]
    assert scene.play.awaited(Trail(scene.tally)) == ()


def test_an_end_that_may_still_move_is_told_as_one_and_a_clock_without_an_end_has_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clock(rule: str, state: str, due: str | None, *, provisional: bool = False) -> tuple[Any, ...]:
        verdict = SimpleNamespace(state=state, due_at=None if due is None else parse_time(due), provisional=provisional)
        return SimpleNamespace(key=f"{rule}/1"), verdict, (SHANGHAI,)

    clocks = (
        clock("A9", "running", "2027-02-23 09:00", provisional=True),
        clock("A8", "met", "2023-11-20 09:00"),
        clock("A1", "suspended", None),
    )
    monkeypatch.setattr(NoCases, "clocks", clocks)
    scene.says(HEFEI, TransferOpened.TYPE, SHANGHAI)
    told = [line for line in scene.play.ends(Trail(scene.tally)) if line.end == "clock"]
    assert [line.zh for line in told] == [
        "期限 A9/1：计算中，2027-02-23 09:00:00 届满（暂定）",
        "期限 A8/1：按期完成，2023-11-20 09:00:00 届满",
        "期限 A1/1：停止计算",
    ]
    assert [line.en for line in told] == [
        f"A9/1: running, due 2027-02-23 09:00:00 (provisional), {SHANGHAI}",
        "A8/1: met in time, due 2023-11-20 09:00:00",
        "A1/1: suspended",
    ]
