"""Proposals to the small town of ``members/town.py``, and a way through the steps without Kafka, threads or files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.admission.check import Door, check
from services.admission.judgement import Judge
from services.admission.partitioning import partition_of
from services.admission.proposal import Checked, Proposed
from services.codec.envelope import Draft, Envelope, frame, seal
from services.codec.keys import ParticipantSigner
from services.codec.schema import EventSchema
from services.events import to_value
from services.kernel.errors import Refused
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from tests.unit.services.members.town import HANGZHOU, NANJING, NOW_MS, REF, clue, released, signer, tables

IDS = {release.type: number for number, release in enumerate(released().releases, start=1)}
CLUES = Door("clues", 4)
MEMBERS = Door("members", 1)
JUDGE = Judge(tables())


@dataclass(frozen=True, slots=True)
class FakeSchemas:
    """Schema ids as a registry that holds every release would give them."""

    def with_id(self, schema_id: int) -> EventSchema:
        """Refuses ``unknown-schema`` every other id."""
        for name, number in IDS.items():
            if number == schema_id:
                return released().named(name)
        raise Refused("unknown-schema", f"no schema {schema_id}")


def sealed(event: Any = None, *, number: int = 0, key: ParticipantSigner | None = None, **changes: Any) -> Envelope:
    """A signed event, by default a clue from Nanjing to Hangzhou; changes are of the statement."""
    event = clue() if event is None else event
    entropy = CountedEntropy(1000 + number * 50)
    given = {
        "id": uuid7(NOW_MS + number, number.to_bytes(10, "big")),
        "source": NANJING,
        "subject": f"CL-{number}",
        "time": format_instant(NOW_MS + 1),
        "agreement": REF,
        "addressee": HANGZHOU,
        **changes,
    }
    draft = Draft(**given)
    return seal(released().named(type(event).TYPE), to_value(event), draft, key or signer(draft.source), entropy)


def proposed(envelope: Envelope, *, door: Door = CLUES, offset: int = 0, **changes: Any) -> Proposed:
    """The record of a proposal, where its subject belongs."""
    key = envelope.statement.subject.encode()
    record = Proposed(
        topic=f"t.{door.family}.in",
        partition=partition_of(key, door.partitions),
        offset=offset,
        key=key,
        value=frame(IDS[envelope.statement.type], envelope.body),
        headers=envelope.headers(),
    )
    return record._replace(**changes)


def checked(envelope: Envelope, *, door: Door = CLUES, **changes: Any) -> Checked:
    """A proposal after step 3."""
    return check(proposed(envelope, door=door, **changes), door, FakeSchemas())


def code_of(refused: Any) -> str:
    """The code of a refusal, or of what was raised."""
    return str(refused.code)
