"""Reading the fields of a parsed TOML document: every key is known, every value has its kind, or BadSettings says where.

Used by whoever reads a document of the project's own: tables that are not CSV, files of cases.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from services.kernel.errors import BadSettings

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def read_document(path: Path) -> dict[str, Any]:
    """The document in a TOML file. BadSettings when it is away or is not TOML; blocks on the disk."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path.name} cannot be read: {error}") from error


def only(document: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuses a key that nobody reads: it would be a rule that is not applied."""
    unknown = sorted(set(document) - known)
    if unknown:
        raise BadSettings(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def text(document: Mapping[str, Any], key: str, where: str) -> str:
    """A text that is not blank."""
    value = document.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadSettings(f"{where}: {key} must be a text, got {value!r}")
    return value


def one_of(document: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str) -> str:
    """A text out of a closed list."""
    value = text(document, key, where)
    if value not in allowed:
        raise BadSettings(f"{where}: {key} is one of {', '.join(allowed)}, not {value!r}")
    return value


def number(document: Mapping[str, Any], key: str, where: str) -> int:
    """A whole number from 1."""
    value = document.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadSettings(f"{where}: {key} must be a whole number from 1, got {value!r}")
    return value


def number_or_none(document: Mapping[str, Any], key: str, where: str) -> int | None:
    """A whole number from 1, or None when the key is not there."""
    return number(document, key, where) if key in document else None


def day(document: Mapping[str, Any], key: str, where: str) -> int:
    """A date, as days since 1970-01-01."""
    return _day(document.get(key), key, where)


def day_or_none(document: Mapping[str, Any], key: str, where: str) -> int | None:
    """A date, or None when the key is not there."""
    return day(document, key, where) if key in document else None


def days(document: Mapping[str, Any], key: str, where: str) -> tuple[int, ...]:
    """A list of dates; none when the key is not there."""
    return tuple(_day(value, key, where) for value in _list(document, key, where))


def texts(document: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    """A list of texts, no one twice; none when the key is not there."""
    values = _list(document, key, where)
    if not all(isinstance(value, str) and value for value in values) or len(set(values)) != len(values):
        raise BadSettings(f"{where}: {key} must be a list of texts, no one twice, got {values!r}")
    return tuple(values)


def tables(document: Mapping[str, Any], key: str, where: str) -> tuple[Mapping[str, Any], ...]:
    """A list of tables; none when the key is not there."""
    values = _list(document, key, where)
    if not all(isinstance(value, dict) for value in values):
        raise BadSettings(f"{where}: {key} must be a list of tables")
    return tuple(values)


def _list(document: Mapping[str, Any], key: str, where: str) -> list[Any]:
    values = document.get(key, [])
    if not isinstance(values, list):
        raise BadSettings(f"{where}: {key} must be a list, got {values!r}")
    return values


def _day(value: object, key: str, where: str) -> int:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise BadSettings(f"{where}: {key} must be a date like 2026-11-24, got {value!r}")
    return value.toordinal() - _EPOCH_DAY
