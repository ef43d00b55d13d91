"""The heads over SM3 of a log against its entries: agreed, refused at the first that differs, or honestly not looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from services.audit import second_tree
from services.audit.second_tree import check_second_tree
from services.audit.sources import ENTRY_HEADER
from services.codec import sm2
from services.codec.checkpoint import Checkpoint
from services.codec.merkle import RightEdge, leaf_hash
from services.codec.note import format_note
from services.ledger.second_tree import SecondTree
from services.runtime.records import RawRecord
from tests.unit.services.ledger.entries import KEY, LOG, logged

KEYS = {KEY.note_key.key_hash: KEY.note_key}


@dataclass(frozen=True)
class Kept:
    """A log and its checkpoints, as an auditor finds them."""

    entries: tuple[bytes, ...]
    notes: tuple[bytes, ...]
    first: int = 0

    def first_seq(self, log: str) -> int:
        assert log == LOG
        return self.first

    def records(self, log: str) -> Iterator[RawRecord]:
        return (RawRecord("ipx.clues", 0, n, [(ENTRY_HEADER, e)], None) for n, e in enumerate(self.entries))

    def checkpoints(self, origin: str) -> Sequence[bytes]:
        assert origin == KEY.origin
        return self.notes


def kept(sizes: Sequence[int], *, named: bool = True) -> Kept:
    """A log as the ledger signs it at these sizes, with a head over SM3 unless it is not kept."""
    entries = tuple(logged(seq).entry for seq in range(max(sizes)))
    edge, tree, notes = RightEdge(), SecondTree(lambda _: None, None), []
    for entry in entries:
        edge = edge.append(leaf_hash(entry))
        tree.append(entry)
        for _ in range(sizes.count(edge.size)):
            lines = (tree.line(),) if named else ()
            notes.append(format_note(KEY.sign(Checkpoint(KEY.origin, edge.size, edge.root(), lines))))
    return Kept(entries, tuple(notes))


def test_every_head_is_that_of_the_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_tree, "_AT_ONCE", 4)
    found = check_second_tree(kept([1, 3, 8, 8, 11, 20]), LOG, KEYS)  # type: ignore[arg-type]
    assert (found.state, found.size, found.findings) == ("agrees", 20, ())


@pytest.mark.parametrize("changed", [0, 2, 3, 9])
def test_the_first_head_after_an_entry_that_was_altered_differs(changed: int) -> None:
    made = kept([3, 8, 10])
    entries = tuple(entry.replace(b"CL-", b"CX-") if n == changed else entry for n, entry in enumerate(made.entries))
    found = check_second_tree(replace(made, entries=entries), LOG, KEYS)  # type: ignore[arg-type]
    good = {0: 0, 2: 0, 3: 3, 9: 8}[changed]
    assert (found.state, found.size, found.findings[0].seq) == ("differs", good, good)


def test_a_log_without_such_heads_has_no_second_tree_and_is_not_read() -> None:
    made = replace(kept([3, 8], named=False), entries=())
    assert check_second_tree(made, LOG, KEYS).state == "none"  # type: ignore[arg-type]


def test_a_head_that_a_stranger_signed_counts_for_nothing() -> None:
    assert check_second_tree(kept([3]), LOG, {}).state == "none"  # type: ignore[arg-type]


def test_what_cannot_be_looked_at_is_said_and_never_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    made = kept([3, 8])
    assert check_second_tree(replace(made, first=3), LOG, KEYS).state == "not looked at"  # type: ignore[arg-type]
    monkeypatch.setattr(sm2, "available", lambda: False)
    assert check_second_tree(made, LOG, KEYS).state == "not looked at"  # type: ignore[arg-type]
