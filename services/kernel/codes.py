"""Code tables: the values that coded fields may take, each with its names, its days of validity and its source.

A table is a CSV file of `schemas/codes`: columns `code,zh,en,<more>,valid_from,valid_until,source`; both days are included,
an empty one is open. One code may have several rows that follow one another in time (the name or the rule changed, the
code stayed). Days are days since 1970-01-01 in China Standard Time, in which the organs count.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.kernel.errors import BadSettings, Refused
from services.kernel.instants import parse_day

COLUMNS_FIRST: Final = ("code", "zh", "en")
COLUMNS_LAST: Final = ("valid_from", "valid_until", "source")
_CST_OFFSET_MS: Final = 8 * 3_600_000
_DAY_MS: Final = 86_400_000
_REMEMBERED_DAYS: Final = 64


def day_of(instant_ms: int) -> int:
    """The day, in China Standard Time, that an instant falls on."""
    return (instant_ms + _CST_OFFSET_MS) // _DAY_MS


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One row; ``more`` holds the columns of this table alone (``parent``, ``level``, ``http_status``, …) as text."""

    code: str
    zh: str
    en: str
    valid_from: int | None
    valid_until: int | None
    source: str
    more: Mapping[str, str]

    def covers(self, day: int) -> bool:
        """Whether the row is valid on a day."""
        after_start = self.valid_from is None or self.valid_from <= day
        return after_start and (self.valid_until is None or day <= self.valid_until)


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table. Equal by name and rows; the days asked for are remembered, so that asking again costs a look-up."""

    name: str
    rows: tuple[CodeRow, ...]
    _by_code: dict[str, tuple[CodeRow, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _by_day: dict[int, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            self._by_code[row.code] = (*self._by_code.get(row.code, ()), row)

    def codes_on(self, day: int) -> frozenset[str]:
        """Every code that is valid on a day."""
        known = self._by_day.get(day)
        if known is None:
            if len(self._by_day) >= _REMEMBERED_DAYS:
                self._by_day.clear()
            known = self._by_day[day] = frozenset(row.code for row in self.rows if row.covers(day))
        return known

    def valid(self, code: str, day: int) -> bool:
        """Whether the table has the code on that day."""
        return code in self.codes_on(day)

    def row(self, code: str, day: int) -> CodeRow | None:
        """The row of a code on a day."""
        return next((row for row in self._by_code.get(code, ()) if row.covers(day)), None)

    def latest(self, code: str) -> CodeRow | None:
        """The last row of a code whatever the day: for showing its name."""
        rows = self._by_code.get(code)
        return rows[-1] if rows else None


@dataclass(frozen=True, slots=True)
class CodeTables:
    """All tables by name."""

    by_name: Mapping[str, CodeTable]

    def __getitem__(self, name: str) -> CodeTable:
        try:
            return self.by_name[name]
        except KeyError as error:
            raise BadSettings(
                f"there is no code table {name!r}; known are {', '.join(sorted(self.by_name))}"
            ) from error

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def lineage(self, division: str) -> tuple[str, ...]:
        """The division and all above it, nearest first, up to the nation; empty for an unknown one."""
        divisions, found = self["divisions"], []
        row = divisions.latest(division)
        while row is not None and row.code not in found:
            found.append(row.code)
            row = divisions.latest(row.more["parent"])
        return tuple(found)


def parse_code_table(name: str, text: str) -> CodeTable:
    """The table in a CSV text. BadSettings, naming table and line, when columns, days or rows are not as promised."""
    reader = csv.DictReader(io.StringIO(text))
    columns = tuple(reader.fieldnames or ())
    if columns[:3] != COLUMNS_FIRST or columns[-3:] != COLUMNS_LAST:
        raise BadSettings(
            f"code table {name}: expected columns code,zh,en,…,valid_from,valid_until,source, got {columns}"
        )
    more = columns[3:-3]
    rows = tuple(_row(name, number, record, more) for number, record in enumerate(reader, start=2))
    table = CodeTable(name, rows)
    for code, held in table._by_code.items():
        _must_follow(name, code, held)
    return table


def load_code_tables(directory: Path) -> CodeTables:
    """Every ``*.csv`` of a directory. BadSettings when one is not a code table; blocks on the disk."""
    files = sorted(directory.glob("*.csv"))
    if not files:
        raise BadSettings(f"no code tables in {directory}")
    return CodeTables({file.stem: parse_code_table(file.stem, file.read_text(encoding="utf-8")) for file in files})


def _row(name: str, number: int, record: dict[str, str], more: tuple[str, ...]) -> CodeRow:
    if None in record or None in record.values():
        raise BadSettings(f"code table {name} line {number}: not as many cells as columns")
    if not (record["code"] and record["zh"] and record["en"] and record["source"]):
        raise BadSettings(f"code table {name} line {number}: code, zh, en and source must be filled")
    try:
        first, last = (parse_day(record[key]) if record[key] else None for key in COLUMNS_LAST[:2])
    except Refused as error:
        raise BadSettings(f"code table {name} line {number}: {error.message}") from error
    return CodeRow(
        record["code"], record["zh"], record["en"], first, last, record["source"], {key: record[key] for key in more}
    )


def _must_follow(name: str, code: str, rows: Iterable[CodeRow]) -> None:
    end: int | None = None
    for position, row in enumerate(rows):
        if position and (end is None or row.valid_from is None or row.valid_from <= end):
            raise BadSettings(f"code table {name}: the rows of {code} overlap in time")
        end = row.valid_until
