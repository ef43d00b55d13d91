"""The partition of a subject: murmur2 as Kafka's default partitioner, so that a subject has one place whoever proposes it."""

from __future__ import annotations

from functools import cache
from struct import Struct

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C


@cache
def _words(count: int) -> Struct:
    return Struct(f"<{count}I")


def murmur2(key: bytes) -> int:
    """Kafka's murmur2 hash of a key, unsigned 32 bits (org.apache.kafka.common.utils.Utils.murmur2)."""
    size = len(key)
    whole = size >> 2
    h = _SEED ^ size
    for word in _words(whole).unpack_from(key):
        k = word * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = h * _M & _MASK ^ k
    rest = key[whole << 2 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives a record with that key."""
    return 0 if partitions == 1 else (murmur2(key) & 0x7FFFFFFF) % partitions
