"""Fetching by coordinates: what jgo says is told in our words."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.errors import Transient
from services.platform import maven
from services.platform.artifacts import Artifact, load_lock

WANTED = Artifact("kafka", "g", "a", "1", "", "jar", "a-1.jar", 1, "0" * 64)


class Jgo:
    """Answers every step of the way with itself, and at the end with what it was given."""

    def __init__(self, end) -> None:
        self.end = end
        self.asked: list[object] = []

    def project(self, group, artifact):
        self.asked += [group, artifact]
        return self

    def at_version(self, version):
        self.asked.append(version)
        return self

    def artifact(self, classifier, packaging):
        self.asked += [classifier, packaging]
        return self

    def resolve(self):
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


def test_an_artifact_is_asked_for_by_its_coordinates(monkeypatch, tmp_path):
    jgo = Jgo(str(tmp_path / "a-1.jar"))
    monkeypatch.setattr(maven, "_context", lambda cache: jgo)
    assert maven.fetch(WANTED, tmp_path) == tmp_path / "a-1.jar"
    assert jgo.asked == ["g", "a", "1", "", "jar"]


@pytest.mark.parametrize("end", [ConnectionError("away"), TimeoutError(), RuntimeError("in no repository"), None])
def test_what_cannot_be_fetched_is_told_with_its_coordinates(monkeypatch, tmp_path, end):
    monkeypatch.setattr(maven, "_context", lambda cache: Jgo(end))
    with pytest.raises(Transient, match="g:a:1"):
        maven.fetch(WANTED, Path(tmp_path))


def test_the_lock_was_made_from_the_roots():
    locked = {(row.part, row.group, row.artifact, row.version, row.classifier, row.packaging) for row in load_lock()}
    assert set(maven.ROOTS) <= locked
