"""Proposes events and waits for what admission says of each: the shell of the commands by which the operator and the members speak."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from services.codec.envelope import Draft, Envelope, envelope_from_record, frame, seal
from services.codec.released import ReleasedSchemas
from services.events import Event, to_value
from services.events.receipt import OutcomesRecorded
from services.kernel.errors import Refused, Transient
from services.kernel.families import family_of
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import Clock, Entropy, Signer
from services.runtime.topics import Topics

_CALL_S = 10.0
_READ = 500
_POLL_S = 0.2
_ID_BYTES = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What admission decided on one proposal."""

    event: str
    outcome: str
    code: str | None
    field: str | None
    message: str | None

    def require_admitted(self) -> None:
        """Raises ``Refused``, as admission put it, unless the event is in the log."""
        if self.outcome not in ("admitted", "duplicate"):
            raise Refused(self.code or self.outcome, self.message or self.outcome, field=self.field)


def seal_member(
    event: Event,
    *,
    subject: str,
    signer: Signer,
    released: ReleasedSchemas,
    clock: Clock,
    entropy: Entropy,
) -> Envelope:
    """A signed proposal of a member event, said now by the participant whose key it is."""
    now_ms = clock.now_ms()
    draft = Draft(
        id=uuid7(now_ms, entropy.draw(_ID_BYTES)),
        source=signer.key_id.partition("#")[0],
        subject=subject,
        time=format_instant(now_ms),
    )
    return seal(released.named(type(event).TYPE), to_value(event), draft, signer, entropy)


class Proposing:
    """Writes to the ``.in`` topic of each event's family and reads the outcomes in the inboxes of the sources, which must exist. Blocks."""

    def __init__(
        self, kafka: Mapping[str, Any], topics: Topics, released: ReleasedSchemas, id_of: Callable[[str], int]
    ) -> None:
        """``kafka`` are librdkafka's connection settings; ``id_of`` gives the registry's id of a type's newest schema."""
        self._topics = topics
        self._outcomes = released.named(OutcomesRecorded.TYPE)
        self._id_of = id_of
        self._producer = Producer(
            {**kafka, "enable.idempotence": True, "linger.ms": 5, "log_level": 2, "partitioner": "murmur2_random"}
        )  # as whoever else proposes: a subject belongs into one partition
        self._consumer = Consumer(
            {
                **kafka,
                "log_level": 2,
                "group.id": f"{topics.prefix}-members-command",  # asked for by the client, never joined nor committed to
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )

    def send(self, envelopes: Sequence[Envelope], timeout_s: float) -> None:
        """Writes the proposals; their outcomes are then to be asked for. ``Transient`` when Kafka does not take them."""
        self._consumer.assign(self._ends({envelope.statement.source for envelope in envelopes}, timeout_s))
        for envelope in envelopes:
            self._producer.produce(
                self._topics.proposals(family_of(envelope.statement.type)),
                key=envelope.statement.subject.encode(),
                value=frame(self._id_of(envelope.statement.type), envelope.body),
                headers=envelope.headers(),
            )
            self._producer.poll(0)
        if self._producer.flush(_CALL_S):
            raise Transient("Kafka did not take the proposals in time; run the command again")

    def hear(self, wanted: Collection[str], timeout_s: float, told: Callable[[int], None]) -> dict[str, Outcome]:
        """The outcomes of these events, as many as come in time, each once; ``told`` hears how many have come."""
        found: dict[str, Outcome] = {}
        deadline_s = time.monotonic() + timeout_s
        while len(found) < len(wanted) and time.monotonic() < deadline_s:
            found |= {outcome.event: outcome for outcome in self._read() if outcome.event in wanted}
            told(len(found))
        return found

    def close(self) -> None:
        """Closes the clients."""
        self._producer.flush(_CALL_S)
        self._consumer.close()

    def _ends(self, sources: Iterable[str], timeout_s: float) -> list[TopicPartition]:
        """Where the inboxes end now. An inbox made a moment ago has no leader yet: asked again for a while."""
        deadline_s = time.monotonic() + timeout_s
        places = [TopicPartition(self._topics.inbox(source), 0) for source in sorted(sources)]
        for place in places:
            while (end := self._end(place, last_try=time.monotonic() > deadline_s)) is None:
                time.sleep(_POLL_S)
            place.offset = end
        return places

    def _end(self, place: TopicPartition, *, last_try: bool) -> int | None:
        try:
            return int(self._consumer.get_watermark_offsets(place, timeout=_CALL_S)[1])
        except KafkaException as error:
            if last_try:
                raise Transient(f"{place.topic}: {error.args[0].name()}") from error
            return None

    def _read(self) -> Iterable[Outcome]:
        for message in self._consumer.consume(_READ, _POLL_S):
            if message.error() is not None:
                continue
            envelope = envelope_from_record(message.headers(), message.value())[1]
            if envelope.outcome is not None:
                for item in self._outcomes.decode(envelope.body)["outcomes"]:
                    yield Outcome(item["event"], item["outcome"], item["code"], item["field"], item["message_en"])
