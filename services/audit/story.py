"""A case told in order from the logs: what was said of one subject, by whom and to whom, and how well each line is proved. Pure but for its source.

A line is *witnessed* when a checkpoint that met the quorum holds its entry, *signed* when one of the log's own does, *unproved* when there are no tiles at hand to
follow it there, *not yet* when none holds it, and *not in the tree* when the tiles of a checkpoint that should hold it do not lead to its root: then nothing about the line can be believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.audit.heads import keys_of, signed_head
from services.audit.sources import LogSource, entry_of
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.entry import Delivery, parse_entry
from services.codec.merkle import leaf_hash, root_from_path
from services.codec.note import NoteKey
from services.codec.released import ReleasedSchemas, load_released
from services.codec.tiles import Read, Tree
from services.kernel.errors import Corrupt, Refused
from services.kernel.ids import is_event_id
from services.members.registry import Registry

MOST_LINES = 10_000


class Proof(StrEnum):
    """How well a line is proved."""

    WITNESSED = "witnessed"
    SIGNED = "signed"
    UNPROVED = "unproved"
    NOT_YET = "not_yet"
    NOT_IN_TREE = "not_in_tree"


WORDS = {
    Proof.WITNESSED: ("已见证", "witnessed"),
    Proof.SIGNED: ("已签入检查点", "in a signed tree"),
    Proof.UNPROVED: ("检查点之内，此处无哈希块可证", "under a signed checkpoint, no tiles here to prove it"),
    Proof.NOT_YET: ("尚未签入", "in no signed tree yet"),
    Proof.NOT_IN_TREE: ("不在树中", "NOT in the tree"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the case. ``size`` is that of the checkpoint that proves it, 0 where there is none."""

    admitted: str
    time: str
    log: str
    seq: int
    offset: int
    id: str
    type: str
    title_zh: str
    title_en: str
    source: str
    source_zh: str
    source_en: str
    cause: str
    deliveries: tuple[Delivery, ...]
    proof: Proof
    size: int


@dataclass(frozen=True, slots=True)
class _Standing:
    """What proves the entries of one log."""

    signed: Checkpoint | None
    witnessed: Checkpoint | None
    read: Read | None

    def of(self, entry: bytes, seq: int) -> tuple[Proof, int]:
        for proof, head in ((Proof.WITNESSED, self.witnessed), (Proof.SIGNED, self.signed)):
            if head is not None and seq < head.size and self.read is None:
                return Proof.UNPROVED, head.size
            if head is not None and seq < head.size:
                return (proof, head.size) if self._holds(head, entry, seq) else (Proof.NOT_IN_TREE, head.size)
        return Proof.NOT_YET, 0

    def _holds(self, head: Checkpoint, entry: bytes, seq: int) -> bool:
        assert self.read is not None
        try:
            path = Tree(self.read, head.size).inclusion(seq)
        except (Corrupt, Refused):
            return False
        return root_from_path(leaf_hash(entry), seq, head.size, path) == head.root


def tell(source: LogSource, registry: Registry, case: str) -> list[Line]:
    """The lines of a case, in the order of admission. ``case`` is a subject, or the id of any event of it.

    Reads every log once, twice for an event id. Refuses ``not-found``, and ``too-many-items`` a subject with more than ten thousand events.
    """
    subject = _subject_of(source, case) if is_event_id(case) else case
    released = load_released(source.schemas_dir / "released")
    lines: list[Line] = []
    for log in source.logs():
        standing: _Standing | None = None
        for offset, data in _entries(source, log, f"\nsubject: {subject}\n".encode()):
            standing = standing or _standing(source, log, keys_of(log, registry))
            lines.append(_line(log, offset, data, standing, released, registry))
            if len(lines) > MOST_LINES:
                raise Refused("too-many-items", f"{subject} has more than {MOST_LINES} events")
    if not lines:
        raise Refused("not-found", f"no log has an event of {case}")
    return sorted(lines, key=lambda line: (line.admitted, line.log, line.seq))


def _subject_of(source: LogSource, event_id: str) -> str:
    for log in source.logs():
        for _, data in _entries(source, log, f"\nid: {event_id}\n".encode()):
            return parse_entry(data).statement.subject
    raise Refused("not-found", f"no log has the event {event_id}")


def _entries(source: LogSource, log: str, wanted: bytes) -> Iterator[tuple[int, bytes]]:
    """Offset and entry of the records whose entry has that line; the statement stands first, so no later line can pass for it."""
    for record in source.records(log):
        data = entry_of(record)
        if wanted in data:
            yield record.offset, data


def _standing(source: LogSource, log: str, keys: Mapping[bytes, NoteKey]) -> _Standing:
    origin = origin_of(log)
    heads = (signed_head(note, log, keys) for note in source.checkpoints(origin))
    signed = max((head for head in heads if head is not None), key=lambda head: head.size, default=None)
    return _Standing(signed, signed_head(source.witnessed(origin), log, keys), source.tiles(origin))


def _line(
    log: str, offset: int, data: bytes, standing: _Standing, released: ReleasedSchemas, registry: Registry
) -> Line:
    entry = parse_entry(data)
    statement = entry.statement
    schema = released.by_digest.get(statement.schema)
    zh, en = _titles(statement.type if schema is None else str(schema.json.get("doc", statement.type)))
    source = registry.participant(statement.source)
    proof, size = standing.of(data, entry.seq)
    return Line(
        admitted=entry.admitted,
        time=statement.time,
        log=log,
        seq=entry.seq,
        offset=offset,
        id=statement.id,
        type=statement.type,
        title_zh=zh,
        title_en=en,
        source=statement.source,
        source_zh=statement.source if source is None else source.name_zh,
        source_en=statement.source if source is None else source.name_en,
        cause=statement.cause,
        deliveries=entry.deliveries,
        proof=proof,
        size=size,
    )


def _titles(doc: str) -> tuple[str, str]:
    """The Chinese and the English of a schema's sentence, which has English first."""
    at = next((n for n, letter in enumerate(doc) if "\u4e00" <= letter <= "\u9fff"), len(doc))
    english = doc[:at].strip()
    return doc[at:].strip() or english, english or doc
