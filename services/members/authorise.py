"""Who may say what to whom: step 6 of admission, and what an auditor recomputes from an entry's ``members`` number.

Implements design section 3 and section 6 step 6. Domain events move under an agreement that is in force at their time;
events of the exchange itself, member events and receipts follow the fixed rules of ``fixed_rules.py``. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.codec.schema import EventSchema
from services.codec.statement import Statement
from services.events.member import ExchangeFounded, Flow
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.errors import Refused
from services.kernel.parties import is_exchange_part
from services.members.fixed_rules import FIXED_RULES, check_founding
from services.members.jurisdiction import Routes, competent_organ, route_of
from services.members.recipients import Recipient, addressed
from services.members.registry import Agreement, Participant, Registry

PUBLIC_REPORT = "public_report"
OF_A_CASE = frozenset({TransferOpened.TYPE, TransferMoved.TYPE})


def deliveries(
    registry: Registry,
    schema: EventSchema,
    statement: Statement,
    value: dict[str, Any],
    *,
    time_ms: int,
    admitted_ms: int,
    routes: Routes,
) -> tuple[Recipient, ...]:
    """Recipients in ascending order, each with the restricted fields that its copy leaves out.

    An agreement must bind at the statement's time; the source and the addressees must be members, and not suspended,
    when it is admitted. Refuses, naming the agreement and the flow that is missing: ``not-founded``, ``already-founded``,
    ``not-a-member``, ``member-suspended``, ``not-authorised``, ``agreement-unknown``, ``agreement-not-in-force``, ``flow-not-agreed``,
    ``addressee-not-a-member``, ``addressee-not-agreed``, ``no-competent-organ``, ``bad-reference``, ``bad-field``.
    """
    if statement.type == ExchangeFounded.TYPE:
        check_founding(registry, statement, value)
        return ()
    source = _source(registry, statement, admitted_ms)
    fixed = FIXED_RULES.get(statement.type)
    if fixed is not None:
        fixed(registry, source, statement, value)
        return addressed(registry, schema, statement)
    return _under_agreement(registry, schema, source, statement, value, time_ms, admitted_ms, routes)


def _source(registry: Registry, statement: Statement, admitted_ms: int) -> Participant:
    if registry.founded is None:
        raise Refused("not-founded", "the members log has no founding event yet")
    source = registry.participants.get(statement.source)
    if source is None or admitted_ms < source.valid_from:
        raise Refused(
            "not-a-member",
            f"{statement.source} is not a member of this exchange (agreement {statement.agreement}, {statement.type})",
            field="source",
            about=(statement.source, statement.agreement, statement.type),
        )
    if source.is_suspended(admitted_ms):
        raise Refused(
            "member-suspended",
            f"{statement.source} is suspended and may not publish",
            field="source",
            about=(statement.source,),
        )
    return source


def _under_agreement(
    registry: Registry,
    schema: EventSchema,
    source: Participant,
    statement: Statement,
    value: dict[str, Any],
    time_ms: int,
    admitted_ms: int,
    routes: Routes,
) -> tuple[Recipient, ...]:
    if is_exchange_part(source.id):
        raise Refused(
            "not-authorised",
            f"{source.id} may not publish {statement.type}",
            field="type",
            about=(source.id, statement.type),
        )
    if statement.agreement == "-":
        raise Refused(
            "agreement-unknown",
            f"{statement.type} moves under an agreement; none is named",
            field="agreement",
            about=(statement.type,),
        )
    agreement = registry.in_force(statement.agreement, time_ms)
    if not agreement.includes(source):
        raise Refused(
            "not-a-member",
            f"{source.id} is not a member of agreement {agreement.ref}",
            field="source",
            about=(source.id, agreement.ref),
        )
    flows = agreement.flows.get((statement.type, source.organ_type), ())
    if not flows:
        raise Refused(
            "flow-not-agreed",
            f"agreement {agreement.ref} has no flow of {statement.type} from {source.organ_type}",
            field="type",
            about=(agreement.ref, statement.type, source.organ_type),
        )
    if value.get("subtype") == PUBLIC_REPORT:
        return ()  # domain B5: the reporter is told where to go, the report goes to no other organ
    if statement.type in OF_A_CASE and statement.addressee == "-":
        return ()  # a case may have an organ outside the exchange as its one other party; whom it must tell, the case decides
    if statement.addressee != "-":
        recipients = [
            _named(registry, agreement, source, name, statement, admitted_ms) for name in statement.addressees
        ]
    else:
        recipients = [_routed(registry, agreement, flows, statement, value, time_ms, admitted_ms, routes)]
    pairs = [(recipient, _flow(agreement, source, recipient, statement)) for recipient in recipients]
    return _with_copies(registry, agreement, schema, source, pairs, admitted_ms)


def _named(
    registry: Registry, agreement: Agreement, source: Participant, name: str, statement: Statement, admitted_ms: int
) -> Participant:
    missing = f"{statement.type} from {source.organ_type}"
    about = (name, agreement.ref, statement.type)
    addressee = registry.participants.get(name)
    if addressee is None or admitted_ms < addressee.valid_from:
        raise Refused(
            "addressee-not-a-member",
            f"{name} is not a member of this exchange, so not of agreement {agreement.ref} ({missing} to it)",
            field="addressee",
            about=about,
        )
    if not agreement.includes(addressee):
        raise Refused(
            "addressee-not-agreed",
            f"{name} is not a member of agreement {agreement.ref} ({missing} to it)",
            field="addressee",
            about=about,
        )
    if addressee.is_suspended(admitted_ms):
        raise Refused(
            "addressee-not-agreed",
            f"{name} is suspended and may not receive ({missing})",
            field="addressee",
            about=(name, "已暂停"),
        )
    return addressee


def _routed(
    registry: Registry,
    agreement: Agreement,
    flows: tuple[Flow, ...],
    statement: Statement,
    value: dict[str, Any],
    time_ms: int,
    admitted_ms: int,
    routes: Routes,
) -> Participant:
    if not any(flow.routed for flow in flows) or "place_division" not in value:
        raise Refused(
            "addressee-not-agreed",
            f"agreement {agreement.ref} routes no {statement.type} by jurisdiction; name an addressee",
            field="addressee",
            about=(agreement.ref, statement.type),
        )
    route = route_of(routes, value["subtype"], value["right_type"], time_ms)
    if route is None:
        raise Refused(
            "no-competent-organ",
            f"the routing table has no organ for {value['subtype']} and {value['right_type']}; name an addressee",
            field="addressee",
        )
    if not any(flow.routed and flow.to_organ == route.organ_type for flow in flows):
        raise Refused(
            "flow-not-agreed",
            f"agreement {agreement.ref} routes no {statement.type} to {route.organ_type} (routing {route.code})",
            field="addressee",
            about=(agreement.ref, statement.type, route.organ_type),
        )
    return competent_organ(registry, agreement, route, value["place_division"], admitted_ms)


def _flow(agreement: Agreement, source: Participant, recipient: Participant, statement: Statement) -> Flow:
    flow = agreement.flow(statement.type, source.organ_type, recipient.organ_type)
    if flow is None:
        raise Refused(
            "flow-not-agreed",
            f"agreement {agreement.ref} has no flow of {statement.type} from {source.organ_type}"
            f" to {recipient.organ_type} ({recipient.id})",
            field="addressee",
            about=(recipient.id, agreement.ref, statement.type, f"{source.organ_type} → {recipient.organ_type}"),
        )
    return flow


def _with_copies(
    registry: Registry,
    agreement: Agreement,
    schema: EventSchema,
    source: Participant,
    pairs: list[tuple[Participant, Flow]],
    admitted_ms: int,
) -> tuple[Recipient, ...]:
    """Copies go to organs of the recipient's division; who is a recipient already, or the source, gets no copy."""
    withheld = {recipient.id: _withheld(schema, flow.disclose) for recipient, flow in pairs}
    shown_to_copies: dict[str, set[str]] = {}
    for recipient, flow in pairs:
        for organ_type in flow.copy_to:
            for organ in registry.organs_in(organ_type, recipient.division) if recipient.division else ():
                wanted = organ.id not in withheld and organ.id != source.id
                if wanted and organ.is_active(admitted_ms) and agreement.includes(organ):
                    shown_to_copies.setdefault(organ.id, set()).update(flow.copy_disclose)
    withheld |= {name: _withheld(schema, shown) for name, shown in shown_to_copies.items()}
    return tuple(Recipient(name, withheld[name]) for name in sorted(withheld))


def _withheld(schema: EventSchema, shown: Iterable[str]) -> tuple[str, ...]:
    disclosed = frozenset(shown)
    return tuple(name for name in schema.restricted if name not in disclosed)
