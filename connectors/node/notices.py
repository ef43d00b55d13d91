"""Notices of the node to its own city: a happening of theirs that did not go out, and why. Pushed like deliveries, unreceipted."""

from __future__ import annotations

import hashlib
import json

from connectors.kit.shapes import OutgoingRefused
from connectors.node import deliveries
from connectors.node.deliveries import Delivery
from connectors.node.journal import Change
from connectors.node.site import Site
from services.events.values import record_to_value
from services.kernel.ids import uuid8

_WEEK_S = 7 * 86_400


def store(change: Change, site: Site, notice: OutgoingRefused, now_ms: int) -> bool:
    """Puts the notice among the deliveries of the site; False when its system has no door for notices, or had this one."""
    if site.dialect is None or site.dialect.for_type(OutgoingRefused.TYPE) is None:
        return False
    body = json.dumps(record_to_value(notice), ensure_ascii=False)
    notice_id = uuid8(site.connector, notice.item, notice.event, notice.code)
    if deliveries.digest_of(change.db, site.participant, notice_id) is not None:
        return False
    row = Delivery(
        participant=site.participant,
        id=notice_id,
        digest=hashlib.sha256(body.encode()).digest(),
        type=OutgoingRefused.TYPE,
        source=site.participant,
        subject=notice.subject or f"notice:{notice.item}",
        agreement="-",
        cause="-",
        time_ms=now_ms,
        log="-",
        number=0,
        seq=0,
        admitted_ms=now_ms,
        withheld="",
        trace=None,
        receipted=False,
        target=site.connector,
        body=body,
        received_ms=now_ms,
        limit_s=_WEEK_S,
        due_ms=now_ms + _WEEK_S * 1000,
        state="pending",
        since_ms=now_ms,
    )
    deliveries.insert(change.db, row)
    return True
