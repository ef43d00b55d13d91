"""A log line says which event and what happened, and never what an event holds."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from services.kernel.errors import Corrupt, Refused, Transient
from services.runtime.logging import KEYS, WITHHELD, about, configure, get_logger, words_of

PHONE = "13900001111"


@pytest.fixture
def lines():
    """Configures JSON logs into a buffer; gives what was written, parsed. Puts the logging of the run back."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    out = io.StringIO()
    configure("test", form="json", out=out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_a_line_carries_the_event_and_the_trace_it_is_about(lines):
    log = get_logger("room")
    with about("e-1", "t-1", partition=3):
        log.info("folded", seq=7)
    log.info("after")
    one, other = lines()
    assert (one["event"], one["event_id"], one["trace_id"], one["partition"], one["seq"]) == (
        "folded",
        "e-1",
        "t-1",
        3,
        7,
    )
    assert (one["level"], one["process"]) == ("info", "test")
    assert "event_id" not in other


def test_the_value_of_an_unknown_name_is_left_out(lines):
    get_logger("room").warning("odd", reporter_phone=PHONE, seq=1)
    assert lines()[0]["reporter_phone"] == WITHHELD
    assert lines()[0]["seq"] == 1


def test_an_exception_is_told_by_class_code_and_place_without_its_sentence(lines):
    log = get_logger("room")
    try:
        raise ValueError(PHONE)
    except ValueError:
        log.exception("bad")
    log.error("refused", exc_info=Refused("bad-field", f"expected a date, got {PHONE}", field="filed_on"))
    text = json.dumps(lines())
    assert PHONE not in text
    first, second = lines()
    assert first["error"] == "ValueError"
    assert "test_an_exception_is_told" in first["where"]
    assert (second["code"], second["field"]) == ("bad-field", "filed_on")


def test_what_our_own_code_says_of_parts_and_places_is_told():
    assert words_of(Transient("Kafka is away"))["reason"] == "Kafka is away"
    assert words_of(Corrupt("t.clues/0 seq 4"))["code"] == "corrupt"
    assert "reason" not in words_of(Refused("bad-field", PHONE))


def test_a_librarys_line_comes_in_the_same_form_cut_to_one_short_line(lines):
    logging.getLogger("aiokafka").warning("first %s\nsecond", "x" * 1000)
    logging.getLogger("aiokafka").info("not told")
    [line] = lines()
    assert line["logger"] == "aiokafka"
    assert len(line["event"]) <= 301
    assert "second" not in line["event"]


def test_text_form_is_one_line_for_people():
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    out = io.StringIO()
    configure("test", form="text", out=out)
    get_logger("room").info("folded", seq=7)
    root.handlers[:], root.level = before
    structlog.reset_defaults()
    assert out.getvalue().endswith("info    test: folded seq=7\n")


def test_no_name_that_comes_out_is_a_field_of_an_event():
    from services.codec.released import load_released

    released = load_released()
    restricted = {name for event in released.types for name in released.named(event).restricted}
    assert restricted
    assert KEYS & restricted == set()
