"""The heads over SM3 (GB/T 32905) that checkpoints carry beside the one over SHA-256, against the entries (``FORMAT.md`` section 6.2).

One more reading of the log, only where a signed checkpoint has such a line. Needs the extra ``gm``; without it, and for an archive that does
not begin with the log (no tiles over SM3 are kept), the answer is that nobody looked, never that it agrees.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from services.audit.heads import signed_head
from services.audit.sources import Finding, LogSource, entry_of, place_of
from services.codec import sm2
from services.codec.checkpoint import SM3, Checkpoint, origin_of
from services.codec.note import NoteKey
from services.codec.sm3_tree import Sm3Edge, leaf_hash

State = Literal["none", "agrees", "differs", "not looked at"]
"""``none``: no signed checkpoint names a head over SM3."""

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class SecondTree:
    """What was found, and up to which size heads were compared."""

    state: State
    size: int = 0
    findings: tuple[Finding, ...] = ()


def check_second_tree(source: LogSource, log: str, keys: Mapping[bytes, NoteKey]) -> SecondTree:
    """Compares every head over SM3 of that log with the tree of its entries; the first that differs ends it. Blocks; memory stays flat."""
    heads = _heads(source, log, keys)
    head = next(heads, None)
    if head is None:
        return SecondTree("none")
    if source.first_seq(log) != 0 or not sm2.available():
        return SecondTree("not looked at")
    edge, leaves, good = Sm3Edge(), list[bytes](), 0
    for record in source.records(log):
        leaves.append(leaf_hash(entry_of(record)))
        size = edge.size + len(leaves)
        if size == head.size or len(leaves) == _AT_ONCE:
            edge, leaves = edge.extend(leaves), []
        while head is not None and head.size == size:
            if _line(edge) not in head.extensions:
                sentence = f"the root of {size} entries over SM3 is not that of the checkpoint"
                return SecondTree("differs", good, (Finding("root-differs", *place_of(log), sentence, seq=good),))
            good = size
            head = next(heads, None)
        if head is None:
            break
    return SecondTree("agrees", good)


def _line(edge: Sm3Edge) -> str:
    return f"{SM3} {b2a_base64(edge.root(), newline=False).decode()}"


def _heads(source: LogSource, log: str, keys: Mapping[bytes, NoteKey]) -> Iterator[Checkpoint]:
    """The signed checkpoints with such a line, growing; those out of order are ``heads.py``'s to name."""
    last = 0
    for data in source.checkpoints(origin_of(log)):
        head = signed_head(data, log, keys) if f"\n{SM3} ".encode() in data else None
        if head is not None and head.size >= max(last, 1):
            last = head.size
            yield head
