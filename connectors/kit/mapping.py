"""Mapping of one event type for one city, both ways, compiled from its TOML file. Pure.

::

    type = "cn.ipx.clue.ClueReported"
    [from_city]                        # what the city's system tells becomes an event
    kinds = ["XSYS"]                   # its names for this kind of happening
    answers = { reference = "slbh" }   # it answers a delivery: found by our event id, subject, or their reference;
                                       # with optional = true: where the city names one
    [from_city.draft]                  # subject, time; agreement, addressee, cause when they are not those answered
    [from_city.fields]                 # fields of the event
    [to_city]                          # an event becomes a document of the city
    door = "jieshou"                   # which door of its system takes it
    [to_city.fields]                   # dotted paths of the document
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.kit.converters import CANNOT_MAP
from connectors.kit.paths import MISSING
from connectors.kit.port import Document, Message
from connectors.kit.rules import (
    Each,
    Fields,
    First,
    Gather,
    Group,
    Join,
    Rule,
    Take,
    Way,
    compile_fields,
    evaluate,
    record,
)
from connectors.kit.shapes import Shape, check_complete, check_path, shape_of
from connectors.kit.tables import CodeTable
from services.kernel.errors import BadSettings, Refused

ANSWERS_BY: Final = ("event", "subject", "reference")
KNOWN: Final = frozenset(
    {"participant", "division", "item", "answered", "case"}  # on the way from the city
    | {"id", "source", "type", "subject", "time", "time_ms", "agreement", "cause"}  # on the way to it
    | {"recipient", "log", "number", "seq", "admitted", "admitted_ms", "withheld", "addressee"}
)
_DRAFT = frozenset({"subject", "time_ms", "agreement", "addressee", "cause"})


@dataclass(frozen=True, slots=True)
class Inward:
    """From the city: the kinds of happening that become this event, and the rules.

    ``answers`` is how the delivery that it answers is found, and where the city names it; ``must_answer``: it always does.
    """

    type: str
    kinds: tuple[str, ...]
    answers: tuple[str, str] | None
    must_answer: bool
    draft: Fields
    fields: Fields
    shape: Shape


@dataclass(frozen=True, slots=True)
class Outward:
    """To the city: the door and the rules."""

    type: str
    door: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a happening says: a value complete for its type, and the lines of the statement that the city knows."""

    type: str
    subject: str
    time_ms: int
    agreement: str
    addressee: str
    cause: str
    value: dict[str, Any]


def compile_mapping(
    document: Mapping[str, Any], tables: Mapping[str, CodeTable], where: str
) -> tuple[Inward | None, Outward | None]:
    """Both directions of a mapping file; ``BadSettings`` names the file and the line of rules that is wrong."""
    unknown = set(document) - {"type", "from_city", "to_city", "codes"}
    if unknown or not isinstance(document.get("type"), str):
        raise BadSettings(f"{where}: expected type, from_city, to_city, codes; got {', '.join(sorted(document))}")
    shape = shape_of(document["type"])
    inward, outward = document.get("from_city"), document.get("to_city")
    return (
        None if inward is None else _compile_inward(document["type"], shape, inward, tables, f"{where} from_city"),
        None if outward is None else _compile_outward(document["type"], shape, outward, tables, f"{where} to_city"),
    )


def _compile_inward(
    type_name: str, shape: Shape, rows: dict[str, Any], tables: Mapping[str, CodeTable], where: str
) -> Inward:
    _only(rows, {"kinds", "answers", "draft", "fields"}, where)
    kinds = rows.get("kinds")
    if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise BadSettings(f"{where}: kinds names the city's kinds of happening that become {type_name}")
    draft = compile_fields(rows.get("draft", {}), tables, f"{where}.draft")
    fields = compile_fields(rows.get("fields", {}), tables, f"{where}.fields")
    if unknown := set(draft) - _DRAFT:
        raise BadSettings(f"{where}.draft: {', '.join(sorted(unknown))}; expected of {', '.join(sorted(_DRAFT))}")
    answers, must_answer = _compile_answers(rows.get("answers"), where)
    if missing := {"time_ms"} - set(draft) | (set() if must_answer else {"subject"} - set(draft)):
        raise BadSettings(f"{where}.draft: no rule for {', '.join(sorted(missing))}")
    _check_names(shape, fields, f"{where}.fields")
    for rule in (*draft.values(), *fields.values()):
        _check_known(rule, where)
    return Inward(type_name, tuple(kinds), answers, must_answer, draft, fields, shape)


