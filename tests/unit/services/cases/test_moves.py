"""Who may do what on a case, one example for each rule that forbids: who is told what, and that nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.cases.fold import Step, outsiders_answer, step
from services.cases.state import Part
from services.events.transfer import Document, OutsideOrgan
from tests.unit.services.cases.stage import (
    HAISHU,
    HAISHU_POLICE,
    HOUR,
    MORNING,
    NANJING,
    NATION,
    NINGBO,
    NINGBO_POLICE,
    NINGBO_PROCURATORATE,
    SUZHOU,
    SUZHOU_POLICE,
    Stage,
    around,
    assistance,
    members,
    moving,
    opening,
    referral,
    refused,
    tables,
)

FILE = (Document(name="询问笔录", kind="record"),)


def unchanged(stage: Stage, told: Step) -> None:
    """The entry left everything but its place in the log as it was, and told nothing of a clock."""
    before = stage.steps[-2].case
    assert replace(told.case, last_seq=before.last_seq) == before
    assert told.case.last_seq == stage.log[-1].seq
    assert told.changes == ()


def test_an_assistance_goes_from_request_to_its_end() -> None:
    stage = assistance()
    assert refused(stage.move("accept", NINGBO, NANJING)) is None
    assert stage.now.state == "accepted"
    told = stage.move("finish", NINGBO, NANJING, text="已取证", documents=FILE)
    assert refused(told) is None
    assert [(change.what, change.clock.key, change.verdict.state) for change in told.changes] == [
        ("stopped", "A8/1", "met")
    ]
    assert (stage.now.state, stage.now.opener) == ("finished", NANJING)
    assert [fact.move for fact in stage.now.facts] == ["open", "accept", "finish"]


def test_a_move_on_a_case_that_nobody_opened_is_answered_as_unknown_with_nothing_possible() -> None:
    stage = Stage()
    told = stage.move("accept", NINGBO, NANJING)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.state, told.refused.possible) == ("unknown_case", "unknown", ())
    assert not told.case.exists
    assert told.case.last_seq == 0


def test_a_stranger_is_told_the_same_whether_there_is_a_case_or_not() -> None:
    stage, empty = assistance(), Stage()
    told = stage.move("finish", SUZHOU, NANJING, NINGBO)
    nothing = empty.move("finish", SUZHOU, NANJING, NINGBO)
    assert refused(told) == "not_party"
    assert told.refused is not None
    assert NINGBO in told.refused.zh
    assert nothing.refused is not None
    outside = outsiders_answer(told.case, stage.log[-1], told.refused, around())
    assert outside == outsiders_answer(nothing.case, empty.log[-1], nothing.refused, around())
    assert outside.rule == "unknown_case"
    assert NANJING not in outside.zh + outside.en
    unchanged(stage, told)


def test_a_stranger_that_opens_a_case_again_is_told_that_the_number_is_taken_and_nothing_else() -> None:
    stage = Stage()
    stage.open("handover", NANJING, NINGBO)
    told = stage.open("handover", SUZHOU, HAISHU)
    assert told.refused is not None
    outside = outsiders_answer(told.case, stage.log[-1], told.refused, around())
    assert (outside.rule, outside.state, outside.possible) == ("opened_already", "unknown", ())
    assert NANJING not in outside.zh + outside.en
    assert told.refused.state == "sent"
    assert NINGBO in told.refused.zh


def test_a_receiver_never_transfers_again() -> None:
    stage = Stage()
    stage.open("handover", NANJING, NINGBO)
    told = stage.open("handover", NINGBO, SUZHOU)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("no_retransfer", "市场监督管理行政处罚程序规定 14")
    assert "不得再自行移送" in told.refused.zh
    assert told.refused.attempted == "open"
    assert SUZHOU not in told.case.informed
    unchanged(stage, told)


def test_the_opener_that_opens_again_is_told_that_it_is_open() -> None:
    stage = Stage()
    stage.open("handover", NANJING, NINGBO)
    assert refused(stage.open("handover", NANJING, SUZHOU)) == "opened_already"
    assert stage.now.playing("receiver") == (Part("receiver", NINGBO),)


def test_an_agency_that_punishes_instead_of_referring_is_told_the_article() -> None:
    stage = referral()
    told = stage.move("penalise", NINGBO, NINGBO_POLICE)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == (
        "no_penalty_instead",
        "行政执法机关移送涉嫌犯罪案件的规定 11",
    )
    assert told.refused.zh.startswith(f"{NINGBO}不得以行政处罚代替移送，“penalise”不产生效力。")
    unchanged(stage, told)


def test_police_do_not_refuse_for_missing_papers() -> None:
    stage = referral()
    told = stage.move("reject", NINGBO_POLICE, NINGBO)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("no_refusal_for_papers", "公安机关办理刑事案件程序规定 180")
    unchanged(stage, told)


def test_a_bar_is_of_the_roles_that_it_names() -> None:
    stage = referral()
    assert refused(stage.move("reject", NINGBO, NINGBO_POLICE)) == "no_such_move"
    assert refused(stage.move("penalise", NINGBO_POLICE, NINGBO)) == "no_such_move"


def test_a_bar_that_names_no_role_is_of_everyone() -> None:
    kind = tables().kinds["assistance"]
    bar = replace(tables().kinds["handover"].bars[0], move="sell", by=())
    barring = replace(around(), tables=replace(tables(), kinds={"assistance": replace(kind, bars=(bar,))}))
    for source in (NANJING, NINGBO, SUZHOU):
        stage = assistance()
        said = replace(stage.log[0], seq=1, source=source, body=moving("assistance", "sell", stage.at))
        assert refused(step(stage.case, said, barring)) == "no_retransfer"


def test_a_move_of_another_kind_than_the_case_has_no_effect() -> None:
    stage = assistance()
    told = stage.say(opening("referral"), SUZHOU, (NINGBO,))
    assert refused(told) == "opened_already"
    wrong = stage.say(moving("referral", "accept", stage.at), NINGBO, (NANJING,))
    assert wrong.refused is not None
    assert wrong.refused.rule == "wrong_kind"
    assert "协助调查" in wrong.refused.zh
    unchanged(stage, wrong)


def test_a_move_that_the_kind_does_not_have_has_no_effect() -> None:
    stage = assistance()
    told = stage.move("arrest", NINGBO, NANJING)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.attempted) == ("no_such_move", "arrest")
    unchanged(stage, told)


def test_a_closed_case_takes_no_move_but_the_one_that_names_it() -> None:
    stage = referral()
    stage.move("accept", NINGBO_POLICE, NINGBO)
    stage.move("file", NINGBO_POLICE, NINGBO)
    for move, mover, other in (
        ("accept", NINGBO_POLICE, NINGBO),
        ("forward", NINGBO_POLICE, NINGBO),
        ("extend", NINGBO_POLICE, NINGBO),
        ("suspend", NINGBO, NINGBO_POLICE),
    ):
        told = stage.move(move, mover, other)
        assert told.refused is not None
        assert (told.refused.rule, told.refused.state) == ("case_closed", "filed")
        assert "已立案" in told.refused.zh
        unchanged(stage, told)
    assert refused(stage.move("hand_over", NINGBO, NINGBO_POLICE)) is None
    assert stage.now.state == "filed"
    assert [clock.told_state for clock in stage.now.clocks if clock.rule == "C12"] == ["met"]


def test_a_move_that_happened_before_its_case_has_no_effect() -> None:
    stage = assistance()
    opened = stage.now.opened_ms
    told = stage.move("accept", NINGBO, NANJING, happened_at=opened - 1)
    assert told.refused is not None
    assert told.refused.rule == "older_than_case"
    assert "2026-02-09 11:00" in told.refused.zh
    unchanged(stage, told)
    assert refused(stage.move("accept", NINGBO, NANJING, happened_at=opened)) is None


def test_a_clock_that_is_an_hour_fast_gives_no_time_after_the_admission() -> None:
    stage = assistance()
    told = stage.move("accept", NINGBO, NANJING, happened_at=stage.at + 2 * HOUR)
    assert refused(told) is None
    assert stage.now.facts[-1].happened_ms == stage.log[-1].admitted_ms - 1


def test_the_time_of_a_fact_entered_late_is_its_own() -> None:
    stage = assistance()
    finished = stage.at + HOUR
    stage.wait(stage.now.clocks[0].due_at + HOUR)
    assert stage.now.clocks[0].told_state == "expired"
    told = stage.move("finish", NINGBO, NANJING, text="已取证", documents=FILE, happened_at=finished)
    assert [(change.what, change.verdict.state, change.before.told_state) for change in told.changes] == [
        ("stopped", "met", "expired")
    ]
    assert stage.now.facts[-1].happened_ms == finished


def test_a_move_by_the_wrong_organ_names_whose_it_is() -> None:
    stage = assistance()
    told = stage.move("accept", NANJING, NINGBO)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("not_yours_to_make", "程序规定 45")
    assert "被请求机关" in told.refused.zh
    assert "the organ asked" in told.refused.en
    unchanged(stage, told)


def test_a_move_in_the_wrong_state_names_the_right_one() -> None:
    stage = referral()
    told = stage.move("file", NINGBO_POLICE, NINGBO)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.state) == ("wrong_state", "delivered")
    assert "“已受理”" in told.refused.zh
    assert "accepted" in told.refused.en
    unchanged(stage, told)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_move_without_what_it_needs_names_what_is_missing(text: str | None) -> None:
    stage = assistance()
    told = stage.move("finish", NINGBO, NANJING, text=text, documents=FILE)
    assert told.refused is not None
    assert told.refused.rule == "incomplete_move"
    assert "说明（text）" in told.refused.zh
    assert "documents" not in told.refused.en
    unchanged(stage, told)


def test_a_move_that_another_party_was_not_addressed_with_has_no_effect() -> None:
    stage = assistance()
    told = stage.say(moving("assistance", "accept", stage.at), NINGBO, (), copies=(NANJING,))
    assert told.refused is not None
    assert told.refused.rule == "every_party_is_told"
    assert NANJING in told.refused.zh
    unchanged(stage, told)


def test_a_party_that_is_suspended_may_receive_nothing_and_holds_up_nobody() -> None:
    stage = assistance()
    idle = replace(members().participants[NANJING], suspended_at=MORNING)
    registry = replace(members(), participants={**members().participants, NANJING: idle})
    said = replace(
        stage.log[0],
        seq=1,
        source=NINGBO,
        addressees=(),
        recipients=(),
        admitted_ms=stage.at + HOUR,
        body=moving("assistance", "accept", stage.at),
    )
    assert refused(step(stage.case, said, around())) == "every_party_is_told"
    assert refused(step(stage.case, said, replace(around(), registry=registry))) is None


def test_a_forward_that_names_no_police_or_two_has_no_effect() -> None:
    for to in ((NINGBO,), (NINGBO, SUZHOU_POLICE, HAISHU_POLICE), (NINGBO, NINGBO_PROCURATORATE)):
        stage = referral()
        told = stage.move("forward", NINGBO_POLICE, *to)
        assert told.refused is not None
        assert told.refused.rule == "nobody_joins"
        assert "公安机关" in told.refused.zh
        unchanged(stage, told)


def test_police_that_forward_a_case_leave_it_and_the_others_take_their_part() -> None:
    stage = referral()
    told = stage.move("forward", NINGBO_POLICE, NINGBO, SUZHOU_POLICE)
    assert refused(told) is None
    assert stage.now.playing("police") == (Part("police", SUZHOU_POLICE),)
    assert {change.clock.key: change.what for change in told.changes} == {"C4/1": "stopped", "C4/2": "started"}
    assert told.changes[1].actors == (SUZHOU_POLICE,)
    late = stage.move("accept", NINGBO_POLICE, NINGBO, SUZHOU_POLICE)
    assert refused(late) == "not_party"
    assert NINGBO_POLICE in late.case.informed
    assert refused(stage.move("accept", SUZHOU_POLICE, NINGBO)) is None


def test_a_move_that_is_made_once_has_no_second_effect() -> None:
    stage = assistance()
    assert refused(stage.move("note", NANJING, NINGBO)) is None
    assert stage.now.state == "requested"
    told = stage.move("note", NINGBO, NANJING)
    assert refused(told) == "done_before"
    unchanged(stage, told)


def test_who_joins_later_is_a_party_from_then_on() -> None:
    stage = referral()
    stage.move("accept", NINGBO_POLICE, NINGBO)
    stage.move("refuse", NINGBO_POLICE, NINGBO, reason="no_crime")
    assert refused(stage.move("order", NINGBO_PROCURATORATE, NINGBO, NINGBO_POLICE)) == "not_party"
    assert refused(stage.move("supervise", NINGBO, NINGBO_POLICE, NINGBO_PROCURATORATE)) is None
    assert stage.now.roles_of(NINGBO_PROCURATORATE) == ("procuratorate",)
    assert refused(stage.move("order", NINGBO_PROCURATORATE, NINGBO)) == "every_party_is_told"
    assert refused(stage.move("order", NINGBO_PROCURATORATE, NINGBO, NINGBO_POLICE)) is None
    assert stage.now.state == "accepted"


def test_whoever_plays_the_part_already_may_be_asked_again() -> None:
    stage = Stage()
    stage.open("dispute", NINGBO, NANJING)
    assert refused(stage.move("ask", NINGBO, NANJING, NATION, designated=NINGBO)) is None
    again = stage.move("ask", NANJING, NINGBO, NATION)
    assert refused(again) is None
    assert stage.now.playing("superior") == (Part("superior", NATION),)


def test_a_party_is_never_taken_for_the_superior_that_was_not_addressed() -> None:
    stage = Stage()
    stage.open("dispute", NINGBO, NANJING)
    assert refused(stage.move("ask", NINGBO, NANJING)) == "nobody_joins"


def test_the_organ_that_is_designated_takes_the_case_whether_it_was_in_dispute_or_not() -> None:
    for designated, to in ((NINGBO, (NINGBO, NANJING)), (SUZHOU, (NINGBO, NANJING, SUZHOU))):
        stage = Stage()
        stage.open("dispute", NINGBO, NANJING)
        stage.move("ask", NINGBO, NANJING, NATION)
        assert refused(stage.move("designate", NATION, NINGBO, NANJING, designated=HAISHU)) == "nobody_joins"
        assert refused(stage.move("designate", NATION, *to, designated=designated)) is None
        assert stage.now.playing("competent") == (Part("competent", designated),)
        assert refused(stage.move("take", designated, *{*to, NATION} - {designated})) is None
        assert stage.now.state == "taken"


def test_the_opener_records_the_moves_of_an_organ_outside_the_exchange() -> None:
    stage = Stage()
    outside = OutsideOrgan(name="广州市市场监督管理局", division="440100", organ_type="market_regulator")
    assert refused(stage.open("assistance", NANJING, outside=outside)) is None
    assert stage.now.parts[1] == Part("requested", "广州市市场监督管理局", outside=True, division="440100")
    assert refused(stage.move("accept", SUZHOU, NANJING)) == "not_party"
    assert refused(stage.move("accept", NANJING)) is None
    assert (stage.now.state, stage.now.facts[-1].source) == ("accepted", NANJING)


def test_the_answer_says_what_each_party_may_do_now() -> None:
    stage = assistance()
    told = stage.move("accept", NANJING, NINGBO)
    assert told.refused is not None
    assert {each.participant: each.moves for each in told.refused.possible} == {
        NANJING: ("note", "withdraw"),
        NINGBO: ("accept", "note", "finish", "extend"),
    }
    assert told.refused.zh.endswith(
        f"现在可以作出的行为：{NANJING}：说明、撤回请求；{NINGBO}：接受、说明、完成协助、延长期限。"
    )
    assert told.refused.en.endswith(
        f"Possible now: {NANJING}: note, withdrawal; {NINGBO}: acceptance, note, completion, extension of a term."
    )


def test_the_steps_are_asked_in_their_order_and_the_first_that_forbids_answers() -> None:
    stage = assistance()
    before = stage.now.opened_ms - HOUR
    asked = [
        ("wrong_kind", stage.say(moving("referral", "accept", stage.at), NINGBO)),
        ("no_such_move", stage.move("arrest", NINGBO, happened_at=before)),
        ("older_than_case", stage.move("finish", NANJING, happened_at=before)),
        ("not_yours_to_make", stage.move("finish", NANJING)),
        ("incomplete_move", stage.move("finish", NINGBO)),
        ("every_party_is_told", stage.move("finish", NINGBO, text="已取证", documents=FILE)),
    ]
    assert [refused(told) for _, told in asked] == [code for code, _ in asked]
