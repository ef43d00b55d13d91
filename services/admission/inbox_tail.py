"""The last outcome record of a source, read back from its inbox: from it the numbers go on when the index does not know them.

Outcomes leave no trace in the log, since a refusal is none of its business; but every outcome record stands in the inbox of its
source, written in the same transaction, and inboxes are kept. So the numbers are where their reader sees them, and a lost index, or
one that another process has overtaken, costs one look back for each source that speaks again.
"""

from __future__ import annotations

from confluent_kafka import Message

from services.admission.catchup import LogReader
from services.admission.index import SourceNumbers
from services.codec.envelope import unframe
from services.codec.schema import EventSchema
from services.kernel.errors import Corrupt, Refused
from services.runtime.topics import Topics

OUTCOME_HEADER = "ce_ipxoutcome"
_FIRST_WINDOW = 500
_GROWTH = 4


def numbering_of(message: Message) -> tuple[str, str, int] | None:
    """Source, ``.in`` partition and number of an outcome record; None for another record of an inbox."""
    for name, data in message.headers() or ():
        if name == OUTCOME_HEADER:
            source, place, number = data.decode().split(" ")
            return source, place, int(number)
    return None


class InboxTail:
    """Looks back in inboxes. Blocks while it reads; ``Transient`` while Kafka is away."""

    def __init__(self, reader: LogReader, topics: Topics, outcomes: EventSchema) -> None:
        self._reader = reader
        self._topics = topics
        self._outcomes = outcomes

    def numbers_after(self, source: str, place: str) -> SourceNumbers:
        """The next numbers of a source for an ``.in`` partition (``ipx.clues.in/3``); zeros when it has no outcome yet."""
        topic = self._topics.inbox(source)
        end = self._reader.end(topic, 0, committed=True)
        window = _FIRST_WINDOW
        upto = end
        while upto > 0:
            start = max(0, upto - window)
            last = self._last_between(topic, start, upto, source, place)
            if last is not None:
                return self._after(last)
            upto = start
            window *= _GROWTH
        return SourceNumbers()

    def _last_between(self, topic: str, start: int, upto: int, source: str, place: str) -> Message | None:
        self._reader.go_to(topic, 0, start)
        last: Message | None = None
        while True:
            records, end = self._reader.read()
            for message in records:
                if message.offset() >= upto:
                    return last
                found = numbering_of(message)
                if found is not None and found[:2] == (source, place):
                    last = message
            if end is not None and end >= upto:
                return last

    def _after(self, message: Message) -> SourceNumbers:
        found = numbering_of(message)
        try:
            value = self._outcomes.decode(unframe(message.value())[1])
        except Refused as error:
            raise Corrupt(f"{message.topic()}@{message.offset()}: not an outcome record: {error.code}") from error
        assert found is not None
        return SourceNumbers(found[2] + 1, value["first_number"] + len(value["outcomes"]))
