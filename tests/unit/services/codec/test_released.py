"""Releases: found by digest and type, refused when a copy was changed, registered once under their subject."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.codec.released import (
    COMPATIBILITY,
    Release,
    collect,
    index_text,
    load_released,
    register_all,
)
from services.codec.schema import compile_schema
from services.kernel.errors import BadSettings, Refused


def text(name: str, *fields: str) -> str:
    held = [{"name": each, "type": ["null", "string"], "default": None} for each in fields]
    return json.dumps({"type": "record", "name": name, "namespace": "cn.ipx.clue", "fields": held})


def release(name: str, version: int, *fields: str) -> Release:
    return Release(f"cn.ipx.clue.{name}", version, compile_schema(text(name, *fields)))


FIRST, SECOND, OTHER = release("Seen", 1, "a"), release("Seen", 2, "a", "b"), release("Lost", 1, "a")


def write(directory: Path, *releases: Release) -> Path:
    for each in releases:
        (directory / each.file_name).write_text(json.dumps(each.schema.json), encoding="utf-8")
    (directory / "released.toml").write_text(index_text(releases), encoding="utf-8")
    return directory


@dataclass
class FakeSubjects:
    """A registry that gives an id to each text of a subject, and keeps rules only of subjects it has."""

    ids: dict[tuple[str, str], int] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def register(self, subject: str, schema_text: str) -> int:
        self.calls.append(f"register {subject}")
        return self.ids.setdefault((subject, schema_text), len(self.ids) + 1)

    def set_compatibility(self, subject: str, level: str) -> None:
        assert any(known == subject for known, _ in self.ids)
        self.calls.append(f"rule {subject}")
        self.rules[subject] = level


def test_a_release_is_found_by_digest_and_the_newest_by_type() -> None:
    released = collect([SECOND, OTHER, FIRST])
    assert released.types == ("cn.ipx.clue.Lost", "cn.ipx.clue.Seen")
    assert released.named("cn.ipx.clue.Seen") is SECOND.schema
    assert released.with_digest(FIRST.schema.digest_text) is FIRST.schema
    assert released.versions_of("cn.ipx.clue.Seen") == (FIRST, SECOND)


def test_what_was_not_released_is_refused_by_code() -> None:
    released = collect([FIRST])
    with pytest.raises(Refused) as no_digest:
        released.with_digest(SECOND.schema.digest_text)
    with pytest.raises(Refused) as no_type:
        released.named("cn.ipx.clue.Never")
    assert (no_digest.value.code, no_type.value.code) == ("unreleased-schema", "unknown-schema")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    released = load_released(write(tmp_path, FIRST, SECOND, OTHER))
    assert [(each.type, each.version, each.schema.digest) for each in released.releases] == [
        (each.type, each.version, each.schema.digest) for each in (OTHER, FIRST, SECOND)
    ]


def _change(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")


def test_a_released_copy_that_was_changed_is_refused_at_start(tmp_path: Path) -> None:
    _change(write(tmp_path, FIRST) / FIRST.file_name, {"doc": "one word more"})
    with pytest.raises(BadSettings, match="Seen@1"):
        load_released(tmp_path)


def test_a_copy_that_only_looks_different_is_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, FIRST) / FIRST.file_name
    path.write_text(json.dumps(FIRST.schema.json, indent=7, sort_keys=True), encoding="utf-8")
    assert load_released(tmp_path).named("cn.ipx.clue.Seen").digest == FIRST.schema.digest


@pytest.mark.parametrize("name", ["cn.ipx.clue.Seen@1.avsc", "cn.ipx.clue.Extra@1.avsc"])
def test_a_copy_that_is_missing_or_not_in_the_index_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, FIRST, OTHER) / name
    if path.exists():
        path.unlink()
    else:
        path.write_text(text("Extra", "a"), encoding="utf-8")
    with pytest.raises(BadSettings, match=name):
        load_released(tmp_path)


@pytest.mark.parametrize("index", ["released = 'x", "[[released]]\ntype = 'cn.ipx.clue.Seen'\n"])
def test_an_index_that_cannot_be_read_is_refused(tmp_path: Path, index: str) -> None:
    (write(tmp_path, FIRST) / "released.toml").write_text(index, encoding="utf-8")
    with pytest.raises(BadSettings):
        load_released(tmp_path)


def test_registering_sets_the_rule_before_the_second_version_and_changes_nothing_the_second_time() -> None:
    subjects = FakeSubjects()
    released = collect([FIRST, SECOND, OTHER])
    done = register_all(released, subjects)
    assert [(each.type, each.version) for each in done] == [(each.type, each.version) for each in released.releases]
    assert subjects.calls[1:] == [
        "rule cn.ipx.clue.Lost",
        "register cn.ipx.clue.Seen",
        "rule cn.ipx.clue.Seen",
        "register cn.ipx.clue.Seen",
    ]
    assert set(subjects.rules.values()) == {COMPATIBILITY}
    assert register_all(released, subjects) == done
