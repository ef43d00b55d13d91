"""A mapping file is checked when it is read, and says which field of which happening is wrong when it is used."""

from typing import Any

import pytest

from connectors.kit.mapping import Drafted, compile_mapping, draft, message, subject_of
from connectors.kit.port import Message
from services.kernel.errors import BadSettings, Refused

KNOWN = {"participant": "320100.market_regulator", "division": "320100", "item": "17", "answered": None}
ANSWERED = {"id": "e1", "subject": "CL-1", "source": "330100.market_regulator", "agreement": "a@1"}


def document(**more: Any) -> dict[str, Any]:
    return {
        "type": "cn.ipx.clue.ClueNotFiled",
        "from_city": {
            "kinds": ["BL"],
            "answers": {"reference": "slbh"},
            "draft": {"time_ms": {"from": "sj", "as": "epoch_ms"}},
            "fields": {"decided_on": {"from": "rq", "as": "day"}, "ground": "ly", "explanation": "sm"},
        },
        "to_city": {"door": "fankui", "fields": {"x.sm": "explanation", "x.dw": "@source"}},
        **more,
    }


ITEM = {"sj": 5, "rq": "1970-01-03", "ly": "no_fault", "sm": "说明"}


def inward(**more: Any) -> Any:
    made, _ = compile_mapping(document(**more), {}, "file")
    return made


def test_a_happening_that_answers_a_delivery_takes_its_lines_from_it() -> None:
    assert draft(inward(), ITEM, {**KNOWN, "answered": ANSWERED}) == Drafted(
        type="cn.ipx.clue.ClueNotFiled",
        subject="CL-1",
        time_ms=5,
        agreement="a@1",
        addressee="330100.market_regulator",
        cause="e1",
        value={"decided_on": 2, "ground": "no_fault", "explanation": "说明"},
    )


def test_rules_of_the_draft_go_before_what_is_answered() -> None:
    changed = document()
    changed["from_city"]["draft"] |= {"subject": "bh", "addressee": "dw"}
    made, _ = compile_mapping(changed, {}, "file")
    drafted = draft(made, {**ITEM, "bh": "CL-9", "dw": "x"}, {**KNOWN, "answered": ANSWERED})
    assert (drafted.subject, drafted.addressee, drafted.cause) == ("CL-9", "x", "e1")


def test_lines_that_nobody_says_are_dashes() -> None:
    changed = document()
    del changed["from_city"]["answers"]
    changed["from_city"]["draft"]["subject"] = "bh"
    made, _ = compile_mapping(changed, {}, "file")
    drafted = draft(made, {**ITEM, "bh": "CL-9"}, KNOWN)
    assert (drafted.agreement, drafted.addressee, drafted.cause) == ("-", "-", "-")


def test_what_a_happening_is_about_is_said_by_itself_or_by_what_it_answers() -> None:
    changed = document()
    changed["from_city"]["answers"] = {"reference": "slbh", "optional": True}
    changed["from_city"]["draft"]["subject"] = "bh"
    made, _ = compile_mapping(changed, {}, "file")
    assert made is not None
    assert not made.must_answer
    assert inward().must_answer
    assert subject_of(made, {"bh": "TR-1"}, {"answered": ANSWERED}) == "TR-1"
    assert subject_of(made, {}, {"answered": ANSWERED}) == "CL-1"
    assert subject_of(inward(), {"bh": "TR-1"}, {"answered": None}) is None


def test_a_happening_about_nothing_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        draft(inward(), ITEM, KNOWN)
    assert (refused.value.code, refused.value.field) == ("cannot-map", "subject")


def test_an_empty_required_field_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refused:
        draft(inward(), {**ITEM, "sm": ""}, {**KNOWN, "answered": ANSWERED})
    assert refused.value.field == "explanation"


def test_an_event_becomes_a_document_for_its_door() -> None:
    _, outward = compile_mapping(document(), {}, "file")
    assert outward is not None
    said = message(outward, {"explanation": "说明"}, {"source": "s"})
    assert said == Message("fankui", {"x": {"sm": "说明", "dw": "s"}})


def broken(path: str, value: Any) -> dict[str, Any]:
    made = document()
    *steps, last = path.split(".")
    inner = made
    for step in steps:
        inner = inner[step]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("type", "cn.ipx.clue.Nothing"),
        ("more", 1),
        ("from_city.more", 1),
        ("from_city.kinds", []),
        ("from_city.kinds", "BL"),
        ("from_city.answers", {"number": "x"}),
        ("from_city.answers", {"event": "a", "subject": "b"}),
        ("from_city.answers", None),
        ("from_city.answers", {"optional": True}),
        ("from_city.answers", {"event": "a", "optional": "yes"}),
        ("from_city.answers", {"event": "a", "optional": True}),
        ("from_city.draft.time_ms", None),
        ("from_city.draft.id", "x"),
        ("from_city.fields.ground", None),
        ("from_city.fields.grund", "x"),
        ("from_city.fields.officer", {"fields": {"name": "x"}}),
        ("from_city.fields.officer", "@nobody"),
        ("to_city.more", 1),
        ("to_city.fields.y", "explenation"),
        ("to_city.fields.y", "@nobody.id"),
    ],
)
def test_a_mapping_that_is_wrong_is_found_when_it_is_read(path: str, value: Any) -> None:
    with pytest.raises(BadSettings, match="type" if path == "type" else "file"):
        compile_mapping(broken(path, value), {}, "file")
