"""The process behind ``ipx ledger run``: reads every log, keeps its tree, signs checkpoints, publishes them, gathers cosignatures.

A session reads back what is on disk and what the topic of checkpoints holds, then follows the logs; whatever is ``Transient`` ends it, and another
begins from disk. ``Corrupt`` ends the process: nothing is signed of any log any more until a person has looked.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaException

from services.codec import sm2
from services.codec.keys import Ed25519Signer, parse_private
from services.codec.log_keys import LEDGER
from services.kernel.errors import BadSettings, Corrupt, Transient
from services.kernel.ports import Clock
from services.ledger.heads import Heads
from services.ledger.quorum import Quorum
from services.ledger.session import Session, Tools
from services.ledger.settings import LedgerSettings
from services.ledger.telling import Telling
from services.members.registry import Registry
from services.runtime.topics import Topics, load_topics

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0
_TELL_S = 10.0


class Beside(Protocol):
    """A thread of its own."""

    def start(self) -> None:
        """Begins."""
        ...

    def stop(self) -> None:
        """Ends; blocks for a moment."""
        ...

    def require(self) -> None:
        """Raises ``Corrupt`` when it found a log not to be what it must be."""
        ...


class Ledger:
    """One process for all logs. ``run`` blocks; ``stop`` may be called from a signal handler."""

    def __init__(
        self,
        settings: LedgerSettings,
        clock: Clock,
        telling: Telling,
        members: Callable[[], Registry],
        members_there: Callable[[], object],
        quorum: Quorum,
        beside: Callable[[Ed25519Signer], Sequence[Beside]] = lambda _key: (),
    ) -> None:
        """``members_there`` blocks until the members log has been read to its end, ``Transient`` when it cannot be: a cosignature is judged by it.

        ``beside`` makes, once there is the key, what works beside on what the ledger has written.
        """
        self._settings = settings
        self._clock = clock
        self._telling = telling
        self._members = members
        self._members_there = members_there
        self._quorum = quorum
        self._beside = beside
        self._started: list[Beside] = []
        self._topics = Topics(settings.exchange_name)
        self._families = load_topics(replication=settings.kafka_replication).families
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends the work after the batch in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Works until it is stopped. Waits out every ``Transient``; raises ``Corrupt`` after ``/readyz`` has said so for a while.

        Refuses ``unknown-suite`` at once when SM3 is asked for and the extra ``gm`` is not installed.
        """
        if self._settings.ledger_sm3:
            sm2.library()
        with alone(self._settings.files_dir):
            try:
                self._sessions()
            except Corrupt as error:
                self._telling.corrupt(error)
                self._stopping.wait(_TELL_S)
                raise
            finally:
                for one in self._started:
                    one.stop()

    def _sessions(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            try:
                self._session()
                wait_s = _FIRST_WAIT_S
            except (Transient, KafkaException) as error:
                self._telling.away(error, wait_s)
                self._stopping.wait(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _session(self) -> None:
        signer = self._signer()
        self._members_there()
        if not self._started:
            self._started = list(self._beside(signer))
            for one in self._started:
                one.start()
        with ExitStack() as stack:
            tools = Tools(
                settings=self._settings,
                topics=self._topics,
                families=self._families,
                signer=signer,
                clock=self._clock,
                telling=self._telling,
                heads=Heads(self._settings.librdkafka(), self._topics),
                members=self._members,
                quorum=self._quorum,
            )
            stack.callback(tools.heads.close)
            session = Session(tools)
            stack.callback(session.close)
            session.begin()
            session.run(self._is_stopping)

    def _is_stopping(self) -> bool:
        for one in self._started:
            one.require()
        return self._stopping.is_set()

    def _signer(self) -> Ed25519Signer:
        try:
            signer = read_ledger_key(self._settings)
        except Transient:
            self._telling.checks.failed("key", f"there is no key of {LEDGER} yet: run `ipx members init`")
            raise
        self._telling.checks.passed("key")
        return signer


def read_ledger_key(settings: LedgerSettings) -> Ed25519Signer:
    """The private key of ``exchange.ledger``; ``Transient`` while its file is not there, ``BadSettings`` when it is another's."""
    path = settings.key_file
    try:
        signer = parse_private(path.read_text("utf-8").strip())
    except FileNotFoundError as error:
        raise Transient(f"{path.name} is not there yet: run `ipx members init`") from error
    if signer.public.participant != LEDGER:
        raise BadSettings(f"{path}: this is a key of {signer.public.participant}, expected one of {LEDGER}")
    return signer


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """One ledger writes these files; a second one is refused at the start, since both would sign."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(f"another ledger writes to {directory}; end it first") from error
        yield
