"""What is exported is read back byte for byte; a period keeps its tie to all before it; nothing half-written is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import (
    is_signed_by,
)
from services.audit.archive_period import Period
from services.codec.merkle import RightEdge, leaf_hash
from services.codec.tiles import Tree
from services.kernel.codes import day_of
from services.kernel.errors import BadSettings, Corrupt, Transient
from tests.unit.services.audit.archive_scene import INBOX, LEDGER, OPERATOR, Scene, read_all
from tests.unit.services.ledger.test_completeness import DAY, HANGZHOU, T0

TODAY = day_of(T0)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


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
