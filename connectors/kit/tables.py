"""Code tables: the city's code for a thing and the exchange's, translated both ways. Pure.

A table is data: ``"01" = "trademark"``, the city's code first. Where several codes of the city mean one of ours, the first
in the file is the one that is written. ``"read:*"`` and ``"write:*"`` name what stands for a code that is not listed;
without them such a code is refused, never passed on untranslated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.converters import CANNOT_MAP
from services.kernel.errors import BadSettings, Refused

_OTHER_READ = "read:*"
_OTHER_WRITE = "write:*"


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One compiled table."""

    name: str
    ours: Mapping[str, str]
    theirs: Mapping[str, str]
    other_ours: str | None = None
    other_theirs: str | None = None

    def read(self, code: str) -> str:
        """Our code for the city's; refuses ``cannot-map``."""
        found = self.ours.get(code, self.other_ours)
        if found is None:
            raise Refused(CANNOT_MAP, f"the city's code is not in table {self.name}; add it or a read:* line")
        return found

    def write(self, code: str) -> str:
        """The city's code for ours; refuses ``cannot-map``."""
        found = self.theirs.get(code, self.other_theirs)
        if found is None:
            raise Refused(CANNOT_MAP, f"no city code for {code[:40]!r} in table {self.name}; add it or a write:* line")
        return found


def compile_table(name: str, rows: object) -> CodeTable:
    """A table from its TOML form; ``BadSettings`` when it is not text to text."""
    if not isinstance(rows, dict) or not all(isinstance(value, str) for value in rows.values()):
        raise BadSettings(f'code table {name}: expected lines of the form "city\'s code" = "our code"')
    ours = {str(code): value for code, value in rows.items() if code not in (_OTHER_READ, _OTHER_WRITE)}
    theirs: dict[str, str] = {}
    for code, value in ours.items():
        theirs.setdefault(value, code)
    return CodeTable(name, ours, theirs, rows.get(_OTHER_READ), rows.get(_OTHER_WRITE))
