"""The strict reader: Avro bytes to a value in one pass, and only if they are the one canonical encoding of it.

Specification: Apache Avro 1.12 binary encoding, narrowed by ``services/ledger/FORMAT.md`` section 2.1. Why a reader of our own: fastavro
1.13 takes over-long varints, negative indexes and counts, ints past 32 bits, booleans like 0x07 and trailing bytes, and dies on
recursive values; to be sure one must encode again and compare, at four times the cost of this pass, which also knows where each
field ends and so what a commitment hashes. fastavro writes; each value it writes is read back by this reader.

Compiled once from a schema; a step is ``(body, at, room) -> (value, at)`` past the value, ``room[0]`` the array items still allowed.
A step that runs off the end raises IndexError; a length past the end ends up past the end, which the caller sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.kernel.errors import Refused

MAX_ITEMS = 10_000
MAX_DEPTH = 16

Step = Callable[[bytes, int, list[int]], tuple[Any, int]]
Fields = tuple[tuple[str, bool, Step], ...]


def compile_fields(document: dict[str, Any]) -> Fields:
    """Per field of a record schema its name, whether null is allowed, and the step over its value.

    Refuses (``bad-schema``) what has no canonical form or no bound: maps, floating point, unions other than ``["null", T]``,
    recursion, items of zero bytes, nesting past 16.
    """
    return _Compiler().fields(document, document.get("namespace", ""), 0)


def read_fields(fields: Fields, body: bytes, at: int, room: list[int], value: dict[str, Any]) -> int:
    """Reads a run of fields into ``value`` and says where it ends.

    Refuses ``undecodable``, ``not-canonical``, ``too-many-items``; IndexError when the body ends before.
    """
    for name, optional, step in fields:
        if optional:
            branch = body[at]
            at += 1
            if branch == 0:
                value[name] = None
                continue
            if branch != 2:
                raise _bad_index(body, at - 1, 2, "union")
        value[name], at = step(body, at, room)
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
        raise Refused("not-canonical", "a number is not in its shortest form")
    if value >> bits:
        raise Refused("undecodable", f"a number does not fit in {bits} bits")
    return value, at


def _long(body: bytes, at: int, _room: list[int]) -> tuple[int, int]:
    raw, at = _varint(body, at, 64)
    return raw >> 1 ^ -(raw & 1), at


def _int(body: bytes, at: int, _room: list[int]) -> tuple[int, int]:
    raw, at = _varint(body, at, 32)
    return raw >> 1 ^ -(raw & 1), at


def _length(body: bytes, at: int) -> tuple[int, int]:
    """A length of a string or of bytes, and where it ends."""
    raw, at = _varint(body, at, 64)
    if raw & 1:
        raise Refused("undecodable", "a length is negative")
    return raw >> 1, at


def _bytes(body: bytes, at: int, _room: list[int]) -> tuple[bytes, int]:
    size, at = _length(body, at)
    end = at + size
    return body[at:end], end


def _string(body: bytes, at: int, _room: list[int]) -> tuple[str, int]:
    size = body[at]
    if size & 0x81:
        size, at = _length(body, at)
    else:  # written out, since most of a body is short texts
        size >>= 1
        at += 1
    end = at + size
    return body[at:end].decode(), end


def _boolean(body: bytes, at: int, _room: list[int]) -> tuple[bool, int]:
    byte = body[at]
    if byte > 1:
        raise Refused("not-canonical", f"a boolean is 0 or 1, got {byte}")
    return byte == 1, at + 1


def _bad_index(body: bytes, at: int, count: int, kind: str) -> Refused:
    raw, _ = _varint(body, at, 64)
    return Refused("undecodable", f"{kind} index {raw >> 1 ^ -(raw & 1)} is not one of 0 to {count - 1}")


def _enum_step(symbols: tuple[str, ...]) -> Step:
    def step(body: bytes, at: int, _room: list[int]) -> tuple[str, int]:
        raw, end = _varint(body, at, 64)
        if raw & 1 or raw >> 1 >= len(symbols):
            raise _bad_index(body, at, len(symbols), "enum")
        return symbols[raw >> 1], end

    return step


def _fixed_step(size: int) -> Step:
    def step(body: bytes, at: int, _room: list[int]) -> tuple[bytes, int]:
        return body[at : at + size], at + size

    return step


def _record_step(fields: Fields) -> Step:
    def step(body: bytes, at: int, room: list[int]) -> tuple[dict[str, Any], int]:
        value: dict[str, Any] = {}
        at = read_fields(fields, body, at, room, value)
        return value, at

    return step


def _nullable_step(step: Step) -> Step:
    fields = (("", True, step),)

    def nullable(body: bytes, at: int, room: list[int]) -> tuple[Any, int]:
        value: dict[str, Any] = {}
        at = read_fields(fields, body, at, room, value)
        return value[""], at

    return nullable


def _array_step(item: Step) -> Step:
    def step(body: bytes, at: int, room: list[int]) -> tuple[list[Any], int]:
        items: list[Any] = []
        if body[at] == 0:
            return items, at + 1
        count, at = _varint(body, at, 64)
        if count & 1:
            raise Refused("not-canonical", "an array block has a negative count")
        count >>= 1
        room[0] -= count
        if room[0] < 0:
            raise Refused("too-many-items", f"the body has more array items than the {MAX_ITEMS} that are allowed")
        for _ in range(count):
            value, at = item(body, at, room)
            items.append(value)
        if body[at] != 0:
            raise Refused("not-canonical", "an array has more than one block")
        return items, at + 1

    return step


_PRIMITIVE: dict[str, Step] = {"boolean": _boolean, "int": _int, "long": _long, "string": _string, "bytes": _bytes}


class _Compiler:
    """Walks one schema; a named type is defined at its first mention and meant by name after it."""

    def __init__(self) -> None:
        self._named: dict[str, Step] = {}

    def fields(self, record: dict[str, Any], namespace: str, depth: int) -> Fields:
        """Name, nullability and step of each field of a record; refuses ``bad-schema``."""
        if not record["fields"]:
            raise Refused("bad-schema", f"record {record['name']} has no fields")
        for field in record["fields"]:
            if field.get("default") and isinstance(field["default"], list | dict):
                raise Refused("bad-schema", f"field {field['name']}: of arrays only the empty one can be a default")
        return tuple(
            (field["name"], *self._optional(field["type"], namespace, depth + 1)) for field in record["fields"]
        )

    def _optional(self, kind: Any, namespace: str, depth: int) -> tuple[bool, Step]:
        match kind:
            case ["null", inner]:
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
                        "bad-schema", f"type {kind!r} is not taken: unknown, recursive, null or floating point"
                    )
                return found
            case {"type": "record", "name": str(name)}:
                own = kind.get("namespace", namespace)
                return self._define(name, own, _record_step(self.fields(kind, own, depth)))
            case {"type": "enum", "name": str(name), "symbols": [_, *_] as symbols}:
                return self._define(name, kind.get("namespace", namespace), _enum_step(tuple(symbols)))
            case {"type": "fixed", "name": str(name), "size": int(size)} if size > 0:
                return self._define(name, kind.get("namespace", namespace), _fixed_step(size))
            case {"type": "array", "items": items}:
                optional, item = self._optional(items, namespace, depth + 1)
                return _array_step(_nullable_step(item) if optional else item)
            case {"type": str(inner)} if inner in _PRIMITIVE:
                return _PRIMITIVE[inner]
            case _:
                raise Refused("bad-schema", f"this type is not taken: {str(kind)[:80]}")

    def _define(self, name: str, namespace: str, step: Step) -> Step:
        self._named[_full_name(name, namespace)] = step
        return step


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
