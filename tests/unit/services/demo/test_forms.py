"""What officers type in: the same facts in the words and codes of either system, taken by the mapping of their node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.kit.dialect import load_dialect
from connectors.kit.mapping import draft
from services.demo.forms import CITIES_DIR, Forms, code_lists
from services.demo.hand_over import MOVE, OPEN, Turn, load_hand_overs, parse_time
from services.demo.roster import load_roster
from services.kernel.data import DEPLOY_DIR
from services.kernel.errors import BadSettings

FLAT, NESTED = Forms("flat", "330200"), Forms("nested", "331022")
ROSTER = load_roster(DEPLOY_DIR / "local" / "cities" / "transfers.toml")
TURN = Turn(
    do=OPEN,
    case="a",
    by="330200.market_regulator",
    at_ms=None,
    kind="assistance_request",
    move="",
    to=("310000.market_regulator",),
    joins=(),
    happened_ms=None,
    ahead_ms=0,
    file=None,
    says={"title": "t", "documents": [{"name": "函", "kind": "assistance_letter"}]},
    zh="",
    en="",
    expected=(),
)
MOVED = replace(TURN, do=MOVE, move="finish", kind="", says={"text": "x"}, happened_ms=parse_time("2023-10-30 15:00"))


def test_an_opening_is_laid_out_as_each_system_asks() -> None:
    flat = FLAT.typed(TURN, number="N1", subject="")
    lists = code_lists("330200")
    assert (flat["ajbh"], flat["bt"], lists["ajlx"][flat["ajlx"]]) == ("N1", "t", "assistance_request")
    assert lists["dwlx"][flat["jsdw"][0]["dwlx"]] == "market_regulator"
    assert (flat["jsdw"][0]["qh"], lists["wjlx"][flat["wj"][0]["lx"]]) == ("310000", "assistance_letter")
    nested = NESTED.typed(TURN, number="N1", subject="")
    assert (nested["anjian"]["bianhao"], nested["anjian"]["biaoti"]) == ("N1", "t")
    assert nested["jiaohuanXinxi"]["jieshouDanweiLiebiao"] == ["310000.market_regulator"]


def test_a_case_that_has_a_number_of_the_exchange_is_named_by_it() -> None:
    flat = FLAT.typed(MOVED, number="N1", subject="TR-1")
    assert (flat["jhbh"], flat["czsj"], "ajbh" in flat) == ("TR-1", "2023-10-30 15:00:00", False)
    nested = NESTED.typed(MOVED, number="N1", subject="TR-1")
    assert nested["anjian"] == {"jiaohuanBianhao": "TR-1"}
    assert nested["caozuo"]["shijian"] == "2023-10-30T15:00:00+08:00"


@pytest.mark.parametrize(
    ("says", "why"), [({"colour": "red"}, "no field colour"), ({"right_type": "cake"}, "has no code for cake")]
)
def test_what_the_form_does_not_ask_and_the_list_does_not_have_is_refused(says: dict[str, Any], why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        FLAT.typed(replace(TURN, says=says), number="N1", subject="")


def test_a_city_without_code_lists_is_told() -> None:
    with pytest.raises(BadSettings, match=r"cities/nowhere/city\.toml"):
        code_lists("nowhere")


@pytest.mark.parametrize("story", load_hand_overs(), ids=lambda story: story.name)
def test_every_step_that_ships_can_be_typed_in_and_the_node_makes_of_it_what_the_file_says(story: Any) -> None:
    forms = {organ.id: Forms(organ.form, organ.dialect) for city in ROSTER for organ in city.organs}
    for turn in story.turns:
        if turn.by:
            subject = "" if turn.do == OPEN else "TR-1"
            typed = forms[turn.by].typed(turn, number="N1", subject=subject)
            item = {"sjlx": "", "fssj": "2026-01-01 00:00:00", "fashengShijian": "2026-01-01T00:00:00+08:00", **typed}
            drafted = mapped(forms[turn.by], turn, item)
            for name in ("text", "title", "requests", "right_type", "result", "rule", "length", "designated"):
                assert drafted.get(name) == turn.says.get(name), name
            assert drafted["kind"] == (turn.kind or "of the case")


def mapped(forms: Forms, turn: Turn, item: dict[str, Any]) -> dict[str, Any]:
    """The fields of the event that the organ's node drafts."""
    name = "TransferOpened" if turn.do == OPEN else "TransferMoved"
    dialect = load_dialect(forms.dialect)
    inward = next(one for one in dialect.inward.values() if one.type.endswith(f".{name}"))
    case = {"kind": "of the case", "others": ["340100.market_regulator"], "agreement": "statutory-transfers@1"}
    known = {"participant": turn.by, "division": turn.by.partition(".")[0], "answered": {}, "case": case, "item": "1"}
    return dict(draft(inward, item, known).value)


def test_the_folder_of_the_cities_is_the_one_that_ships() -> None:
    assert (CITIES_DIR / "320100" / "codes.toml").is_file()
