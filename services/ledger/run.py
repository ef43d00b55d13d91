"""The process behind ``ipx ledger run``: reads every log, keeps its tree, signs checkpoints, publishes them, gathers cosignatures.

A session reads back what is on disk and what the topic of checkpoints holds, then follows the logs; whatever is ``Transient`` ends it, and another
begins from disk. ``Corrupt`` ends the process: nothing is signed of any log any more until a person has looked.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.codec.keys import Ed25519Signer, parse_private
from services.codec.log_keys import LEDGER
from services.kernel.errors import BadSettings, Corrupt, Transient
from services.kernel.ports import Clock
from services.ledger.gathering import PolicyOf
from services.ledger.heads import Heads
from services.ledger.session import Session, Tools
from services.ledger.settings import LedgerSettings
from services.ledger.telling import Telling
from services.members.registry import Registry
from services.runtime.topics import Topics, load_topics

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0
_TELL_S = 10.0


class Ledger:
    """One process for all logs. ``run`` blocks; ``stop`` may be called from a signal handler."""

    def __init__(
        self,
        settings: LedgerSettings,
        clock: Clock,
        telling: Telling,
        members: Callable[[], Registry],
        policy_of: PolicyOf,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._telling = telling
        self._members = members
        self._policy_of = policy_of
        self._topics = Topics(settings.exchange_name)
        self._families = load_topics(replication=settings.kafka_replication).families
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends the work after the batch in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Works until it is stopped. Waits out every ``Transient``; raises ``Corrupt`` after ``/readyz`` has said so for a while."""
        wait_s = _FIRST_WAIT_S
        with _alone(self._settings.files_dir):
            while not self._stopping.is_set():
                try:
                    self._session()
                    wait_s = _FIRST_WAIT_S
                except Transient as error:
                    self._telling.away(error, wait_s)
                    self._stopping.wait(wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
                except Corrupt as error:
                    self._telling.corrupt(error)
                    self._stopping.wait(_TELL_S)
                    raise

    def _session(self) -> None:
        signer = self._signer()
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
                policy_of=self._policy_of,
            )
            stack.callback(tools.heads.close)
            session = Session(tools)
            stack.callback(session.close)
            session.begin()
            session.run(self._stopping.is_set)

    def _signer(self) -> Ed25519Signer:
        path = self._settings.key_file
        try:
            signer = parse_private(path.read_text("utf-8").strip())
        except FileNotFoundError as error:
            self._telling.checks.failed("key", f"there is no key of {LEDGER} yet: run `ipx members init`")
            raise Transient(f"{path.name} is not there yet") from error
        if signer.public.participant != LEDGER:
            raise BadSettings(f"{path}: this is a key of {signer.public.participant}, expected one of {LEDGER}")
        self._telling.checks.passed("key")
        return signer


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """One ledger writes these files; a second one is refused at the start, since both would sign."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadSettings(f"another ledger writes to {directory}") from error
        yield
