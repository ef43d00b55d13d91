"""Plays against fake desks and a tally that is filled by hand: what is made when, and that nothing is made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.demo.ends import Trail, has_come
from services.demo.play import Play
from services.demo.scenario import Expectation, read_scenario
from services.demo.tally import Declined, Refusal, Tally
from services.events.clue import ClueAccepted, ClueReported, ClueResultReturned, MoveHadNoEffect, ReporterReferral
from services.kernel.errors import Transient
from services.kernel.ids import uuid7
from services.runtime.topics import Topics

NANJING, NINGBO, HEFEI = "320100.market_regulator", "330200.market_regulator", "340100.market_regulator"
NOON = 1_795_500_000_000
TEXT = """
title_zh = "标题"
title_en = "title"
source = "domain 6"
story_zh = "经过"
story_en = "story"

[[step]]
at = "320100.market_regulator"
do = "report"
clue = "a"
zh = "登记"
en = "enter"
[step.form]
xsbh = "{number}"
fs = [{ dh = "{run}" }]

[[step]]
at = "330200.market_regulator"
do = "accept"
clue = "a"
zh = "受理"
en = "accept"

[[step]]
at = "330200.market_regulator"
do = "return"
clue = "a"
zh = "退回"
en = "return"
after = { end = "no_effect", by = "330200.market_regulator" }
[step.form]
reason = "1"

[[step]]
at = "320100.market_regulator"
do = "report"
clue = "a"
zh = "改送"
en = "again"
[step.form]
jhbh = "{subject}"
yssj = "{report}"

[[expect]]
clue = "a"
end = "returned"
by = "330200.market_regulator"
"""


@dataclass
class FakeDesk:
    """An organ's system in memory; ``away`` raises before it keeps anything, ``lost`` after."""

    away: bool = False
    lost: bool = False
    entered: list[dict[str, Any]] = field(default_factory=list)
    acts: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    clues: list[dict[str, Any]] = field(default_factory=list)

    def enter(self, forms: Sequence[Mapping[str, Any]]) -> None:
        if self.away:
            raise Transient("away")
        self.entered += [dict(form) for form in forms]
        if self.lost:
            self.lost = False
            raise Transient("the answer was lost")

    def act(self, number: str, do: str, values: Mapping[str, Any]) -> None:
        if self.away:
            raise Transient("away")
        self.acts.append((number, do, dict(values)))

    def trouble(self, form: Mapping[str, Any]) -> None:
        self.away = form["mode"] == "down"

    def holdings(self) -> dict[str, Any]:
        return {"clues": self.clues, "answers": [], "happenings": [{"nr": form} for form in self.entered]}


@dataclass
class Scene:
    """A play, its desks, and a hand on the tally."""

    play: Play
    desks: dict[str, FakeDesk]
    tally: Tally = field(default_factory=lambda: Tally(Topics("ipx")))
    said: int = 0

    @property
    def trail(self) -> Trail:
        return Trail(self.tally)

    def admit(self, source: str, *to: str, number: str = "R1-case-a", logged: bool = True) -> str:
        """A report is published and (unless told otherwise) admitted."""
        self.said += 1
        event = uuid7(NOON, self.said.to_bytes(10, "big"))
        at, none = "2026-11-24T06:11:37.123Z", "sha256:" + "0" * 64
        statement = Statement(event, source, ClueReported.TYPE, f"CL-320100-{number}", at, "a@1", "-", "-", none, none)
        self.tally._take_proposal(statement)
        if logged:
            deliveries = tuple(Delivery(name, self.said) for name in sorted(to))
            self.tally.entries[event] = Entry(statement, "s", at, "ipx.clues/0", self.said, 9, deliveries)
        return event

    def arrives(self, who: str, event: str, own: str) -> None:
        self.desks[who].clues.append({"slbh": own, "nr": {"sjbh": event}})


def scene(tmp_path: Path) -> Scene:
    path = tmp_path / "01-case.toml"
    path.write_text(TEXT, encoding="utf-8")
    desks = {NANJING: FakeDesk(), NINGBO: FakeDesk()}
    return Scene(Play(read_scenario("case", path), "R1", desks), desks)


def no_effect(by: str, rule: str = "no_retransfer") -> MoveHadNoEffect:
    return MoveHadNoEffect(
        rule=rule,
        article="",
        attempted="",
        attempted_event="",
        attempted_by=by,
        state="",
        explanation_zh="",
        explanation_en="",
    )


