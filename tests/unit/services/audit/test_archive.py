"""Archives: what is exported is read back byte for byte, and whatever is altered, missing or added is refused with its place."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import (
    MANIFEST,
    NOTE,
    FileLine,
    format_manifest,
    is_signed_by,
    open_note,
    parse_manifest,
    sign_manifest,
)
from services.audit.archive_period import Period
from services.codec.container import ContainerWriter, read_container
from services.codec.merkle import RightEdge, leaf_hash
from services.codec.tiles import Tree
from services.kernel.codes import day_of
from services.kernel.errors import BadSettings, Corrupt, Refused, Transient
from tests.unit.services.audit.archive_scene import INBOX, LEDGER, OPERATOR, Scene, read_all
from tests.unit.services.ledger.test_completeness import DAY, HANGZHOU, T0

TODAY = day_of(T0)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("archived"), days=2)
    scene.export()
    return scene


def test_every_record_comes_back_as_the_broker_held_it(scene):
    scene.outcome(T0)
    manifest = scene.export()
    source = scene.open()
    assert source.check_all() == len(manifest.files)
    for place, messages in scene.kafka.topics.items():
        found = list(source.topic(*place))
        assert [(r.offset, r.timestamp_ms, r.key, list(r.headers), r.value) for r in found] == [
            (m.at, m.time_ms, m.own_key, m.own_headers, m.own_value) for m in messages
        ]
    assert source.logs() == ["ipx.members/0", "ipx.clues/0", "ipx.clues/1"]
    assert [record.offset for record in source.records("ipx.clues/0")] == [0, 3, 6]
    assert (source.schemas_dir / "released" / "released.toml").is_file()
    assert not (source.schemas_dir / "events").exists()
    assert is_signed_by(source.note, LEDGER.public.data)
    assert not is_signed_by(source.note, OPERATOR.public.data)
    assert list(source.checkpoints("ipx/clues/0"))[-1] == (scene.folder / "ledger/ipx/clues/0/checkpoint").read_bytes()


def test_the_same_exchange_gives_the_same_files(scene):
    assert replace(scene.export("a"), made_ms=0) == replace(scene.export("b"), made_ms=0)


def test_a_period_holds_its_own_days_and_the_tiles_tie_it_to_all_before(tmp_path):
    scene = Scene(tmp_path, days=3, a_day=600)
    scene.outcome(T0)
    scene.outcome(T0 + DAY)
    scene.export(period=Period(TODAY + 1, TODAY + 1))
    source = scene.open()
    assert [(line.log, line.size, line.first, line.next) for line in source.manifest.logs] == [
        ("ipx.clues/0", 900, 300, 600),
        ("ipx.clues/1", 900, 300, 600),
        ("ipx.members/0", 1, 0, 1),
    ]
    assert source.span("ipx.clues/0") == len(list(source.records("ipx.clues/0"))) == 300
    assert source.first_seq("ipx.clues/0") == 300
    read = source.tiles("ipx/clues/0")
    assert read is not None
    before = [leaf_hash(entry) for entry in scene.logs["ipx.clues/0"].entries[:256]]
    assert Tree(read, 900).subtree(0, 256) == RightEdge().extend(before).root()
    assert read("tile/entries/000") is None
    assert [r.value for r in source.topic(INBOX, 0) if r.value == b"refused"] == [b"refused"]
    assert len(list(source.topic(INBOX, 0))) == 601
    bundles = [f.path for f in source.manifest.files if f.path.startswith("tree/ipx/clues/0/tile/entries/")]
    assert bundles == [f"tree/ipx/clues/0/tile/entries/{name}" for name in ("001", "002")]
    read_all(source)
    assert source.horizon_ms == Period(None, TODAY + 1).end_ms - 1


@pytest.mark.parametrize(
    ("period", "expected"),
    [(Period(TODAY - 9, TODAY - 8), (0, 0)), (Period(TODAY + 9), (6, 6)), (Period(TODAY + 1, TODAY + 1), (6, 6))],
)
def test_a_period_in_which_nothing_was_said_is_an_empty_run_in_its_place(tmp_path, period, expected):
    scene = Scene(tmp_path, a_day=12)
    scene.export(period=period)
    [line] = [line for line in scene.open().manifest.logs if line.log == "ipx.clues/0"]
    assert (line.first, line.next) == expected
    read_all(scene.open())


def test_what_is_not_under_a_checkpoint_is_left_out_with_its_copies_and_sets_the_horizon(scene):
    scene.say("ipx.clues/0", T0 + DAY, HANGZHOU)
    scene.export()
    source = scene.open()
    assert source.span("ipx.clues/0") == 3
    assert len(list(source.topic(INBOX, 0))) == 6
    assert source.horizon_ms == T0 + DAY - 1


def test_nothing_is_written_over_and_a_killed_export_is_begun_again(scene):
    ArchiveFiles(scene.folder / "archive").put("records/x", b"left by a killed export")
    assert not (scene.folder / "archive").exists()
    scene.export()
    assert not list(scene.folder.glob("*unfinished*"))
    with pytest.raises(BadSettings):
        ArchiveFiles(scene.folder / "archive")
    assert scene.open().check_all() > 0


def test_an_exchange_whose_ledger_has_not_signed_or_contradicts_its_log_is_not_archived(scene):
    tile = scene.folder / "ledger/ipx/clues/0/tile/0/000.p/3"
    good = tile.read_bytes()
    tile.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(Corrupt, match="rebuild"):
        scene.export("a")
    tile.write_bytes(good)
    del scene.kafka.topics["ipx.clues", 0][1]
    with pytest.raises(Corrupt, match="was expected"):
        scene.export("b")
    (scene.folder / "ledger/ipx/members/0/checkpoint").unlink()
    with pytest.raises(Transient):
        scene.export("c")
    assert not any((scene.folder / name).exists() for name in "abc")


def refused(work) -> Refused:
    """The refusal of whatever is done; any other error is a traceback, and fails."""
    with pytest.raises(Refused) as found:
        work()
    return found.value


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


def test_a_period_that_ends_before_it_begins_is_refused():
    assert refused(lambda: Period(2, 1)).code == "bad-field"
