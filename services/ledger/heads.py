"""The topic of checkpoints, written and read: key the origin, value a signed note (``FORMAT.md`` section 6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import Note, parse_note
from services.kernel.errors import Refused, Transient
from services.ledger.following import Place
from services.runtime.topics import Topics

_TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class Head:
    """A note of the topic and the checkpoint that it is of."""

    checkpoint: Checkpoint
    note: Note


def read_head(message: Message) -> Head | None:
    """The note of a record; None for what is none, or is filed under another origin: whoever may write here may write rubbish."""
    try:
        note = parse_note(message.value() or b"")
        checkpoint = parse_checkpoint(note.text)
    except Refused:
        return None
    return Head(checkpoint, note) if message.key() == checkpoint.origin.encode() else None


class Heads:
    """Publishes checkpoints; each is kept on every replica in its turn, or ``failed`` says so."""

    def __init__(self, kafka: Mapping[str, Any], topics: Topics) -> None:
        self.place: Place = (topics.checkpoints, 0)
        self._failed: str | None = None
        self._producer = Producer(
            {
                **kafka,
                "log_level": 2,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "delivery.timeout.ms": _TIMEOUT_MS,
                "error_cb": lambda _error: None,  # what matters comes with the delivery
            }
        )

    def publish(self, origin: str, note: bytes) -> None:
        """Hands a note to Kafka and does not wait. ``Transient`` when an earlier one was not taken, or too many wait."""
        try:
            self._producer.produce(self.place[0], note, origin.encode(), partition=0, on_delivery=self._delivered)
        except BufferError as error:
            raise Transient("Kafka takes no checkpoints") from error
        self.serve()

    def serve(self) -> None:
        """Hears of deliveries; ``Transient`` when one failed: the session begins anew and publishes what the topic lacks."""
        self._producer.poll(0)
        if self._failed is not None:
            raise Transient(f"a checkpoint was not taken by Kafka: {self._failed}")

    def close(self) -> None:
        """Waits a little for what is on its way."""
        self._producer.flush(5)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = error.str()
