"""Rules for what moves under no agreement: member events, receipts, and what the exchange's own parts derive.

Implements design sections 3, 4 (derived events) and 10 (receipts). Each rule is asked after the source is known to be a
member that is not suspended; it returns or refuses. Whether the cause of a receipt was delivered cannot be known without
state and is not asked here. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from services.codec import sm2
from services.codec.signature import SINGLE, SM2, key_id_of
from services.codec.statement import Statement
from services.events import clue as clues
from services.events import member as members
from services.events import notice as notices
from services.events import receipt as receipts
from services.events import transfer as transfers
from services.kernel.calendar_faults import notice_fault
from services.kernel.errors import Refused
from services.kernel.parties import CUSTOMS, EXCHANGE, agreement_ref, division_of, organ_type_of
from services.members.calendars import notice_of_value, notices_of
from services.members.registry import Participant, Registry
from services.members.split_view import reports_split_view

Rule = Callable[[Registry, Participant, Statement, dict[str, Any]], None]
CLUES_ROOM: Final = "exchange.clues"
RECEIPTS_ROOM: Final = "exchange.receipts"
TRANSFERS_ROOM: Final = "exchange.transfers"
LEDGER: Final = "exchange.ledger"
ED25519_KEY_BYTES: Final = 32


def check_founding(registry: Registry, statement: Statement, value: dict[str, Any]) -> None:
    """The first event of the members log: by the operator that it names, with that operator's own key id.

    Refuses ``already-founded``, ``not-authorised``, ``bad-field``. That the key is the root key of the settings is
    admission's to check.
    """
    if registry.founded is not None:
        raise Refused("already-founded", f"the exchange {registry.founded.name} was founded before")
    if value["operator"] != statement.source:
        raise Refused("not-authorised", "an exchange is founded by its operator", field="operator")
    if value["suite"] != SINGLE:
        raise Refused("bad-field", f"the root key of an exchange is of suite {SINGLE}", field="suite")
    _check_key(value["operator"], value)
    _stands_alone(statement)


def _check_key(participant: str, value: dict[str, Any]) -> None:
    """Suite, key and key id fit one another. Without the extra of SM2 its keys are refused: a key that nobody can verify by is none."""
    public_key = value["public_key"]
    if value["suite"] == SINGLE and len(public_key) != ED25519_KEY_BYTES:
        raise Refused("bad-field", f"a key of suite {SINGLE} has {ED25519_KEY_BYTES} bytes", field="public_key")
    if value["suite"] == SM2:
        if participant.startswith(f"{EXCHANGE}."):
            raise Refused("bad-field", f"the exchange's own parts sign with {SINGLE}, twice the same", field="suite")
        if not sm2.available():
            raise Refused("unknown-suite", sm2.MISSING, field="suite")
        if not sm2.is_public_key(public_key):
            raise Refused(
                "bad-field", f"a key of suite {SM2} is a point of its curve, x and y in 64 bytes", field="public_key"
            )
    expected = key_id_of(participant, public_key)
    if value["key_id"] != expected:
        raise Refused("bad-field", f"the id of this key is {expected}", field="key_id")


def _stands_alone(statement: Statement) -> None:
    _no_agreement(statement)
    if statement.addressee != "-":
        raise Refused(
            "addressee-not-agreed", f"{statement.type} has no addressee: every member reads it", field="addressee"
        )


def _no_agreement(statement: Statement) -> None:
    if statement.agreement != "-":
        raise Refused("flow-not-agreed", f"{statement.type} moves under no agreement: write '-'", field="agreement")


def _by_operator(registry: Registry, source: Participant, statement: Statement) -> None:
    if source.id != registry.operator:
        raise Refused("not-authorised", f"only {registry.operator} publishes {statement.type}", field="source")


def _by_operator_or_owner(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    if source.id not in (registry.operator, value["participant"]):
        raise Refused(
            "not-authorised",
            f"{statement.type} of {value['participant']} comes from itself or from {registry.operator}",
            field="source",
        )
    if value["participant"] not in registry.participants:
        raise Refused("bad-reference", f"{value['participant']} is not registered", field="participant")


def _registers(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator(registry, source, statement)
    name = value["participant"]
    if organ_type_of(name) != value["organ_type"]:
        raise Refused("bad-field", f"{name} is of organ type {organ_type_of(name)}", field="organ_type")
    if not name.startswith((f"{CUSTOMS}.", f"{EXCHANGE}.")) and division_of(name) != value["division"]:
        raise Refused("bad-field", f"{name} serves division {division_of(name)}", field="division")
    superior = value["superior"]
    if superior is not None and superior not in registry.participants:
        raise Refused("bad-reference", f"the superior {superior} is not registered", field="superior")


def _suspends(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator(registry, source, statement)
    if value["participant"] not in registry.participants:
        raise Refused("bad-reference", f"{value['participant']} is not registered", field="participant")
    if value["participant"] == registry.operator:
        raise Refused("not-authorised", "the operator cannot suspend itself", field="participant")


def _adds_key(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator_or_owner(registry, source, statement, value)
    _check_key(value["participant"], value)
    if value["key_id"] in registry.keys:
        raise Refused("bad-reference", f"key {value['key_id']} is in the log already", field="key_id")


def _revokes_key(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator_or_owner(registry, source, statement, value)
    key = registry.keys.get(value["key_id"])
    if key is None or key.participant != value["participant"]:
        raise Refused("bad-reference", f"{value['participant']} has no key {value['key_id']}", field="key_id")


def _proposes(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator(registry, source, statement)
    ref = agreement_ref(value["agreement"], value["version"])
    if ref in registry.agreements:
        raise Refused(
            "bad-reference", f"agreement {ref} is in the log already; propose the next version", field="version"
        )
    strangers = [name for name in value["signatories"] if name not in registry.participants]
    if strangers:
        raise Refused(
            "bad-reference", f"signatories {', '.join(strangers[:5])} are not registered", field="signatories"
        )


def _signs(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    ref = agreement_ref(value["agreement"], value["version"])
    agreement = registry.agreements.get(ref)
    if agreement is None:
        raise Refused("agreement-unknown", f"the members log has no agreement {ref}", field="agreement")
    if source.id not in agreement.proposal.signatories:
        raise Refused("not-authorised", f"{source.id} is not a signatory of {ref}", field="source")
    if value["digest"] != agreement.digest:
        raise Refused("bad-reference", f"the digest of {ref} is {agreement.digest}", field="digest")


def _publishes_calendar(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    _by_operator(registry, source, statement)
    year, notice = value["year"], notice_of_value(value)
    fault = notice_fault(year, notice)
    if fault is not None:
        raise Refused("bad-field", f"calendar {year}: {fault}", field="holidays")
    if any(known.number == notice.number for known in notices_of(registry.calendar, year)):
        raise Refused(
            "bad-reference", f"notice {notice.number} of the year {year} is in the log already", field="number"
        )


def _applies_calendar(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _no_agreement(statement)
    _by_operator(registry, source, statement)
    if not statement.addressees:
        raise Refused("addressee-not-agreed", "it is addressed to the parties of the case", field="addressee")
    if statement.cause != value["calendar_event"]:
        raise Refused("bad-reference", "its cause is the event that published the calendar", field="cause")
    if not notices_of(registry.calendar, value["year"]):
        raise Refused("bad-reference", f"no calendar of the year {value['year']} is published", field="year")


def _is_receipt(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _no_agreement(statement)
    if value["recipient"] != source.id:
        raise Refused("not-authorised", f"{source.id} signs receipts of its own deliveries only", field="recipient")
    if statement.cause != value["event"]:
        raise Refused("bad-reference", "the cause of a receipt is the event received", field="cause")
    if len(statement.addressees) != 1:
        raise Refused("addressee-not-agreed", "a receipt has one addressee: the source of the event", field="addressee")


def _derived_by(room: str) -> Rule:
    def check(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
        _no_agreement(statement)
        if source.id != room:
            raise Refused("not-authorised", f"{statement.type} is derived by {room} alone", field="source")
        if statement.cause == "-":
            raise Refused("bad-reference", "a derived event names its cause", field="cause")

    return check


def _states_completeness(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _derived_by(LEDGER)(registry, source, statement, value)
    if statement.addressee != value["recipient"]:
        raise Refused("addressee-not-agreed", "it is addressed to the recipient that it counts for", field="addressee")


def _answers_completeness(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    _stands_alone(statement)
    if value["recipient"] != source.id:
        raise Refused("not-authorised", f"{source.id} answers for its own copies only", field="recipient")
    if statement.cause != value["event"]:
        raise Refused("bad-reference", "the cause of an answer is the statement that it answers", field="cause")


def _never(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    raise Refused("not-authorised", f"{statement.type} is written by admission itself, never proposed", field="type")


FIXED_RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        members.ParticipantRegistered.TYPE: _registers,
        members.ParticipantSuspended.TYPE: _suspends,
        members.KeyAdded.TYPE: _adds_key,
        members.KeyRevoked.TYPE: _revokes_key,
        members.AgreementProposed.TYPE: _proposes,
        members.AgreementSigned.TYPE: _signs,
        members.CalendarPublished.TYPE: _publishes_calendar,
        receipts.Delivered.TYPE: _is_receipt,
        receipts.Committed.TYPE: _is_receipt,
        receipts.Rejected.TYPE: _is_receipt,
        receipts.NotCommitted.TYPE: _is_receipt,
        receipts.StepMissing.TYPE: _derived_by(RECEIPTS_ROOM),
        receipts.OutcomesRecorded.TYPE: _never,
        receipts.CompletenessStated.TYPE: _states_completeness,
        receipts.CompletenessConfirmed.TYPE: _answers_completeness,
        receipts.CompletenessDisputed.TYPE: _answers_completeness,
        receipts.SplitViewFound.TYPE: reports_split_view,
        clues.ClueResultReturned.TYPE: _derived_by(CLUES_ROOM),
        clues.MoveHadNoEffect.TYPE: _derived_by(CLUES_ROOM),
        clues.ReporterReferral.TYPE: _derived_by(CLUES_ROOM),
        transfers.CalendarApplied.TYPE: _applies_calendar,
        transfers.MoveHadNoEffect.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockStarted.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockMoved.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockSuspended.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockResumed.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockWarned.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockExpired.TYPE: _derived_by(TRANSFERS_ROOM),
        notices.ClockStopped.TYPE: _derived_by(TRANSFERS_ROOM),
    }
)
