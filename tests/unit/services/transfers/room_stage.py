"""The transfers room over the shipped tables, entry by entry: a case of assistance between three bureaus. No broker, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from services.cases.state import Case
from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.events import Event, to_value
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.members.registry import Registry
from services.runtime.fold import Emission, Folded, Logged
from services.transfers.worker import ROOM
from tests.unit.services.cases.docket import calendar
from tests.unit.services.cases.stage import HAISHU, HOUR, MORNING, NANJING, NINGBO, SUZHOU, members

SUBJECT = "TR-320100-2026-000001"
ORGANS = (NANJING, NINGBO, SUZHOU, HAISHU)
LATER = 7
"""A size of the members log at which another calendar is there."""


@cache
def _without_2026() -> Registry:
    return replace(members(), calendar=calendar(until=2025))


class World:
    """The members, with the calendar of 2026 from one size of their log on; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def registry(self, size: int) -> Registry:
        self.asked.append(size)
        return members() if size >= LATER else _without_2026()


@dataclass
class Stage:
    """One subject: every ``say`` is an entry with the next seq, an hour after the one before."""

    subject: str = SUBJECT
    state: Case | None = None
    world: World = field(default_factory=World)
    log: list[Logged] = field(default_factory=list)
    said: list[Emission] = field(default_factory=list)

    def entry(
        self,
        event: Event,
        source: str,
        to: tuple[str, ...] = (),
        *,
        at: int | None = None,
        copies: tuple[str, ...] = (),
        size: int = LATER,
    ) -> Logged:
        seq = len(self.log)
        admitted = MORNING + HOUR * seq if at is None else at
        statement = Statement(
            id=uuid7(admitted, seq.to_bytes(10, "big")),
            source=source,
            type=event.TYPE,
            subject=self.subject,
            time=format_instant(admitted),
            agreement="yrd-transfers@1",
            addressee=",".join(sorted(to)) or "-",
            cause="-",
            schema="sha256:" + "0" * 64,
            content="sha256:" + "0" * 64,
        )
        deliveries = tuple(Delivery(name, seq) for name in sorted({*to, *copies}))
        entry = Entry(statement, "ed25519:x", format_instant(admitted), "ipx.transfers/0", seq, size, deliveries)
        logged = Logged(entry, to_value(event), event, "ipx.transfers", 0, seq)
        self.log.append(logged)
        return logged

    def say(self, event: Event, source: str, *to: str, **how: Any) -> Folded[Case | None]:
        return self.take(self.entry(event, source, to, **how))

    def take(self, logged: Logged) -> Folded[Case | None]:
        """Folds an entry, for the first time or again."""
        folded = ROOM.fold(self.state, logged, self.world)
        self.state = folded.state
        self.said += folded.emissions
        return folded

    def open(self, **how: Any) -> Folded[Case | None]:
        return self.say(opened(), NANJING, NINGBO, **how)

    def wait(self, until_ms: int) -> list[Emission]:
        first = len(self.said)
        while self.state is not None and (due := ROOM.due_of(self.state)) is not None and due <= until_ms:
            folded = ROOM.tick(self.state, due, self.world)
            self.state = folded.state
            self.said += folded.emissions
        return self.said[first:]


def opened(**more: Any) -> TransferOpened:
    told: dict[str, Any] = {
        "kind": "assistance_request",
        "title": "电池改贴商标",
        "facts": "检查发现",
        "requests": "请协助取证",
        "officer": "SECRET",
        **more,
    }
    return TransferOpened(**told)


def moved(move: str, happened_at: int = MORNING, **more: Any) -> TransferMoved:
    return TransferMoved(kind="assistance_request", move=move, happened_at=happened_at, officer="SECRET", **more)


def types(emissions: Any) -> list[str]:
    return [type(emission.event).__name__ for emission in emissions]
