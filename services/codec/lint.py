"""What a schema must be before it is released: the rules of `ipx schemas lint`, over schemas as JSON.

Sources: design section 4 (disclosure), section 6 (guarded decoding: no recursion, no items of zero bytes), issue 3 part 3
(docs in both languages, code tables exist). What the codec itself refuses (recursion, items of no size, a restricted field
that is nested or not nullable) is its own to say in `compile_schema`; it is asked here first.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.codec.schema import compile_schema
from services.kernel.codes import CodeTables
from services.kernel.errors import Refused
from services.kernel.formats import CLOCKED, FORMATS

Schema = dict[str, Any]

_FAMILY_NAMESPACE: Final = re.compile(r"cn\.ipx\.[a-z]{1,20}")
_TYPE_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CHINESE: Final = re.compile(r"[\u4e00-\u9fff]")
_ENGLISH: Final = re.compile(r"[A-Za-z]{2}")
_LATIN: Final = re.compile(r"[A-Za-z]")
_OWN_FIELD_KEYS: Final = frozenset({"ipx.codes", "ipx.format", "ipx.disclosure"})
_OWN_RECORD_KEYS: Final = frozenset({"ipx.order"})
_NUMBER_FORMATS: Final = frozenset({"nice_class", "non_negative", "positive", "past_instant", "past_day"})
_BYTES_FORMATS: Final = frozenset({"public_key"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file, where in it, under which rule, what was expected."""

    file: str
    where: str
    rule: str
    message: str


def lint_schema(file: str, schema: Schema, tables: CodeTables) -> tuple[Finding, ...]:
    """Every finding on one event schema; ``file`` is ``<family>/<Name>.avsc``. Empty when it may be released."""
    found = [*_codec(file, schema)]
    if found:  # what cannot be compiled is not looked into: its other faults follow from that one
        return tuple(found)
    found += _names(file, schema)
    found += _form(file, schema)
    for where, record in _records(schema):
        found += _record(file, where, record, tables)
    found += [
        Finding(file, where, "docs", "an enum needs a doc in English and Chinese")
        for where, node in _named_types(schema)
        if node["type"] != "record" and not _both_languages(node.get("doc", ""))
    ]
    return tuple(found)


def lint_together(schemas: Mapping[str, Schema]) -> tuple[Finding, ...]:
    """Findings that take several schemas to see: a nested type of one name that is not the same everywhere."""
    first: dict[str, tuple[str, str]] = {}
    found = []
    for file, schema in schemas.items():
        for where, node in _named_types(schema):
            name = f"{node.get('namespace', schema.get('namespace'))}.{node['name']}"
            text = json.dumps(_spelled_out(node, schema), sort_keys=True)
            known_file, known = first.setdefault(name, (file, text))
            if known != text:
                found.append(Finding(file, where, "same-name", f"{name} is another type in {known_file}"))
    return tuple(found)


def _codec(file: str, schema: Schema) -> Iterator[Finding]:
    try:
        compile_schema(json.dumps(schema))
    except Refused as error:
        yield Finding(file, "", "codec", error.message)


def _names(file: str, schema: Schema) -> Iterator[Finding]:
    namespace, name = schema.get("namespace", ""), schema["name"]
    if not _FAMILY_NAMESPACE.fullmatch(namespace):
        yield Finding(file, "namespace", "names", "the namespace is cn.ipx.<family>")
    if not _TYPE_NAME.fullmatch(name):
        yield Finding(file, "name", "names", "an event is named in words run together, each with a capital")
    expected = f"{namespace.rpartition('.')[2]}/{name}.avsc"
    if file != expected:
        yield Finding(file, "name", "names", f"{namespace}.{name} belongs in {expected}")


def _form(file: str, schema: Schema) -> Iterator[Finding]:
    """The registry gives a schema back as Avro's own library writes it; in that form its digest is the same there."""
    namespace = schema.get("namespace", "")
    for where, node in _named_types(schema):
        if node is not schema and "namespace" in node:
            yield Finding(file, where, "form", "a nested type takes the namespace of its event and does not repeat it")
    for where, name in _names_meant(schema, schema["name"]):
        if name.startswith(f"{namespace}."):
            yield Finding(file, where, "form", f"within {namespace} the type is called {name.rpartition('.')[2]}")


