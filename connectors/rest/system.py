"""The doors of a city's REST system as ``city.toml`` describes them, compiled. Pure.

::

    [push]   idempotency_header, number_header
    [doors.jieshou]   method, path
    [reply]  …                       what a reply to a push means (replies.py)
    [pull]   method, path, cursor, limit, page_size, items, next, more, code, success_codes, kind, key
    [ack]    method, path, cursor    optional
    [confirm] method, path           optional: asked after a success, whether the document is really there
    [health] path                    optional
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from connectors.rest.replies import ReplyRules, compile_replies
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings


@dataclass(frozen=True, slots=True)
class Door:
    """One address that takes documents; ``{key}`` in the path becomes the idempotency key, ``{reference}`` the reference."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class PullRules:
    """How happenings are read: the query's names, and where in the reply things stand."""

    method: str
    path: str
    cursor: str
    items: str
    next: str
    kind: str
    key: str
    limit: str | None = None
    page_size: int = 200
    more: str | None = None
    code: str | None = None
    success_codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RestSystem:
    """Everything that the connector must know of a system but its address and its secrets."""

    doors: Mapping[str, Door]
    reply: ReplyRules
    idempotency_header: str
    number_header: str
    pull: PullRules | None
    ack: Door | None
    ack_cursor: str
    confirm: Door | None
    health: Door | None


def compile_system(document: Mapping[str, Any], where: str) -> RestSystem:
    """The description from its TOML form; ``BadSettings`` says what is missing."""
    push, ack = document.get("push", {}), document.get("ack")
    doors = {name: _door(row, f"{where} doors.{name}") for name, row in document.get("doors", {}).items()}
    if doors and "idempotency_header" not in push:
        raise BadSettings(f"{where} push: idempotency_header names the header that carries the key of a push")
    return RestSystem(
        doors=doors,
        reply=compile_replies(document.get("reply", {}), business_codes(), f"{where} reply"),
        idempotency_header=str(push.get("idempotency_header", "")),
        number_header=str(push.get("number_header", "X-Delivery-Number")),
        pull=_pull(document.get("pull"), where),
        ack=None if ack is None else _door(ack, f"{where} ack"),
        ack_cursor=str((ack or {}).get("cursor", "cursor")),
        confirm=None if "confirm" not in document else _door(document["confirm"], f"{where} confirm"),
        health=None if "health" not in document else _door(document["health"], f"{where} health"),
    )


def _door(row: object, where: str) -> Door:
    if not isinstance(row, dict) or not str(row.get("path", "")).startswith("/"):
        raise BadSettings(f"{where}: expected method and a path that begins with /")
    return Door(str(row.get("method", "GET" if where.endswith(("health", "confirm")) else "POST")), str(row["path"]))


def _pull(row: object, where: str) -> PullRules | None:
    if row is None:
        return None
    known = PullRules.__dataclass_fields__
    wanted = {"path", "cursor", "items", "next", "kind", "key"}
    if not isinstance(row, dict) or set(row) - set(known) or wanted - set(row):
        raise BadSettings(f"{where} pull: expected {', '.join(sorted(wanted))} and of {', '.join(known)}")
    given = {"method": "GET", **row, "success_codes": frozenset(str(c) for c in row.get("success_codes", ()))}
    return PullRules(**given)


@cache
def business_codes() -> frozenset[str]:
    """The closed list of ``schemas/codes/business_codes.csv``. Reads the file once."""
    with (SCHEMAS_DIR / "codes" / "business_codes.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["code"] for row in csv.DictReader(file))
