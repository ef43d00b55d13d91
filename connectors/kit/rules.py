"""Rules of a mapping: how one value is found in a document, from its TOML form to the value. Pure.

A rule is a path (``"bt"``) or a table with exactly one of these keys::

    from   path                 the value there; with as = converter, codes = table, default = value
    const  value                always this value
    join   [rules]              their texts one after another; with by = separator; nothing if one of them has nothing
    first  [rules]              the first of them that has a value
    each   path, fields         a list: one record for each object of the list there; with text = rule: a list of texts
    gather [rules]              the texts that they have, lists opened, each once; with by = separator: joined
    fields rules                a record; with when = path: only if something stands there; many = true: a list of it

A path that begins with ``@`` is looked up in what is known about the event (``@id``, ``@source``, ``@answered.id``), every
other in the document. An empty text and null are nothing: city systems write both for a field that is not filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from connectors.kit.converters import CANNOT_MAP, CONVERTERS, Converter
from connectors.kit.paths import MISSING, lookup, place
from connectors.kit.tables import CodeTable
from services.kernel.errors import BadSettings, Refused

MAX_ITEMS = 1000


class Way(Enum):
    """Direction of a mapping."""

    FROM_CITY = "from_city"
    TO_CITY = "to_city"


@dataclass(frozen=True, slots=True)
class Take:
    """The value at a path, converted and translated."""

    path: str
    converter: Converter
    table: CodeTable | None
    default: Any


@dataclass(frozen=True, slots=True)
class Const:
    """A fixed value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Join:
    """Texts joined."""

    parts: tuple[Rule, ...]
    by: str


@dataclass(frozen=True, slots=True)
class First:
    """The first that has a value."""

    choices: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Gather:
    """Texts from several places, each once, in the order in which they stand."""

    parts: tuple[Rule, ...]
    by: str | None


@dataclass(frozen=True, slots=True)
class Each:
    """A record for each object of a list, or one text for each."""

    path: str
    made: Fields | Rule

    @property
    def fields(self) -> Fields:
        """The rules of a record; of a text its only one, which has no name."""
        return self.made if isinstance(self.made, Mapping) else {"": self.made}


@dataclass(frozen=True, slots=True)
class Group:
    """A record of several values, or a list that holds just it."""

    when: str | None
    fields: Fields
    many: bool


Rule = Take | Const | Join | First | Gather | Each | Group
Fields = Mapping[str, Rule]

_KINDS = ("from", "const", "join", "first", "gather", "each", "fields")
_OPTIONS = {
    "from": {"as", "codes", "default"},
    "const": set(),
    "join": {"by"},
    "first": set(),
    "gather": {"by"},
    "each": {"fields", "text"},
    "fields": {"when", "many"},
}


def compile_fields(rows: object, tables: Mapping[str, CodeTable], where: str) -> Fields:
    """Rules of a record by the name of what they make; ``BadSettings`` says where a rule is wrong."""
    if not isinstance(rows, dict):
        raise BadSettings(f"{where}: expected a table of rules")
    return {name: compile_rule(row, tables, f"{where}.{name}") for name, row in rows.items()}


def compile_rule(row: object, tables: Mapping[str, CodeTable], where: str) -> Rule:
    """One rule; ``BadSettings`` when it is not of the forms above."""
    if isinstance(row, str):
        return Take(row, CONVERTERS["text"], None, MISSING)
    if not isinstance(row, dict):
        raise BadSettings(f"{where}: a rule is a path or a table")
    kind = "each" if "each" in row else next((key for key in _KINDS if key in row), None)
    if kind is None or (unknown := set(row) - {kind} - _OPTIONS[kind]):
        got = ", ".join(sorted(unknown)) if kind else ", ".join(sorted(row)) or "nothing"
        raise BadSettings(f"{where}: expected one of {', '.join(_KINDS)} and its options, got {got}")
    match kind:
        case "from":
            return _compile_take(row, tables, where)
        case "const":
            return Const(row["const"])
        case "join":
            return Join(_compile_all(row["join"], tables, where), str(row.get("by", "")))
        case "first":
            return First(_compile_all(row["first"], tables, where))
        case "gather":
            by = row.get("by")
            return Gather(_compile_all(row["gather"], tables, where), None if by is None else str(by))
        case "each":
            return Each(str(row["each"]), _compile_items(row, tables, where))
        case _:
            when = row.get("when")
            fields = compile_fields(row["fields"], tables, where)
            return Group(None if when is None else str(when), fields, bool(row.get("many", False)))


