"""Puts the asking of witnesses of another make together, for the process of the ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator

from services.codec.http import HttpClient
from services.kernel.errors import Transient
from services.ledger.files import LogFiles, origins
from services.ledger.heads import Heads
from services.ledger.quorum import Quorum
from services.ledger.settings import LedgerSettings
from services.ledger.telling import Telling
from services.ledger.witnessing import Asking, Log, Outside, Verdict
from services.runtime import metrics as m
from services.runtime.topics import Topics


def ask_witnesses(settings: LedgerSettings, quorum: Quorum, telling: Telling) -> Asking:
    """Asks every ``[[foreign]]`` witness of the quorum about the candidates in the ledger's files, once it is started; ends with ``stop``.

    A thread of its own, with an HTTP client and a producer of its own, so that nothing waits for a witness. Without a foreign witness it does nothing.
    """
    topics = Topics(settings.exchange_name)
    heads: list[Heads] = []

    def publish(origin: str, note: bytes) -> None:
        """A producer that failed once is given up; the cosignature is asked for again."""
        if not heads:
            heads.append(Heads(settings.librdkafka(), topics))
        try:
            heads[0].publish(origin, note)
        except Transient:
            heads.pop().close()
            raise

    def tell(origin: str, witness: str, verdict: Verdict) -> None:
        telling.metrics.add(m.LEDGER_WITNESS_REQUESTS, outcome=verdict)
        if verdict is Verdict.CONTRADICTED:
            telling.log.error("a witness holds another history of this log", origin=origin, target=witness)
        elif verdict is not Verdict.COSIGNED:
            telling.log.warning("a witness did not cosign", origin=origin, target=witness, outcome=verdict)

    return Asking(
        [Outside(one.key, one.url) for one in quorum.foreign],
        lambda: _logs(settings),
        HttpClient(timeout_s=5.0, connections=4),
        publish,
        tell,
        time.monotonic,
    )


def _logs(settings: LedgerSettings) -> Iterator[Log]:
    for origin in origins(settings.files_dir):
        files = LogFiles(settings.files_dir / origin)
        yield Log(origin, files.candidate, files.read)