def _compile_answers(row: object, where: str) -> tuple[tuple[str, str] | None, bool]:
    if row is None:
        return None, False
    if isinstance(row, dict):
        optional = row.get("optional", False)
        (by, path), *more = [(name, value) for name, value in row.items() if name != "optional"] or [("", "")]
        if not more and by in ANSWERS_BY and isinstance(path, str) and isinstance(optional, bool):
            return (by, path), not optional
    raise BadSettings(f'{where}: answers is one of {", ".join(ANSWERS_BY)} with a path, e.g. {{ reference = "slbh" }}')


def _compile_outward(
    type_name: str, shape: Shape, rows: dict[str, Any], tables: Mapping[str, CodeTable], where: str
) -> Outward:
    _only(rows, {"door", "fields"}, where)
    fields = compile_fields(rows.get("fields", {}), tables, f"{where}.fields")
    for rule in fields.values():
        _check_known(rule, where)
        for path in _read_paths(rule):
            check_path(shape, path, where)
    return Outward(type_name, str(rows.get("door", "receive")), fields)


def _only(rows: object, names: set[str], where: str) -> None:
    if not isinstance(rows, dict) or set(rows) - names:
        raise BadSettings(f"{where}: expected {', '.join(sorted(names))}")


def _check_names(shape: Shape, fields: Fields, where: str) -> None:
    for name, rule in fields.items():
        check_path(shape, name, where)
        inner = shape.inner.get(name)
        if isinstance(rule, Group) or (isinstance(rule, Each) and isinstance(rule.made, Mapping)):
            if inner is None:
                raise BadSettings(f"{where}.{name}: this field of {shape.name} is not a record")
            _check_names(inner, rule.fields, f"{where}.{name}")
    if missing := shape.required - set(fields):
        raise BadSettings(f"{where}: {shape.name} needs {', '.join(sorted(missing))}")


def _paths(rule: Rule) -> Iterator[str]:
    match rule:
        case Take(path):
            yield path
        case Join(parts):
            for part in parts:
                yield from _paths(part)
        case First(parts) | Gather(parts):
            for part in parts:
                yield from _paths(part)
        case Group(when, fields):
            if when is not None:
                yield when
            for inner in fields.values():
                yield from _paths(inner)
        case Each(path):
            yield path
            for inner in rule.fields.values():
                for below in _paths(inner):
                    yield below if below.startswith("@") else f"{path}.{below}"
        case _:
            return


def _read_paths(rule: Rule) -> Iterator[str]:
    return (path for path in _paths(rule) if not path.startswith("@"))


def _check_known(rule: Rule, where: str) -> None:
    for path in _paths(rule):
        if path.startswith("@") and path[1:].split(".")[0] not in KNOWN:
            raise BadSettings(f"{where}: {path} is not known; known are {', '.join('@' + k for k in sorted(KNOWN))}")


def subject_of(inward: Inward, item: Document, known: Mapping[str, Any]) -> str | None:
    """What a happening is about: what its own rule says, else the subject of the delivery that it answers; None for neither."""
    rule = inward.draft.get("subject")
    own = MISSING if rule is None else evaluate(rule, item, known, Way.FROM_CITY)
    found = (known.get("answered") or {}).get("subject") if own is MISSING else own
    return None if found is None else str(found)


def draft(inward: Inward, item: Document, known: Mapping[str, Any]) -> Drafted:
    """The event that a happening becomes. Refuses ``cannot-map`` and names the field; never repeats a value.

    ``known`` has participant, division, item (the city's id of the happening) and, if it answers a delivery, answered
    with id, subject, source and agreement of that delivery: the default of the lines that the rules do not make.
    """
    lines = record(inward.draft, item, known, Way.FROM_CITY)
    value = record(inward.fields, item, known, Way.FROM_CITY)
    check_complete(inward.shape, value)
    answered = known.get("answered") or {}
    subject, time_ms = lines.get("subject", answered.get("subject")), lines.get("time_ms")
    if subject is None or not isinstance(time_ms, int):
        raise Refused(CANNOT_MAP, "the city's record says neither what it is about nor when it was", field="subject")
    return Drafted(
        type=inward.type,
        subject=str(subject),
        time_ms=time_ms,
        agreement=str(lines.get("agreement", answered.get("agreement", "-"))),
        addressee=str(lines.get("addressee", answered.get("source", "-"))),
        cause=str(lines.get("cause", answered.get("id", "-"))),
        value=value,
    )


def message(outward: Outward, value: Mapping[str, Any], known: Mapping[str, Any]) -> Message:
    """The document that an event becomes for the city. Refuses ``cannot-map`` and names the path."""
    return Message(outward.door, record(outward.fields, value, known, Way.TO_CITY))