def _compile_items(row: dict[str, Any], tables: Mapping[str, CodeTable], where: str) -> Fields | Rule:
    if ("text" in row) == ("fields" in row):
        raise BadSettings(f"{where}: each makes records (fields) or texts (text), one of them")
    if "text" in row:
        return compile_rule(row["text"], tables, f"{where}.text")
    return compile_fields(row["fields"], tables, where)


def _compile_take(row: dict[str, Any], tables: Mapping[str, CodeTable], where: str) -> Take:
    name, table = row.get("as", "text"), row.get("codes")
    if name not in CONVERTERS:
        raise BadSettings(f"{where}: no converter {name!r}; known are {', '.join(CONVERTERS)}")
    if table is not None and table not in tables:
        raise BadSettings(f"{where}: no code table {table!r}; known are {', '.join(tables) or 'none'}")
    return Take(
        str(row["from"]), CONVERTERS[name], None if table is None else tables[table], row.get("default", MISSING)
    )


def _compile_all(rows: object, tables: Mapping[str, CodeTable], where: str) -> tuple[Rule, ...]:
    if not isinstance(rows, list) or not rows:
        raise BadSettings(f"{where}: expected a list of rules")
    return tuple(compile_rule(row, tables, f"{where}[{n}]") for n, row in enumerate(rows))


def record(fields: Fields, document: Any, known: Mapping[str, Any], way: Way) -> dict[str, Any]:
    """The record that the rules make, without what has no value; refuses ``cannot-map`` and names the field.

    In the direction to the city a name is a dotted path, and objects are made on the way.
    """
    made: dict[str, Any] = {}
    for name, rule in fields.items():
        try:
            value = evaluate(rule, document, known, way)
        except Refused as error:
            inner = f"{name}.{error.field}" if error.field else name
            raise Refused(error.code, error.message, field=inner) from error
        if value is not MISSING:
            if way is Way.TO_CITY:
                place(made, name, value)
            else:
                made[name] = value
    return made


def evaluate(rule: Rule, document: Any, known: Mapping[str, Any], way: Way) -> Any:
    """The value of a rule, or ``MISSING``."""
    match rule:
        case Take():
            return _take(rule, _found(rule.path, document, known), way)
        case Const(value):
            return value
        case Join(parts, by):
            texts = [evaluate(part, document, known, way) for part in parts]
            return MISSING if any(text is MISSING for text in texts) else by.join(str(text) for text in texts)
        case First(choices):
            values = (evaluate(choice, document, known, way) for choice in choices)
            return next((value for value in values if value is not MISSING), MISSING)
        case Gather(parts, by):
            return _gathered([evaluate(part, document, known, way) for part in parts], by)
        case Each(path, made):
            return _each(_found(path, document, known), made, known, way)
        case Group(when, fields, many):
            if when is not None and _found(when, document, known) is MISSING:
                return MISSING
            made = record(fields, document, known, way)
            return [made] if many else made


def _found(path: str, document: Any, known: Mapping[str, Any]) -> Any:
    value = lookup(known, path[1:]) if path.startswith("@") else lookup(document, path)
    return MISSING if value is None or value in ("", [], ()) else value


def _take(rule: Take, value: Any, way: Way) -> Any:
    if value is MISSING:
        return rule.default
    if way is Way.FROM_CITY:
        read = rule.converter.read(value)
        return _translated(read, rule.table.read) if rule.table else read
    if rule.table:
        value = _translated(value, rule.table.write)
    return rule.converter.write(value)


def _translated(value: Any, translate: Any) -> Any:
    if isinstance(value, list | tuple):
        return [translate(str(item)) for item in value]
    return translate(str(value))


def _gathered(values: list[Any], by: str | None) -> Any:
    texts: dict[str, None] = {}
    for value in values:
        for text in value if isinstance(value, list | tuple) else [value]:
            if text is not MISSING:
                texts[str(text)] = None
    if not texts:
        return MISSING
    return list(texts) if by is None else by.join(texts)


def _each(value: Any, made: Fields | Rule, known: Mapping[str, Any], way: Way) -> Any:
    if value is MISSING:
        return MISSING
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        raise Refused(CANNOT_MAP, f"expected a list of at most {MAX_ITEMS} objects")
    if isinstance(made, Mapping):
        return [record(made, item, known, way) for item in value]
    texts = [evaluate(made, item, known, way) for item in value]
    if MISSING in texts:
        raise Refused(CANNOT_MAP, "an object of the list lacks what its text is made of")
    return texts
