"""Typed events: one frozen record per event type, equal to its Avro schema in schemas/events.

`EVENT_TYPES` maps the full name (`ce_type`) to the class; `to_value` and `from_value` go to and from the plain value that
the codec encodes. Pure: no bytes, no schema, no registry here.
"""

from services.events.clue import ClueEvent
from services.events.member import MemberEvent
from services.events.notice import NoticeEvent
from services.events.receipt import ReceiptEvent
from services.events.registry import EVENT_TYPES, Event, from_value, to_value
from services.events.transfer import TransferEvent
from services.events.values import Value

__all__ = [
    "EVENT_TYPES",
    "ClueEvent",
    "Event",
    "MemberEvent",
    "NoticeEvent",
    "ReceiptEvent",
    "TransferEvent",
    "Value",
    "from_value",
    "to_value",
]
