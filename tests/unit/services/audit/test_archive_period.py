"""Periods of archives."""

from __future__ import annotations

from services.audit.archive_period import Period, entry_of, period_of, said_at
from services.kernel.instants import parse_instant
from tests.unit.services.audit.archive_scene import refused


def test_a_period_that_ends_before_it_begins_is_refused():
    assert refused(lambda: Period(2, 1)).code == "bad-field"


def test_a_period_is_of_whole_days_in_shanghai():
    period = period_of("2026-11-24", "2026-11-24")
    first, last = parse_instant("2026-11-23T16:00:00.000Z"), parse_instant("2026-11-24T15:59:59.999Z")
    assert [period.has(at) for at in (first - 1, first, last, last + 1)] == [False, True, True, False]
    assert period.texts() == ("2026-11-24", "2026-11-24")
    assert Period().has(0)
    assert Period().texts() == (None, None)
    assert refused(lambda: period_of("24.11.2026", None)).code == "bad-field"


def test_a_record_without_an_entry_is_of_the_time_of_its_statement():
    assert said_at([("ce_time", b"2026-11-24T00:00:00.000Z")], 5) == parse_instant("2026-11-24T00:00:00.000Z")
    assert said_at([("ce_time", b"\xff")], 5) == 5
    assert said_at([], 5) == 5
    assert entry_of([("ce_ipxentry", b"nonsense")]) is None
    assert entry_of([]) is None
