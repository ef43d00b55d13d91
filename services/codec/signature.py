"""Signatures over statements: single, or one over the root of a tree of statements.

Specification: ``services/ledger/FORMAT.md`` section 3; Ed25519 as in RFC 8032, verified by libsodium (which refuses
non-canonical and small-order encodings), and SM2 over SM3 (``sm2.py``), whose trees are over SM3 too. A batch signature costs one
verification a batch: its root is remembered. The suite of a key shows in its length, 32 bytes or 64: a signature of the other suite is never good.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import nacl.bindings
import nacl.exceptions

from services.codec import merkle, sm2, sm3_tree
from services.kernel.errors import Refused
from services.kernel.parties import PARTICIPANT_PATTERN
from services.kernel.ports import Signer

SINGLE = "ed25519"
BATCH = "ed25519-batch"
SM2 = sm2.SUITE
SM2_BATCH = "sm2-sm3-batch"
SUITE_OF: Final[Mapping[str, str]] = MappingProxyType({SINGLE: SINGLE, BATCH: SINGLE, SM2: SM2, SM2_BATCH: SM2})
"""What a signature line may begin with, and the suite of the key that makes such a line."""
MAX_BATCH = 1 << 20
MAX_LINE_BYTES = 4096
_KEY_ID = rf"({PARTICIPANT_PATTERN}#[0-9a-f]{{16}})"
_B64_64 = r"([A-Za-z0-9+/]{85}[AQgw]==)"  # 64 bytes, the trailing bits zero: the one base64 text of them
_B64 = r"[A-Za-z0-9+/]+={0,2}"
_SINGLE = re.compile(rf"({SINGLE}|{SM2}):{_KEY_ID}:{_B64_64}")
_BATCH = re.compile(rf"({SINGLE}|{SM2})-batch:{_KEY_ID}:(0|[1-9][0-9]{{0,6}})/([1-9][0-9]{{0,6}}):(-|{_B64}):{_B64_64}")
_SUITE = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Signature:
    """A parsed signature line. ``path`` is None for a single signature; ``suite`` is that of the key."""

    key_id: str
    value: bytes
    index: int = 0
    size: int = 1
    path: tuple[bytes, ...] | None = None
    suite: str = SINGLE


@lru_cache(maxsize=4096)
def key_id_of(participant: str, public_key: bytes) -> str:
    """``<participant>#<first 16 hex digits of SHA-256 of the public key>``."""
    return f"{participant}#{hashlib.sha256(public_key).hexdigest()[:16]}"


def batch_message(size: int, root: bytes, hash_name: str = "sha256") -> bytes:
    """What a batch signature signs: never the bytes of a statement, so neither can be taken for the other."""
    return f"ipx-batch/v1\nsize: {size}\nroot: {hash_name}:{root.hex()}\n".encode()


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def sign(statement: bytes, signer: Signer) -> str:
    """Signature line over one statement."""
    return f"{signer.suite}:{signer.key_id}:{_base64(signer.sign(statement))}"


def sign_batch(statements: Sequence[bytes], signer: Signer) -> list[str]:
    """A signature line for each statement, all resting on one signature over the root of their RFC 6962 tree.

    Refuses ``bad-request`` no statement or too many, ``unknown-suite`` SM2 without its extra.
    """
    if not 0 < len(statements) <= MAX_BATCH:
        raise Refused("bad-request", f"a batch has 1 to {MAX_BATCH} statements, got {len(statements)}")
    suite = _SUITES[signer.suite]
    levels = merkle.levels_of([suite.hash_leaf(s) for s in statements], suite.hash_node)
    size = len(statements)
    signed = _base64(signer.sign(batch_message(size, levels[-1][0], suite.hash_name)))
    lines = []
    for index in range(size):
        path = _base64(b"".join(merkle.path_in(levels, index))) or "-"
        lines.append(f"{signer.suite}-batch:{signer.key_id}:{index}/{size}:{path}:{signed}")
    return lines


def parse_signature(line: str) -> Signature:
    """Reads a signature line; refuses ``bad-signature`` or ``unknown-suite`` what neither signer would write."""
    if len(line) <= MAX_LINE_BYTES:
        if single := _SINGLE.fullmatch(line):
            return Signature(single[2], a2b_base64(single[3]), suite=single[1])
        if batch := _BATCH.fullmatch(line):
            index, size = int(batch[3]), int(batch[4])
            if index < size <= MAX_BATCH:
                path = _unpack_path(batch[5], index, size)
                return Signature(batch[2], a2b_base64(batch[6]), index, size, path, batch[1])
    suite = line[:48].partition(":")[0]
    if suite not in SUITE_OF and _SUITE.fullmatch(suite):
        raise Refused(
            "unknown-suite", f"signature suite {suite!r} is not one of {', '.join(SUITE_OF)}", field="ipxsignature"
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


@dataclass(frozen=True, slots=True)
class _Suite:
    hash_name: str
    hash_leaf: Callable[[bytes], bytes]
    hash_node: merkle.HashNode
    check: Callable[[bytes, bytes, bytes], bool]


_SUITES: Final[Mapping[str, _Suite]] = MappingProxyType(
    {
        SINGLE: _Suite("sha256", merkle.leaf_hash, merkle.node_hash, verify_ed25519),
        SM2: _Suite("sm3", sm3_tree.leaf_hash, sm3_tree.node_hash, sm2.verify),
    }
)
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
    check: Callable[[bytes, bytes, bytes], bool] | None = None,
) -> bool:
    """Whether the signature by that key covers the statement. The key's validity, and that it is of that suite, are the caller's to check.

    Refuses ``unknown-suite`` a signature by SM2 where its extra is not installed. ``check`` replaces the arithmetic of the suite.
    """
    suite = _SUITES[signature.suite]
    check = check or suite.check
    if signature.path is None:
        return check(public_key, statement, signature.value)
    batch = (public_key, signature.size, signature.value)
    known = roots.known(batch)
    leaf = suite.hash_leaf(statement)
    way = merkle.climb(leaf, signature.index, signature.size, signature.path, known, suite.hash_node)
    if way is None:
        return False
    is_new = known is None or way.root != known.root
    if is_new and not check(public_key, batch_message(signature.size, way.root, suite.hash_name), signature.value):
        return False
    roots.add(batch, way)
    return True
