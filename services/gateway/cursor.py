"""The cursor of an inbox: an opaque word that says whose inbox it is and where in it its holder stands."""

from __future__ import annotations

import re

from services.gateway.opaque import opened, sealed
from services.kernel.errors import Refused

START = "start"
"""The word that asks for the oldest record still kept."""

_MAX_CHARS = 200
_FORM = re.compile(r"ipx1 ([a-z0-9._]{3,64}) (0|[1-9][0-9]{0,17})")


def format_cursor(participant: str, offset: int) -> str:
    """The word for the place before the record at ``offset``."""
    return sealed(f"ipx1 {participant} {offset}")


def parse_cursor(text: str, participant: str) -> int:
    """Inverse of :func:`format_cursor`; refuses ``bad-request`` any other word, and a cursor of another participant."""
    match = _FORM.fullmatch(opened(text, _MAX_CHARS))
    if match is None:
        raise Refused(
            "bad-request", "after: expected a cursor that this exchange gave, or the word start", field="after"
        )
    if match[1] != participant:
        raise Refused("bad-request", "after: this cursor is of another participant's inbox", field="after")
    return int(match[2])
