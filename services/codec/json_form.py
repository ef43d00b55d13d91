"""The plain JSON form of an event's data: what people write in examples and what travels over HTTP as JSON.

Specification: ``services/ledger/FORMAT.md`` section 5.3. By schema: null or the bare value for a nullable field, base64 (RFC 4648,
canonical) for bytes, `2026-11-24T06:11:37.123Z` for an instant, `2026-11-24` for a day, the symbol for an enum. A field that has
a default may be left out; an unknown field is refused, since a misspelt one would be lost without a word. There is one value for
a text, and one text for a value.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from services.codec.schema import EventSchema, Value
from services.kernel.errors import Refused
from services.kernel.instants import format_day, format_instant, parse_day, parse_instant

Place = tuple[Any, str | int] | None  # where the parent stands, and the name or index in it
Read = Callable[[Any, Place], Any]
Write = Callable[[Any], Any]

_BOUNDS: Final = {"int": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}
_NAMES: Final = {
    bool: "a boolean",
    int: "a whole number",
    float: "a number with a fraction or an exponent",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class JsonForm:
    """Both ways between plain JSON and a value of one schema, compiled once."""

    _read: Read
    _write: Write

    def read(self, document: Any) -> Value:
        """The value of parsed JSON, every field filled in.

        Refuses ``bad-field``, and ``bad-number`` a number out of range, naming the field by its path
        (``rights[0].holder.uscc``) and never repeating what it held.
        """
        value: Value = self._read(document, None)
        return value

    def write(self, value: Value) -> dict[str, Any]:
        """The JSON of a value that the schema encodes, nulls and defaults written out.

        Refuses ``bad-field`` an instant outside 1970 to 9999 or a day outside the years 1 to 9999, which have no text.
        """
        document: dict[str, Any] = self._write(value)
        return document


@lru_cache(maxsize=1024)
def json_form(schema: EventSchema) -> JsonForm:
    """The plain JSON form of a schema."""
    return JsonForm(*_Compiler(schema.json.get("namespace", "")).record(schema.json))


class _Compiler:
    """Walks one schema; a named type is defined at its first mention and meant by name after it."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._named: dict[str, tuple[Read, Write]] = {}

    def record(self, schema: dict[str, Any]) -> tuple[Read, Write]:
        """Both ways of a record; its name means it from here on."""
        outer, self._namespace = self._namespace, schema.get("namespace", self._namespace)
        fields = []
        for field in schema["fields"]:
            read, write = self._of(field["type"])
            fields.append((field["name"], read, write, "default" in field, _default(write, field.get("default"))))
        self._namespace = outer
        return self._define(schema, *_record(tuple(fields)))

    def _of(self, kind: Any) -> tuple[Read, Write]:
        match kind:
            case ["null", inner]:
                return _nullable(*self._of(inner))
            case {"type": "array", "items": items}:
                return _array(*self._of(items))
            case {"type": "record"}:
                return self.record(kind)
            case {"type": "enum", "symbols": symbols}:
                return self._define(kind, _enum(tuple(symbols)), _same)
            case {"type": "fixed", "size": size}:
                return self._define(kind, _fixed(size), _base64)
            case {"type": "long", "logicalType": "timestamp-millis"}:
                return _instant, _instant_text
            case {"type": "int", "logicalType": "date"}:
                return _day, format_day
            case {"type": str(plain)}:
                return self._of(plain)
            case "int" | "long":
                return _whole(*_BOUNDS[kind]), _same
            case "string":
                return _text, _same
            case "boolean":
                return _boolean, _same
            case "bytes":
                return _bytes, _base64
            case str():
                return self._named[kind if "." in kind else f"{self._namespace}.{kind}"]
            case _:
                raise Refused("bad-schema", f"a type without JSON form: {str(kind)[:80]}")

    def _define(self, schema: dict[str, Any], read: Read, write: Write) -> tuple[Read, Write]:
        self._named[f"{schema.get('namespace', self._namespace)}.{schema['name']}"] = (read, write)
        return read, write


