"""Typed event <-> plain value: the dict of primitives that the codec encodes and decodes.

Compiled once per record type, on first use. Neither direction checks a value against its schema: the codec has done so
before `from_value` is called, and does so when it encodes what `to_value` gives.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Value = dict[str, Any]
Convert = Callable[[Any], Any]
Record = TypeVar("Record")


def record_to_value(record: Any) -> Value:
    """The plain value of an event or nested record: dicts and lists, fields in schema order."""
    cls: Any = type(record)  # mypy does not take a type for hashable
    value: Value = _dumper(cls)(record)
    return value


def record_from_value(cls: type[Record], value: Value) -> Record:
    """The record of `cls` that a decoded value holds. A value with other fields raises TypeError: that is a bug."""
    key: Any = cls
    record: Record = _loader(key)(value)
    return record


@cache
def _dumper(cls: type) -> Convert:
    names = tuple(field.name for field in fields(cls))
    read = attrgetter(*names) if len(names) > 1 else lambda record: (getattr(record, names[0]),)
    nested = _conversions(cls, _dump_one)

    def dump(record: Any) -> Value:
        value = dict(zip(names, read(record), strict=True))
        for name, convert in nested:
            if (held := value[name]) is not None:
                value[name] = convert(held)
        return value

    return dump


@cache
def _loader(cls: type) -> Convert:
    nested = _conversions(cls, _load_one)

    def load(value: Value) -> Any:
        if not nested:
            return cls(**value)
        given = dict(value)
        for name, convert in nested:
            if (held := given.get(name)) is not None:
                given[name] = convert(held)
        return cls(**given)

    return load


def _conversions(cls: type, of: Callable[[Any], Convert | None]) -> tuple[tuple[str, Convert], ...]:
    """The fields of `cls` whose value is not passed on as it is, each with what converts it."""
    hints = get_type_hints(cls)
    found = ((field.name, of(_without_none(hints[field.name]))) for field in fields(cls))
    return tuple((name, convert) for name, convert in found if convert is not None)


def _without_none(hint: Any) -> Any:
    if get_origin(hint) is UnionType:
        return next(part for part in get_args(hint) if part is not type(None))
    return hint


def _dump_one(hint: Any) -> Convert | None:
    if is_dataclass(hint) and isinstance(hint, type):
        return _dumper(hint)
    if get_origin(hint) is tuple:
        item = _dump_one(get_args(hint)[0])
        return list if item is None else lambda held: [item(each) for each in held]
    return None


def _load_one(hint: Any) -> Convert | None:
    if is_dataclass(hint) and isinstance(hint, type):
        return _loader(hint)
    if get_origin(hint) is tuple:
        item = _load_one(get_args(hint)[0])
        return tuple if item is None else lambda held: tuple([item(each) for each in held])
    return None
