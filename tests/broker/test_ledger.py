"""The ledger on a real broker: what it writes of a log, and what it refuses to sign."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.codec.checkpoint import open_checkpoint
from services.codec.note import format_note
from services.codec.sm3_tree import Sm3Edge
from services.codec.sm3_tree import leaf_hash as sm3_leaf_hash
from services.ledger.signing import LogKey
from services.runtime.topics import load_topics
from tests.broker.ledger_rig import FAMILY, PARTITIONS, SIGNER, Rig, clues, ledger_rig, tile_files, verify


@pytest.mark.timeout(180)
def test_every_log_has_tiles_and_a_checkpoint_on_disk_and_in_the_topic(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(1200))
        rig.writer.write(clues(40, start=5000), commit=False)
        process = rig.start()
        rig.wait_signed(dict.fromkeys(range(PARTITIONS), 300), process)
        rig.writer.write(clues(4, start=1200))
        rig.wait_signed(dict.fromkeys(range(PARTITIONS), 301), process)
        assert process.stop() == 0
        assert [verify(rig, partition) for partition in range(PARTITIONS)] == [301] * PARTITIONS
        for partition in range(PARTITIONS):
            published = [
                open_checkpoint(n, rig.key(partition))[0] for o, n in rig.heads() if o == rig.origin(partition)
            ]
            sizes = [head.size for head in published]
            assert sizes == sorted(set(sizes))
            assert published[-1] == rig.checkpoint(partition)


@pytest.mark.timeout(180)
def test_a_lost_directory_is_made_again_and_signed_on_from_what_the_topic_holds(
    make_exchange: Callable[[], Any],
) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(600, partition=0))
        process = rig.start()
        rig.wait_signed({0: 600}, process)
        process.stop()
        before = rig.checkpoint(0)
        shutil.rmtree(rig.directory)
        rig.writer.write(clues(1, start=600, partition=0))
        process = rig.start(IPX_LEDGER_SM3="true")  # a tree over SM3 may begin at any time
        rig.wait_signed({0: 601}, process)
        process.stop()
        assert verify(rig, 0) == 601
        extension = b64encode(Sm3Edge().extend(map(sm3_leaf_hash, rig.entries(0))).root()).decode()
        assert (rig.checkpoint(0) or before).extensions == (f"sm3 {extension}",)
        heads = [open_checkpoint(note, rig.key(0))[0] for _, note in rig.heads()]
        assert [head.size for head in heads] == sorted({head.size for head in heads})
        assert before in heads


@pytest.mark.timeout(240)
def test_a_log_that_contradicts_what_was_signed_is_never_signed_again(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(300, partition=0))
        process = rig.start()
        rig.wait_signed({0: 300}, process)
        process.stop()
        kept = {path: path.read_bytes() for path in (rig.directory / rig.origin(0)).glob("c*")}
        heads = rig.heads()

        # its files become those of a log with other entries, which is shorter at first, then longer
        _as_partition(rig, 0, 1)
        for count in (10, 300):
            rig.writer.write(clues(count, partition=1))
            said = rig.corrupt(rig.start())
            assert "clues" in said
            assert rig.heads() == heads
        assert {path: path.read_bytes() for path in kept} == kept


def _as_partition(rig: Rig, source: int, target: int) -> None:
    """Gives a log the files of another one, with a checkpoint of its own key over that other tree."""
    old, new = rig.directory / rig.origin(source), rig.directory / rig.origin(target)
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(old, new)
    head = rig.checkpoint(source)
    assert head is not None
    key = LogKey.of(SIGNER, rig.origin(target))
    (new / "checkpoint").write_bytes(format_note(key.sign(replace(head, origin=rig.origin(target)))))
    (new / "candidate").unlink(missing_ok=True)


@pytest.mark.timeout(180)
def test_a_checkpoint_in_the_topic_that_the_log_does_not_give_stops_the_ledger(
    make_exchange: Callable[[], Any],
) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(20, partition=2))
        rig.publish(2, rig.forged(2, size=10))
        said = rig.corrupt(rig.start())
        assert "signed before" in said
        assert rig.checkpoint(2) is None
        assert len([head for head in rig.heads() if head[0] == rig.origin(2)]) == 1


@pytest.mark.timeout(180)
def test_a_log_shorter_than_what_was_signed_stops_the_ledger(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(20, partition=2))
        rig.publish(2, rig.forged(2, size=21))
        assert "ends after 20 entries" in rig.corrupt(rig.start())
        assert rig.checkpoint(2) is None


@pytest.mark.timeout(180)
def test_rebuilding_gives_the_same_bytes_and_mends_damaged_files(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(700, partition=0))
        rig.writer.write(clues(30, partition=3))
        process = rig.start()
        rig.wait_signed({0: 700, 3: 30}, process)
        refused = rig.exchange.ipx("ledger", "rebuild")
        assert (refused.returncode, "another ledger" in refused.stderr) == (1, True)
        process.stop()
        heads, directory = rig.heads(), rig.directory / rig.origin(0)
        note, whole = rig.files(0).checkpoint(), _last_tiles(directory)
        (directory / "tile" / "0" / "000").write_bytes(b"x" * 8192)
        (directory / "tile" / "entries" / "001").unlink()
        (directory / "index.sqlite").write_bytes(b"no database")
        rebuilt = rig.exchange.ipx("ledger", "rebuild", "--json")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert json.loads(rebuilt.stdout) == {"rebuilt": {rig.origin(0): 700, rig.origin(3): 30}}
        assert _last_tiles(directory) == whole
        assert (rig.files(0).checkpoint(), rig.heads()) == (note, heads)
        assert (verify(rig, 0), verify(rig, 3)) == (700, 30)
        process = rig.start()
        rig.writer.write(clues(1, start=700, partition=0))
        rig.wait_signed({0: 701}, process)
        process.stop()
        assert verify(rig, 0) == 701


@pytest.mark.timeout(180)
def test_rebuilding_refuses_a_log_that_is_not_the_one_that_was_signed(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        rig.writer.write(clues(40, partition=1))
        process = rig.start()
        rig.wait_signed({1: 40}, process)
        process.stop()
        rig.publish(1, rig.forged(1, size=45))
        before = tile_files(rig.directory / rig.origin(1))
        rebuilt = rig.exchange.ipx("ledger", "rebuild", "--origin", rig.origin(1))
        assert (rebuilt.returncode, "corrupt" in rebuilt.stderr, "ends after 40" in rebuilt.stderr) == (1, True, True)
        assert tile_files(rig.directory / rig.origin(1)) == before
        assert rig.exchange.ipx("ledger", "rebuild", "--origin", "ipx/none/0").returncode == 1


@pytest.mark.timeout(180)
def test_the_state_of_every_log_is_told(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        assert json.loads(rig.exchange.ipx("ledger", "status", "--json").stdout)["logs"] == {}
        rig.writer.write(clues(12, partition=0))
        process = rig.start(IPX_LEDGER_STALE_S="3600")
        rig.wait_signed({0: 12}, process)
        process.stop()
        rig.writer.write(clues(3, partition=0))
        told = json.loads(rig.exchange.ipx("ledger", "status", "--json").stdout)["logs"][rig.origin(0)]
        assert (told["size"], told["witnessed_size"], told["cosigners"]) == (12, 0, [])
        assert 3 <= told["unsigned_most"] <= 5  # transaction markers count
        assert told["state"] == "stale"  # its entries are dated long ago, and nobody cosigned them
        shown = rig.exchange.ipx("ledger", "status")
        assert (shown.returncode, rig.origin(0) in shown.stdout, "stale" in shown.stdout) == (0, True, True)


def _last_tiles(directory: Path) -> dict[str, bytes]:
    """Full tiles and bundles: what does not depend on when the checkpoints were signed."""
    return {path: data for path, data in tile_files(directory).items() if ".p/" not in path}


def test_the_family_of_the_rig_is_one_of_the_table() -> None:
    assert load_topics().families[FAMILY] == PARTITIONS
