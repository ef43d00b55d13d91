"""The number of a copy in an inbox, or of an outcome record: whose, of which topic and partition, and which one it is.

Specification: ``services/ledger/FORMAT.md`` section 4.1. Parser and formatter are inverses of one another. Numbers are contiguous from 0
for each owner and partition, so a gap or a repeat is seen by arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.kernel.errors import Refused
from services.kernel.parties import PARTICIPANT_PATTERN

_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_LINE = re.compile(rf"({PARTICIPANT_PATTERN}) ([a-z0-9][a-z0-9._-]{{0,200}}/{_NUMBER}) ({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Numbered:
    """``owner`` is the recipient of a copy or the source of an outcome; ``log`` is ``<topic>/<partition>``."""

    owner: str
    log: str
    number: int


def format_numbering(numbered: Numbered) -> str:
    """The text of ``ipxdelivery`` or ``ipxoutcome``; refuses ``bad-attribute`` what the parser would not take."""
    text = f"{numbered.owner} {numbered.log} {numbered.number}"
    if _LINE.fullmatch(text) is None:
        raise Refused("bad-attribute", f"{text[:80]!r} is not a participant, a partition and a number")
    return text


def parse_numbering(text: str) -> Numbered:
    """Inverse of :func:`format_numbering`; refuses ``bad-attribute`` anything that it would not write."""
    match = _LINE.fullmatch(text)
    if match is None:
        raise Refused("bad-attribute", f"{text[:80]!r} is not a participant, a partition and a number")
    return Numbered(match[1], match[2], int(match[3]))
