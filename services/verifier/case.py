"""What the steps of a verification have come to so far, and what the verifier knows beside the policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.codec.entry import Entry
from services.codec.evidence import Evidence
from services.codec.keys import PublicKey
from services.codec.schema import EventSchema, Value
from services.codec.tlog_policy import Policy, Standing
from services.events.member import ExchangeFounded
from services.members.jurisdiction import Routes
from services.members.registry import Registry
from services.verifier.excerpt import Placed

MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Options:
    """What the verifier knows beside the policy: the root key of the exchange, time-stamping authorities, the routing table."""

    root: PublicKey | None = None
    authorities: tuple[Any, ...] = ()
    routes: Routes = ()


@dataclass(slots=True)
class Case:
    """What the steps have come to so far; a step reads only what an earlier one has set."""

    data: bytes
    policy: Policy
    options: Options
    evidence: Evidence = field(init=False)
    entry: Entry = field(init=False)
    standing: Standing = field(init=False)
    exchange: str = field(init=False)
    placed: tuple[Placed, ...] = field(init=False)
    schemas: dict[str, EventSchema] = field(init=False)
    value: Value = field(init=False)
    parts: list[bytes] = field(init=False)
    registry: Registry = field(init=False)
    public_key: bytes = field(init=False)

    @property
    def is_founding(self) -> bool:
        """Whether the event is the founding itself: then its key is the one that it names."""
        return self.entry.statement.type == ExchangeFounded.TYPE

    @property
    def schema(self) -> EventSchema:
        """The schema of the event."""
        return self.schemas[self.entry.statement.schema]
