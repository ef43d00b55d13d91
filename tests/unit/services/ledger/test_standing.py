"""How a log stands, by its files: waiting, witnessed, stale, and stale too when what waits cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.note import Note, cosign_note, format_note, sign_note
from services.codec.tiles import bundle_path, pack_bundle
from services.ledger.files import CHECKPOINT, WITNESSED, LogFiles, write_files
from services.ledger.growing import GrowingTree
from services.ledger.standing import Standing, standing_of
from tests.unit.services.ledger.entries import KEY, NOW_MS, ORIGIN, logged

STALE_S = 60.0
WITNESS = "320100.market_regulator"


def signed(tree: GrowingTree) -> bytes:
    text = format_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()))
    lines = (
        sign_note(text, ORIGIN, KEY.signer.public.data, KEY.signer.sign),
        cosign_note(text, WITNESS, KEY.signer.public.data, KEY.signer.sign, 1),
    )
    return format_note(Note(text, lines))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Five entries under a checkpoint, three of them witnessed."""
    tree, files = GrowingTree(), []
    for seq in range(3):
        files += tree.append(logged(seq).entry)
    files.append((WITNESSED, signed(tree)))
    for seq in range(3, 5):
        files += tree.append(logged(seq).entry)
    write_files(tmp_path, [*files, *tree.partials(), (CHECKPOINT, signed(tree))])
    return tmp_path


def stands(log: Path, after_s: float) -> Standing:
    return standing_of(LogFiles(log), ORIGIN, NOW_MS + 3 + round(after_s * 1000), STALE_S)


def test_an_entry_waits_and_then_the_log_is_stale(log: Path) -> None:
    early, late = stands(log, STALE_S), stands(log, STALE_S + 0.001)
    assert (early.state, early.size, early.witnessed_size, early.waiting_since_ms) == ("not yet", 5, 3, NOW_MS + 3)
    assert (late.state, late.cosigners) == ("stale", (WITNESS,))


def test_a_log_that_rests_stays_witnessed(log: Path) -> None:
    (log / CHECKPOINT).write_bytes((log / WITNESSED).read_bytes())
    assert (stands(log, 10 * STALE_S).state, stands(log, 10 * STALE_S).waiting_since_ms) == ("witnessed", None)


@pytest.mark.parametrize("bundle", [None, b"", pack_bundle([b"no entry"] * 5)])
def test_an_entry_that_cannot_be_read_makes_its_own_log_stale_and_hides_no_other(
    log: Path, bundle: bytes | None
) -> None:
    (log / bundle_path(0, 5)).unlink()
    if bundle is not None:
        (log / bundle_path(0, 5)).write_bytes(bundle)
    assert (stands(log, 0).state, stands(log, 0).waiting_since_ms) == ("stale", None)
