"""The guard: walks the bytes of a body before fastavro sees them, and lets only the one canonical encoding through.

Specification: ``services/ledger/FORMAT.md`` section 2.1. Why a walk of our own: fastavro 1.13 reads over-long varints, negative
indexes and counts, ints past 32 bits, booleans like 0x07 and trailing bytes, and builds what a hostile length asks for. The walk
allocates nothing, costs a third of decoding, and knows where each field ends, so that nothing need be encoded again to be hashed.

A guard is compiled once from a schema; a step is ``(body, at, room) -> at`` past the value, ``room[0]`` the array items still allowed.
A step that runs off the end raises IndexError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.kernel.errors import Refused

MAX_ITEMS = 10_000
MAX_DEPTH = 16

Step = Callable[[bytes, int, list[int]], int]
Fields = tuple[tuple[bool, Step], ...]

_TOO_LONG = "a number is not in its shortest form"


def compile_fields(document: dict[str, Any]) -> Fields:
    """Per field of a record schema whether null is allowed, and the step over its value.

    Refuses (``bad-schema``) what has no canonical form or no bound: maps, floating point, unions other than ``["null", T]``,
    recursion, items of zero bytes, nesting past 16.
    """
    return _Compiler().fields(document, document.get("namespace", ""), 0)


def walk(fields: Fields, body: bytes, at: int, room: list[int]) -> int:
    """Walks over a run of fields and says where it ends. Refuses ``undecodable``, ``not-canonical``, ``too-many-items``."""
    for optional, step in fields:
        if optional:
            branch = body[at]
            at += 1
            if branch == 0:
                continue
            if branch != 2:
                raise _bad_index(body, at - 1, 2, "union")
        at = step(body, at, room)
    return at


def _varint(body: bytes, at: int, bits: int) -> tuple[int, int]:
    """An unsigned varint of at most ``bits`` bits, still zig-zag, and where it ends."""
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift >= 70:
            raise Refused("undecodable", "a number has more than ten bytes")
    if byte == 0 and shift:
        raise Refused("not-canonical", _TOO_LONG)
    if value >> bits:
        raise Refused("undecodable", f"a number does not fit in {bits} bits")
    return value, at


def _long(body: bytes, at: int, _room: list[int]) -> int:
    return at + 1 if body[at] < 0x80 else _varint(body, at, 64)[1]


def _int(body: bytes, at: int, _room: list[int]) -> int:
    return at + 1 if body[at] < 0x80 else _varint(body, at, 32)[1]


def _text(body: bytes, at: int, _room: list[int]) -> int:
    """String or bytes. A length past the end ends up there: the caller compares with the size, or the next step runs off."""
    size = body[at]
    if size < 0x80:
        at += 1
    else:
        size, at = _varint(body, at, 64)
    if size & 1:
        raise Refused("undecodable", "a length is negative")
    return at + (size >> 1)


def _boolean(body: bytes, at: int, _room: list[int]) -> int:
    if body[at] > 1:
        raise Refused("not-canonical", f"a boolean is 0 or 1, got {body[at]}")
    return at + 1


def _bad_index(body: bytes, at: int, count: int, kind: str) -> Refused:
    raw, _ = _varint(body, at, 64)
    index = raw >> 1 ^ -(raw & 1)
    return Refused("undecodable", f"{kind} index {index} is not one of 0 to {count - 1}")


def _enum_step(count: int) -> Step:
    def step(body: bytes, at: int, _room: list[int]) -> int:
        raw, end = _varint(body, at, 64)
        if raw & 1 or raw >> 1 >= count:
            raise _bad_index(body, at, count, "enum")
        return end

    return step


def _fixed_step(size: int) -> Step:
    def step(_body: bytes, at: int, _room: list[int]) -> int:
        return at + size

    return step


def _record_step(fields: Fields) -> Step:
    def step(body: bytes, at: int, room: list[int]) -> int:
        return walk(fields, body, at, room)

    return step


def _array_step(item: Step) -> Step:
    def step(body: bytes, at: int, room: list[int]) -> int:
        if body[at] == 0:
            return at + 1
        count, at = _varint(body, at, 64)
        if count & 1:
            raise Refused("not-canonical", "an array block has a negative count")
        count >>= 1
        room[0] -= count
        if room[0] < 0:
            raise Refused("too-many-items", f"the body has more array items than the {MAX_ITEMS} that are allowed")
        for _ in range(count):
            at = item(body, at, room)
        if body[at] != 0:
            raise Refused("not-canonical", "an array has more than one block")
        return at + 1

    return step


_PRIMITIVE: dict[str, Step] = {"boolean": _boolean, "int": _int, "long": _long, "string": _text, "bytes": _text}


class _Compiler:
    """Walks one schema; a named type is defined at its first mention and meant by name after it."""

    def __init__(self) -> None:
        self._named: dict[str, Step] = {}

    def fields(self, record: dict[str, Any], namespace: str, depth: int) -> Fields:
        if not record["fields"]:
            raise Refused("bad-schema", f"record {record['name']} has no fields")
        return tuple(self._optional(field["type"], namespace, depth + 1) for field in record["fields"])

    def _optional(self, kind: Any, namespace: str, depth: int) -> tuple[bool, Step]:
        match kind:
            case ["null", inner] if inner != "null":
                return True, self._step(inner, namespace, depth)
            case list():
                raise Refused("bad-schema", 'the only union taken is ["null", T]')
            case _:
                return False, self._step(kind, namespace, depth)

    def _step(self, kind: Any, namespace: str, depth: int) -> Step:
        if depth > MAX_DEPTH:
            raise Refused("bad-schema", f"the schema nests deeper than {MAX_DEPTH}")
        match kind:
            case str():
                found = _PRIMITIVE.get(kind) or self._named.get(_full_name(kind, namespace))
                if found is None:
                    raise Refused(
                        "bad-schema", f"type {kind!r} is not taken: unknown, recursive, a map or floating point"
                    )
                return found
            case {"type": "record", "name": str(name)}:
                own = kind.get("namespace", namespace)
                return self._define(name, own, _record_step(self.fields(kind, own, depth)))
            case {"type": "enum", "name": str(name), "symbols": list(symbols)} if symbols:
                return self._define(name, kind.get("namespace", namespace), _enum_step(len(symbols)))
            case {"type": "fixed", "name": str(name), "size": int(size)} if size > 0:
                return self._define(name, kind.get("namespace", namespace), _fixed_step(size))
            case {"type": "array", "items": items}:
                optional, item = self._optional(items, namespace, depth + 1)
                return _array_step(_record_step(((True, item),)) if optional else item)
            case {"type": str(inner)} if inner in _PRIMITIVE:
                return _PRIMITIVE[inner]
            case _:
                raise Refused("bad-schema", f"this type is not taken: {str(kind)[:80]}")

    def _define(self, name: str, namespace: str, step: Step) -> Step:
        self._named[_full_name(name, namespace)] = step
        return step


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
