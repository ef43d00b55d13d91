"""A public report goes to no other organ: who is competent is told to the reporter, by the article in force."""

from __future__ import annotations

from services.clues.state import Stage as At
from services.events.clue import MoveHadNoEffect, ReporterReferral
from services.kernel.instants import parse_instant
from tests.unit.services.clues.stage import (
    NANJING,
    NINGBO,
    SHANGHAI,
    Stage,
    accepted,
    only,
    report,
    tables,
)


def test_a_public_report_at_a_bureau_without_power_sends_the_reporter_on_and_goes_to_nobody() -> None:
    stage = Stage()
    folded = stage.say(report(subtype="public_report", place_division="330212"), NANJING)
    referral = only(folded, ReporterReferral)
    assert referral.addressee == (NANJING,)
    assert referral.event.received_by == NANJING
    assert (referral.event.competent_division, referral.event.competent_organ_type) == ("330200", "market_regulator")
    assert (referral.event.competent_participant, referral.event.rule) == (
        NINGBO,
        "reporter_goes_to_competent_bureau",
    )
    assert referral.event.competent_name_zh in referral.event.explanation_zh
    assert stage.state.holdings == ()
    assert only(stage.say(accepted(), NANJING), MoveHadNoEffect).event.rule == "public_report_elsewhere"


def test_a_public_report_for_a_place_without_a_member_still_names_where_to_go() -> None:
    stage = Stage()
    folded = stage.say(report(subtype="public_report", place_division="340104"), NANJING)
    referral = only(folded, ReporterReferral).event
    assert (referral.competent_participant, referral.competent_division) == (None, "340104")
    assert referral.competent_organ_type == "market_regulator"


def test_a_public_report_of_a_place_in_a_municipality_names_the_municipality_and_can_be_admitted() -> None:
    referral = only(
        Stage().say(report(subtype="public_report", right_type="patent", place_division="310115"), NANJING),
        ReporterReferral,
    ).event
    assert referral.competent_division == "310000"
    assert tables()["divisions"].valid(referral.competent_division, 20781)


def test_the_article_on_public_reports_is_the_one_in_force_when_it_was_admitted() -> None:
    articles = {}
    for day in ("2026-04-14T15:59:59.999Z", "2026-04-14T16:00:00.000Z"):
        folded = Stage().say(report(subtype="public_report"), NANJING, at_ms=parse_instant(day))
        articles[day] = only(folded, ReporterReferral).event.article
    before, after = articles.values()
    assert "第二十九条" in before
    assert "第121号令" in after
    assert "第二十九条" not in after  # its new number was not seen


def test_a_public_report_at_the_right_bureau_is_held_by_it() -> None:
    stage = Stage()
    assert stage.say(report(subtype="public_report", place_division="320106"), NANJING).emissions == ()
    assert stage.state.stage_of(NANJING) is At.REPORTED


def test_a_public_report_takes_nothing_from_a_clue_that_others_handle() -> None:
    stage = Stage()
    first = stage.opened()
    stage.moves(NINGBO, accepted())
    folded = stage.say(report(subtype="public_report"), SHANGHAI, cause=first.id)
    assert only(folded, ReporterReferral).addressee == (SHANGHAI,)
    assert stage.state.stage_of(NINGBO) is At.ACCEPTED
    assert stage.state.reporters == (NANJING,)
