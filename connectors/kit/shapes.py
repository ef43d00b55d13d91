"""The shape of a typed event as a mapping must know it: names, which of them are required, the records inside. Pure.

Checked twice: when a mapping is loaded, so that a misspelt field stops the node at start and not an event at night, and
on each mapped value, so that a refusal names the field that the city left empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from connectors.kit.converters import CANNOT_MAP
from services.events import EVENT_TYPES
from services.kernel.errors import BadSettings, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRefused:
    """Not an event: what the node tells a city's system about a happening of its own that the exchange refused."""

    TYPE = "cn.ipx.node.OutgoingRefused"

    item: str
    event: str
    type: str
    subject: str
    code: str
    field: str | None = None
    message_zh: str
    message_en: str


@dataclass(frozen=True, slots=True)
class Shape:
    """Names of a record; ``inner`` has the shape of each field that is a record or a list of records."""

    name: str
    names: frozenset[str]
    required: frozenset[str]
    inner: Mapping[str, Shape]


def shape_of(type_name: str) -> Shape:
    """Shape of an event type or of the node's own notice; ``BadSettings`` for a type that does not exist."""
    cls: type[Any] | None = OutgoingRefused if type_name == OutgoingRefused.TYPE else EVENT_TYPES.get(type_name)
    if cls is None:
        raise BadSettings(f"no event type {type_name!r}; known are {', '.join(sorted(EVENT_TYPES))}")
    return _shape(_hashable(cls))


@cache
def _shape(cls: type[Any]) -> Shape:
    hints = get_type_hints(cls)
    inner = {f.name: _shape(_hashable(kind)) for f in fields(cls) if (kind := _record_in(hints[f.name])) is not None}
    required = frozenset(f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)
    return Shape(cls.__name__, frozenset(f.name for f in fields(cls)), required, inner)


def _hashable(cls: type[Any]) -> Any:
    return cls  # mypy does not take a type for hashable


def _record_in(hint: Any) -> type[Any] | None:
    if get_origin(hint) is UnionType:
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def check_path(shape: Shape, path: str, where: str) -> None:
    """``BadSettings`` when the dotted path (list positions included) leads to no field of the event."""
    inner: Shape | None = shape
    for step in path.split("."):
        if step.isdigit():
            continue
        if inner is None or step not in inner.names:
            known = ", ".join(sorted(inner.names)) if inner else "nothing"
            raise BadSettings(f"{where}: {path!r} is no field of {shape.name}; at {step!r} there is {known}")
        inner = inner.inner.get(step)


def check_complete(shape: Shape, value: Mapping[str, Any], at: str = "") -> None:
    """Refuses ``cannot-map`` a value that lacks a required field, naming it."""
    for name in sorted(shape.required):
        if value.get(name) is None:
            raise Refused(CANNOT_MAP, "the city's record has nothing for this required field", field=f"{at}{name}")
    for name, inner in shape.inner.items():
        held = value.get(name)
        for item in held if isinstance(held, list) else [held] if held is not None else []:
            check_complete(inner, item, f"{at}{name}.")
