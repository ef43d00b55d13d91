"""The state of a case: who plays what, and what a clock is called."""

from __future__ import annotations

from services.cases.state import Case, Clock, Fact, Part

PARTS = (Part("agency", "A"), Part("police", "B"), Part("informed", "A"), Part("other", "某局", outside=True))


def test_a_case_exists_when_its_opening_had_effect() -> None:
    assert not Case("TR-1", last_seq=4).exists
    assert Case("TR-1", opened_event="e").exists


def test_who_opened_a_case_is_the_source_of_its_first_fact() -> None:
    assert Case("TR-1").opener == ""
    assert Case("TR-1", facts=(Fact("e", "A", "open", 1, 2), Fact("f", "B", "accept", 3, 4))).opener == "A"


def test_a_member_plays_its_roles_and_an_outside_organ_none_of_its_own() -> None:
    case = Case("TR-1", parts=PARTS)
    assert case.roles_of("A") == ("agency", "informed")
    assert case.roles_of("某局") == ()
    assert case.playing("other") == (Part("other", "某局", outside=True),)
    assert case.playing("nobody") == ()


def test_a_clock_is_named_by_its_rule_and_number() -> None:
    assert Clock("A8", None, 2, "e", "e", "running").key == "A8/2"
