"""A case as JSON and back, with and without everything that may be left out."""

from __future__ import annotations

import json

from services.cases.state import Case, Clock, Fact, Part
from services.cases.state_json import decode, encode
from services.kernel.clock_moments import Moment

BARE = Case("TR-1", last_seq=3)
FULL = Case(
    subject="TR-330200-2026-000001",
    last_seq=17,
    kind="referral",
    state="filed",
    title="案由",
    opened_event="e",
    opened_ms=1,
    members=9,
    parts=(Part("agency", "A"), Part("police", "某公安局", outside=True)),
    facts=(
        Fact("e", "A", "open", 1, 2, (Moment("happened", "referral_delivered", 2, "e"),)),
        Fact(
            "f",
            "B",
            "extend",
            3,
            4,
            (Moment("extended", "complex", 3, "f", 5),),
            "C6",
            (Part("police", "C"),),
            (Part("police", "B"),),
        ),
        Fact("g", "B", "note", 5, 6),
    ),
    clocks=(
        Clock("C4", None, 1, "e", "e", "running"),
        Clock(
            "F1", 20_120, 2, "e", "f", "expired", 10, 9, provisional=True, advisory=True, warned=True, actors=("A", "B")
        ),
    ),
    informed=("A", "B"),
    relates_to=("CL-1",),
)


def test_a_case_is_read_back_as_it_was_written() -> None:
    for case in (BARE, FULL):
        assert decode(json.loads(json.dumps(encode(case)))) == case


def test_what_has_its_usual_value_is_left_out() -> None:
    held = encode(FULL)
    assert held["parts"][0] == {"role": "agency", "participant": "A"}
    assert held["facts"][2] == {"event": "g", "source": "B", "move": "note", "happened_ms": 5, "admitted_ms": 6}
    assert "length" not in held["facts"][0]["moments"][0]
    assert set(held["clocks"][0]) == {"rule", "valid_from", "number", "trigger", "since", "told_state"}


def test_nothing_of_a_case_is_left_unwritten() -> None:
    assert set(encode(FULL)) == set(Case.__dataclass_fields__)
    assert set(encode(FULL)["clocks"][1]) == set(Clock.__dataclass_fields__)
    assert set(encode(FULL)["facts"][1]) == set(Fact.__dataclass_fields__)
