"""Forms of values: what is read, what is refused, and that writing undoes reading."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.converters import CANNOT_MAP, CONVERTERS
from services.kernel.errors import Refused

_TEXT = st.text(
    alphabet=st.characters(
        exclude_characters="、,，;； \n\t\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0　 ", categories=("L", "N")
    ),
    min_size=1,
)
_MS = st.integers(0, 4_000_000_000_000).map(lambda s: s // 1000 * 1000)
_DAYS = st.integers(0, 60_000)
VALUES = {
    "text": _TEXT,
    "integer": st.integers(-(10**17), 10**17),
    "number_text": st.integers(-(10**17), 10**17),
    "flag": st.booleans(),
    "shifou": st.booleans(),
    "truth": st.booleans(),
    "yuan": st.integers(0, 10**14),
    "local_time": _MS,
    "offset_time": _MS,
    "epoch_ms": _MS,
    "day": _DAYS,
    "compact_day": _DAYS,
    "han_day": _DAYS,
    "list": st.lists(_TEXT, min_size=1),
    "joined": st.lists(_TEXT, min_size=1),
    "integers": st.lists(st.integers(1, 45), min_size=1),
    "joined_integers": st.lists(st.integers(1, 45), min_size=1),
}


def test_every_converter_is_tried_here() -> None:
    assert set(VALUES) == set(CONVERTERS)


@pytest.mark.parametrize("name", sorted(CONVERTERS))
def test_reading_undoes_writing(name: str) -> None:
    @settings(max_examples=30, deadline=None)
    @given(VALUES[name])
    def undoes(value: object) -> None:
        assert CONVERTERS[name].read(CONVERTERS[name].write(value)) == value

    undoes()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("text", " 网店 ", "网店"),
        ("text", 17, "17"),
        ("integer", "17", 17),
        ("flag", "是", True),
        ("flag", 0, False),
        ("yuan", "66500", 6_650_000),
        ("yuan", "66500.5", 6_650_050),
        ("yuan", 12, 1200),
        ("yuan", 12.34, 1234),
        ("local_time", "1970-01-01 08:00:00", 0),
        ("offset_time", "1970-01-01T00:00:00Z", 0),
        ("offset_time", "1970-01-01T08:00:00.5+08:00", 500),
        ("day", "1970-01-02", 1),
        ("day", "19700102", 1),
        ("day", "1970年1月2日", 1),
        ("day", "1970-01-02 23:59:59", 1),
        ("joined", "甲、乙，丙;丁", ["甲", "乙", "丙", "丁"]),
        ("integers", "9、25", [9, 25]),
        ("integers", [9, "25"], [9, 25]),
    ],
)
def test_the_forms_that_city_systems_use_are_read(name: str, text: object, value: object) -> None:
    assert CONVERTERS[name].read(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("text", {"a": 1}),
        ("text", True),
        ("text", 1.5),
        ("integer", "1.5"),
        ("integer", True),
        ("integer", "٣"),
        ("flag", "也许"),
        ("flag", None),
        ("yuan", "-1"),
        ("yuan", "1,000"),
        ("yuan", "1.005"),
        ("yuan", 0.001),
        ("yuan", float("nan")),
        ("local_time", "2026-02-30 00:00:00"),
        ("local_time", "2026-11-24T14:11:37"),
        ("offset_time", "2026-11-24T14:11:37"),
        ("day", "2026-13-01"),
        ("day", 20261124),
        ("list", "甲"),
        ("integers", "x"),
    ],
)
def test_any_other_form_is_refused(name: str, text: object) -> None:
    with pytest.raises(Refused) as refused:
        CONVERTERS[name].read(text)
    assert refused.value.code == CANNOT_MAP


@pytest.mark.parametrize("name", sorted(set(CONVERTERS) - {"text", "joined"}))
def test_a_refusal_never_repeats_the_value(name: str) -> None:
    with pytest.raises(Refused) as refused:
        CONVERTERS[name].read("电话13800000000")
    assert "13800000000" not in refused.value.message
