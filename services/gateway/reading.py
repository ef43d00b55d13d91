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


def outcomes_in(
    headers: Callable[[], RecordHeaders], value: bytes | None, schema_of: SchemaOf
) -> OutcomesRecorded | None:
    """The outcomes that an outcome record tells, None for any other record.

    ``headers`` is called only where the schema leaves a doubt: most records are copies, and making objects of their headers
    costs more than all the rest. Refuses what the codec refuses of a record with the header of an outcome: that is a fault
    of the exchange, to be counted.
    """
    try:
        schema_id, body = unframe(value)
        schema = schema_of(schema_id)
    except Refused:
        if _says_outcome(headers()):
            raise
        return None
    if schema.name != OutcomesRecorded.TYPE or not _says_outcome(headers()):
        return None
    event = from_value(OutcomesRecorded.TYPE, schema.decode(body))
    assert isinstance(event, OutcomesRecorded)
    return event


def _says_outcome(headers: RecordHeaders) -> bool:
    return any(name == OUTCOME_HEADER for name, _ in headers or ())
