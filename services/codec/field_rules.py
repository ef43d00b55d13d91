"""Field rules of an event type, read from its schema and compiled once (admission step 7, design section 6).

A schema says per field `"ipx.codes": "<table>"` (the value is a code of that table, valid on the day of the event) or
`"ipx.format": "<format>"` (`kernel/formats.py`; `past_instant` and `past_day` may not lie after the event), and per record
`"ipx.order": [[earlier, later], …]`. Nested records and the items of arrays are checked alike; a null is never checked.

The check is on the hot path: one pass over the fields that have a rule; where a field stands is put into words only when
something is wrong with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.kernel.codes import CodeTables, day_of
from services.kernel.errors import Refused
from services.kernel.formats import CLOCKED, FORMATS

AHEAD_MS: Final = 300_000
"""How far an instant may lie after the event (issue 3: more than 5 minutes is refused)."""

Value = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field. Holds no value: it may be personal. ``warning`` is passed on, never refused."""

    code: str
    field: str
    expected_zh: str
    expected_en: str
    warning: bool = False


class _At(NamedTuple):
    """What the rules look at beside the value: the instant and day of the event, the codes valid on that day."""

    latest_ms: int
    day: int
    codes: dict[str, frozenset[str]]


Found = list[FieldProblem]
Place = tuple[Any, str | int]  # where the parent stands, and the name or index in it
Step = Callable[[Any, Any, _At, Found], None]


@dataclass(slots=True)
class FieldRules:
    """The compiled rules of one schema."""

    name: str
    tables: tuple[str, ...]
    _step: Step
    _last: tuple[int, CodeTables, dict[str, frozenset[str]]] | None = None

    def check(self, value: Value, at_ms: int, tables: CodeTables) -> tuple[FieldProblem, ...]:
        """Every problem of a decoded value in field order, warnings among them; empty when there is none.

        Not promised: that a reference exists, or that fields agree with one another beyond their order in time.
        """
        found: Found = []
        self._step(value, None, _At(at_ms + AHEAD_MS, day_of(at_ms), self._codes(day_of(at_ms), tables)), found)
        return tuple(found)

    def _codes(self, day: int, tables: CodeTables) -> dict[str, frozenset[str]]:
        last = self._last
        if last is None or last[0] != day or last[1] is not tables:
            last = self._last = (day, tables, {name: tables[name].codes_on(day) for name in self.tables})
        return last[2]


def compile_field_rules(schema: dict[str, Any]) -> FieldRules:
    """The rules of a record schema (its JSON). Refuses ``bad-schema`` an unknown format; the lint says so earlier."""
    builder = _Builder(schema.get("namespace", ""))
    step = builder.record(schema)
    return FieldRules(
        f"{schema.get('namespace', '')}.{schema['name']}", tuple(sorted(builder.tables)), step or _nothing
    )


def _words(place: Place) -> str:
    """``rights[0].holder.uscc``."""
    parent, own = place
    before = _words(parent) if parent is not None else ""
    if isinstance(own, int):
        return f"{before}[{own}]"
    return f"{before}.{own}" if before else own


def _nothing(_value: Any, _path: Any, _at: _At, _found: Found) -> None:
    """The rule of a schema without rules."""


class _Builder:
    """Walks one schema; named types are defined at their first mention and meant by name after it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.tables: set[str] = set()
        self._records: dict[str, Step | None] = {}

    def record(self, schema: dict[str, Any]) -> Step | None:
        """The step over a record's fields; None when no field of it has a rule."""
        steps = [(field["name"], step) for field in schema["fields"] if (step := self._field(field)) is not None]
        orders = tuple((first, second) for first, second in schema.get("ipx.order", ()))
        step = _record_step(tuple(steps), orders) if steps or orders else None
        self._records[f"{schema.get('namespace', self.namespace)}.{schema['name']}"] = step
        return step

    def _field(self, field: dict[str, Any]) -> Step | None:
        own = self._own_rule(field)
        return self._of_type(field["type"], own)

    def _own_rule(self, field: dict[str, Any]) -> Step | None:
        table, form = field.get("ipx.codes"), field.get("ipx.format")
        if table is not None:
            self.tables.add(table)
            return _code_step(table)
        if form is None:
            return None
        if form in CLOCKED:
            return _past_instant if form == "past_instant" else _past_day
        if form not in FORMATS:
            raise Refused("bad-schema", f"field {field['name']}: there is no format {form!r}", field=field["name"])
        return _format_step(form)

    def _of_type(self, kind: Any, own: Step | None) -> Step | None:
        match kind:
            case str():
                return self._records.get(kind if "." in kind else f"{self.namespace}.{kind}", own)
            case ["null", inner]:
                return self._of_type(inner, own)
            case {"type": "array", "items": items}:
                item = self._of_type(items, own)
                return None if item is None else _array_step(item)
            case {"type": "record"}:
                return self.record(kind)
            case _:
                return own


def _record_step(steps: tuple[tuple[str, Step], ...], orders: tuple[tuple[str, str], ...]) -> Step:
    def step(value: Value, path: Any, at: _At, found: Found) -> None:
        for name, rule in steps:
            held = value[name]
            if held is not None and held != []:
                rule(held, (path, name), at, found)
        for first, second in orders:
            before, after = value[first], value[second]
            if before is not None and after is not None and before > after:
                found.append(FieldProblem("bad-field", _words((path, second)), f"不早于{first}", f"not before {first}"))

    return step


def _array_step(item: Step) -> Step:
    def step(held: list[Any], path: Any, at: _At, found: Found) -> None:
        for index, each in enumerate(held):
            item(each, (path, index), at, found)

    return step


def _code_step(table: str) -> Step:
    def step(held: str, path: Any, at: _At, found: Found) -> None:
        if held not in at.codes[table]:
            found.append(
                FieldProblem(
                    "bad-code",
                    _words(path),
                    f"代码表{table}中当日有效的代码",
                    f"a code of table {table} valid on the day",
                )
            )

    return step


def _format_step(form: str) -> Step:
    check = FORMATS[form]

    def step(held: Any, path: Any, _at: _At, found: Found) -> None:
        problem = check(held)
        if problem is not None:
            found.append(
                FieldProblem("bad-field", _words(path), problem.expected_zh, problem.expected, problem.advisory)
            )

    return step


def _past_instant(held: int, path: Any, at: _At, found: Found) -> None:
    if held > at.latest_ms:
        found.append(
            FieldProblem(
                "time-in-future", _words(path), "不晚于事件时间五分钟以上", "not more than 5 minutes after the event"
            )
        )


def _past_day(held: int, path: Any, at: _At, found: Found) -> None:
    if held > at.day:
        found.append(FieldProblem("time-in-future", _words(path), "不晚于事件当日", "not after the day of the event"))
