"""The thread beside the ledger that states completeness: ``stating.py`` with the real Kafka, registry and key.

Its own thread, so that an exchange that is slow to take statements never keeps a checkpoint from being signed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.codec.keys import Ed25519Signer
from services.codec.registry import SchemaRegistry
from services.codec.released import ReleasedSchemas
from services.kernel.errors import Corrupt, Transient
from services.kernel.ports import Clock
from services.ledger.completeness import ROOM
from services.ledger.stating import Statements
from services.runtime.fold import Emission
from services.runtime.log_probe import LogProbe
from services.runtime.logging import get_logger, words_of
from services.runtime.proposals import Proposer
from services.runtime.relay import Publisher
from services.runtime.settings import CommonSettings
from services.runtime.store import Pending
from services.runtime.topics import Topics

log = get_logger("ledger")

_REGISTRY_TIMEOUT_S: Final = 5.0
_AT_ONCE: Final = 500


class Stater:
    """Start it, look at :meth:`require` now and then, stop it."""

    def __init__(
        self,
        settings: CommonSettings,
        ledger_dir: Path,
        *,
        signer: Ed25519Signer,
        released: ReleasedSchemas,
        clock: Clock,
        look_s: float = 15.0,
        grace_s: float = 60.0,
    ) -> None:
        """``signer`` is the key of ``exchange.ledger``; nothing is touched before :meth:`start`."""
        topics = Topics(settings.exchange_name)
        name = f"{settings.exchange_name}-ledger-statements"
        self._registry = SchemaRegistry(settings.registry_url, timeout_s=_REGISTRY_TIMEOUT_S)
        self._proposer = Proposer(ROOM, topics, signer, released.named, self._registry.id_of)
        self._stop = threading.Event()
        self._publisher = Publisher(settings.librdkafka(), name, self._stop)
        self._probe = LogProbe(settings.librdkafka(), name)
        self._statements = Statements(
            ledger_dir, settings.exchange_name, self._propose, self._probe, clock, round(grace_s * 1000)
        )
        self._look_s = look_s
        self._corrupt: Corrupt | None = None
        self._thread = threading.Thread(target=self._run, name="statements", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; blocks for a moment."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=20)
        self._probe.close()
        self._publisher.discard()
        self._registry.close()

    def require(self) -> None:
        """Raises ``Corrupt`` when a log was found not to be what it must be; nothing is stated any more then."""
        if self._corrupt is not None:
            raise self._corrupt

    def _propose(self, emissions: Sequence[Emission]) -> None:
        rows = [Pending(n, self._proposer.propose(emission)) for n, emission in enumerate(emissions)]
        for start in range(0, len(rows), _AT_ONCE):
            self._publisher.publish(rows[start : start + _AT_ONCE])

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._look()
                self._stop.wait(self._look_s)
        except Corrupt as error:
            self._corrupt = error
            log.critical("completeness is not stated any more", **words_of(error))

    def _look(self) -> None:
        try:
            said = self._statements.once()
        except Transient as error:
            log.warning("completeness waits", **words_of(error))
        else:
            if said:
                log.info("completeness stated", count=said)
