"""The cursor of a list of cases: an opaque word that says whose list it is and which case was its last."""

from __future__ import annotations

import re

from services.gateway.opaque import opened, sealed
from services.kernel.errors import Refused

_MAX_CHARS = 300
_FORM = re.compile(r"ipxcases1 ([a-z0-9._]{3,64}) ([A-Za-z0-9][A-Za-z0-9._:/#@-]{0,127})")


def format_case_cursor(participant: str, case: str) -> str:
    """The word for the place after a case."""
    return sealed(f"ipxcases1 {participant} {case}")


def parse_case_cursor(text: str, participant: str) -> str:
    """Inverse of :func:`format_case_cursor`; refuses ``bad-request`` any other word, and a cursor of another participant."""
    match = _FORM.fullmatch(opened(text, _MAX_CHARS))
    if match is None:
        raise Refused("bad-request", "after: expected a cursor that this list of cases gave", field="after")
    if match[1] != participant:
        raise Refused("bad-request", "after: this cursor is of another participant's list", field="after")
    return match[2]
