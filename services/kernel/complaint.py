"""What a settings file is wrong in, as one sentence: where it is and what was expected, never the value, which may be secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def complaint(errors: Iterable[Mapping[str, Any]]) -> str:
    """``<where>: <what>`` for each error as pydantic tells it (``loc`` and ``msg``); ``file`` where it is about the whole."""
    return "; ".join(f"{'.'.join(str(part) for part in one['loc']) or 'file'}: {one['msg']}" for one in errors)
