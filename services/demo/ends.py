"""Whether an expected end has come: decided by what was read from logs and inboxes, and by nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.codec.signature import parse_signature
from services.codec.statement import Statement
from services.demo.scenario import Expectation
from services.demo.tally import Tally
from services.events.clue import ClueAccepted


@dataclass(frozen=True, slots=True)
class Trail:
    """What the exchange knows of the clues of one run, by their own numbers."""

    tally: Tally

    def reports(self, number: str) -> tuple[Statement, ...]:
        """Proposed reports of the clue of that number, in the order in which they were made."""
        subject = self.subject(number)
        return () if subject is None else tuple(self.tally.reports[subject])

    def subject(self, number: str) -> str | None:
        """The clue's number in the exchange: it ends with the number that its city gave it."""
        return self.tally.subjects.get(number)

    def recipients(self, event: str) -> frozenset[str]:
        """Who gets a copy of an event; empty while it is not in the log."""
        entry = self.tally.entries.get(event)
        return frozenset() if entry is None else frozenset(d.recipient for d in entry.deliveries)


def has_come(expected: Expectation, numbers: Iterable[str], trail: Trail, screens: Mapping[str, str]) -> bool:
    """Whether the end has come for every clue of the group, or for as many as are expected.

    ``screens`` is what each organ's system shows of the scenario's clues, for the ends ``shown`` and ``hidden``.
    """
    group = tuple(numbers)
    if expected.end == "one_batch":
        return _one_batch(group, trail)
    if expected.end in ("shown", "hidden"):
        shown = (expected.text or "") in screens.get(expected.by or "", "")
        return shown is (expected.end == "shown")
    wanted = len(group) if expected.count is None else expected.count
    return sum(_ended(expected, number, trail) for number in group) == wanted > 0


def _ended(expected: Expectation, number: str, trail: Trail) -> bool:
    subject, tally = trail.subject(number), trail.tally
    if subject is None:
        return False
    match expected.end:
        case "held":
            return _held(expected, number, trail)
        case "accepted":
            said = [e.statement for e in tally.entries.values() if e.statement.subject == subject]
            return any(s.type == ClueAccepted.TYPE and _fits(expected.by, s.source) for s in said)
        case "filed" | "not_filed" | "returned":
            results = [result for of, result in tally.results.values() if of == subject]
            return any(
                r.result == expected.end
                and _fits(expected.by, r.handled_by)
                and _fits(expected.code, r.ground or r.return_reason or r.case_number)
                for r in results
            )
        case "referred":
            return any(
                of == subject and _fits(expected.by, r.competent_participant) for of, r in tally.referrals.values()
            )
        case "no_effect":
            return any(
                of == subject and _fits(expected.by, r.attempted_by) and _fits(expected.code, r.rule)
                for of, r in tally.without_effect.values()
            )
        case "refused":
            refused = [tally.refusals[s.id] for s in trail.reports(number) if s.id in tally.refusals]
            return any(_fits(expected.by, r.source) and _fits(expected.code, r.code) for r in refused)
        case "declined_by_city":
            events = {s.id for s in trail.reports(number)}
            return any(
                d.event in events and _fits(expected.by, d.recipient) and _fits(expected.code, d.code)
                for d in tally.declined.values()
            )
    return False


def _held(expected: Expectation, number: str, trail: Trail) -> bool:
    pairs = {(s.id, r) for s in trail.reports(number) for r in trail.recipients(s.id)}
    return any(pair in trail.tally.committed and _fits(expected.by, pair[1]) for pair in pairs)


def _one_batch(numbers: tuple[str, ...], trail: Trail) -> bool:
    """Whether the reports of all of them rest on one signature."""
    entries = [trail.tally.entries.get(s.id) for number in numbers for s in trail.reports(number)[:1]]
    lines = [parse_signature(entry.signature) for entry in entries if entry is not None]
    alike = {(line.key_id, line.value, line.size) for line in lines}
    return len(lines) == len(numbers) and len(alike) == 1 and all(line.path is not None for line in lines)


def _fits(wanted: str | None, found: str | None) -> bool:
    return wanted is None or wanted == found
