"""Dotted paths find, miss and place, and never raise for a document."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.paths import MISSING, lookup, place
from services.kernel.errors import BadSettings

DOCUMENT = {"a": {"b": [{"c": 1}, {"c": None}]}, "e": ""}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", DOCUMENT),
        ("a.b.0.c", 1),
        ("a.b.1.c", None),
        ("e", ""),
        ("a.b.2.c", MISSING),
        ("a.x", MISSING),
        ("e.f", MISSING),
        ("a.b.c", MISSING),
        ("a.b.-1.c", MISSING),
    ],
)
def test_a_path_finds_what_stands_there_or_says_that_nothing_does(path: str, found: object) -> None:
    assert lookup(DOCUMENT, path) is found or lookup(DOCUMENT, path) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(json_values, st.text(max_size=12))
def test_a_lookup_never_raises(document: object, path: str) -> None:
    lookup(document, path)


def test_placing_makes_the_objects_on_the_way() -> None:
    document: dict[str, object] = {}
    place(document, "a.b.c", 1)
    place(document, "a.d", 2)
    assert document == {"a": {"b": {"c": 1}, "d": 2}}


def test_placing_through_what_is_not_an_object_is_refused() -> None:
    with pytest.raises(BadSettings):
        place({"a": 1}, "a.b", 2)
