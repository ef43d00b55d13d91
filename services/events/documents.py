"""Agreements and participants as shipped documents (`schemas/agreements/*.toml`, parsed) -> the events that state them.

A document says `types`, `from` and `to` of a flow as lists, since people agree on groups of organs; the event holds one
flow for each combination, since admission looks up one. Pure: the caller has read and parsed the file.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from services.events.member import AgreementProposed, Basis, Flow, ParticipantRegistered
from services.kernel.errors import BadSettings

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_FLOW_KEYS: Final = frozenset(
    {
        "types",
        "from",
        "to",
        "routed",
        "disclose",
        "copy_to",
        "copy_disclose",
        "delivered_within_s",
        "committed_within_s",
    }
)
_AGREEMENT_KEYS: Final = frozenset(
    {
        "id",
        "version",
        "title_zh",
        "title_en",
        "status",
        "members",
        "signatories",
        "flows",
        "basis",
        "valid_from",
        "valid_until",
        "notes",
    }
)
_PARTICIPANT_KEYS: Final = frozenset(
    {"id", "name_zh", "name_en", "division", "organ_type", "level", "superior", "contact_section", "node"}
)


def agreement_from_document(document: Mapping[str, Any]) -> AgreementProposed:
    """The proposal that an agreement file states. BadSettings, naming the key, on a file that is not of the form."""
    _only(document, _AGREEMENT_KEYS, "agreement")
    name = document.get("id", "?")
    status = _need(document, "status", str, name)
    if status not in ("draft", "in_force"):
        raise BadSettings(f"agreement {name}: status is draft or in_force, not {status!r}")
    return AgreementProposed(
        agreement=_need(document, "id", str, name),
        version=_need(document, "version", int, name),
        title_zh=_need(document, "title_zh", str, name),
        title_en=_need(document, "title_en", str, name),
        status="draft" if status == "draft" else "in_force",
        members=tuple(_need(document, "members", list, name)),
        signatories=tuple(_need(document, "signatories", list, name)),
        flows=tuple(flow for stated in _need(document, "flows", list, name) for flow in _flows(stated, name)),
        basis=tuple(_basis(stated, name) for stated in document.get("basis", ())),
        valid_from=_instant(_need(document, "valid_from", datetime, name), name),
        valid_until=_instant(document["valid_until"], name) if "valid_until" in document else None,
        notes=document.get("notes"),
    )


def participants_from_document(document: Mapping[str, Any], valid_from: int) -> tuple[ParticipantRegistered, ...]:
    """The registrations that a participants file states, in its order, members from `valid_from` (ms) on.

    BadSettings on an entry that is not of the form, an id that occurs twice, or a superior that is not in the file.
    """
    stated = _need(document, "participants", list, "participants")
    events = tuple(_participant(entry, valid_from) for entry in stated)
    known = {event.participant for event in events}
    if len(known) != len(events):
        raise BadSettings("participants: an id occurs twice")
    for event in events:
        if event.superior is not None and event.superior not in known:
            raise BadSettings(f"participant {event.participant}: its superior {event.superior} is not in the file")
    return events


def _participant(entry: Mapping[str, Any], valid_from: int) -> ParticipantRegistered:
    _only(entry, _PARTICIPANT_KEYS, "participant")
    name = entry.get("id", "?")
    return ParticipantRegistered(
        participant=_need(entry, "id", str, name),
        name_zh=_need(entry, "name_zh", str, name),
        name_en=_need(entry, "name_en", str, name),
        division=entry.get("division"),
        organ_type=_need(entry, "organ_type", str, name),
        level=_need(entry, "level", str, name),
        superior=entry.get("superior"),
        contact_section=entry.get("contact_section"),
        node=entry.get("node"),
        valid_from=valid_from,
    )


def _flows(stated: Mapping[str, Any], agreement: str) -> Iterator[Flow]:
    where = f"{agreement}, a flow"
    _only(stated, _FLOW_KEYS, where)
    for event_type in _need(stated, "types", list, where):
        for from_organ in _need(stated, "from", list, where):
            for to_organ in _need(stated, "to", list, where):
                yield Flow(
                    type=event_type,
                    from_organ=from_organ,
                    to_organ=to_organ,
                    routed=stated.get("routed", False),
                    disclose=tuple(stated.get("disclose", ())),
                    copy_to=tuple(stated.get("copy_to", ())),
                    copy_disclose=tuple(stated.get("copy_disclose", ())),
                    delivered_within_s=stated.get("delivered_within_s"),
                    committed_within_s=stated.get("committed_within_s"),
                )


def _basis(stated: Mapping[str, Any], agreement: str) -> Basis:
    where = f"{agreement}, a basis"
    _only(stated, frozenset({"instrument", "signed_on", "source"}), where)
    signed: date | None = stated.get("signed_on")
    return Basis(
        instrument=_need(stated, "instrument", str, where),
        signed_on=None if signed is None else signed.toordinal() - _EPOCH_DAY,
        source=_need(stated, "source", str, where),
    )


def _instant(moment: datetime, where: str) -> int:
    if moment.tzinfo is None:
        raise BadSettings(f"{where}: {moment} needs an offset such as +08:00")
    return round(moment.timestamp() * 1000)


def _need(document: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    value = document.get(key)
    if not isinstance(value, kind):
        raise BadSettings(f"{where}: {key} is missing or not of type {kind.__name__}")
    return value


def _only(document: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    unknown = sorted(set(document) - keys)
    if unknown:
        raise BadSettings(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(keys))}")
