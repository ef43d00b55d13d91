"""Whatever of an archive is altered, missing or added is refused with its place, and never with an error of another kind."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.archive_manifest import (
    MANIFEST,
    NOTE,
    FileLine,
    format_manifest,
    parse_manifest,
    sign_manifest,
)
from services.codec.container import ContainerWriter, read_container
from tests.unit.services.audit.archive_scene import LEDGER, Scene, read_all, refused


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("archived"), days=2)
    scene.export()
    return scene


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_altered_byte_cut_file_missing_file_or_added_file_is_refused_with_its_place(archived, data):
    folder = archived.copy("tampered")
    paths = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(paths))
    place = folder / path
    held = place.read_bytes()
    what = data.draw(st.sampled_from(["alter", "cut", "append", "remove", "add", "link", "swap"]))
    if what == "alter":
        at = data.draw(st.integers(0, len(held) - 1))
        place.write_bytes(held[:at] + bytes([held[at] ^ data.draw(st.integers(1, 255))]) + held[at + 1 :])
    elif what == "cut":
        place.write_bytes(held[: data.draw(st.integers(0, len(held) - 1))])
    elif what == "append":
        place.write_bytes(held + b"\n")
    elif what == "remove":
        place.unlink()
    elif what == "add":
        path = f"{path}.more"
        (folder / path).write_bytes(b"")
    elif what == "link":
        place.rename(folder.parent / "elsewhere")
        place.symlink_to(folder.parent / "elsewhere")
    else:
        other = data.draw(st.sampled_from([p for p in paths if (folder / p).read_bytes() != held]))
        (folder / other).write_bytes(held)
        path = other
    error = refused(lambda: read_all(archived.open("tampered")))
    assert error.code in ("bad-archive", "bad-note", "bad-json", "duplicate-key", "bad-number", "too-large")
    if path not in (MANIFEST, NOTE):
        assert error.field == path


def shorter(data: bytes) -> bytes:
    """The container without its last record."""
    records = list(read_container(io.BytesIO(data)))[:-1]
    file = io.BytesIO()
    writer = ContainerWriter(file, records[0].topic, records[0].partition, records[0].offset)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def resealed(folder: Path, path: str, data: bytes) -> None:
    """Replaces a file and makes the manifest fit, as somebody who holds the key would."""
    (folder / path).write_bytes(data)
    manifest = parse_manifest((folder / MANIFEST).read_bytes())
    lines = tuple(
        FileLine(path, len(data), hashlib.sha256(data).hexdigest(), f.records) if f.path == path else f
        for f in manifest.files
    )
    sealed = format_manifest(replace(manifest, files=lines))
    (folder / MANIFEST).write_bytes(sealed)
    (folder / NOTE).write_bytes(sign_manifest("ipx", sealed, LEDGER))


CLUES = "records/ipx.clues/0/00000000000000000000.avro"


def test_a_container_that_the_manifest_fits_is_still_not_believed(archived):
    folder = archived.copy("resealed")
    held = (folder / CLUES).read_bytes()
    other = (folder / "records/ipx.clues/1/00000000000000000000.avro").read_bytes()
    for wrong in (held[:-20], other, b"Obj\x01" + b"\xff" * 99, shorter(held)):
        resealed(folder, CLUES, wrong)
        error = refused(lambda: read_all(archived.open("resealed")))
        assert (error.code, error.field) == ("bad-archive", CLUES)
