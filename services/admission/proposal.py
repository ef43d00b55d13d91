"""What goes through the ten steps: a record as it was read, what was checked of it, and the answer when it goes no further.

What is made for every event is a ``NamedTuple`` here and in the modules after this one: as immutable as a frozen dataclass, and made in a
quarter of the time, which was one part in thirty of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from services.codec.schema import EventSchema, Value
from services.codec.statement import Statement
from services.kernel.errors import Refused

UNREADABLE = frozenset({"undecodable", "unknown-schema"})
"""Codes of records whose content could not be read at all: they are kept whole in the quarantine."""
_ID_LIMIT = 128


class Proposed(NamedTuple):
    """A record of an ``.in`` topic as it was read."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    def said(self, attribute: str) -> str:
        """What a header says, as far as it can be read; for naming a record that was not understood, never for more."""
        name = f"ce_{attribute}"
        for header, data in self.headers:
            if header == name and isinstance(data, bytes):
                return data.decode(errors="replace")[:_ID_LIMIT]
        return ""


class Checked(NamedTuple):
    """After step 3: the statement stands, and the content is what it commits to. Not yet: who said it, and whether it may.

    ``text`` and ``digest`` are of the statement; ``digests`` those of the restricted fields, in the order of the schema.
    """

    proposed: Proposed
    schema: EventSchema
    statement: Statement
    text: bytes
    digest: bytes
    time_ms: int
    signature: str
    body: bytes
    value: Value
    parts: list[bytes]
    salts: str
    digests: list[bytes]
    trace: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event goes no further, and what is known of it: ``digest`` is that of its statement, if that could be rebuilt."""

    proposed: Proposed
    code: str
    message_en: str
    message_zh: str | None
    field: str | None
    event: str
    source: str
    subject: str
    digest: bytes | None
    step: int

    @property
    def is_unreadable(self) -> bool:
        """Whether the record itself is worth keeping: nothing else would tell what was sent."""
        return self.code in UNREADABLE


def refusal(of: Proposed | Checked, error: Refused, step: int, message_zh: str | None = None) -> Refusal:
    """The refusal of a record at a numbered step."""
    if isinstance(of, Checked):
        proposed, digest = of.proposed, of.digest
        event, source, subject = of.statement.id, of.statement.source, of.statement.subject
    else:
        proposed, digest = of, None
        event, source, subject = of.said("id"), of.said("source"), of.said("subject")
    return Refusal(proposed, error.code, error.message, message_zh, error.field, event, source, subject, digest, step)


def partitions_of(proposed: Iterable[Proposed]) -> dict[tuple[str, int], list[Proposed]]:
    """The records by ``.in`` partition, in their order."""
    grouped: dict[tuple[str, int], list[Proposed]] = {}
    for record in proposed:
        grouped.setdefault((record.topic, record.partition), []).append(record)
    return grouped
