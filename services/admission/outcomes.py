"""Outcome records: what was decided, signed by ``exchange.admission``, for each source in its own inbox (design section 6).

One record a source, ``.in`` partition and transaction; more when the outcomes do not fit into one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from services.admission.index import SourceNumbers
from services.admission.sequence import Answer, Item
from services.codec.content import NOTHING_RESTRICTED
from services.codec.envelope import Draft, Headers, frame, prepare
from services.codec.schema import EventSchema
from services.codec.signature import sign
from services.kernel.ids import uuid8
from services.kernel.ports import Signer

ROOM = "admission"
SOURCE = "exchange.admission"
_MOST_BYTES = 240_000
_MOST_ITEMS = 2_000
_ITEM_BYTES = 110


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """A record for the inbox of ``source``."""

    source: str
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class OutcomeWriter:
    """Makes the records; ``schema`` is the released ``OutcomesRecorded``, ``schema_id`` its id in the registry."""

    schema: EventSchema
    schema_id: int
    signer: Signer

    def write(
        self, place: str, source: str, items: list[Item], numbers: SourceNumbers, admitted: str
    ) -> tuple[list[OutcomeRecord], SourceNumbers]:
        """The records of one source for ``place`` (``ipx.clues.in/3``), and the numbers after them."""
        records = []
        for group in _groups(items):
            records.append(self._record(place, source, group, numbers, admitted))
            numbers = SourceNumbers(numbers.record + 1, numbers.outcome + len(group))
        return records, numbers

    def _record(
        self, place: str, source: str, items: list[Item], numbers: SourceNumbers, admitted: str
    ) -> OutcomeRecord:
        draft = Draft(
            id=uuid8(ROOM, f"{source} {place}", str(numbers.record)),
            source=SOURCE,
            subject=source,
            time=admitted,
            addressee=source,
        )
        value = {"log": place, "first_number": numbers.outcome, "outcomes": items}
        parts = self.schema.encode_parts(value, is_our_own=True)
        text, unsigned = prepare(self.schema, value, draft, NOTHING_RESTRICTED, parts)
        envelope = replace(unsigned, signature=sign(text, self.signer), outcome=f"{source} {place} {numbers.record}")
        return OutcomeRecord(source, source.encode(), frame(self.schema_id, envelope.body), envelope.headers())


def by_source(answers: Iterable[Answer]) -> dict[str, list[Item]]:
    """The outcomes of each source, in order."""
    grouped: dict[str, list[Item]] = {}
    for answer in answers:
        grouped.setdefault(answer.source, []).append(answer.item)
    return grouped


def _groups(items: list[Item]) -> Iterator[list[Item]]:
    """Runs of items that fit into one body."""
    group: list[Item] = []
    size = 0
    for item in items:
        more = _ITEM_BYTES + len(item["event"].encode()) + len(item["log"] or "")
        if item["message_en"] is not None:
            texts = (item["field"], item["message_zh"], item["message_en"])
            more += sum(4 * len(text) for text in texts if text)
        if group and (size + more > _MOST_BYTES or len(group) == _MOST_ITEMS):
            yield group
            group, size = [], 0
        group.append(item)
        size += more
    if group:
        yield group
