"""How the platform is: ``state.json``, replaced as a whole at every change, so that a reader never sees half of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from services.kernel.errors import Corrupt

VERSION = 1


class Condition(StrEnum):
    """What a part is doing."""

    WAITING = "waiting"  # for a part it needs
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"  # it ended and will be started again
    STOPPED = "stopped"
    EXTERNAL = "external"  # settings point at a service that is not ours


@dataclass(frozen=True, slots=True)
class PartState:
    """One part. ``created`` is the process's start as the operating system tells it: pid and created are one process."""

    condition: Condition = Condition.WAITING
    pid: int | None = None
    created: float | None = None
    port: int | None = None
    since_ms: int = 0
    restarts: int = 0
    was_ready: bool = False
    error: str | None = None
    log: str | None = None
    details: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlatformState:
    """The supervisor and its parts, in the order they are started."""

    exchange: str = "ipx"
    pid: int | None = None
    created: float | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, PartState] = field(default_factory=dict)
    bootstrap: str = "waiting"

    def with_part(self, name: str, **changes: Any) -> PlatformState:
        """The same with one part changed."""
        part = replace(self.parts.get(name, PartState()), **changes)
        return replace(self, parts={**self.parts, name: part})

    @property
    def not_ready(self) -> tuple[str, ...]:
        """Parts that are neither ready nor somebody else's."""
        good = (Condition.READY, Condition.EXTERNAL)
        return tuple(name for name, part in self.parts.items() if part.condition not in good)


def read_state(path: Path) -> PlatformState | None:
    """The state as last written, None when there is none; ``Corrupt`` when the file is not one of ours."""
    try:
        return parse_state(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def write_state(path: Path, state: PlatformState) -> None:
    """Replaces the file; readable by its owner alone, since it holds the database's address with its password."""
    fresh = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(format_state(state))
    fresh.replace(path)


def format_state(state: PlatformState) -> str:
    """One JSON object; a part's details (url, dsn, management_port) stand beside its other fields."""
    parts = {name: _flat(part) for name, part in state.parts.items()}
    return json.dumps({"version": VERSION, **asdict(replace(state, parts={})), "parts": parts}, indent=1) + "\n"


def parse_state(text: str) -> PlatformState:
    """The inverse of ``format_state``; raises ``Corrupt`` for anything else."""
    try:
        data = json.loads(text)
        if data.pop("version") != VERSION:
            raise ValueError("another version")
        parts = {name: _part(row) for name, row in data.pop("parts").items()}
        return PlatformState(**data, parts=parts)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(f"state.json is not a state of the platform ({error}); `ipx down`, then delete it") from error


_PART_FIELDS = tuple(f.name for f in fields(PartState) if f.name != "details")


def _flat(part: PartState) -> dict[str, Any]:
    row = {name: getattr(part, name) for name in _PART_FIELDS}
    return {**row, **part.details}


def _part(row: Mapping[str, Any]) -> PartState:
    known = {name: row[name] for name in _PART_FIELDS}
    details = {name: value for name, value in row.items() if name not in _PART_FIELDS}
    return PartState(**{**known, "condition": Condition(known["condition"])}, details=details)
