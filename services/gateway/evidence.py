"""``GET /v1/events/{id}/evidence``: one event with everything that proves it, for those whom it concerns.

The source gets all that it said, a recipient what its copy shows; whoever is neither is told that there is no such event, in the same words as
when there is none. The file is that of ``services/ledger/FORMAT.md`` section 6.6; anybody may check it with ``ipx-verify``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from services.audit.evidence import Made, withheld_from
from services.audit.evidence_desk import Withheld
from services.codec.evidence import format_evidence
from services.gateway.exchange import Incoming, Reply
from services.kernel.ids import is_event_id

_WITNESSED = (b"ipx-witnessed", b"yes")
_NOT_YET = (b"ipx-witnessed", b"not-yet")


class EvidenceOfEvents:
    """The handler."""

    def __init__(self, make: Callable[[str, Withheld], Made], principal: Callable[[Incoming], str]) -> None:
        """``make`` is ``EvidenceDesk.make``; it blocks."""
        self._make = make
        self._principal = principal

    async def get(self, incoming: Incoming) -> Reply:
        """200 with the file; refuses ``not-found`` what is not the caller's, ``Transient`` until a checkpoint covers the event."""
        viewer = self._principal(incoming)
        incoming.query(())
        event = incoming.path_values["id"]
        data, is_witnessed = await asyncio.to_thread(self._file, event, viewer)
        name = event if is_event_id(event) else "event"
        headers = (
            _WITNESSED if is_witnessed else _NOT_YET,
            (b"content-disposition", f'attachment; filename="{name}.evidence.json"'.encode()),
        )
        return Reply(200, data, headers=headers)

    def _file(self, event: str, viewer: str) -> tuple[bytes, bool]:
        made = self._make(event, partial(withheld_from, viewer))
        return format_evidence(made.evidence), made.is_witnessed
