"""Who may do what on a broker that knows its clients: the plan, and its application by kafka-python's admin client.

Only admission writes a log; only the gateway and the relay write ``.in``; a participant reads its own inbox and writes
its own outbox, so that a stolen credential cannot speak for another nor flood a shared topic (design section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import SecurityDisabledError

from services.kernel.errors import BadSettings
from services.runtime.topics import Groups, Topics, TopicTable

ANY_HOST = "*"


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One thing that one principal may do; ``pattern`` is literal or prefixed."""

    principal: str
    operation: str
    resource: str
    name: str
    pattern: str = "literal"


def plan(topics: Topics, groups: Groups, table: TopicTable, participants: Iterable[str]) -> tuple[Grant, ...]:
    """Every grant of an exchange, in order and without repeats. What is not granted is refused by the broker.

    Principals are ``User:<exchange>-<process>`` for the exchange's own processes and ``User:<participant>`` for a
    participant with a Kafka client of its own.
    """
    families = tuple(table.families)
    grants = [
        *_admission(topics, groups, families),
        *_gateway(topics, groups, families),
        *_rooms(topics, groups, families),
        *_ledger(topics, families),
        *_auditor(topics, families),
        *(grant for who in participants for grant in _participant(topics, groups, who)),
    ]
    return tuple(sorted(set(grants)))


def apply_plan(admin: Any, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Adds the grants that the broker does not have and returns them; takes none away. Blocks.

    ``BadSettings`` when the broker has no authorizer: it would accept anything from anybody, and the plan would be a
    promise that nothing keeps.
    """
    try:
        known, _errors = admin.describe_acls(_everything())
        missing = tuple(grant for grant in grants if _acl(grant) not in set(known))
        if missing:
            admin.create_acls([_acl(grant) for grant in missing])
    except SecurityDisabledError as error:
        raise BadSettings(
            "this broker has no authorizer, so it keeps no access rules: configure one "
            "(authorizer.class.name) and authentication, or look at the plan with --dry-run"
        ) from error
    return missing


def _admission(topics: Topics, groups: Groups, families: Iterable[str]) -> Iterable[Grant]:
    who = f"User:{topics.prefix}-admission"
    for family in families:
        yield from _reads(who, topics.proposals(family))
        yield from _reads(who, topics.log(family))
        yield from _writes(who, topics.log(family))
    yield from _writes(who, topics.inbox(""), "prefixed")
    yield from _reads(who, topics.inbox(""), "prefixed")
    yield from _writes(who, topics.quarantine)
    yield Grant(who, "read", "group", groups.admission)
    yield from _transactions(who, topics)


def _gateway(topics: Topics, groups: Groups, families: Iterable[str]) -> Iterable[Grant]:
    who = f"User:{topics.prefix}-gateway"
    for family in families:
        yield from _writes(who, topics.proposals(family))
        yield from _reads(who, topics.log(family))
    yield from _reads(who, topics.inbox(""), "prefixed")
    yield from _reads(who, topics.outbox(""), "prefixed")
    yield from _reads(who, topics.checkpoints)
    yield from _writes(who, topics.checkpoints)
    yield from _writes(who, topics.quarantine)
    yield Grant(who, "read", "group", groups.outboxes)
    yield Grant(who, "read", "group", groups.inbox(""), "prefixed")
    yield from _transactions(who, topics)


def _rooms(topics: Topics, groups: Groups, families: Iterable[str]) -> Iterable[Grant]:
    relay = f"User:{topics.prefix}-relay"
    rooms = f"User:{topics.prefix}-rooms"
    for family in families:
        yield from _writes(relay, topics.proposals(family))
        yield from _reads(rooms, topics.log(family))
    yield Grant(rooms, "read", "group", groups.room(""), "prefixed")


def _ledger(topics: Topics, families: Iterable[str]) -> Iterable[Grant]:
    """Reads every log, writes checkpoints, and says on the receipts log how many copies each recipient was sent."""
    who = f"User:{topics.prefix}-ledger"
    for family in families:
        yield from _reads(who, topics.log(family))
    yield from _reads(who, topics.checkpoints)
    yield from _writes(who, topics.checkpoints)
    yield from _writes(who, topics.proposals("receipts"))


def _auditor(topics: Topics, families: Iterable[str]) -> Iterable[Grant]:
    """Reads whatever ``ipx audit`` compares, and writes nothing anywhere."""
    who = f"User:{topics.prefix}-auditor"
    for family in families:
        yield from _reads(who, topics.log(family))
    yield from _reads(who, topics.inbox(""), "prefixed")
    yield from _reads(who, topics.checkpoints)
    yield from _reads(who, topics.quarantine)


def _participant(topics: Topics, groups: Groups, participant: str) -> Iterable[Grant]:
    who = f"User:{participant}"
    yield from _reads(who, topics.inbox(participant))
    yield from _writes(who, topics.outbox(participant))
    yield Grant(who, "read", "group", groups.inbox(participant))


def _reads(principal: str, topic: str, pattern: str = "literal") -> Iterable[Grant]:
    yield Grant(principal, "read", "topic", topic, pattern)
    yield Grant(principal, "describe", "topic", topic, pattern)


def _writes(principal: str, topic: str, pattern: str = "literal") -> Iterable[Grant]:
    yield Grant(principal, "write", "topic", topic, pattern)
    yield Grant(principal, "describe", "topic", topic, pattern)


def _transactions(principal: str, topics: Topics) -> Iterable[Grant]:
    """Ids that begin with the principal's own name: one for each instance of the process (``<prefix>-admission-…``), and
    of each of its parts that writes in transactions (``<prefix>-gateway-door-…``)."""
    own = principal.removeprefix("User:")
    for operation in ("write", "describe"):
        yield Grant(principal, operation, "transactional_id", own, "prefixed")


def _acl(grant: Grant) -> Any:
    pattern = ResourcePattern(
        ResourceType[grant.resource.upper()], grant.name, ACLResourcePatternType[grant.pattern.upper()]
    )
    operation = ACLOperation[grant.operation.upper()]
    return ACL(grant.principal, ANY_HOST, operation, ACLPermissionType.ALLOW, pattern)


def _everything() -> Any:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
