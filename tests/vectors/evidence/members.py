"""The events of the members log of the small exchange, and its keys, from fixed seeds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.released import ReleasedSchemas, load_released
from services.codec.schema import EventSchema
from services.events import to_value
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    ExchangeFounded,
    Flow,
    KeyAdded,
    KeyRevoked,
    ParticipantRegistered,
)
from services.members.reading import body_digest

NOW_MS = 1_790_000_000_000


OPERATOR = "exchange.operator"


NANJING = "320100.market_regulator"


HANGZHOU = "330100.market_regulator"


HANGZHOU_IP = "330100.ip_office"


SUZHOU = "320500.market_regulator"


NAME = "t"


@cache
def signer(participant: str, number: int = 0) -> Ed25519Signer:
    """A key of a participant, the same in every run."""
    return signer_from_seed(participant, f"{participant} {number}".encode().ljust(32, b".")[:32])


@cache
def released() -> ReleasedSchemas:
    """The schemas that ship with the exchange."""
    return load_released()


@cache
def first_release(event_type: str) -> EventSchema:
    """The first released version of a type: later ones do not change the vectors."""
    return released().versions_of(event_type)[0].schema


def founded() -> ExchangeFounded:
    """The founding."""
    public = signer(OPERATOR).public
    return ExchangeFounded(
        name=NAME,
        operator=OPERATOR,
        key_id=public.key_id,
        suite="ed25519",
        public_key=public.data,
        founded_at=NOW_MS,
        title_zh="试验交换",
        title_en="Trial exchange",
    )


def registered(participant: str, **changes: Any) -> ParticipantRegistered:
    """The registration of an organ."""
    division, _, organ = participant.partition(".")
    event = ParticipantRegistered(
        participant=participant,
        name_zh=f"机关{participant}",
        name_en=f"Organ {participant}",
        division=division,
        organ_type=organ,
        level="prefecture",
        valid_from=NOW_MS,
    )
    return replace(event, **changes)


def key_added(participant: str, number: int = 0) -> KeyAdded:
    """A key of an organ."""
    public = signer(participant, number).public
    return KeyAdded(
        participant=participant, key_id=public.key_id, suite="ed25519", public_key=public.data, valid_from=NOW_MS
    )


def key_revoked(participant: str, number: int = 0) -> KeyRevoked:
    """The end of a key."""
    return KeyRevoked(
        participant=participant,
        key_id=signer(participant, number).key_id,
        revoked_at=NOW_MS + 5,
        reason="superseded",
    )


def proposed() -> AgreementProposed:
    """An agreement of two provinces."""
    clue, accepted = "cn.ipx.clue.ClueReported", "cn.ipx.clue.ClueAccepted"
    organ = "market_regulator"
    return AgreementProposed(
        agreement="delta",
        version=1,
        title_zh="协议",
        title_en="Agreement",
        status="in_force",
        members=("320000", "330000"),
        signatories=(NANJING, HANGZHOU),
        flows=(
            Flow(
                type=clue,
                from_organ=organ,
                to_organ=organ,
                routed=True,
                disclose=("reporter", "suspect_phone"),
                copy_to=("ip_office",),
            ),
            Flow(type=accepted, from_organ=organ, to_organ=organ),
        ),
        valid_from=NOW_MS,
    )


def signed() -> AgreementSigned:
    """A signature under it."""
    digest = body_digest(first_release(AgreementProposed.TYPE).encode(to_value(proposed())))
    return AgreementSigned(agreement="delta", version=1, digest=digest, signed_at=NOW_MS, signer="王某")
