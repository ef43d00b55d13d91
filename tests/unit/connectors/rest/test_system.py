"""The description of a system's doors is checked when it is read."""

from typing import Any

import pytest

from connectors.rest.system import Door, business_codes, compile_system
from services.kernel.errors import BadSettings

PULL = {"path": "/p", "cursor": "c", "items": "l", "next": "n", "kind": "k", "key": "i"}
WHOLE: dict[str, Any] = {
    "push": {"idempotency_header": "X-Key"},
    "doors": {"in": {"path": "/in"}},
    "reply": {},
    "pull": PULL,
    "ack": {"path": "/ack", "cursor": "c"},
    "confirm": {"path": "/held/{key}"},
    "health": {"path": "/up"},
}


def test_a_whole_description_is_read_with_the_usual_methods() -> None:
    system = compile_system(WHOLE, "here")
    assert system.doors == {"in": Door("POST", "/in")}
    assert system.confirm == Door("GET", "/held/{key}")
    assert system.health == Door("GET", "/up")
    assert (system.ack, system.ack_cursor) == (Door("POST", "/ack"), "c")
    assert system.pull is not None
    assert (system.pull.method, system.pull.page_size) == ("GET", 200)


def test_a_system_may_have_no_pull_and_no_more() -> None:
    system = compile_system({}, "here")
    assert system.pull is None
    assert system.doors == {}
    assert system.health is None


@pytest.mark.parametrize(
    "change",
    [
        {"push": {}},
        {"doors": {"in": {"path": "in"}}},
        {"doors": {"in": "x"}},
        {"pull": {"path": "/p"}},
        {"pull": {**PULL, "itmes": "l"}},
        {"health": {"url": "/up"}},
    ],
)
def test_what_is_missing_or_misspelt_is_a_bad_setting_that_says_where(change: dict[str, Any]) -> None:
    with pytest.raises(BadSettings, match="here"):
        compile_system({**WHOLE, **change}, "here")


def test_business_codes_are_those_of_the_code_table() -> None:
    assert {"other", "conflict", "not-supported", "not-our-jurisdiction"} <= business_codes()
