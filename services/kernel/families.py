"""Families of events: which log an event type belongs to, and the names of the topics of a family."""

from __future__ import annotations

from services.kernel.errors import Refused

FAMILY_OF_NAMESPACE = {
    "cn.ipx.member": "members",
    "cn.ipx.clue": "clues",
    "cn.ipx.transfer": "transfers",
    "cn.ipx.credit": "credit",
    "cn.ipx.link": "links",
    "cn.ipx.pattern": "patterns",
    "cn.ipx.notice": "notices",
    "cn.ipx.receipt": "receipts",
}
FAMILIES = tuple(FAMILY_OF_NAMESPACE.values())


def family_of(event_type: str) -> str:
    """Family of a CloudEvents type such as ``cn.ipx.clue.ClueReported``; refuses (``unknown-schema``) a foreign one."""
    namespace, _, name = event_type.rpartition(".")
    family = FAMILY_OF_NAMESPACE.get(namespace)
    if family is None or not name:
        known = ", ".join(FAMILY_OF_NAMESPACE)
        raise Refused(
            "unknown-schema", f"{event_type[:80]!r} is not of a known family; families are {known}", field="type"
        )
    return family
