"""`ipx schemas`: what it prints and how it ends."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from services.codec.released import load_released
from services.codec.schema_files import event_type_of, read_event_schemas
from services.commands import schemas
from services.kernel.errors import BadSettings

CLUE = "clue/ClueAccepted.avsc"
TYPE = "cn.ipx.clue.ClueAccepted"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(schemas.command, list(arguments))
    return result.exit_code, result.stdout


def changed(change: dict[str, Any]) -> dict[str, dict[str, Any]]:
    held = copy.deepcopy(read_event_schemas())
    held[CLUE].update(change)
    return held


def with_field(field: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return changed({"fields": [*read_event_schemas()[CLUE]["fields"], field]})


def standing(held: dict[str, dict[str, Any]]) -> schemas.Standing:
    return next(each for each in schemas.standing_of(held, load_released()) if each.type == TYPE)


@pytest.mark.parametrize("name", ["lint", "check"])
def test_schemas_in_order_end_with_zero_in_words_and_in_json(name: str) -> None:
    assert run(name)[0] == 0
    code, out = run(name, "--json")
    assert code == 0
    assert json.loads(out)


def test_a_finding_is_printed_and_ends_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "read_event_schemas", lambda: changed({"doc": "English only."}))
    code, out = run("lint")
    assert code == 1
    assert "docs" in out
    code, out = run("lint", "--json")
    assert code == 1
    assert [found["rule"] for found in json.loads(out)["findings"]] == ["docs"]


def test_a_schema_without_typed_event_and_an_event_without_schema_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    held = read_event_schemas()
    del held[CLUE]
    monkeypatch.setattr(schemas, "read_event_schemas", lambda: held)
    assert "events" in {found.rule for found in schemas.all_findings() if TYPE in found.message}


def test_a_new_nullable_field_makes_a_compatible_successor() -> None:
    more = {"name": "more", "type": ["null", "string"], "default": None, "doc": "More. 更多。"}
    assert standing(with_field(more)).standing == "compatible"


def test_a_new_field_without_default_breaks_the_release_and_says_where() -> None:
    found = standing(with_field({"name": "more", "type": "string", "doc": "More. 更多。"}))
    assert found.standing == "broken"
    assert [each.where for each in found.breaks] == ["ClueAccepted.more"]


def test_a_released_schema_that_is_gone_is_told() -> None:
    held = read_event_schemas()
    del held[CLUE]
    assert standing(held).standing == "gone"


def test_a_schema_never_released_is_new() -> None:
    held = changed({"name": "ClueForgotten"})
    assert {each.standing for each in schemas.standing_of(held, load_released())} == {"released", "new", "gone"}


def test_check_ends_with_one_and_names_what_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        schemas, "read_event_schemas", lambda: with_field({"name": "more", "type": "string", "doc": "M. 更。"})
    )
    code, out = run("check")
    assert code == 1
    assert "ClueAccepted.more" in out
    code, out = run("check", "--json")
    assert code == 1
    assert [each["type"] for each in json.loads(out)["schemas"] if each["standing"] == "broken"] == [TYPE]


@pytest.fixture
def own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The schemas of the project copied to a place where a release may be written."""
    events = tmp_path / "events"
    for file in read_event_schemas():
        (events / file).parent.mkdir(parents=True, exist_ok=True)
        (events / file).write_text((schemas.EVENTS_DIR / file).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(schemas, "EVENTS_DIR", events)
    monkeypatch.setattr(schemas, "RELEASED_DIR", tmp_path / "released")
    monkeypatch.setattr(schemas, "read_event_schemas", lambda: read_event_schemas(events))
    monkeypatch.setattr(schemas, "load_released", lambda: load_released(tmp_path / "released"))
    return tmp_path


def edit(own_copy: Path, field: dict[str, Any]) -> None:
    path = own_copy / "events" / CLUE
    held = json.loads(path.read_text(encoding="utf-8"))
    held["fields"].append(field)
    path.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")


def test_a_release_is_written_once_and_a_successor_gets_the_next_version(own_copy: Path) -> None:
    first = json.loads(run("release", "--json")[1])["released"]
    assert {each["type"] for each in first} == {event_type_of(schema) for schema in read_event_schemas().values()}
    assert json.loads(run("release", "--json")[1])["released"] == []
    edit(own_copy, {"name": "more", "type": ["null", "string"], "default": None, "doc": "More. 更多。"})
    assert json.loads(run("release", "--json")[1])["released"] == [{"type": TYPE, "version": 2}]
    versions = load_released(own_copy / "released").versions_of(TYPE)
    assert [each.version for each in versions] == [1, 2]
    assert run("check")[0] == 0


def test_what_would_break_a_release_is_not_released(own_copy: Path) -> None:
    assert run("release")[0] == 0
    before = {path.name for path in (own_copy / "released").iterdir()}
    edit(own_copy, {"name": "more", "type": "string", "doc": "More. 更多。"})
    result = CliRunner().invoke(schemas.command, ["release"])
    assert isinstance(result.exception, BadSettings)
    assert {path.name for path in (own_copy / "released").iterdir()} == before


def test_what_the_lint_finds_is_not_released(own_copy: Path) -> None:
    edit(own_copy, {"name": "more", "type": ["null", "string"], "default": None, "doc": "English only."})
    result = CliRunner().invoke(schemas.command, ["release"])
    assert isinstance(result.exception, BadSettings)
    assert not (own_copy / "released").exists()
