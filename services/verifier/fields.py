"""Whether a typed event holds what its class says: a schema may bear the name of ours and have other types. Pure.

A dishonest operator can put such a schema into its log; what folds the members log is written for events whose types are right.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints


def has_its_types(record: Any) -> bool:
    """Whether every field of an event or nested record, and every item in it, is of the type that its class names."""
    cls: Any = type(record)
    return all(_is(getattr(record, name), hint) for name, hint in _hints(cls))


@cache
def _hints(cls: type) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(cls)
    return tuple((field.name, hints[field.name]) for field in fields(cls))


def _is(value: Any, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is UnionType:
        return any(_is(value, part) for part in get_args(hint))
    if origin is Literal:
        return isinstance(value, str)
    if origin is tuple:
        return isinstance(value, tuple) and all(_is(item, get_args(hint)[0]) for item in value)
    if hint is None or hint is NoneType:
        return value is None
    if is_dataclass(hint):
        return isinstance(value, hint) and has_its_types(value)  # type: ignore[arg-type]
    return type(value) is hint
