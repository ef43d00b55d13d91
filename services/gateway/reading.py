"""What a record of an inbox is to the gateway: the JSON it is sent as, or an outcome that somebody may wait for.

Pure. Headers are passed on as they stand: the gateway does not judge what admission wrote, the node does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable

from services.codec.envelope import unframe
from services.codec.schema import EventSchema
from services.events.receipt import OutcomesRecorded
from services.events.registry import from_value
from services.kernel.errors import Refused

OUTCOME_HEADER = "ce_ipxoutcome"
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

RecordHeaders = Iterable[tuple[str, bytes]] | None
SchemaOf = Callable[[int], EventSchema]


def structured(headers: RecordHeaders, value: bytes | None) -> bytes:
    """The record as a structured CloudEvent with ``data_base64`` (CloudEvents JSON format 1.0 section 3.1)."""
    document = {name[3:]: text.decode("utf-8", "replace") for name, text in headers or () if name.startswith("ce_")}
    document["data_base64"] = base64.b64encode((value or b"")[5:]).decode()
    return _encode(document).encode()


def outcomes_in(headers: RecordHeaders, value: bytes | None, schema_of: SchemaOf) -> OutcomesRecorded | None:
    """The outcomes that an outcome record tells, None for any other record.

    Refuses what the codec refuses: an outcome record that cannot be read is a fault of the exchange, to be counted.
    """
    if not any(name == OUTCOME_HEADER for name, _ in headers or ()):
        return None
    schema_id, body = unframe(value)
    event = from_value(OutcomesRecorded.TYPE, schema_of(schema_id).decode(body))
    if not isinstance(event, OutcomesRecorded):
        raise Refused("undecodable", "the record has an outcome header and is no outcome record")
    return event
