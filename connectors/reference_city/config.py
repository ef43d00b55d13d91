"""Configuration of the reference city system, read once from its TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class BadConfig(ValueError):
    """The file says something that this system does not understand."""


STEPS = ("accept", "return", "verify", "file", "decline", "move")
OF = {"clue": "xs", "case": "aj"}
"""What a rule is of, and the table in which that is kept."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the officer does with a clue or a case, so many seconds after the one before.

    ``values`` of a move are the fields of its form in this system's own words; of the others a few plain ones (desk.py).
    """

    do: str
    after_s: float
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """The first rule of what came (``of``: clue, case) whose ``when`` fits says what the officer does. Paths of ``when`` are dotted."""

    when: dict[str, Any]
    steps: tuple[Step, ...]
    of: str = "clue"


@dataclass(frozen=True, slots=True)
class Proof:
    """How a caller must prove itself: ``none``, ``token``, ``hmac`` or ``oauth2``."""

    kind: str = "none"
    client_id: str = ""
    secret: str = field(default="", repr=False)
    token_life_s: int = 300


@dataclass(frozen=True, slots=True)
class Tls:
    """Server certificate, and the authorities whose client certificates are asked for (mutual TLS)."""

    certificate: str
    key: str
    client_authorities: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything about one city."""

    name: str
    division: str
    dialect: str
    short: str
    database: Path
    port: int = 0
    page_most: int = 500
    rules: tuple[Rule, ...] = ()
    proof: Proof = Proof()
    tls: Tls | None = None
    officer: str = "承办人"
    officer_phone: str = "025-00000000"
    section: str = "知识产权保护科"
    clock: Path | None = None
    """A file that moves this system's time in a trial (clock.py); none: the machine's time."""


def load_config(path: Path) -> Config:
    """Reads the file; ``BadConfig`` says what is wrong. Relative paths are relative to the file."""
    document = tomllib.loads(path.read_text("utf-8"))
    try:
        tls = document.pop("tls", None)
        rules = tuple(_rule(row) for row in document.pop("rules", ()))
        proof = Proof(**document.pop("proof", {}))
        database = path.parent / document.pop("database", "city.db")
        clock = path.parent / document.pop("clock") if "clock" in document else None
        config = Config(
            **document,
            database=database,
            clock=clock,
            rules=rules,
            proof=proof,
            tls=None if tls is None else Tls(**tls),
        )
    except (TypeError, KeyError) as error:
        raise BadConfig(f"{path.name}: {error}") from error
    if config.dialect not in ("flat", "nested") or config.proof.kind not in ("none", "token", "hmac", "oauth2"):
        raise BadConfig(f"{path.name}: dialect is flat or nested; proof.kind is none, token, hmac or oauth2")
    return config


def _rule(row: dict[str, Any]) -> Rule:
    of = str(row.get("of", "clue"))
    if of not in OF:
        raise BadConfig(f"a rule is of {' or '.join(OF)}, got {of!r}")
    return Rule(dict(row.get("when", {})), tuple(read_step(step) for step in row.get("steps", ())), of)


def read_step(row: dict[str, Any]) -> Step:
    """A step of a rule or of an officer at the desk; ``BadConfig`` for one that this system does not know."""
    if row.get("do") not in STEPS:
        raise BadConfig(f"do is one of {', '.join(STEPS)}, got {row.get('do')!r}")
    values = {name: value for name, value in row.items() if name not in ("do", "after_s")}
    return Step(str(row["do"]), float(row.get("after_s", 0.0)), values)
