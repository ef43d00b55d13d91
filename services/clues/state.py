"""State of a clue: who reported it, who holds it and how far each holder has come. The transition table is data.

Sources: 市场监督管理行政处罚程序规定 (orders 2/42/61, 2022) articles 12, 14, 18-20 and the 12315 rules (reports at a bureau
without power); ``README.md`` in this folder says which rule serves which clause. No field here is a restricted one: the
state holds ids, stages and numbers, never what a clue says.

Each holder has its own stage, because two bureaus may both be competent until one of them files (article 12)::

    reported ──accept──▶ accepted ──verify──▶ verified ──file──▶ filed
       │                    │                     └──not file──▶ not_filed
       └──────return────────┴──▶ returned ──(the origin reports it again)──▶ reported
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from services.events.clue import ClueAccepted, ClueFiled, ClueNotFiled, ClueReported, ClueReturned, ClueVerified

Move = ClueAccepted | ClueReturned | ClueVerified | ClueFiled | ClueNotFiled


class Stage(StrEnum):
    """How far a holder has come with a clue, or what the clue as a whole is; values of the code table ``clue_states``."""

    UNKNOWN = "unknown"
    REPORTED = "reported"
    ACCEPTED = "accepted"
    RETURNED = "returned"
    VERIFIED = "verified"
    FILED = "filed"
    NOT_FILED = "not_filed"
    REFERRED = "referred"


TRANSITIONS: Final[Mapping[Stage, Mapping[type[Move], Stage]]] = {
    Stage.UNKNOWN: {},
    Stage.REPORTED: {ClueAccepted: Stage.ACCEPTED, ClueReturned: Stage.RETURNED},
    Stage.ACCEPTED: {ClueVerified: Stage.VERIFIED, ClueReturned: Stage.RETURNED},
    Stage.VERIFIED: {ClueFiled: Stage.FILED, ClueNotFiled: Stage.NOT_FILED},
    Stage.RETURNED: {},  # only the origin's new report leads on
    Stage.FILED: {},
    Stage.NOT_FILED: {},
    Stage.REFERRED: {},
}
MADE_BEFORE: Final[Mapping[Stage, frozenset[type[Move]]]] = {
    Stage.ACCEPTED: frozenset({ClueAccepted}),
    Stage.VERIFIED: frozenset({ClueAccepted, ClueVerified}),
    Stage.RETURNED: frozenset({ClueReturned}),
}
TERMINAL: Final = frozenset({Stage.FILED, Stage.NOT_FILED, Stage.REFERRED})
_ADVANCED: Final = (
    Stage.FILED,
    Stage.VERIFIED,
    Stage.ACCEPTED,
    Stage.REPORTED,
    Stage.RETURNED,
    Stage.NOT_FILED,
)


@dataclass(frozen=True, slots=True)
class Report:
    """One report that had effect: the event, who made it, when it was admitted, who holds the clue by it."""

    event: str
    source: str
    admitted_ms: int
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """An organ that may act on the clue."""

    participant: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Clue:
    """The state of one subject. ``last_seq`` fences redelivery: a subject lives in one log partition, in one order."""

    last_seq: int = -1
    reports: tuple[Report, ...] = ()
    holdings: tuple[Holding, ...] = ()
    events: tuple[str, ...] = ()
    """Ids of the events that had effect, in order."""
    informed: tuple[str, ...] = ()
    """Everybody who has had a copy of an event with effect; whoever is not among them is told nothing of the clue."""
    referred: bool = False
    """A public report at a bureau without power: answered, closed here."""

    @property
    def exists(self) -> bool:
        """Whether a report of it had effect."""
        return bool(self.reports)

    @property
    def reporters(self) -> tuple[str, ...]:
        """The origin, then those who reported it too, each once."""
        return tuple(dict.fromkeys(report.source for report in self.reports))

    @property
    def filed_by(self) -> str | None:
        """The organ that filed first, and so has the case (article 12)."""
        return next((h.participant for h in self.holdings if h.stage is Stage.FILED), None)

    @property
    def stage(self) -> Stage:
        """The clue as a whole: the furthest stage at which something can still be done, or how it ended."""
        if self.referred:
            return Stage.REFERRED
        found = {holding.stage for holding in self.holdings}
        return next((stage for stage in _ADVANCED if stage in found), Stage.UNKNOWN)

    def stage_of(self, participant: str) -> Stage | None:
        """The stage of a holder; None when it has never held the clue."""
        return next((h.stage for h in self.holdings if h.participant == participant), None)

    @property
    def may_be_reported_again(self) -> bool:
        """Whether the origin may address it anew: a holder returned it and nobody has filed."""
        return self.filed_by is None and any(h.stage is Stage.RETURNED for h in self.holdings)

    def possible(self) -> dict[str, tuple[str, ...]]:
        """Event types that would have effect now, by the participant that may send them."""
        if self.referred or self.filed_by is not None:
            return {}
        moves = {h.participant: tuple(move.TYPE for move in TRANSITIONS[h.stage]) for h in self.holdings}
        found = {participant: types for participant, types in moves.items() if types}
        if self.may_be_reported_again:
            for reporter in self.reporters:
                found[reporter] = (*found.get(reporter, ()), ClueReported.TYPE)
        return found


def with_holdings(holdings: Iterable[Holding], participants: Iterable[str], stage: Stage) -> tuple[Holding, ...]:
    """The holdings with these participants at that stage, in ascending order, each participant once."""
    merged = {h.participant: h for h in holdings} | {p: Holding(p, stage) for p in participants}
    return tuple(merged[participant] for participant in sorted(merged))


def encode(clue: Clue) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "last_seq": clue.last_seq,
        "reports": [
            {"event": r.event, "source": r.source, "at": r.admitted_ms, "to": list(r.to)} for r in clue.reports
        ],
        "holdings": {h.participant: h.stage.value for h in clue.holdings},
        "events": list(clue.events),
        "informed": list(clue.informed),
        "referred": clue.referred,
    }


def decode(data: Mapping[str, Any]) -> Clue:
    """Inverse of :func:`encode`."""
    return Clue(
        last_seq=data["last_seq"],
        reports=tuple(Report(r["event"], r["source"], r["at"], tuple(r["to"])) for r in data["reports"]),
        holdings=tuple(Holding(p, Stage(stage)) for p, stage in sorted(data["holdings"].items())),
        events=tuple(data["events"]),
        informed=tuple(data["informed"]),
        referred=data["referred"],
    )