def result(kind: str, by: str, **more: str) -> ClueResultReturned:
    return ClueResultReturned(
        result=kind,
        origin=NANJING,
        handled_by=by,
        report_event="",
        result_event="",
        reported_at=0,
        decided_at=0,
        **more,
    )


def test_the_first_step_is_made_at_once_with_its_words_filled_in(tmp_path: Path) -> None:
    it = scene(tmp_path)
    assert it.play.advance(it.trail)
    assert it.desks[NANJING].entered == [{"xsbh": "R1-case-a", "fs": [{"dh": "R1"}]}]
    assert it.play.waits_for == "accept"


def test_a_move_waits_until_the_clue_is_in_the_log_and_in_the_organs_own_system(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.play.advance(it.trail)
    assert not it.play.advance(it.trail)
    event = it.admit(NANJING, NINGBO)
    assert not it.play.advance(it.trail)
    it.arrives(NINGBO, event, "NBXS000001")
    assert it.play.advance(it.trail)
    assert it.desks[NINGBO].acts == [("NBXS000001", "accept", {})]


def test_no_step_is_made_twice_however_often_it_is_asked(tmp_path: Path) -> None:
    it = scene(tmp_path)
    for _ in range(5):
        it.play.advance(it.trail)
    it.arrives(NINGBO, it.admit(NANJING, NINGBO), "NBXS000001")
    for _ in range(5):
        it.play.advance(it.trail)
    assert (len(it.desks[NANJING].entered), len(it.desks[NINGBO].acts)) == (1, 1)


def test_a_step_waits_for_the_end_that_it_comes_after(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.play.advance(it.trail)
    it.arrives(NINGBO, it.admit(NANJING, NINGBO), "NBXS000001")
    it.play.advance(it.trail)
    assert it.play.waits_for == "return"
    it.tally.without_effect["x"] = ("CL-320100-R1-case-a", no_effect(NINGBO))
    it.play.advance(it.trail)
    assert it.desks[NINGBO].acts[-1] == ("NBXS000001", "return", {"reason": "1"})


def test_a_clue_is_reported_again_under_its_number_and_names_the_event_it_had(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.play.advance(it.trail)
    event = it.admit(NANJING, NINGBO)
    it.arrives(NINGBO, event, "NBXS000001")
    it.tally.without_effect["x"] = ("CL-320100-R1-case-a", no_effect(NINGBO))
    it.admit(NINGBO, HEFEI)  # a report that Nanjing neither sent nor got is not the one it names
    it.play.advance(it.trail)
    assert it.play.is_done
    assert it.desks[NANJING].entered[-1] == {"jhbh": "CL-320100-R1-case-a", "yssj": event}


def test_a_system_that_is_away_only_delays_its_step(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.desks[NANJING].away = True
    assert not it.play.advance(it.trail)
    it.desks[NANJING].away = False
    assert it.play.advance(it.trail)
    assert len(it.desks[NANJING].entered) == 1


def test_what_was_entered_before_the_answer_was_lost_is_not_entered_again(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.desks[NANJING].lost = True
    assert not it.play.advance(it.trail)
    assert it.play.advance(it.trail)
    assert len(it.desks[NANJING].entered) == 1


def test_a_second_run_uses_numbers_of_its_own(tmp_path: Path) -> None:
    it = scene(tmp_path)
    other = Play(it.play.scenario, "R2", it.desks)
    assert set(it.play.numbers("a")).isdisjoint(other.numbers("a"))


def test_a_group_is_moved_when_all_of_it_is_in_the_log_and_only_what_came_to_the_organ(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("标题 bt\n甲\n乙\n", encoding="utf-8")
    path = tmp_path / "01-case.toml"
    path.write_text(TEXT.replace('en = "enter"', 'en = "enter"\nrows = "list.csv"'), encoding="utf-8")
    desks = {NANJING: FakeDesk(), NINGBO: FakeDesk()}
    it = Scene(Play(read_scenario("case", path), "R1", desks), desks)
    it.play.advance(it.trail)
    assert [form["xsbh"] for form in it.desks[NANJING].entered] == ["R1-case-a-001", "R1-case-a-002"]
    it.arrives(NINGBO, it.admit(NANJING, NINGBO, number="R1-case-a-001"), "NBXS000001")
    it.play.advance(it.trail)
    assert it.desks[NINGBO].acts == []
    it.admit(NANJING, HEFEI, number="R1-case-a-002")
    it.play.advance(it.trail)
    assert it.desks[NINGBO].acts == [("NBXS000001", "accept", {})]
    assert it.play.waits_for == "return"


def expectation(end: str, **more: Any) -> Expectation:
    told = {"clue": "a", "by": None, "code": None, "count": None, "text": None, "zh": "", "en": "", **more}
    return Expectation(end=end, **told)


def come(it: Scene, end: str, screens: Mapping[str, str] | None = None, **more: Any) -> bool:
    return has_come(expectation(end, **more), ["R1-case-a"], it.trail, screens or {})


def test_an_end_comes_only_from_what_was_read(tmp_path: Path) -> None:
    it = scene(tmp_path)
    ends = (
        "held",
        "accepted",
        "filed",
        "not_filed",
        "returned",
        "referred",
        "refused",
        "declined_by_city",
        "no_effect",
        "one_batch",
    )
    assert not any(come(it, end) for end in ends)
    event = it.admit(NANJING, NINGBO)
    assert not any(come(it, end) for end in ends if end != "one_batch")
    subject = "CL-320100-R1-case-a"
    it.tally.committed.add((event, NINGBO))
    assert come(it, "held", by=NINGBO)
    assert not come(it, "held", by=HEFEI)
    taken = replace(it.tally.entries[event].statement, type=ClueAccepted.TYPE, source=NINGBO)
    it.tally.entries["accept"] = replace(it.tally.entries[event], statement=taken)
    assert come(it, "accepted", by=NINGBO)
    assert not come(it, "accepted", by=HEFEI)
    it.tally.results["r"] = (subject, result("returned", NINGBO, return_reason="not_competent_place"))
    assert come(it, "returned", by=NINGBO, code="not_competent_place")
    assert not come(it, "returned", by=NINGBO, code="duplicate")
    assert not come(it, "filed")
    it.tally.without_effect["n"] = (subject, no_effect(NINGBO))
    assert come(it, "no_effect", by=NINGBO, code="no_retransfer")
    assert not come(it, "no_effect", by=HEFEI)
    it.tally.declined[event, NINGBO] = Declined(event, NINGBO, "closed", "已结案")
    assert come(it, "declined_by_city", by=NINGBO, code="closed")
    assert not come(it, "declined_by_city", code="other")


def test_refusals_and_referrals_are_ends_of_their_own(tmp_path: Path) -> None:
    it = scene(tmp_path)
    event = it.admit(NANJING, logged=False)
    it.tally.refusals[event] = Refusal(event, NANJING, "addressee-not-a-member", None, None, None)
    assert come(it, "refused", by=NANJING, code="addressee-not-a-member")
    assert not come(it, "refused", code="bad-field")
    it.tally.referrals["f"] = (
        "CL-320100-R1-case-a",
        ReporterReferral(
            rule="",
            article="",
            report_event=event,
            received_by=NANJING,
            competent_division="330200",
            competent_organ_type="market_regulator",
            competent_participant=NINGBO,
            explanation_zh="",
            explanation_en="",
        ),
    )
    assert come(it, "referred", by=NINGBO)
    assert not come(it, "referred", by=HEFEI)


def test_what_is_shown_and_hidden_is_read_off_the_screens(tmp_path: Path) -> None:
    it = scene(tmp_path)
    screens = {NINGBO: '["举报人章某"]'}
    assert come(it, "shown", screens, by=NINGBO, text="章某")
    assert not come(it, "hidden", screens, by=NINGBO, text="章某")
    assert come(it, "hidden", screens, by=NINGBO, text="钱某")


def test_a_group_has_ended_when_as_many_clues_have_as_are_expected(tmp_path: Path) -> None:
    it = scene(tmp_path)
    events = [it.admit(NANJING, NINGBO, number=f"N{i}") for i in range(3)]
    it.tally.committed.update((event, NINGBO) for event in events[:2])
    numbers = ["N0", "N1", "N2"]
    assert has_come(expectation("held", count=2), numbers, it.trail, {})
    assert not has_come(expectation("held"), numbers, it.trail, {})
    assert not has_come(expectation("held", count=0), [], it.trail, {})
