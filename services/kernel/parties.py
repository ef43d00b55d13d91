"""Ids of participants, keys, members and agreements, and what can be read out of an id without the registry.

Source: design section 3. A participant is named by GB/T 2260 division and organ type, customs by its district code, the
exchange's own parts by their name. Never by pinyin: 苏州 and 宿州, 泰州 and 台州, 抚州 and 福州 would be one.
"""

import re
from typing import Final

from services.kernel.identifiers import Problem

PARTICIPANT_PATTERN: Final = r"(?:[0-9]{6}\.[a-z][a-z0-9_]{0,39}|customs\.[0-9]{4}|exchange\.[a-z][a-z0-9_]{0,39})"
_PARTICIPANT: Final = re.compile(PARTICIPANT_PATTERN)
_MEMBER: Final = re.compile(rf"[1-8][0-9]{{5}}|{PARTICIPANT_PATTERN}")
_KEY_ID: Final = re.compile(rf"{PARTICIPANT_PATTERN}#[0-9a-f]{{16}}")
_AGREEMENT_REF: Final = re.compile(r"[a-z][a-z0-9-]{0,63}@[1-9][0-9]{0,5}")

EXCHANGE: Final = "exchange"
CUSTOMS: Final = "customs"


def check_participant(text: str) -> Problem | None:
    """Whether the text is a participant id; says nothing on whether it is registered."""
    if _PARTICIPANT.fullmatch(text):
        return None
    return Problem(
        "a participant such as 320100.market_regulator, customs.2300 or exchange.clues",
        "参与机关标识，例如320100.market_regulator、customs.2300或者exchange.clues",
        text,
    )


def check_member(text: str) -> Problem | None:
    """Whether the text can be a member of an agreement: a division with all below it, or one participant."""
    if _MEMBER.fullmatch(text):
        return None
    return Problem("a six-digit division or a participant", "六位行政区划代码或者参与机关标识", text)


def check_key_id(text: str) -> Problem | None:
    """Whether the text is a key id: participant, ``#``, first 16 hex digits of the SHA-256 of the public key."""
    if _KEY_ID.fullmatch(text):
        return None
    return Problem("<participant>#<16 hex digits>", "参与机关标识#16位十六进制数", text)


def check_agreement_ref(text: str) -> Problem | None:
    """Whether the text names one version of an agreement, e.g. ``yrd-enforcement@1``."""
    if _AGREEMENT_REF.fullmatch(text):
        return None
    return Problem("an agreement such as yrd-enforcement@1", "协议及版本，例如yrd-enforcement@1", text)


def agreement_ref(agreement: str, version: int) -> str:
    """The text that names one version of an agreement."""
    return f"{agreement}@{version}"


def organ_type_of(participant: str) -> str:
    """Organ type of a participant id: the part after the point; ``customs`` and ``exchange`` for those two."""
    place, _, organ = participant.partition(".")
    return place if place in (CUSTOMS, EXCHANGE) else organ


def division_of(participant: str) -> str | None:
    """Division in a participant id; None for customs (its own hierarchy) and the exchange's parts."""
    place = participant.partition(".")[0]
    return None if place in (CUSTOMS, EXCHANGE) else place


def is_exchange_part(participant: str) -> bool:
    """Whether the id is one of the exchange's own parts, which the operator signs for."""
    return participant.startswith(f"{EXCHANGE}.")
