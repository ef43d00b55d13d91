"""Level, superior, court and content: what a table names beside roles and states, over the members and the event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.cases.checks import Question, level_of_division, nearest_common_superior, same_level
from services.cases.state import Case, Part
from services.events.clue import Right
from services.events.transfer import OutsideOrgan
from services.members.registry import Participant, Registry
from tests.unit.services.cases.stage import (
    HAISHU,
    HAISHU_COURT,
    HAISHU_POLICE,
    JIANGSU,
    MEDIATOR,
    MORNING,
    NANJING,
    NATION,
    NINGBO,
    NINGBO_COURT,
    NINGBO_POLICE,
    NINGBO_PROCURATORATE,
    SHANGHAI_COURT,
    SUZHOU,
    ZHEJIANG,
    ZHEJIANG_COURT,
    Stage,
    members,
    moving,
    opening,
    refused,
)


def test_a_referral_goes_to_police_of_the_same_level() -> None:
    told = Stage().open("referral", NINGBO, HAISHU_POLICE)
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("same_level", "行政执法机关移送涉嫌犯罪案件的规定 5")
    assert f"{HAISHU_POLICE}与{NINGBO}不同级" in told.refused.zh
    assert not told.case.exists
    assert refused(Stage().open("referral", HAISHU, HAISHU_POLICE)) is None


def test_whoever_joins_later_is_of_the_level_of_the_mover_too() -> None:
    stage = Stage()
    stage.open("referral", HAISHU, HAISHU_POLICE)
    stage.move("accept", HAISHU_POLICE, HAISHU)
    stage.move("refuse", HAISHU_POLICE, HAISHU, reason="no_crime")
    told = stage.move("supervise", HAISHU, HAISHU_POLICE, NINGBO_PROCURATORATE)
    assert refused(told) == "same_level"
    assert told.case.playing("procuratorate") == ()


def with_participant(one: Participant) -> Registry:
    return replace(members(), participants={**members().participants, one.id: one})


def dispatched(superior: str | None) -> Participant:
    return Participant("330203.police", "派出所", "station", "330203", "police", "dispatched", superior)


@pytest.mark.parametrize(
    ("superior", "code"), [(NINGBO_POLICE, None), (None, "same_level"), ("330299.police", "same_level")]
)
def test_a_dispatched_office_counts_as_its_parent(superior: str | None, code: str | None) -> None:
    registry = with_participant(dispatched(superior))
    asked = Question(Case("TR-1"), NINGBO, opening("referral"), (Part("police", HAISHU_POLICE),), registry)
    refusal = same_level(asked)
    assert (refusal.rule.code if refusal else None) == code


@pytest.mark.parametrize(
    ("division", "level"),
    [("100000", "national"), ("440000", "province"), ("440100", "prefecture"), ("440106", "county")],
)
def test_an_organ_outside_the_exchange_is_of_the_level_of_its_division(division: str, level: str) -> None:
    assert level_of_division(division) == level
    outside = OutsideOrgan(name="广州市公安局", division=division, organ_type="police")
    part = (Part("police", outside.name, outside=True),)
    asked = Question(Case("TR-1"), NINGBO, opening("referral", outside=outside), part, members())
    assert (same_level(asked) is None) == (level == "prefecture")


def test_an_organ_outside_that_the_event_does_not_describe_is_of_no_level() -> None:
    part = (Part("police", "某公安局", outside=True),)
    assert same_level(Question(Case("TR-1"), NINGBO, moving("referral", "forward", MORNING), part, members()))


@pytest.mark.parametrize(
    ("parties", "superior"),
    [
        ((NANJING, SUZHOU), JIANGSU),
        ((NANJING, NINGBO), NATION),
        ((NANJING, SUZHOU, NINGBO), NATION),
        ((NINGBO, HAISHU), ZHEJIANG),
        ((HAISHU, SUZHOU), NATION),
    ],
)
def test_a_dispute_goes_to_the_nearest_common_superior_and_to_no_other(parties: tuple[str, ...], superior: str) -> None:
    for asked in (JIANGSU, ZHEJIANG, NATION):
        stage = Stage()
        assert refused(stage.open("dispute", *parties)) is None
        told = stage.move("ask", parties[0], *parties[1:], asked)
        if asked == superior:
            assert refused(told) is None
            assert told.case.playing("superior") == (Part("superior", superior),)
            continue
        assert told.refused is not None
        assert (told.refused.rule, told.refused.article) == ("nearest_common_superior", "程序规定 13")
        assert superior in told.refused.zh
        assert told.case.state == "disputed"


def question(*parties: str, registry: Registry | None = None) -> Question:
    parts = tuple(Part("other", one) for one in parties)
    return Question(
        Case("TR-1", parts=parts),
        parties[0] if parties else "",
        moving("dispute", "ask", MORNING),
        (Part("superior", NATION),),
        registry or members(),
    )


@pytest.mark.parametrize(
    ("division", "superior"), [("440106", NATION), ("330203", ZHEJIANG), ("330000", ZHEJIANG), ("100000", NATION)]
)
def test_an_organ_outside_counts_by_where_it_lies(division: str, superior: str) -> None:
    parts = (Part("other", NINGBO), Part("other", "某局", outside=True, division=division))
    for asked in (ZHEJIANG, NATION):
        taking = (Part("superior", asked),)
        refusal = nearest_common_superior(
            Question(Case("TR-1", parts=parts), NINGBO, moving("dispute", "ask", MORNING), taking, members())
        )
        assert (refusal is None) == (asked == superior)


def test_organs_without_a_common_superior_are_told_that_the_members_have_none() -> None:
    refusal = nearest_common_superior(question(NANJING, NINGBO_POLICE))
    assert refusal is not None
    assert (refusal.zh, refusal.en) == ("成员名录中没有", "the members have none")
    assert nearest_common_superior(question()) is not None


def test_a_ring_of_superiors_is_gone_round_once() -> None:
    ring = dict(members().participants)
    ring[NATION] = replace(ring[NATION], superior=JIANGSU)
    refusal = nearest_common_superior(question(NANJING, NINGBO_POLICE, registry=replace(members(), participants=ring)))
    assert refusal is not None
    assert refusal.en == "the members have none"


@pytest.mark.parametrize(
    ("right_type", "court", "code"),
    [
        ("utility_model", NINGBO_COURT, None),
        ("utility_model", HAISHU_COURT, "court_by_right_type"),
        ("invention_patent", HAISHU_COURT, "court_by_right_type"),
        ("design", HAISHU_COURT, "court_by_right_type"),
        ("patent", ZHEJIANG_COURT, "court_by_right_type"),
        ("design", SHANGHAI_COURT, None),
        ("trademark", HAISHU_COURT, None),
        ("trademark", NINGBO_COURT, None),
        ("copyright", ZHEJIANG_COURT, None),
        ("software_copyright", HAISHU_COURT, None),
        ("plant_variety", NINGBO_COURT, None),
        ("layout_design", ZHEJIANG_COURT, None),
        ("trade_secret", HAISHU_COURT, None),
        ("trade_secret", NINGBO_COURT, None),
        (None, HAISHU_COURT, None),
    ],
)
def test_an_agreement_is_confirmed_by_the_court_of_its_right(
    right_type: str | None, court: str, code: str | None
) -> None:
    told = Stage().open("confirmation", MEDIATOR, court, right_type=right_type)
    assert refused(told) == code
    if told.refused is not None:
        assert "法释〔2022〕13号" in told.refused.article


def test_every_right_that_an_agreement_is_on_counts() -> None:
    rights = (Right(right_type="trademark"), Right(right_type="design"))
    told = Stage().open("confirmation", MEDIATOR, HAISHU_COURT, right_type="trademark", rights=rights)
    assert refused(told) == "court_by_right_type"


def test_a_court_outside_the_exchange_is_judged_by_its_division() -> None:
    for division, code in (("440100", None), ("440106", "court_by_right_type"), ("110000", None)):
        outside = OutsideOrgan(name="法院", division=division, organ_type="court")
        told = Stage().open("confirmation", MEDIATOR, right_type="utility_model", outside=outside)
        assert refused(told) == code


@pytest.mark.parametrize(("matter", "name"), [("ownership", "权属"), ("validity", "效力"), ("status", "身份关系")])
def test_an_agreement_on_ownership_validity_or_status_is_not_confirmed(matter: str, name: str) -> None:
    told = Stage().open("confirmation", MEDIATOR, NINGBO_COURT, agreement_matters=("payment", matter))
    assert told.refused is not None
    assert (told.refused.rule, told.refused.article) == ("no_ownership", "民诉法解释 355 [L18]")
    assert name in told.refused.zh
    assert "payment" not in told.refused.en
    assert not told.case.exists


def test_an_agreement_on_payment_goes_to_the_court() -> None:
    told = Stage().open("confirmation", MEDIATOR, NINGBO_COURT, agreement_matters=("payment", "licence"))
    assert refused(told) is None
