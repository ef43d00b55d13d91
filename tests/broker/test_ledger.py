"""The ledger on a real broker: what it writes of a log, and what it refuses to sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.codec.checkpoint import open_checkpoint
from tests.broker.ledger_rig import PARTITIONS, clues, ledger_rig, verify


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