def _names_meant(node: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every type that is given by name, with the path to it."""
    if isinstance(node, str):
        yield where, node
    elif isinstance(node, list):
        for branch in node:
            yield from _names_meant(branch, where)
    else:
        for field in node.get("fields", ()):
            yield from _names_meant(field["type"], f"{where}.{field['name']}")
        if "items" in node:
            yield from _names_meant(node["items"], f"{where}[]")


def _record(file: str, where: str, record: Schema, tables: CodeTables) -> Iterator[Finding]:
    if not _both_languages(record.get("doc", "")):
        yield Finding(file, where, "docs", "a record needs a doc in English and Chinese")
    for key in sorted(key for key in record if key.startswith("ipx.") and key not in _OWN_RECORD_KEYS):
        yield Finding(file, where, "properties", f"{key} is not known on a record")
    yield from _order(file, where, record)
    for field in record["fields"]:
        place = f"{where}.{field['name']}"
        for rule, message in _field(field, tables):
            yield Finding(file, place, rule, message)


def _order(file: str, where: str, record: Schema) -> Iterator[Finding]:
    kinds = {field["name"]: json.dumps(_inner(field["type"])) for field in record["fields"]}
    for pair in record.get("ipx.order", ()):
        known = [kinds.get(name) for name in pair]
        if len(pair) != 2 or None in known or known[0] != known[1]:
            yield Finding(file, where, "order", f"ipx.order {pair} needs two fields of one type")


def _field(field: dict[str, Any], tables: CodeTables) -> Iterator[tuple[str, str]]:
    if not _FIELD_NAME.fullmatch(field["name"]):
        yield "names", "a field is named in small letters, digits and _"
    if not _both_languages(field.get("doc", "")):
        yield "docs", "a field needs a doc in English and Chinese"
    for key in sorted(key for key in field if key.startswith("ipx.") and key not in _OWN_FIELD_KEYS):
        yield "properties", f"{key} is not known on a field"
    if _nullable(field) and ("default" not in field or field["default"] is not None):
        yield "defaults", "a nullable field has the default null"
    yield from _codes(field, tables)
    yield from _format(field)


def _codes(field: dict[str, Any], tables: CodeTables) -> Iterator[tuple[str, str]]:
    table = field.get("ipx.codes")
    if table is None:
        return
    if table not in tables:
        yield "codes", f"there is no code table {table!r}"
    if _inner(field["type"]) != "string":
        yield "codes", "only strings have codes"
    if "ipx.format" in field:
        yield "codes", "a field has codes or a format, not both"


def _format(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    form = field.get("ipx.format")
    if form is None:
        return
    if form not in FORMATS and form not in CLOCKED:
        yield "format", f"there is no format {form!r}"
        return
    inner = _inner(field["type"])
    plain = inner["type"] if isinstance(inner, dict) else inner
    fits = ("int", "long") if form in _NUMBER_FORMATS else ("bytes",) if form in _BYTES_FORMATS else ("string",)
    if plain not in fits:
        yield "format", f"format {form} is for {' or '.join(fits)}, the field is {plain}"


def _both_languages(doc: str) -> bool:
    return bool(_CHINESE.search(doc) and _ENGLISH.search(doc))


def _nullable(field: dict[str, Any]) -> bool:
    return isinstance(field["type"], list) and field["type"][0] == "null"


def _inner(kind: Any) -> Any:
    """The type within ``["null", T]`` and within an array."""
    if isinstance(kind, list):
        return _inner(kind[-1])
    if isinstance(kind, dict) and kind["type"] == "array":
        return _inner(kind["items"])
    return kind


def _records(schema: Schema) -> Iterator[tuple[str, Schema]]:
    return ((where, node) for where, node in _named_types(schema) if node["type"] == "record")


def _named_types(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every record, enum and fixed at its definition, with the path to it."""
    if isinstance(node, list):
        for branch in node:
            yield from _named_types(branch, where)
    elif isinstance(node, dict):
        own = where or node.get("name", "")
        if node.get("type") in ("record", "enum", "fixed"):
            yield own, node
        for field in node.get("fields", ()):
            yield from _named_types(field["type"], f"{own}.{field['name']}")
        if "items" in node:
            yield from _named_types(node["items"], f"{where}[]")


def _spelled_out(node: Any, schema: Schema) -> Any:
    """The type with every name in it replaced by its definition, so that two of them can be compared as texts."""
    known = {definition["name"]: definition for _, definition in _named_types(schema)}
    return _expand(node, lambda name: known.get(name.rpartition(".")[2]))


def _expand(node: Any, definition_of: Callable[[str], Schema | None]) -> Any:
    if isinstance(node, str):
        held = definition_of(node)
        return node if held is None else _expand(held, definition_of)
    if isinstance(node, list):
        return [_expand(branch, definition_of) for branch in node]
    expanded = dict(node)
    if "fields" in node:
        expanded["fields"] = [{**field, "type": _expand(field["type"], definition_of)} for field in node["fields"]]
    if "items" in node:
        expanded["items"] = _expand(node["items"], definition_of)
    return expanded


def lint_tables(tables: CodeTables) -> tuple[Finding, ...]:
    """Findings on the code tables themselves: each name in its language."""
    return tuple(
        Finding(f"{name}.csv", row.code, "docs", "zh is Chinese and en is English")
        for name, table in sorted(tables.by_name.items())
        for row in table.rows
        if not _CHINESE.search(row.zh) or _CHINESE.search(row.en) or not _LATIN.search(row.en)
    )
