"""From an emission to a record for ``.in``: the signed envelope of a derived event, the same bytes at every replay.

Design principle 4: id from (room, subject, cause, ordinal), time as the fold gave it, no restricted field and so no salt, and an
Ed25519 signature, which is deterministic (RFC 8032).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.codec.content import NOTHING_RESTRICTED
from services.codec.envelope import Draft, frame, prepare
from services.codec.schema import EventSchema
from services.codec.signature import sign
from services.events.registry import to_value
from services.kernel.families import family_of
from services.kernel.ids import derived_id
from services.kernel.instants import format_instant
from services.kernel.ports import Signer
from services.runtime.fold import Emission
from services.runtime.topics import Topics


@dataclass(frozen=True, slots=True)
class Proposal:
    """A record ready for Kafka; ``headers`` are text, since every attribute of an event is."""

    topic: str
    key: bytes
    headers: tuple[tuple[str, str], ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class Proposer:
    """What a room signs with and where it proposes. ``schema_named`` gives the released schema of a type."""

    room: str
    topics: Topics
    signer: Signer
    schema_named: Callable[[str], EventSchema]
    id_of: Callable[[EventSchema], int]

    def propose(self, emission: Emission, trace: str | None = None) -> Proposal:
        """The record of an emission.

        May ask the registry once for each type (``Transient`` while it is away). Refuses ``bad-disclosure`` an event
        whose type has restricted fields: a derived event carries none.
        """
        event_type = type(emission.event).TYPE
        schema = self.schema_named(event_type)
        draft = Draft(
            id=id_of(self.room, emission),
            source=f"exchange.{self.room}",
            subject=emission.subject,
            time=format_instant(emission.time_ms),
            addressee=",".join(emission.addressee) or "-",
            cause=emission.cause,
            trace=trace,
        )
        value = to_value(emission.event)
        parts = None if schema.restricted else schema.encode_parts(value, is_our_own=True)
        statement, unsigned = prepare(schema, value, draft, NOTHING_RESTRICTED, parts)
        envelope = replace(unsigned, signature=sign(statement, self.signer))
        return Proposal(
            topic=self.topics.proposals(family_of(event_type)),
            key=emission.subject.encode(),
            headers=envelope.text_headers(),
            value=frame(self.id_of(schema), envelope.body),
        )


def id_of(room: str, emission: Emission) -> str:
    """Id of the event that an emission becomes."""
    return derived_id(room, emission.subject, emission.cause, emission.ordinal)
