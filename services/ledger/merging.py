"""Cosignatures of witnesses come together under the checkpoint that they are of: pure.

A note from the topic of checkpoints counts for what is under it. A line is taken when it is a good cosignature/v1 of a key that the members log,
or the policy, has under that name; whatever else stands in the note is left out, and counted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from services.codec.checkpoint import parse_checkpoint
from services.codec.note import COSIGNATURE, MAX_SIGNATURES, Note, NoteKey, NoteSignature, cosigned_at
from services.codec.tlog_policy import Policy, judge
from services.members.registry import Registry

Outcome = Literal["merged", "known", "stranger", "not-good", "unknown-checkpoint"]
WitnessKeys = Callable[[str], tuple[NoteKey, ...]]
"""Keys of cosignatures by the name on the line."""

_NOT_OURS: Outcome = "unknown-checkpoint"
REMEMBERED = 256
"""Checkpoints of one log for which cosignatures are still taken; later ones cover what earlier ones do."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What one note brought: the checkpoint with everything known under it, when something is new, and what became of each line."""

    note: Note | None
    outcomes: tuple[Outcome, ...]


class Cosignatures:
    """What is known under the last checkpoints of one log."""

    def __init__(self, key: NoteKey) -> None:
        self._key = key
        self._notes: OrderedDict[bytes, Note] = OrderedDict()

    def knows(self, text: bytes) -> bool:
        """Whether this is one of the last checkpoints."""
        return text in self._notes

    def remember(self, note: Note) -> Note:
        """A checkpoint that the log's key signed, with what stands under it already; the same with all that is known for it."""
        known = self._notes.get(note.text)
        merged = self._notes[note.text] = note if known is None else known.add(*note.signatures)
        self._notes.move_to_end(note.text)
        while len(self._notes) > REMEMBERED:
            self._notes.popitem(last=False)
        return merged

    def latest_first(self) -> Iterator[Note]:
        """The last checkpoints with what is known under each, that of the largest tree first."""
        yield from sorted(self._notes.values(), key=lambda note: parse_checkpoint(note.text).size, reverse=True)

    def merge(self, note: Note, keys_of: WitnessKeys) -> Merged:
        """Takes the good cosignatures of a note."""
        lines = [line for line in note.signatures if (line.name, line.key_hash) != (self._key.name, self._key.key_hash)]
        known = self._notes.get(note.text)
        if known is None:
            return Merged(None, tuple(_NOT_OURS for _ in lines))
        outcomes: list[Outcome] = []
        merged = known
        for line in lines:
            outcome = _outcome(merged, note, line, keys_of(line.name))
            outcomes.append(outcome)
            if outcome == "merged":
                merged = merged.add(line)
        if merged is known:
            return Merged(None, tuple(outcomes))
        self._notes[note.text] = merged
        return Merged(merged, tuple(outcomes))


def _outcome(known: Note, note: Note, line: NoteSignature, keys: Iterable[NoteKey]) -> Outcome:
    if any((held.name, held.key_hash) == (line.name, line.key_hash) for held in known.signatures):
        return "known"
    key = next((key for key in keys if key.key_hash == line.key_hash), None)
    if key is None or len(known.signatures) >= MAX_SIGNATURES:
        return "stranger"
    return "not-good" if cosigned_at(note, key) is None else "merged"


def witness_keys(registry: Registry, policy: Policy | None, now_ms: int) -> WitnessKeys:
    """Keys by name: those of the policy, and those that a participant may sign with now."""

    def keys_of(name: str) -> tuple[NoteKey, ...]:
        own = [
            NoteKey(name, COSIGNATURE, key.public_key)
            for key in (registry.keys_of(name) if name in registry.participants else ())
            if len(key.public_key) == 32 and key.refusal_at(now_ms) is None
        ]
        given = [key for key in (policy.witnesses.values() if policy else ()) if key.name == name]
        return (*given, *own)

    return keys_of


def is_witnessed(note: Note, policy: Policy | None) -> bool:
    """Whether the cosignatures under a checkpoint of the log meet the quorum."""
    if policy is None or parse_checkpoint(note.text).origin not in policy.logs:
        return False
    return judge(note, policy).is_witnessed
