"""Signatures over statements: single, or one over the root of a tree of statements.

Specification: ``services/ledger/FORMAT.md`` section 3; Ed25519 as in RFC 8032, verified by libsodium (which refuses
non-canonical and small-order encodings). A batch signature costs one verification a batch: its root is remembered.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import nacl.bindings
import nacl.exceptions

from services.codec import merkle
from services.kernel.errors import Refused
from services.kernel.parties import PARTICIPANT_PATTERN
from services.kernel.ports import Signer

SINGLE = "ed25519"
BATCH = "ed25519-batch"
MAX_BATCH = 1 << 20
MAX_LINE_BYTES = 4096
_KEY_ID = rf"({PARTICIPANT_PATTERN}#[0-9a-f]{{16}})"
_B64_64 = r"([A-Za-z0-9+/]{85}[AQgw]==)"  # 64 bytes, the trailing bits zero: the one base64 text of them
_B64 = r"[A-Za-z0-9+/]+={0,2}"
_SINGLE = re.compile(rf"ed25519:{_KEY_ID}:{_B64_64}")
_BATCH = re.compile(rf"ed25519-batch:{_KEY_ID}:(0|[1-9][0-9]{{0,6}})/([1-9][0-9]{{0,6}}):(-|{_B64}):{_B64_64}")
_SUITE = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature line. ``path`` is None for a single signature."""

    key_id: str
    value: bytes
    index: int = 0
    size: int = 1
    path: tuple[bytes, ...] | None = None


def key_id_of(participant: str, public_key: bytes) -> str:
    """``<participant>#<first 16 hex digits of SHA-256 of the public key>``."""
    return f"{participant}#{hashlib.sha256(public_key).hexdigest()[:16]}"


def batch_message(size: int, root: bytes) -> bytes:
    """What a batch signature signs: never the bytes of a statement, so neither can be taken for the other."""
    return f"ipx-batch/v1\nsize: {size}\nroot: sha256:{root.hex()}\n".encode()


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def sign(statement: bytes, signer: Signer) -> str:
    """Signature line over one statement."""
    return f"{SINGLE}:{signer.key_id}:{_base64(signer.sign(statement))}"


def sign_batch(statements: Sequence[bytes], signer: Signer) -> list[str]:
    """A signature line for each statement, all resting on one signature over the root of their RFC 6962 tree."""
    if not 0 < len(statements) <= MAX_BATCH:
        raise Refused("bad-request", f"a batch has 1 to {MAX_BATCH} statements, got {len(statements)}")
    levels = merkle.levels_of([merkle.leaf_hash(s) for s in statements])
    size = len(statements)
    signed = _base64(signer.sign(batch_message(size, levels[-1][0])))
    lines = []
    for index in range(size):
        path = _base64(b"".join(merkle.path_in(levels, index))) or "-"
        lines.append(f"{BATCH}:{signer.key_id}:{index}/{size}:{path}:{signed}")
    return lines


def parse_signature(line: str) -> Signature:
    """Reads a signature line; refuses ``bad-signature`` or ``unknown-suite`` what neither signer would write."""
    if len(line) <= MAX_LINE_BYTES:
        if single := _SINGLE.fullmatch(line):
            return Signature(single[1], a2b_base64(single[2]))
        if batch := _BATCH.fullmatch(line):
            index, size = int(batch[2]), int(batch[3])
            if index < size <= MAX_BATCH:
                return Signature(batch[1], a2b_base64(batch[5]), index, size, _unpack_path(batch[4], index, size))
    suite = line[:48].partition(":")[0]
    if suite not in (SINGLE, BATCH) and _SUITE.fullmatch(suite):
        raise Refused(
            "unknown-suite", f"signature suite {suite!r} is not one of {SINGLE}, {BATCH}", field="ipxsignature"
        )
    raise Refused("bad-signature", "the signature line is not of the form taken", field="ipxsignature")


def _unpack_path(text: str, index: int, size: int) -> tuple[bytes, ...]:
    length = merkle.path_length(index, size)
    if text == "-" and length == 0:
        return ()
    if len(text) == (32 * length + 2) // 3 * 4:
        packed = a2b_base64(text)
        if len(packed) == 32 * length and _base64(packed) == text:
            return tuple(packed[i : i + 32] for i in range(0, len(packed), 32))
    raise Refused("bad-signature", f"the path of leaf {index} of {size} has {length} hashes", field="ipxsignature")


def verify_ed25519(public_key: bytes, message: bytes, value: bytes) -> bool:
    """Whether the signature is good; about 50 µs, releases the interpreter lock."""
    try:
        nacl.bindings.crypto_sign_open(value + message, public_key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


Batch = tuple[bytes, int, bytes]


class RootCache:
    """Batch signatures found good before, each with the last way up to its root; holds the last ``limit``. For one thread."""

    __slots__ = ("_good", "_limit")

    def __init__(self, limit: int = 4096) -> None:
        self._good: dict[Batch, merkle.Climb] = {}
        self._limit = limit

    def known(self, batch: Batch) -> merkle.Climb | None:
        """A good way up in the tree under that key, size and signature; None when it was not seen."""
        return self._good.get(batch)

    def add(self, batch: Batch, way: merkle.Climb) -> None:
        """Remembers a good way up, forgetting the oldest signature past the limit."""
        self._good[batch] = way
        if len(self._good) > self._limit:
            del self._good[next(iter(self._good))]


def verify(
    statement: bytes,
    signature: Signature,
    public_key: bytes,
    roots: RootCache,
    check: Callable[[bytes, bytes, bytes], bool] = verify_ed25519,
) -> bool:
    """Whether the signature by that key covers the statement. The key's validity is the caller's to check."""
    if signature.path is None:
        return check(public_key, statement, signature.value)
    batch = (public_key, signature.size, signature.value)
    known = roots.known(batch)
    way = merkle.climb(merkle.leaf_hash(statement), signature.index, signature.size, signature.path, known)
    if way is None:
        return False
    is_new = known is None or way.root != known.root
    if is_new and not check(public_key, batch_message(signature.size, way.root), signature.value):
        return False
    roots.add(batch, way)
    return True
