"""Receipts: their ids follow from what they report, and every one encodes as its schema says."""

import pytest

from connectors.node import receipts
from connectors.node.receipts import Receipt, Reported, receipt_id
from services.codec.field_rules import compile_field_rules
from services.codec.released import load_released
from services.events import to_value
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import is_event_id

ABOUT = Reported(
    participant="330100.market_regulator",
    event="01923c00-0000-7000-8000-000000000001",
    source="320100.market_regulator",
    subject="CL-1",
    log="ipx.clues/3",
    number=7,
    trace=None,
)
AT = 1_790_000_000_000
ALL = [
    receipts.delivered(ABOUT, AT, node="n", withheld=("reporter",)),
    receipts.committed(ABOUT, AT, reference="HZ-1", connector="hz", attempts=2),
    receipts.rejected(
        ABOUT, AT, code="incomplete", reason="标题不能为空", city_code="1002", field="bt", connector="hz"
    ),
    receipts.rejected(ABOUT, AT, code="conflict", reason="同一标识已随另一声明收到", step="conflict"),
    receipts.not_committed(
        ABOUT, AT, limit_s=60, due_ms=AT, attempts=3, last_error="timeout", connector="hz", still_trying=True
    ),
    receipts.not_committed(
        ABOUT, AT, limit_s=60, due_ms=AT, attempts=9, last_error="nonsense", connector="hz", still_trying=False
    ),
]


def test_the_id_follows_from_participant_event_and_step() -> None:
    assert receipt_id("a", "b", "c") == receipt_id("a", "b", "c")
    assert is_event_id(receipt_id("a", "b", "c"))
    assert (
        len({receipt_id(*parts) for parts in (("a", "b", "c"), ("b", "b", "c"), ("a", "c", "c"), ("a", "b", "d"))}) == 4
    )


def test_each_step_has_its_own_id() -> None:
    assert len({receipt.id for receipt in ALL}) == len(ALL)


@pytest.mark.parametrize("receipt", ALL, ids=lambda r: type(r.event).__name__)
def test_a_receipt_is_one_that_the_exchange_takes(receipt: Receipt) -> None:
    schema = load_released().named(receipt.event.TYPE)
    value = to_value(receipt.event)
    schema.encode(value)
    tables = load_code_tables(SCHEMAS_DIR / "codes")
    assert [p for p in compile_field_rules(schema.json).check(value, AT, tables) if not p.warning] == []
    assert value["event"] == ABOUT.event
    assert value["recipient"] == ABOUT.participant
    assert (value["log"], value["number"]) == (ABOUT.log, ABOUT.number)
