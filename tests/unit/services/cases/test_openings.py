"""The opening of a case: who may open what, who takes which part by it, what it tells the clocks."""

from __future__ import annotations

import pytest

from services.cases.fold import outsiders_answer
from services.cases.state import Part
from services.events.transfer import EarlierStep, OutsideOrgan, PossibleMoves
from tests.unit.services.cases.stage import (
    DAY,
    HAISHU,
    HOUR,
    MEDIATOR,
    MORNING,
    NANJING,
    NINGBO,
    NINGBO_COURT,
    NINGBO_POLICE,
    NINGBO_PROCURATORATE,
    SUZHOU,
    SUZHOU_POLICE,
    Stage,
    around,
    opening,
    refused,
)


def test_an_opening_says_who_plays_which_part_and_starts_its_clocks() -> None:
    stage = Stage()
    told = stage.open("referral", NINGBO, NINGBO_POLICE, relates_to=("CL-330200-2026-000001",))
    case = told.case
    assert (case.kind, case.state, case.title) == ("referral", "delivered", "电池改贴商标")
    assert case.parts == (Part("agency", NINGBO), Part("police", NINGBO_POLICE))
    assert (case.opener, case.opened_event, case.opened_ms) == (NINGBO, stage.log[0].event, stage.log[0].time_ms)
    assert case.relates_to == ("CL-330200-2026-000001",)
    assert [(change.what, change.clock.key, change.actors) for change in told.changes] == [
        ("started", "C4/1", (NINGBO_POLICE,))
    ]


def test_the_opener_states_when_its_own_procedure_began() -> None:
    stage = Stage()
    approved = MORNING - 2 * HOUR
    told = stage.open(
        "referral", NINGBO, NINGBO_POLICE, earlier=(EarlierStep(moment="referral_approved", at=approved),)
    )
    assert [moment.at_ms for moment in told.case.facts[0].moments] == [approved, stage.log[0].admitted_ms]
    assert {change.clock.key: change.verdict.state for change in told.changes} == {"C3/1": "met", "C4/1": "running"}


def test_an_earlier_step_is_never_later_than_the_opening() -> None:
    stage = Stage()
    told = stage.open(
        "referral", NINGBO, NINGBO_POLICE, earlier=(EarlierStep(moment="referral_approved", at=MORNING + DAY),)
    )
    assert told.case.facts[0].moments[0].at_ms == told.case.opened_ms
    before_1970 = Stage().open(
        "referral", NINGBO, NINGBO_POLICE, earlier=(EarlierStep(moment="referral_approved", at=-1),)
    )
    assert before_1970.case.facts[0].moments[0].at_ms == 0


def test_an_earlier_step_that_is_not_of_the_kind_has_no_effect() -> None:
    for moment, name in (("police_filed", "公安机关立案"), ("made_up", "made_up")):
        told = Stage().open("referral", NINGBO, NINGBO_POLICE, earlier=(EarlierStep(moment=moment, at=MORNING),))
        assert told.refused is not None
        assert told.refused.rule == "wrong_kind"
        assert name in told.refused.zh
        assert not told.case.exists


def test_a_kind_that_no_table_has_opens_nothing() -> None:
    told = Stage().open("gift", NINGBO, NANJING)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("wrong_kind", "IPX 案件移送规则")
    assert "gift" in told.refused.zh
    assert not told.case.exists


def test_an_organ_of_another_type_opens_nothing_and_may_try_again() -> None:
    stage = Stage()
    told = stage.open("referral", NINGBO_PROCURATORATE, NINGBO_POLICE)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == (
        "not_yours_to_make",
        "行政执法机关移送涉嫌犯罪案件的规定 5",
    )
    assert told.refused.possible == (PossibleMoves(participant=NINGBO_PROCURATORATE, moves=("open",)),)
    assert not told.case.exists
    assert refused(stage.open("referral", NINGBO, NINGBO_POLICE)) is None


