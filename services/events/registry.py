"""The closed list of event types and the way from a type's name to its class."""

from typing import Final, get_args

from services.events.clue import ClueEvent
from services.events.member import MemberEvent
from services.events.notice import NoticeEvent
from services.events.receipt import ReceiptEvent
from services.events.transfer import TransferEvent
from services.events.values import Value, record_from_value, record_to_value

Event = MemberEvent | ClueEvent | TransferEvent | NoticeEvent | ReceiptEvent

EVENT_TYPES: Final[dict[str, type[Event]]] = {cls.TYPE: cls for cls in get_args(Event)}


def to_value(event: Event) -> Value:
    """The plain value of an event: dicts, lists and primitives, fields in schema order."""
    return record_to_value(event)


def from_value(type_name: str, value: Value) -> Event:
    """The event of a decoded value. KeyError on a type that is not in EVENT_TYPES; the value is not checked again."""
    return record_from_value(EVENT_TYPES[type_name], value)
