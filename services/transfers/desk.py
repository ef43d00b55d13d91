"""The reading desk of cases: the room's tables, the members log and the tables of the release, behind a few questions.

Reads what the room has stored, as far as it has come; decides nothing. Blocks; ``Transient`` while the database is away or the members
log has not been read as far as a case needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.cases.laws import Laws
from services.cases.lines import case_line, clock_line
from services.cases.state import Case
from services.cases.state_json import decode
from services.cases.view import case_view
from services.kernel.errors import Transient
from services.members.history import History
from services.members.registry import Registry
from services.runtime.postgres import Database
from services.transfers.listing import (
    CASE,
    READY,
    CaseQuery,
    ClockQuery,
    Place,
    Statement,
    cases_sql,
    clocks_sql,
    read_cases,
    read_clocks,
)

_MEMBERS_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class CaseDesk:
    """Answers questions about cases."""

    database: Database
    laws: Laws
    history: Callable[[], History]

    def cases(self, asked: CaseQuery, now_ms: int) -> list[dict[str, Any]]:
        """A page of cases, a line each."""
        around = self.laws.by(self.history().latest)
        return [case_line(case, around, now_ms) for case in read_cases(self._rows(cases_sql(asked, self.laws.rules)))]

    def clocks(self, asked: ClockQuery, now_ms: int) -> tuple[list[dict[str, Any]], Place | None]:
        """A page of clocks that have not ended, a line each, and the place of the last one."""
        around = self.laws.by(self.history().latest)
        rows = read_clocks(self._rows(clocks_sql(asked, self.laws.rules)))
        found = [(row.case, clock) for row in rows for clock in row.case.clocks if clock.key == row.clock]
        lines = [clock_line(case, clock, around, now_ms) for case, clock in found]
        return lines, rows[-1].place if rows else None

    def case(self, subject: str, now_ms: int, participant: str | None) -> dict[str, Any] | None:
        """The document of a case (``case_view``); None when there is none, or none that the participant was told of."""
        case = self.state(subject)
        if case is None or not case.exists:
            return None
        return case_view(case, self.laws.of_case(case, self.registry_at), now_ms, participant)

    def state(self, subject: str) -> Case | None:
        """The state of a case as the room has stored it."""
        rows = self._rows((CASE, {"key": subject}))
        return decode(rows[0][0]) if rows else None

    def registry_at(self, size: int) -> Registry:
        """The members as of a size of their log."""
        history = self.history()
        if not history.wait_for(size, _MEMBERS_WAIT_S):
            raise Transient(f"the members log has been read to {history.size}, a case needs {size}")
        return history.at(size)

    def _rows(self, statement: Statement) -> list[tuple[Any, ...]]:
        """What a statement gives; nothing before the room has made its tables."""
        with self.database.transaction() as connection:
            found = connection.execute(READY).fetchone()
            if found is None or not found[0]:
                return []
            return connection.execute(statement[0].encode(), statement[1]).fetchall()
