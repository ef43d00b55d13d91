"""How a schema looks as a dataclass: what the tests of each family compare the typed events with."""

from __future__ import annotations

import dataclasses
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from services.codec.schema_files import event_type_of, read_event_schemas
from services.events import EVENT_TYPES

SCHEMAS = {event_type_of(schema): schema for schema in read_event_schemas().values()}
_PRIMITIVE: dict[Any, str] = {str: "string", bool: "boolean", bytes: "bytes"}


def differences(family: str) -> list[str]:
    """Where typed events and schemas of a family are not one another's mirror: types, names, order, nullability, defaults."""
    found: list[str] = []
    types = {name for name in SCHEMAS if name.startswith(f"cn.ipx.{family}.")}
    found += sorted(types ^ {name for name in EVENT_TYPES if name.startswith(f"cn.ipx.{family}.")})
    for name in sorted(types & set(EVENT_TYPES)):
        found += _record(name, EVENT_TYPES[name], SCHEMAS[name], {})
    return found


def _record(where: str, cls: Any, schema: dict[str, Any], named: dict[str, Any]) -> list[str]:
    named[schema["name"]] = schema
    if not dataclasses.is_dataclass(cls):
        return [f"{where} is not a record in services/events"]
    hints = get_type_hints(cls)
    own = {field.name: field for field in dataclasses.fields(cls)}
    if list(own) != [field["name"] for field in schema["fields"]]:
        return [f"{where}: fields {list(own)} are not those of the schema"]
    found = [] if cls.__name__ == schema["name"] else [f"{where}: named {cls.__name__}"]
    for field in schema["fields"]:
        place = f"{where}.{field['name']}"
        found += _kind(place, hints[field["name"]], field["type"], named)
        stated = () if field.get("default") == [] else field.get("default", dataclasses.MISSING)
        if own[field["name"]].default != stated:
            found.append(f"{place}: the default is {own[field['name']].default!r}, the schema says {stated!r}")
    return found


def _kind(where: str, hint: Any, kind: Any, named: dict[str, Any]) -> list[str]:
    if isinstance(kind, str) and kind.rpartition(".")[2] in named:
        kind = named[kind.rpartition(".")[2]]
    match kind:
        case ["null", inner]:
            if get_origin(hint) is not UnionType or type(None) not in get_args(hint):
                return [f"{where}: nullable in the schema, not in the class"]
            (rest,) = (part for part in get_args(hint) if part is not type(None))
            return _kind(where, rest, inner, named)
        case {"type": "array", "items": items}:
            if get_origin(hint) is not tuple or get_args(hint)[1:] != (...,):
                return [f"{where}: an array is a tuple of any length"]
            return _kind(f"{where}[]", get_args(hint)[0], items, named)
        case {"type": "record"}:
            return _record(where, hint, kind, named)
        case {"type": "enum", "symbols": symbols}:
            named[kind["name"]] = kind
            good = get_origin(hint) is Literal and list(get_args(hint)) == symbols
            return [] if good else [f"{where}: the symbols are {symbols}"]
        case {"type": "int" | "long"} | "int" | "long":
            return [] if hint is int else [f"{where}: a whole number"]
        case str():
            return [] if _PRIMITIVE.get(hint) == kind else [f"{where}: {kind} in the schema, {hint} in the class"]
        case _:
            return [f"{where}: {kind} is not mirrored"]