def test_an_opening_of_somebody_who_is_no_member_opens_nothing() -> None:
    assert refused(Stage().open("assistance", "440100.market_regulator", NANJING)) == "not_yours_to_make"


def test_an_opening_without_what_it_needs_has_no_effect() -> None:
    told = Stage().open("assistance", NANJING, NINGBO, requests=None)
    assert told.refused is not None
    assert told.refused.rule == "incomplete_move"
    assert "请求事项（requests）" in told.refused.zh
    assert told.changes == ()


@pytest.mark.parametrize(
    "to",
    [(), (NANJING,), (NINGBO_COURT,), (NINGBO_POLICE, SUZHOU_POLICE)],
    ids=["nobody", "no police", "another type", "two"],
)
def test_an_opening_to_nobody_who_can_take_the_part_or_to_two_has_no_effect(to: tuple[str, ...]) -> None:
    told = Stage().open("referral", NINGBO, *to)
    assert told.refused is not None
    assert told.refused.rule == "nobody_joins"
    assert "公安机关" in told.refused.zh
    assert not told.case.exists


def test_several_organs_may_be_the_other_side_where_the_table_says_so() -> None:
    told = Stage().open("dispute", NINGBO, NANJING, SUZHOU)
    assert refused(told) is None
    assert told.case.playing("other") == (Part("other", NANJING), Part("other", SUZHOU))


def test_an_addressee_of_another_type_has_a_copy_and_no_part() -> None:
    stage = Stage()
    told = stage.open("referral", NINGBO, NINGBO_POLICE, NINGBO_PROCURATORATE)
    assert refused(told) is None
    assert told.case.roles_of(NINGBO_PROCURATORATE) == ()
    assert NINGBO_PROCURATORATE in told.case.informed
    assert refused(stage.move("accept", NINGBO_POLICE, NINGBO)) is None


def test_the_exchange_itself_is_never_among_the_informed() -> None:
    stage = Stage()
    stage.open("assistance", NANJING, NINGBO, "exchange.gateway")
    assert stage.now.informed == (NANJING, NINGBO)


def test_an_organ_outside_the_exchange_takes_a_part_where_the_table_lets_it() -> None:
    outside = OutsideOrgan(name="广州市市场监督管理局", division="440100", organ_type="market_regulator")
    told = Stage().open("assistance", NANJING, outside=outside)
    assert told.case.parts[1] == Part("requested", "广州市市场监督管理局", outside=True, division="440100")
    assert told.changes[0].actors == ()
    assert refused(Stage().open("handover", NANJING, outside=outside)) == "nobody_joins"
    assert refused(Stage().open("assistance", NANJING, NINGBO, outside=outside)) == "nobody_joins"
    court = OutsideOrgan(name="广州互联网法院", division="440100", organ_type="court")
    assert refused(Stage().open("assistance", NANJING, outside=court)) == "nobody_joins"
    assert refused(Stage().open("confirmation", MEDIATOR, outside=court)) is None


def test_an_opener_that_addresses_itself_takes_no_second_part() -> None:
    assert refused(Stage().open("handover", NANJING, NANJING)) == "nobody_joins"


def test_an_opening_that_opened_nothing_is_answered_alike_to_all() -> None:
    stage = Stage()
    told = stage.open("assistance", NANJING, HAISHU, requests=" ")
    assert told.refused is not None
    assert outsiders_answer(told.case, stage.log[0], told.refused, around()) == told.refused
    assert told.refused.en.endswith(f"Possible now: {NANJING}: open.")


def test_whoever_has_a_copy_by_an_agreement_is_informed_and_has_no_part() -> None:
    stage = Stage()
    stage.say(opening("assistance"), NANJING, (NINGBO,), copies=(HAISHU,))
    assert HAISHU in stage.now.informed
    assert stage.now.roles_of(HAISHU) == ()
