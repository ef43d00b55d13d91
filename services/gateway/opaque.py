"""Opaque words that a client hands back as it got them: base64url without padding, one spelling each."""

from __future__ import annotations

import base64
import binascii


def sealed(plain: str) -> str:
    """The word for an ASCII text."""
    return base64.urlsafe_b64encode(plain.encode("ascii")).decode().rstrip("=")


def opened(word: str, most_chars: int) -> str:
    """The text of a word; empty for any word that :func:`sealed` does not make, and for a longer one."""
    if len(word) > most_chars:
        return ""
    try:
        plain = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return plain if sealed(plain) == word else ""