def _record(fields: tuple[tuple[str, Read, Write, bool, Any], ...]) -> tuple[Read, Write]:
    names = frozenset(field[0] for field in fields)

    def read(document: Any, place: Place) -> Value:
        if not isinstance(document, dict):
            raise _bad(place, "an object", document)
        if not names >= document.keys():
            odd = min(str(name) for name in document if name not in names)
            raise _refused((place, odd[:80]), "there is no such field")
        value = {}
        for name, own, _, optional, default in fields:
            if name in document:
                value[name] = own(document[name], (place, name))
            elif optional:
                value[name] = [] if default == [] else default
            else:
                raise _refused((place, name), "the field is missing")
        return value

    def write(value: Value) -> dict[str, Any]:
        return {name: own(value[name]) for name, _, own, _, _ in fields}

    return read, write


def _default(write: Write, stated: Any) -> Any:
    """A default as a value: Avro writes one of bytes or fixed as a string of the code points 0 to 255."""
    return stated.encode("latin-1") if isinstance(stated, str) and write is _base64 else stated


def _nullable(read: Read, write: Write) -> tuple[Read, Write]:
    return (
        lambda document, place: None if document is None else read(document, place),
        lambda value: None if value is None else write(value),
    )


def _array(read: Read, write: Write) -> tuple[Read, Write]:
    def read_all(document: Any, place: Place) -> list[Any]:
        if not isinstance(document, list):
            raise _bad(place, "an array", document)
        return [read(item, (place, index)) for index, item in enumerate(document)]

    return read_all, lambda value: [write(item) for item in value]


def _enum(symbols: tuple[str, ...]) -> Read:
    def read(document: Any, place: Place) -> str:
        if document not in symbols:
            raise _refused(place, f"expected one of {', '.join(symbols)}")
        return str(document)

    return read


def _whole(least: int, most: int) -> Read:
    def read(document: Any, place: Place) -> int:
        if type(document) is not int:  # true is an int to Python, not to us
            raise _bad(place, "a whole number", document)
        if not least <= document <= most:
            raise _refused(place, f"expected a whole number from {least} to {most}", "bad-number")
        return document

    return read


def _boolean(document: Any, place: Place) -> bool:
    if not isinstance(document, bool):
        raise _bad(place, "true or false", document)
    return document


def _text(document: Any, place: Place) -> str:
    if not isinstance(document, str):
        raise _bad(place, "a string", document)
    if not document.isascii():
        try:
            document.encode()
        except UnicodeEncodeError as error:
            raise _refused(place, "half a surrogate pair is no text") from error
    return document


def _bytes(document: Any, place: Place) -> bytes:
    if not isinstance(document, str) or not document.isascii():
        raise _bad(place, "bytes in base64", document)
    try:
        data = a2b_base64(document)
    except Base64Error as error:
        raise _bad(place, "bytes in base64", document) from error
    if _base64(data) != document:
        raise _bad(place, "bytes in canonical base64", document)
    return data


def _fixed(size: int) -> Read:
    def read(document: Any, place: Place) -> bytes:
        data = _bytes(document, place)
        if len(data) != size:
            raise _refused(place, f"expected {size} bytes in base64, got {len(data)}")
        return data

    return read


def _instant(document: Any, place: Place) -> int:
    try:
        return parse_instant(document if isinstance(document, str) else "")
    except Refused as error:
        raise _bad(place, "an instant such as 2026-11-24T06:11:37.123Z", document) from error


def _instant_text(value: int) -> str:
    try:
        return format_instant(value)
    except Refused as error:
        raise Refused("bad-field", error.message) from error


def _day(document: Any, place: Place) -> int:
    try:
        return parse_day(document if isinstance(document, str) else "")
    except Refused as error:
        raise _bad(place, "a day such as 2026-11-24", document) from error


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _same(value: Any) -> Any:
    return value


def _bad(place: Place, expected: str, got: Any) -> Refused:
    return _refused(place, f"expected {expected}, got {_NAMES.get(type(got), 'something else')}")


def _refused(place: Place, sentence: str, code: str = "bad-field") -> Refused:
    where = _words(place) or "data"
    return Refused(code, f"{where}: {sentence}", field=where)


def _words(place: Place) -> str:
    if place is None:
        return ""
    before, own = _words(place[0]), place[1]
    if isinstance(own, int):
        return f"{before}[{own}]"
    return f"{before}.{own}" if before else own
