"""Who gets a copy of an event, and what is left out of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.codec.schema import EventSchema
from services.codec.statement import Statement
from services.kernel.errors import Refused
from services.members.registry import Registry


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient and the restricted fields withheld from it, in the order of the schema."""

    id: str
    withheld: tuple[str, ...] = ()


def addressed(registry: Registry, schema: EventSchema, statement: Statement) -> tuple[Recipient, ...]:
    """The named addressees of an event that moves under no agreement: nothing restricted is disclosed.

    Refuses ``addressee-not-a-member``. A suspended one is delivered to all the same: its copy waits in its inbox,
    which the gateway does not hand out meanwhile, so that no result and no receipt is lost.
    """
    for name in statement.addressees:
        if name not in registry.participants:
            raise Refused(
                "addressee-not-a-member", f"{name} is not a member of this exchange", field="addressee", about=(name,)
            )
    return tuple(Recipient(name, schema.restricted) for name in statement.addressees)
