"""Signatures over statements: single, or one over the root of a tree of statements.

Specification: ``services/ledger/FORMAT.md`` section 3; Ed25519 as in RFC 8032, verified by libsodium (which refuses
non-canonical and small-order encodings). A batch signature costs one verification a batch: its root is remembered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import nacl.bindings
import nacl.exceptions

from services.codec import merkle
from services.kernel.errors import Refused
from services.kernel.ports import Signer

SINGLE = "ed25519"
BATCH = "ed25519-batch"
MAX_BATCH = 1 << 20
_KEY_ID = r"([a-z0-9._]{3,64}#[0-9a-f]{16})"
_B64 = r"([A-Za-z0-9+/]*={0,2})"
_SINGLE = re.compile(rf"ed25519:{_KEY_ID}:{_B64}")
_BATCH = re.compile(rf"ed25519-batch:{_KEY_ID}:(0|[1-9][0-9]{{0,6}})/([1-9][0-9]{{0,6}}):(-|{_B64[1:-1]}):{_B64}")
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


def sign(statement: bytes, signer: Signer) -> str:
    """Signature line over one statement."""
    return f"{SINGLE}:{signer.key_id}:{base64.b64encode(signer.sign(statement)).decode()}"


def sign_batch(statements: Sequence[bytes], signer: Signer) -> list[str]:
    """A signature line for each statement, all resting on one signature over the root of their RFC 6962 tree."""
    if not 0 < len(statements) <= MAX_BATCH:
        raise Refused("bad-request", f"a batch has 1 to {MAX_BATCH} statements, got {len(statements)}")
    levels = merkle.levels_of([merkle.leaf_hash(s) for s in statements])
    size = len(statements)
    signed = base64.b64encode(signer.sign(batch_message(size, levels[-1][0]))).decode()
    lines = []
    for index in range(size):
        path = base64.b64encode(b"".join(merkle.path_in(levels, index))).decode() or "-"
        lines.append(f"{BATCH}:{signer.key_id}:{index}/{size}:{path}:{signed}")
    return lines


def parse_signature(line: str) -> Signature:
    """Reads a signature line; refuses ``bad-signature`` or ``unknown-suite`` what neither signer would write."""
    if len(line) <= 4096:
        if single := _SINGLE.fullmatch(line):
            return Signature(single[1], _unpack(single[2], 64, 64))
        if batch := _BATCH.fullmatch(line):
            index, size = int(batch[2]), int(batch[3])
            if index < size <= MAX_BATCH:
                packed = b"" if batch[4] == "-" else _unpack(batch[4], 32, 32 * 20)
                path = tuple(packed[i : i + 32] for i in range(0, len(packed), 32))
                return Signature(batch[1], _unpack(batch[5], 64, 64), index, size, path)
    suite = line.partition(":")[0]
    if suite not in (SINGLE, BATCH) and _SUITE.fullmatch(suite):
        raise Refused(
            "unknown-suite", f"signature suite {suite!r} is not one of {SINGLE}, {BATCH}", field="ipxsignature"
        )
    raise Refused("bad-signature", "the signature line is not of the form taken", field="ipxsignature")


def _unpack(text: str, least: int, most: int) -> bytes:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise Refused("bad-signature", "the signature is not base64", field="ipxsignature") from error
    if not least <= len(data) <= most or len(data) % 32 or base64.b64encode(data).decode() != text:
        raise Refused(
            "bad-signature", f"the signature part has {len(data)} bytes or is not canonical", field="ipxsignature"
        )
    return data


def verify_ed25519(public_key: bytes, message: bytes, value: bytes) -> bool:
    """Whether the signature is good; about 50 µs, releases the interpreter lock."""
    try:
        nacl.bindings.crypto_sign_open(value + message, public_key)
    except (nacl.exceptions.BadSignatureError, ValueError):
        return False
    return True


class RootCache:
    """Batch roots found good before; holds the last ``limit``. Not shared between threads."""

    __slots__ = ("_good", "_limit")

    def __init__(self, limit: int = 4096) -> None:
        self._good: dict[tuple[bytes, int, bytes, bytes], None] = {}
        self._limit = limit

    def __contains__(self, item: tuple[bytes, int, bytes, bytes]) -> bool:
        return item in self._good

    def add(self, item: tuple[bytes, int, bytes, bytes]) -> None:
        """Remembers a good root, forgetting the oldest past the limit."""
        self._good[item] = None
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
    root = merkle.root_from_path(merkle.leaf_hash(statement), signature.index, signature.size, signature.path)
    if root is None:
        return False
    item = (public_key, signature.size, root, signature.value)
    if item in roots:
        return True
    if not check(public_key, batch_message(signature.size, root), signature.value):
        return False
    roots.add(item)
    return True
