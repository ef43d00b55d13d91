"""Where evidence is asked for: finds an event in the files of the ledger, reads it from its log and composes what proves it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.audit.evidence import LogReader, Made, SchemaOf, by_policy, compose
from services.codec.checkpoint import log_of_origin
from services.codec.entry import Entry
from services.codec.envelope import Envelope
from services.codec.schema import EventSchema
from services.codec.tlog_policy import Policy
from services.kernel.errors import Corrupt, Refused
from services.kernel.ids import is_event_id
from services.ledger.files import LogFiles, origins
from services.members.history import History

_MEMBERS = "members"

Withheld = Callable[[Entry, EventSchema], Collection[str]]
"""The restricted fields that are left out for whoever asks; refuses whom it does not concern."""


class Records(Protocol):
    """Records of the logs by their place; ``LogRecords`` is one."""

    def read(self, topic: str, partition: int, offset: int) -> Envelope:
        """The record at this offset."""
        ...


@dataclass(frozen=True, slots=True)
class EvidenceDesk:
    """Safe from any thread; reads files, one Kafka record, and the members log as it was followed. The checkpoints in what it makes bear
    the signatures that ``policy`` knows, no other: nodes cosign that are in no quorum."""

    ledger_dir: Path
    exchange: str
    records: Records
    history: Callable[[], History]
    schema_of: SchemaOf
    policy: Callable[[], Policy | None]

    def make(self, event_id: str, withheld: Withheld) -> Made:
        """The evidence of an event. Blocks for a few reads.

        Refuses ``not-found`` an id that no log has, and what ``withheld`` refuses; ``Transient`` while a part is away or no checkpoint covers
        the event yet; ``Corrupt`` when what is read contradicts what was signed.
        """
        origin, offset = self._find(event_id)
        topic, _, partition = log_of_origin(origin).rpartition("/")
        envelope = self.records.read(topic, int(partition), offset)
        if envelope.statement.id != event_id:
            raise Corrupt(f"{topic}/{partition}@{offset}: another event than the index of the log says")
        history = self.history()
        members: LogReader = LogFiles(self.ledger_dir / f"{self.exchange}/{_MEMBERS}/0")
        made = compose(
            envelope,
            LogFiles(self.ledger_dir / origin),
            members,
            history.since(0, history.size),
            schema_of=self.schema_of,
            withheld=withheld,
        )
        policy = self.policy()
        return made if policy is None else by_policy(made, policy)

    def _find(self, event_id: str) -> tuple[str, int]:
        if is_event_id(event_id):
            for origin in origins(self.ledger_dir):
                if origin.startswith(f"{self.exchange}/"):
                    found = LogFiles(self.ledger_dir / origin).find(event_id)
                    if found is not None:
                        return origin, found[1]
        raise Refused("not-found", "there is no event of that id that you sent or received", field="id")
