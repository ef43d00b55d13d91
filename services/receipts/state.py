"""State of one logged event: its copies, the receipts for each step of each copy, the steps that were missing when due.

Implements design section 10. The entry comes from one log and its receipts from another, so they may be folded in any
order: everything kept here is a merge that does not ask for one (first and last by admission time, receipt id as the
tie-break). Before the entry is known, what recipients claim is kept as it is; when it is known, what fits no copy goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

DELIVERED: Final = "delivered"
COMMITTED: Final = "committed"
REJECTED: Final = "rejected"
NOT_COMMITTED: Final = "not_committed"
ADMITTED: Final = "admitted"
Json = Mapping[str, Any]
STEPS: Final = (DELIVERED, COMMITTED)
"""The steps that can be due. A rejection answers ``committed``: the city's system has decided."""
ANSWERS: Final = {DELIVERED: (DELIVERED,), COMMITTED: (COMMITTED, REJECTED)}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt as it counts: when it was admitted, what it says. No content of the event itself."""

    admitted_at: int
    receipt: str
    said_at: int
    reference: str | None = None
    code: str | None = None
    city_code: str | None = None
    field: str | None = None
    reason: str | None = None
    connector: str | None = None
    attempts: int | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Receipts in the order of their admission; the id decides within a millisecond."""
        return self.admitted_at, self.receipt


@dataclass(frozen=True, slots=True)
class Answer:
    """What a recipient said of one step of one delivery: the first receipt and the last (the same, where there is one)."""

    recipient: str
    number: int
    step: str
    first: Receipt
    last: Receipt

    @property
    def key(self) -> tuple[str, int, str]:
        """Recipient, delivery number, step."""
        return self.recipient, self.number, self.step


@dataclass(frozen=True, slots=True)
class Entry:
    """The logged event, as far as it matters here."""

    type: str
    source: str
    subject: str
    seq: int
    admitted_at: int
    agreement: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """One delivery and its limits in seconds from admission; None where the agreement sets none."""

    recipient: str
    number: int
    withheld: tuple[str, ...] = ()
    delivered_within_s: int | None = None
    committed_within_s: int | None = None

    def limit_s(self, step: str) -> int | None:
        """The limit of a step."""
        return self.delivered_within_s if step == DELIVERED else self.committed_within_s


@dataclass(frozen=True, slots=True)
class Missing:
    """A step that had no receipt when it was due; stays, whatever comes later."""

    recipient: str
    step: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Tracked:
    """One event in one log partition. ``entry`` is None while only receipts for it have been folded."""

    event: str
    log: str
    entry: Entry | None = None
    copies: tuple[Copy, ...] = ()
    answers: tuple[Answer, ...] = ()
    missing: tuple[Missing, ...] = ()

    def answer(self, copy: Copy, step: str) -> Answer | None:
        """What the recipient of the copy said of the step."""
        wanted = (copy.recipient, copy.number, step)
        return next((answer for answer in self.answers if answer.key == wanted), None)

    def answered_by(self, copy: Copy, step: str, at_ms: int) -> bool:
        """Whether a receipt that answers the step was admitted at that instant or before."""
        answers = (self.answer(copy, kind) for kind in ANSWERS[step])
        return any(answer is not None and answer.first.admitted_at <= at_ms for answer in answers)

    def due(self) -> tuple[tuple[int, int, str], ...]:
        """Steps that have not been answered in time nor been reported missing: due time, place of the copy, step."""
        if self.entry is None:
            return ()
        known = {(item.recipient, item.step) for item in self.missing}
        found = []
        for place, copy in enumerate(self.copies):
            for step in STEPS:
                limit_s = copy.limit_s(step)
                if limit_s is not None and (copy.recipient, step) not in known:
                    due_ms = self.entry.admitted_at + limit_s * 1000
                    if not self.answered_by(copy, step, due_ms):
                        found.append((due_ms, place, step))
        return tuple(sorted(found, key=lambda item: (item[0], item[1], STEPS.index(item[2]))))


def encode(tracked: Tracked) -> dict[str, Any]:
    """The state as JSON values; ``README.md`` says what each means."""
    return {
        "event": tracked.event,
        "log": tracked.log,
        "entry": None if tracked.entry is None else _without_none(asdict(tracked.entry)),
        "copies": [_without_none({**asdict(copy), "withheld": list(copy.withheld)}) for copy in tracked.copies],
        "answers": [
            {
                "recipient": answer.recipient,
                "number": answer.number,
                "step": answer.step,
                "first": _without_none(asdict(answer.first)),
                "last": _without_none(asdict(answer.last)),
            }
            for answer in tracked.answers
        ],
        "missing": [asdict(item) for item in tracked.missing],
    }


def decode(data: Json) -> Tracked:
    """Inverse of :func:`encode`."""
    entry = data["entry"]
    return Tracked(
        event=data["event"],
        log=data["log"],
        entry=None if entry is None else Entry(**entry),
        copies=tuple(Copy(**{**copy, "withheld": tuple(copy["withheld"])}) for copy in data["copies"]),
        answers=tuple(
            Answer(a["recipient"], a["number"], a["step"], Receipt(**a["first"]), Receipt(**a["last"]))
            for a in data["answers"]
        ),
        missing=tuple(Missing(**item) for item in data["missing"]),
    )


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
