"""Whether two versions of a schema can stand side by side: what the registry enforces, told here without the registry.

Source: Apache Avro 1.12, "Schema Resolution", over the types the guard takes (no maps, no floating point). FULL_TRANSITIVE
means that each version reads what every other wrote. Two rules are the exchange's own, stricter than Avro's: a restricted
field stays restricted (a commitment made under one version must mean the same under the next), and a logical type stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Schema = Any  # a schema as JSON: str, list or dict

_PROMOTED: Final = {("int", "long"), ("string", "bytes"), ("bytes", "string")}


@dataclass(frozen=True, slots=True)
class Break:
    """One reason why two versions do not fit: where, and which reads which in vain (``new reads old``, …)."""

    where: str
    direction: str
    reason: str


def breaks_between(new: dict[str, Any], old: dict[str, Any]) -> tuple[Break, ...]:
    """Why the two are not FULL compatible; empty when they are. Neither need have been linted."""
    return (
        *(Break(where, "new reads old", reason) for where, reason in cannot_read(new, old)),
        *(Break(where, "old reads new", reason) for where, reason in cannot_read(old, new)),
        *(Break(where, "commitment", reason) for where, reason in _disclosure(new, old)),
    )


def cannot_read(reader: dict[str, Any], writer: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Where and why a reader with the one schema cannot read what was written with the other."""
    return tuple(_Pair(_named(reader), _named(writer)).compare(reader, writer, writer["name"]))


def _disclosure(new: dict[str, Any], old: dict[str, Any]) -> Iterator[tuple[str, str]]:
    before = {field["name"]: field.get("ipx.disclosure") for field in old["fields"]}
    for field in new["fields"]:
        name, now = field["name"], field.get("ipx.disclosure")
        if name in before and before[name] != now:
            yield f"{new['name']}.{name}", f"ipx.disclosure was {before[name]!r} and is {now!r}"


def _named(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[Schema, str]] = [(schema, "")]
    while waiting:
        node, namespace = waiting.pop()
        if isinstance(node, list):
            waiting += [(branch, namespace) for branch in node]
        elif isinstance(node, dict):
            space = node.get("namespace", namespace)
            if node["type"] in ("record", "enum", "fixed"):
                found[_full(node["name"], space)] = {**node, "namespace": space}
            waiting += [(field["type"], space) for field in node.get("fields", ())]
            waiting += [(node[key], space) for key in ("items", "type") if isinstance(node.get(key), dict | list | str)]
    return found


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


class _Pair:
    """One reader and one writer schema, with their named types; pairs being compared are not entered again."""

    def __init__(self, reader: dict[str, dict[str, Any]], writer: dict[str, dict[str, Any]]) -> None:
        self._reader, self._writer = reader, writer
        self._entered: set[tuple[str, str]] = set()

    def compare(self, reader: Schema, writer: Schema, where: str) -> Iterator[tuple[str, str]]:
        """Where and why the reader cannot read what the writer wrote, from here down."""
        reader, writer = self._resolve(reader, self._reader), self._resolve(writer, self._writer)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.compare(reader, branch, where)
            return
        if isinstance(reader, list):
            yield from self._some_branch(reader, writer, where)
            return
        kind, written = _kind(reader), _kind(writer)
        if kind != written and (written, kind) not in _PROMOTED:
            yield where, f"{written} cannot be read as {kind}"
        elif _logical(reader) != _logical(writer):
            yield where, f"logical type {_logical(writer)} is read as {_logical(reader)}"
        elif kind == "record":
            yield from self._records(reader, writer, where)
        elif kind == "enum":
            yield from _enums(reader, writer, where)
        elif kind == "fixed":
            if (reader["name"], reader["size"]) != (writer["name"], writer["size"]):
                yield where, "the fixed types differ in name or size"
        elif kind == "array":
            yield from self.compare(reader["items"], writer["items"], f"{where}[]")

    def _resolve(self, schema: Schema, named: dict[str, dict[str, Any]]) -> Schema:
        if isinstance(schema, str):
            return next((held for full, held in named.items() if schema in (full, held["name"])), schema)
        return schema

    def _some_branch(self, reader: list[Schema], writer: Schema, where: str) -> Iterator[tuple[str, str]]:
        entered = set(self._entered)
        tried = []
        for branch in reader:
            self._entered = set(entered)
            tried.append(list(self.compare(branch, writer, where)))
        if all(tried):
            same = [
                found for branch, found in zip(reader, tried, strict=True) if self._kind_of(branch) == _kind(writer)
            ]
            yield from same[0] if same else [(where, f"no branch reads {_kind(writer)}")]

    def _kind_of(self, branch: Schema) -> str:
        return _kind(self._resolve(branch, self._reader))

    def _records(self, reader: dict[str, Any], writer: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
        if reader["name"] != writer["name"]:
            yield where, f"record {writer['name']} is not {reader['name']}"
            return
        pair = (reader["name"], writer["name"])
        if pair in self._entered:
            return
        self._entered.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            place = f"{where}.{field['name']}"
            if field["name"] in written:
                yield from self.compare(field["type"], written[field["name"]]["type"], place)
            elif "default" not in field:
                yield place, "the writer does not have it and it has no default"


def _enums(reader: dict[str, Any], writer: dict[str, Any], where: str) -> Iterator[tuple[str, str]]:
    if reader["name"] != writer["name"]:
        yield where, f"enum {writer['name']} is not {reader['name']}"
    missing = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
    if missing and "default" not in reader:
        yield where, f"symbols {', '.join(missing)} are not known to the reader, which has no default"


def _kind(schema: Schema) -> str:
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _logical(schema: Schema) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None
