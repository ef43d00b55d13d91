"""Steps 4 and 5 of admission: whose key it is, and whether the signature holds; in chunks, on a few threads.

(4) key of the source, valid at the statement's time · (5) signature. libsodium releases the interpreter lock, so the threads work
beside the one that decodes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from services.admission.proposal import Checked
from services.codec.keys import PublicKey
from services.codec.signature import SINGLE, RootCache, parse_signature, verify
from services.events.member import ExchangeFounded
from services.kernel.errors import Refused
from services.members.registry import Registry
from services.runtime.faults import reach


def verify_one(checked: Checked, registry: Registry, root: PublicKey, roots: RootCache) -> Refused | None:
    """Why the statement does not count as the source's; None when it does. ``root`` is the key of the founding event."""
    try:
        # (4) key of the source, valid at the statement's time
        reach("admission.step4")
        signature = parse_signature(checked.signature)
        public_key = _public_key(checked, registry, root, signature.key_id)
        # (5) signature
        reach("admission.step5")
        if not verify(checked.text, signature, public_key, roots):
            return Refused(
                "bad-signature", f"the signature of key {signature.key_id} does not verify", field="ipxsignature"
            )
    except Refused as refused:
        return refused
    return None


def _public_key(checked: Checked, registry: Registry, root: PublicKey, key_id: str) -> bytes:
    source = checked.statement.source
    if checked.statement.type == ExchangeFounded.TYPE:
        if (key_id, source, checked.value["public_key"]) != (root.key_id, root.participant, root.data):
            raise Refused(
                "unknown-key", f"the exchange is founded with its root key, {root.key_id}", field="ipxsignature"
            )
        return root.data
    key = registry.key(key_id, checked.time_ms)
    if key.participant != source:
        raise Refused("key-not-of-source", f"key {key_id} is not of {source}", field="ipxsignature")
    if key.suite != SINGLE:
        raise Refused("unknown-suite", f"key {key_id} is of suite {key.suite}", field="ipxsignature")
    return key.public_key


class Verifiers:
    """A few threads that verify chunks; each remembers the roots of batch signatures that it found good."""

    def __init__(self, threads: int, root: PublicKey) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="verify")
        self._root = root
        self._own = threading.local()

    def begin(self, chunk: Sequence[Checked], registry: Registry) -> Future[list[Refused | None]]:
        """Starts on a chunk; the result has one answer for each, in order."""
        return self._pool.submit(self.verify_all, chunk, registry)

    def verify_all(self, chunk: Sequence[Checked], registry: Registry) -> list[Refused | None]:
        """The same in the calling thread."""
        roots: RootCache | None = getattr(self._own, "roots", None)
        if roots is None:
            roots = self._own.roots = RootCache()
        return [verify_one(checked, registry, self._root, roots) for checked in chunk]

    def close(self) -> None:
        """Ends the threads when they have finished what was begun."""
        self._pool.shutdown()
