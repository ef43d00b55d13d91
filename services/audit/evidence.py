"""Composes the evidence of an event from what stands in the log, the tiles and the members log. Pure.

Format: ``services/ledger/FORMAT.md`` section 6.6. What it gives is checked as it is made: an inclusion path that does not lead to the root of its
checkpoint is ``Corrupt``, never handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import rfc8785

from services.audit.excerpt import excerpt_for
from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.content import format_disclosure, parse_disclosure, redact
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope
from services.codec.evidence import Evidence, MemberEvidence, in_order
from services.codec.merkle import leaf_hash, root_from_path
from services.codec.note import Note, parse_note
from services.codec.schema import EventSchema
from services.codec.tiles import Tree
from services.codec.tlog_policy import NONE, Policy, judge
from services.codec.tlog_proof import TlogProof
from services.events import EVENT_TYPES, from_value
from services.events.member import MemberEvent
from services.kernel.errors import Corrupt, Refused, Transient
from services.members.reading import MemberRecord

SchemaOf = Callable[[str], EventSchema]
_MEMBERS = "cn.ipx.member."


class LogReader(Protocol):
    """The files of one log; ``services.ledger.files.LogFiles`` is one."""

    def read(self, path: str) -> bytes | None:
        """Bytes of a tile by its path; None when it is not there."""
        ...

    def checkpoint(self) -> bytes | None:
        """The last signed checkpoint."""
        ...

    def witnessed(self) -> bytes | None:
        """The last one that met the quorum."""
        ...


@dataclass(frozen=True, slots=True)
class Made:
    """An evidence, and whether both its checkpoints had met the quorum of the exchange."""

    evidence: Evidence
    is_witnessed: bool


@dataclass(frozen=True, slots=True)
class _Head:
    """A checkpoint that covers what is asked for, and the tree under it."""

    note: Note
    checkpoint: Checkpoint
    tree: Tree
    is_witnessed: bool

    def path(self, entry: bytes, seq: int) -> tuple[bytes, ...]:
        """The inclusion path of an entry; ``Corrupt`` when the tiles do not bear it out."""
        path = self.tree.inclusion(seq)
        if root_from_path(leaf_hash(entry), seq, self.checkpoint.size, path) != self.checkpoint.root:
            raise Corrupt(f"the tiles of {self.checkpoint.origin} do not lead from entry {seq} to the signed root")
        return path


def withheld_from(viewer: str, entry: Entry, schema: EventSchema) -> Collection[str]:
    """The restricted fields that a participant may not see: none for the source, those of its copy for a recipient.

    Refuses ``not-found`` whoever is neither, in the words for an event that is not there.
    """
    if viewer == entry.statement.source:
        return ()
    delivery = entry.delivery_to(viewer)
    if delivery is None:
        raise Refused("not-found", "there is no event of that id that you sent or received", field="id")
    return delivery.withheld


def withheld_but(disclosed: Collection[str], schema: EventSchema) -> Collection[str]:
    """All restricted fields but those named; ``all`` names every one. Refuses ``bad-field`` a name that the schema does not restrict."""
    if "all" in disclosed:
        return ()
    unknown = sorted(set(disclosed) - set(schema.restricted))
    if unknown:
        known = ", ".join(schema.restricted) or "none"
        raise Refused("bad-field", f"{schema.name} does not restrict {', '.join(unknown)}; it restricts {known}")
    return [name for name in schema.restricted if name not in disclosed]


def by_policy(made: Made, policy: Policy) -> Made:
    """The same evidence with the signature lines alone that a policy knows and that are good: more of them would be strangers to its verifier.

    Refuses as ``tlog_policy.judge`` does when the policy has not the logs. Says anew whether it is witnessed, by this policy.
    """
    proof = made.evidence.proof
    event, is_witnessed = _known_lines(proof.note, policy)
    members, are_witnessed = _known_lines(made.evidence.members_checkpoint, policy)
    evidence = replace(made.evidence, proof=replace(proof, note=event), members_checkpoint=members)
    return Made(evidence, is_witnessed and are_witnessed and policy.quorum != NONE)


def _known_lines(note: Note, policy: Policy) -> tuple[Note, bool]:
    standing = judge(note, policy)
    keys = [policy.logs[standing.checkpoint.origin], *(policy.witnesses[name] for name in standing.cosigned)]
    known = {(key.name, key.key_hash) for key in keys}
    lines = tuple(line for line in note.signatures if (line.name, line.key_hash) in known)
    return replace(note, signatures=lines), standing.is_witnessed


def compose(
    envelope: Envelope,
    log: LogReader,
    members_log: LogReader,
    members: Sequence[MemberRecord],
    *,
    schema_of: SchemaOf,
    withheld: Callable[[Entry, EventSchema], Collection[str]],
) -> Made:
    """The evidence of an event as it stands in the log. ``members`` are the records of the members log, from the first.

    Raises ``Transient`` while no checkpoint covers the event or the members log is not read so far, ``Corrupt`` when tiles or records contradict
    a checkpoint; refuses what ``withheld`` refuses, and ``too-large`` what has no room in a file.
    """
    data = (envelope.entry or "").encode()
    entry = parse_entry(data)
    schema = schema_of(entry.statement.schema)
    left_out = withheld(entry, schema)  # first, so that whom it does not concern learns nothing of how far the log is
    if len(members) < entry.members:
        raise Transient(f"the members log has been read up to {len(members)}, the entry was judged by {entry.members}")
    head = _head(log, entry.seq + 1, entry.log)
    members_head = _head(members_log, entry.members, "the members log")
    body, disclosure = _copy(envelope, schema, left_out)
    chosen = excerpt_for(entry, members[: entry.members], _own_event(envelope, schema))
    schemas = {schema.digest_text: schema}
    records = []
    for record in chosen:
        own = schema_of(record.entry.statement.schema)
        schemas[own.digest_text] = own
        records.append(_member(record, own, members_head))
    evidence = Evidence(
        entry=data,
        body=body,
        disclosure=disclosure,
        proof=_proof(head, data, entry.seq),
        members_checkpoint=members_head.note,
        members=tuple(records),
        schemas=_texts(schemas),
    )
    return Made(evidence, head.is_witnessed and members_head.is_witnessed)


def _own_event(envelope: Envelope, schema: EventSchema) -> MemberEvent | None:
    """The event itself when it is of the members log: what it speaks of must be in the excerpt too."""
    if not schema.name.startswith(_MEMBERS) or schema.name not in EVENT_TYPES:
        return None
    return cast("MemberEvent", from_value(schema.name, schema.decode(envelope.body)))


def _head(log: LogReader, least: int, name: str) -> _Head:
    for data, is_witnessed in ((log.witnessed(), True), (log.checkpoint(), False)):
        if data is not None:
            note, checkpoint = _opened(data, name)
            if checkpoint.size >= least:
                return _Head(in_order(note), checkpoint, Tree(log.read, checkpoint.size), is_witnessed)
    raise Transient(f"no checkpoint of {name} covers {least} entries yet; a moment later there is one")


def _opened(data: bytes, name: str) -> tuple[Note, Checkpoint]:
    try:
        note = parse_note(data)
        return note, parse_checkpoint(note.text)
    except Refused as refused:
        raise Corrupt(f"the checkpoint file of {name}: {refused.message}") from refused


def _proof(head: _Head, entry: bytes, seq: int) -> TlogProof:
    return TlogProof(seq, head.path(entry, seq), head.note)


def _member(record: MemberRecord, schema: EventSchema, head: _Head) -> MemberEvidence:
    entry = (record.envelope.entry or "").encode()
    body, disclosure = _copy(record.envelope, schema, schema.restricted)
    return MemberEvidence(entry, body, disclosure, head.path(entry, record.entry.seq))


def _copy(envelope: Envelope, schema: EventSchema, withheld: Collection[str]) -> tuple[bytes, str]:
    """Body and disclosure line without the withheld fields."""
    value, parts = schema.decode_parts(envelope.body)
    _, shown, disclosure = redact(schema, value, parts, parse_disclosure(schema, envelope.salts), withheld)
    return b"".join(shown), format_disclosure(schema, disclosure)


def _texts(schemas: Mapping[str, EventSchema]) -> Mapping[str, bytes]:
    return {digest: rfc8785.dumps(schema.json) for digest, schema in schemas.items()}
