"""The manifest has one form, and its note is over it alone."""

from __future__ import annotations

import json

import pytest

from services.audit.archive_manifest import (
    MANIFEST,
    open_note,
    parse_manifest,
    sign_manifest,
)
from tests.unit.services.audit.archive_scene import LEDGER, Scene, refused


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("archived"), days=2)
    scene.export()
    return scene


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "ipx-archive/v2"),
        ("exchange", "Other"),
        ("from", 3),
        ("until", "2026-02-30"),
        ("made_at", "yesterday"),
        ("files", {}),
        ("files", [{"path": "../x/y", "bytes": 1, "sha256": "0" * 64, "records": None}]),
        ("files", [{"path": "/etc/passwd", "bytes": 1, "sha256": "0" * 64, "records": None}]),
        ("files", [{"path": "a/b", "bytes": -1, "sha256": "0" * 64, "records": None}]),
        ("files", [{"path": "a/b", "bytes": True, "sha256": "0" * 64, "records": None}]),
        ("files", [{"path": "a/b", "bytes": 1, "sha256": "0" * 64, "records": 0}]),
        ("logs", [{"log": "other.clues/0", "size": 1, "root": "0" * 64, "first": 0, "next": 1}]),
        ("logs", [{"log": "ipx.clues/0", "size": 1, "root": "0" * 64, "first": 1, "next": 0}]),
        ("logs", [{"log": "ipx.clues/0", "size": 9, "root": "0" * 64, "first": 0, "next": 9}]),
        ("more", 1),
    ],
)
def test_a_manifest_that_is_not_of_its_form_is_refused(archived, name, value):
    document = json.loads((archived.folder / "archive" / MANIFEST).read_bytes())
    changed = json.dumps({**document, name: value}, sort_keys=True, separators=(",", ":")).encode()
    assert refused(lambda: parse_manifest(changed)).code == "bad-archive"
    assert refused(lambda: parse_manifest(json.dumps(document).encode())).code == "bad-archive"


def test_a_note_over_another_manifest_is_refused(archived):
    data = (archived.folder / "archive" / MANIFEST).read_bytes()
    assert refused(lambda: open_note(sign_manifest("ipx", data + b" ", LEDGER), "ipx", data)).code == "bad-archive"
