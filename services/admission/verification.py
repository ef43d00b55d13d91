"""Steps 4 and 5 of admission: whose key it is, and whether the signature holds; in chunks, beside the one that decodes.

(4) key of the source, valid at the statement's time · (5) signature. Step 4 is asked here; the arithmetic of step 5 is done by processes of
``verify_worker.py``. What they do not find good is looked at again here, which gives the refusal its code.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from services.admission.proposal import Checked
from services.admission.verify_worker import Question, pack
from services.codec.keys import PublicKey
from services.codec.signature import SUITE_OF, RootCache, parse_signature, verify
from services.events.member import ExchangeFounded
from services.kernel.data import ROOT_DIR
from services.kernel.errors import Refused, Transient
from services.members.registry import Registry
from services.runtime.faults import reach


def verify_one(checked: Checked, registry: Registry, root: PublicKey, roots: RootCache) -> Refused | None:
    """Why the statement does not count as the source's; None when it does. ``root`` is the key of the founding event."""
    try:
        # (4) key of the source, valid at the statement's time
        reach("admission.step4")
        signature = parse_signature(checked.signature)
        public_key = _public_key(checked, registry, root, signature.key_id, signature.suite)
        # (5) signature
        reach("admission.step5")
        if not verify(checked.text, signature, public_key, roots):
            return Refused(
                "bad-signature", f"the signature of key {signature.key_id} does not verify", field="ipxsignature"
            )
    except Refused as refused:
        return refused
    return None


def _public_key(checked: Checked, registry: Registry, root: PublicKey, key_id: str, suite: str) -> bytes:
    source = checked.statement.source
    if checked.statement.type == ExchangeFounded.TYPE:
        if (key_id, source, checked.value["public_key"]) != (root.key_id, root.participant, root.data):
            raise Refused(
                "unknown-key", f"the exchange is founded with its root key, {root.key_id}", field="ipxsignature"
            )
        return root.data
    return registry.signing_key(key_id, suite, source, checked.time_ms).public_key


def _question(checked: Checked, registry: Registry, root: PublicKey) -> Question | None:
    """What a worker is to be asked; None when there is no good key to ask about, which is then looked into here."""
    reach("admission.step4")
    suite, _, rest = checked.signature.partition(":")
    try:
        key = _public_key(checked, registry, root, rest.partition(":")[0], SUITE_OF.get(suite, ""))
    except Refused:
        return None
    reach("admission.step5")
    return key, checked.text, checked.signature.encode()


class Worker:
    """One verifying process. Used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.admission.verify_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT_DIR,
            env={name: value for name, value in os.environ.items() if not name.startswith("IPX_")},
        )

    def ask(self, questions: Sequence[Question]) -> bytes:
        """One byte for each question. Blocks; ``Transient`` when the process has ended."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None
        assert answers is not None
        try:
            requests.write(pack(questions))
            requests.flush()
            found = answers.read(len(questions))
        except (OSError, ValueError) as error:
            raise Transient(f"a verifying process has ended: {error}") from error
        if len(found) != len(questions):
            raise Transient("a verifying process has ended")
        return found

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not written yet is of no use any more
                    stream.close()


class Verifiers:
    """Verifies chunks in some processes, or in the calling thread when there are none."""

    def __init__(self, processes: int, root: PublicKey) -> None:
        self._root = root
        self._roots = RootCache()
        self._workers = [Worker() for _ in range(processes)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(max(processes, 1), thread_name_prefix="verify")

    def begin(self, chunk: Sequence[Checked], registry: Registry) -> Future[list[Refused | None]]:
        """Starts on a chunk; the result has one answer for each, in order. It raises ``Transient`` when a process has ended."""
        if not self._workers:
            future: Future[list[Refused | None]] = Future()
            future.set_result(self.verify_all(chunk, registry))
            return future
        questions = [_question(checked, registry, self._root) for checked in chunk]
        return self._threads.submit(self._answers, list(chunk), questions, registry)

    def verify_all(self, chunk: Sequence[Checked], registry: Registry) -> list[Refused | None]:
        """The same here and now; for one thread at a time."""
        return [verify_one(checked, registry, self._root, self._roots) for checked in chunk]

    def close(self) -> None:
        """Ends the processes; what was begun may raise ``Transient``."""
        for worker in self._workers:
            worker.close()
        self._threads.shutdown()

    def _answers(
        self, chunk: list[Checked], questions: list[Question | None], registry: Registry
    ) -> list[Refused | None]:
        worker = self._idle.get()
        try:
            found = worker.ask([question for question in questions if question is not None])
        finally:
            self._idle.put(worker)
        if len(found) == len(chunk) and found.count(1) == len(chunk):
            return [None] * len(chunk)
        good = iter(found)
        roots = RootCache()  # not the one of the other thread
        return [
            None if question is not None and next(good) else verify_one(checked, registry, self._root, roots)
            for checked, question in zip(chunk, questions, strict=True)
        ]
