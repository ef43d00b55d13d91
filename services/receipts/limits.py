"""How long a recipient has for a step: what the agreement's flow says, by the members log that admission used. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from services.codec.entry import Entry
from services.events.member import Flow
from services.members.registry import Registry
from services.receipts.state import Copy


def copies_of(registry: Registry, entry: Entry) -> tuple[Copy, ...]:
    """The copies of an entry with their limits. An event under no agreement has none."""
    return tuple(
        Copy(
            d.recipient,
            d.number,
            d.withheld,
            _shortest(flow.delivered_within_s for flow in flows),
            _shortest(flow.committed_within_s for flow in flows),
        )
        for d in entry.deliveries
        for flows in [_flows(registry, entry, d.recipient)]
    )


def _flows(registry: Registry, entry: Entry, recipient: str) -> tuple[Flow, ...]:
    """The flow by which the recipient gets it; for a mere copy, the flows that give it one (the shortest limit counts)."""
    statement = entry.statement
    agreement = registry.agreement(statement.agreement)
    source = registry.participant(statement.source)
    receiver = registry.participant(recipient)
    if agreement is None or source is None or receiver is None:
        return ()
    direct = agreement.flow(statement.type, source.organ_type, receiver.organ_type)
    if direct is not None:
        return (direct,)
    flows = agreement.flows.get((statement.type, source.organ_type), ())
    return tuple(flow for flow in flows if receiver.organ_type in flow.copy_to)


def _shortest(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
