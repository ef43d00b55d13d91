"""The officers' desk: rules by which clues are handled, in order and in time, and the numbers that are given."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.reference_city.config import BadConfig, Config, Rule, read_step
from connectors.reference_city.desk import Desk, Unknown, fits
from connectors.reference_city.dialects import DIALECTS
from connectors.reference_city.store import Store

AT = 1_790_000_000_000


def desk(tmp_path: Path, dialect: str = "flat", *rules: Rule) -> tuple[Desk, Store]:
    config = Config("南京市", "320100", dialect, "NJ", tmp_path / "c.db", rules=rules)
    store = Store(config.database)
    return Desk(config, DIALECTS[dialect], store, lambda: AT), store


def taken(store: Store, document: str = "{}") -> str:
    return store.take("xs", "NJXS", "key", "1", "t", document)[0]


def happenings(store: Store) -> list[dict[str, Any]]:
    return [document for _, document in store.happenings(0, 99)]


def test_an_officer_files_a_case_and_it_is_a_happening_with_a_number(tmp_path: Path) -> None:
    made, store = desk(tmp_path)
    slbh = taken(store)
    made.act(slbh, read_step({"do": "file", "cause": "案由"}))
    (happening,) = happenings(store)
    assert happening["sjlx"] == "LA"
    assert (happening["slbh"], happening["ah"], happening["ay"]) == (slbh, "NJ市监案〔2026〕000001号", "案由")
    clue = store.held(slbh)
    assert clue is not None
    assert (clue["zt"], clue["ah"]) == ("LA", happening["ah"])


def test_in_the_nested_dialect_the_exchanges_event_is_named(tmp_path: Path) -> None:
    made, store = desk(tmp_path, "nested")
    slbh = taken(store, '{"jiaohuanXinxi": {"shijianBianhao": "e1"}}')
    made.act(slbh, read_step({"do": "accept"}))
    (happening,) = happenings(store)
    assert happening["xiansuo"] == {"shouliBianhao": slbh, "jiaohuanShijian": "e1"}
    assert happening["banli"]["shouliShijian"].endswith("+08:00")


def test_the_first_rule_that_fits_says_what_is_done_and_when(tmp_path: Path) -> None:
    steps = (read_step({"do": "accept"}), read_step({"do": "verify", "after_s": 5}))
    made, store = desk(tmp_path, "flat", Rule({"qqlx": "2"}, ()), Rule({"qqlx": ["1", "3"]}, steps), Rule({}, ()))
    made.received("xs", taken(store), {"qqlx": "1"})
    assert [step for _, _, step in store.due(AT)] == ['{"do": "accept"}']
    assert len(store.due(AT + 5000)) == 2
    assert store.next_due_ms() == AT


def test_a_clue_that_no_rule_fits_waits_for_an_officer(tmp_path: Path) -> None:
    made, store = desk(tmp_path, "flat", Rule({"qqlx": "2"}, (read_step({"do": "accept"}),)))
    made.received("xs", taken(store), {"qqlx": "1"})
    assert store.next_due_ms() is None


def test_paths_of_a_rule_are_dotted() -> None:
    assert fits(Rule({"a.b": 1}, ()), {"a": {"b": 1}})
    assert not fits(Rule({"a.b": 1}, ()), {"a": 1})
    assert fits(Rule({}, ()), {})


def test_a_clue_that_is_not_here_cannot_be_handled(tmp_path: Path) -> None:
    made, _ = desk(tmp_path)
    with pytest.raises(Unknown):
        made.act("NJXS999999", read_step({"do": "accept"}))


def test_own_clues_are_happenings_in_the_order_entered(tmp_path: Path) -> None:
    made, store = desk(tmp_path)
    assert made.enter("clue", [{"bt": "甲"}, {"bt": "乙"}]) == 2
    assert [h["bt"] for h in happenings(store)] == ["甲", "乙"]
    assert {h["sjlx"] for h in happenings(store)} == {"XSYS"}


def test_a_step_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadConfig):
        read_step({"do": "dance"})


def case(store: Store, document: str = "{}") -> str:
    return store.take("aj", "NJAJ", "case", "1", "t", document)[0]


def test_an_officer_types_in_a_case_and_a_move_and_what_the_form_says_stands(tmp_path: Path) -> None:
    made, store = desk(tmp_path)
    made.enter("transfer", [{"ajbh": "1"}])
    made.enter("move", [{"ajbh": "1", "czlx": "WCXZ", "fssj": "2026-01-01 00:00:00"}])
    opened, moved = happenings(store)
    assert (opened["sjlx"], opened["ajbh"]) == ("AJYS", "1")
    assert (moved["sjlx"], moved["fssj"]) == ("AJCZ", "2026-01-01 00:00:00")
    with pytest.raises(Unknown):
        made.enter("letter", [{}])


@pytest.mark.parametrize(
    ("dialect", "values", "expected"),
    [
        ("flat", {"czlx": "WCXZ"}, {"slbh": "NJAJ000001", "czlx": "WCXZ"}),
        (
            "nested",
            {"leixing": "WANCHENGXIEZHU"},
            {
                "anjian": {"shouliBianhao": "NJAJ000001", "jiaohuanShijian": "e1"},
                "caozuo": {"leixing": "WANCHENGXIEZHU"},
            },
        ),
    ],
)
def test_a_case_that_came_in_is_moved_under_its_number(
    tmp_path: Path, dialect: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    made, store = desk(tmp_path, dialect)
    slbh = case(store, '{"jiaohuanXinxi": {"shijianBianhao": "e1"}}')
    made.act(slbh, read_step({"do": "move", **values}))
    (happening,) = happenings(store)
    assert expected.items() <= happening.items()
    held = store.held(slbh)
    assert held is not None
    assert held["zt"] == next(iter(values.values()))


def test_a_clue_is_not_moved_and_a_case_is_not_handled_as_a_clue(tmp_path: Path) -> None:
    made, store = desk(tmp_path)
    with pytest.raises(Unknown):
        made.act(taken(store), read_step({"do": "move"}))
    with pytest.raises(Unknown):
        made.act(case(store), read_step({"do": "accept"}))
    assert happenings(store) == []


def test_a_rule_is_of_clues_or_of_cases(tmp_path: Path) -> None:
    step = read_step({"do": "move", "czlx": "WCXZ"})
    made, store = desk(tmp_path, "flat", Rule({}, (), "clue"), Rule({"ajlx": "XZDC"}, (step,), "case"))
    made.received("xs", taken(store), {"ajlx": "XZDC"})
    assert store.next_due_ms() is None
    made.received("aj", case(store), {"ajlx": "XZDC"})
    assert [json.loads(text) for _, _, text in store.due(AT)] == [{"do": "move", "czlx": "WCXZ"}]


def test_the_clock_can_be_set_ahead(tmp_path: Path) -> None:
    made, store = desk(tmp_path)
    made.set_ahead(86_400_000)
    made.enter("clue", [{}])
    (happening,) = happenings(store)
    assert made.clock() == AT + 86_400_000
    assert happening["fssj"] == "2026-09-22 22:13:20"
