"""The ledger killed at each step of writing: the next start finishes to the bytes of an undisturbed run, and never signs two stories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.codec.checkpoint import open_checkpoint
from services.codec.merkle import RightEdge, leaf_hash
from services.runtime.faults import EXIT_STATUS
from tests.broker.ledger_rig import clues, ledger_rig, tile_files, tiles_of, verify

POINTS = (
    *(f"ledger.step{number}" for number in range(1, 7)),
    *(f"ledger.{place}:{number}" for place in ("fresh", "renamed") for number in (1, 2, 3)),
    "ledger.rows",
)
GROWN = 700
EACH = 40


@pytest.mark.timeout(600)
def test_killed_at_any_write_the_next_start_finishes_to_the_same_bytes(make_exchange: Callable[[], Any]) -> None:
    with ledger_rig(make_exchange) as rig:
        written = 0
        for number, point in enumerate(POINTS):
            count = EACH if number else GROWN
            rig.writer.write(clues(count, start=written, partition=0))
            written += count
            process = rig.start(IPX_FAULT_AT=point)
            assert process.process.wait(60) == EXIT_STATUS, (point, process.log.read_text()[-2000:])
            rig.writer.write(clues(EACH, start=written, partition=0))
            written += EACH
            process = rig.start(IPX_FAULT_AT=f"{point.partition(':')[0]}:2")  # amid the mending of the first death
            rig.wait(lambda: process.process.poll() is not None or rig.is_signed({0: written}))  # noqa: B023
            process.kill()
        process = rig.start()
        rig.writer.write(clues(1, start=written, partition=0))
        written += 1
        rig.wait_signed({0: written}, process)
        assert process.stop() == 0
        assert verify(rig, 0) == written
        entries, found = rig.entries(0), tile_files(rig.directory / rig.origin(0))
        wanted = tiles_of(entries, written)
        assert {path for path in found if ".p/" not in path} == {path for path in wanted if ".p/" not in path}
        assert not list((rig.directory / rig.origin(0)).rglob("*.new"))

        heads = [open_checkpoint(note, rig.key(0))[0] for origin, note in rig.heads() if origin == rig.origin(0)]
        sizes = [head.size for head in heads]
        assert sizes == sorted(sizes)
        assert len({(head.size, head.root) for head in heads}) == len(set(sizes))
        assert all(head.root == RightEdge().extend(map(leaf_hash, entries[: head.size])).root() for head in heads)
