"""Kinds of transfer as a shipped document (`schemas/codes/transfers.toml`) -> the table, checked as a whole with the clock rules.

Refused with BadSettings, naming the kind and the part of it: what is written out of form here (an unknown key, a blank text, an id twice),
and what does not hang together (`soundness.py`).
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypedDict, cast

from services.cases.soundness import must_be_sound
from services.cases.table import COMMON, At, Bar, CommonMove, Joins, Kind, Move, Role, State, Telling, Told, Transfers
from services.kernel import document_fields as fields
from services.kernel.clock_rules import ClockRules
from services.kernel.errors import BadSettings

_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAMES: Final = frozenset({"id", "zh", "en"})
_PARTS: Final = {"roles": "role", "states": "state", "moves": "move", "bars": "bar"}
_KIND_KEYS: Final = frozenset(_PARTS.get(name, name) for name in Kind.__dataclass_fields__ if not name.startswith("_"))
_ROLE_KEYS: Final = frozenset(Role.__dataclass_fields__)
_STATE_KEYS: Final = frozenset(State.__dataclass_fields__)
_MOVE_KEYS: Final = frozenset(Move.__dataclass_fields__)
_BAR_KEYS: Final = frozenset(Bar.__dataclass_fields__)
_JOINS: Final[tuple[Joins, ...]] = ("opens", "addressee", "later")
_AT: Final[tuple[At, ...]] = ("happened", "admitted")
_TELLING: Final[Mapping[str, Telling]] = {"moment": "happened", "suspended": "suspended", "resumed": "resumed"}
"""By the key under which a moment, or a ground, stands."""


def load_transfers(path: Path, rules: ClockRules) -> Transfers:
    """The table of a file. BadSettings when it is not of the form or does not fit the clock rules; blocks on the disk."""
    return parse_transfers(fields.read_document(path), rules)


def parse_transfers(document: Mapping[str, Any], rules: ClockRules) -> Transfers:
    """The table that a document states. BadSettings, naming the place, on one that is not of the form or not sound."""
    fields.only(document, frozenset({"common", "kind"}), "transfers")
    common = tuple(_common(stated) for stated in fields.tables(document, "common", "transfers"))
    if tuple(move.id for move in common) != COMMON:
        raise BadSettings(f"transfers: common moves are {', '.join(COMMON)}, each once and in this order")
    kinds = tuple(_kind(stated) for stated in fields.tables(document, "kind", "transfers"))
    _once((kind.id for kind in kinds), "transfers, kind")
    for kind in kinds:
        must_be_sound(kind, rules)
    return Transfers({kind.id: kind for kind in kinds}, common)


def _kind(stated: Mapping[str, Any]) -> Kind:
    where = f"transfer {stated.get('id')}"
    kind = Kind(
        **_named(stated, _KIND_KEYS, where),
        row=fields.text(stated, "row", where),
        source=fields.text(stated, "source", where),
        roles=tuple(_role(part, where) for part in fields.tables(stated, "role", where)),
        states=tuple(_state(part, where) for part in fields.tables(stated, "state", where)),
        moves=tuple(_move(part, where) for part in fields.tables(stated, "move", where)),
        bars=tuple(_bar(part, where) for part in fields.tables(stated, "bar", where)),
        clocks=fields.texts(stated, "clocks", where),
        opens_to=fields.text(stated, "opens_to", where),
        opens_article=fields.text(stated, "opens_article", where),
        opens_tells=_tells(stated, "opens_tells", where),
        opens_needs=fields.texts(stated, "opens_needs", where),
        opens_checks=fields.texts(stated, "opens_checks", where),
        earlier=fields.texts(stated, "earlier", where),
    )
    _once((role.id for role in kind.roles), f"{where}, role")
    _once((state.id for state in kind.states), f"{where}, state")
    _once((move.id for move in kind.moves), f"{where}, move")
    return kind


def _common(stated: Mapping[str, Any]) -> CommonMove:
    return CommonMove(**_named(stated, _NAMES, f"transfers, common {stated.get('id')}"))


def _role(stated: Mapping[str, Any], kind: str) -> Role:
    where = f"{kind}, role {stated.get('id')}"
    return Role(
        **_named(stated, _ROLE_KEYS, where),
        organ_types=fields.texts(stated, "organ_types", where),
        joins=cast(Joins, fields.one_of(stated, "joins", _JOINS, where)),
        acts_as=fields.texts(stated, "acts_as", where),
        many=_flag(stated, "many", where),
        outside=_flag(stated, "outside", where),
    )


def _state(stated: Mapping[str, Any], kind: str) -> State:
    where = f"{kind}, state {stated.get('id')}"
    return State(
        **_named(stated, _STATE_KEYS, where),
        terminal=_flag(stated, "terminal", where),
    )


def _move(stated: Mapping[str, Any], kind: str) -> Move:
    where = f"{kind}, move {stated.get('id')}"
    return Move(
        **_named(stated, _MOVE_KEYS, where),
        by=fields.texts(stated, "by", where),
        from_states=fields.texts(stated, "from_states", where),
        to=fields.text(stated, "to", where) if "to" in stated else None,
        article=fields.text(stated, "article", where),
        tells=_tells(stated, "tells", where),
        needs=fields.texts(stated, "needs", where),
        joins=fields.text(stated, "joins", where) if "joins" in stated else None,
        replaces=_flag(stated, "replaces", where),
        once=_flag(stated, "once", where),
        checks=fields.texts(stated, "checks", where),
    )


def _bar(stated: Mapping[str, Any], kind: str) -> Bar:
    where = f"{kind}, bar {stated.get('move')}"
    fields.only(stated, _BAR_KEYS, where)
    return Bar(
        move=fields.text(stated, "move", where),
        by=fields.texts(stated, "by", where),
        rule=fields.text(stated, "rule", where),
        article=fields.text(stated, "article", where),
        zh=_template(stated, "zh", where),
        en=_template(stated, "en", where),
    )


def _tells(stated: Mapping[str, Any], key: str, where: str) -> tuple[Told, ...]:
    told = tuple(_told(entry, f"{where}, {key}") for entry in fields.tables(stated, key, where))
    _once((each.moment for each in told), f"{where}, {key}")
    return told


def _told(entry: Mapping[str, Any], where: str) -> Told:
    said = tuple(name for name in _TELLING if name in entry)
    if len(said) != 1:
        raise BadSettings(f"{where}: says exactly one of {', '.join(_TELLING)}")
    more = {"result"} if said == ("moment",) else {"rule"}
    fields.only(entry, frozenset({*said, "at", *more}), where)
    return Told(
        moment=fields.text(entry, said[0], where),
        at=cast(At, fields.one_of(entry, "at", _AT, where)),
        kind=_TELLING[said[0]],
        rule=None if said == ("moment",) else fields.text(entry, "rule", where),
        result=fields.text(entry, "result", where) if "result" in entry else None,
    )


def _template(stated: Mapping[str, Any], key: str, where: str) -> str:
    text = fields.text(stated, key, where)
    try:
        text.format(mover="", move="")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise BadSettings(f"{where}: {key} may hold {{mover}} and {{move}} and nothing else in braces") from error
    return text


class _Names(TypedDict):
    id: str
    zh: str
    en: str


def _named(stated: Mapping[str, Any], keys: frozenset[str], where: str) -> _Names:
    """What every part of a table has, after a look that it states nothing else than ``keys``."""
    fields.only(stated, keys, where)
    named = _Names(
        id=fields.text(stated, "id", where), zh=fields.text(stated, "zh", where), en=fields.text(stated, "en", where)
    )
    if not _ID.fullmatch(named["id"]):
        raise BadSettings(f"{where}: an id is of small letters, digits and _, not {named['id']!r}")
    return named


def _flag(stated: Mapping[str, Any], key: str, where: str) -> bool:
    value = stated.get(key, False)
    if not isinstance(value, bool):
        raise BadSettings(f"{where}: {key} must be true or false, got {value!r}")
    return value


def _once(ids: Iterable[str], where: str) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise BadSettings(f"{where} {one}: is there twice")
        seen.add(one)
