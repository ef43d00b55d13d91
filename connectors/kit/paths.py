"""Dotted paths into JSON documents: ``anjian.dangshiren.0.mingcheng``. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from services.kernel.errors import BadSettings

MISSING: Any = object()


def lookup(document: Any, path: str) -> Any:
    """What stands at the path, or ``MISSING``; an empty path is the document itself. Never raises for a document."""
    found = document
    for step in _steps(path):
        if isinstance(found, dict):
            found = found.get(step, MISSING)
        elif isinstance(found, list) and step.isascii() and step.isdigit():
            found = found[int(step)] if int(step) < len(found) else MISSING
        else:
            return MISSING
        if found is MISSING:
            return MISSING
    return found


def place(document: dict[str, Any], path: str, value: Any) -> None:
    """Puts the value at the path, making the objects on the way; ``BadSettings`` when something else stands there."""
    *steps, last = _steps(path)
    inner = document
    for step in steps:
        inner = inner.setdefault(step, {})
        if not isinstance(inner, dict):
            raise BadSettings(f"path {path} leads through {step}, which is not an object")
    inner[last] = value


@lru_cache(maxsize=8192)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()
