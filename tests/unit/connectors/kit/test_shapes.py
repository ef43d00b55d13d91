"""Shapes of events: names, what is required, and where a mapping goes wrong."""

import pytest

from connectors.kit.shapes import OutgoingRefused, check_complete, check_path, shape_of
from services.events import EVENT_TYPES
from services.kernel.errors import BadSettings, Refused

REPORTED = shape_of("cn.ipx.clue.ClueReported")


def test_every_event_type_has_a_shape() -> None:
    for name, cls in EVENT_TYPES.items():
        assert shape_of(name).name == cls.__name__


def test_records_inside_have_theirs() -> None:
    assert REPORTED.inner["rights"].inner["holder"].required == {"name"}
    assert "suspects" in REPORTED.inner
    assert "title" not in REPORTED.inner


def test_required_fields_are_those_without_a_default() -> None:
    assert {"title", "facts", "subtype"} <= REPORTED.required
    assert "reporter" not in REPORTED.required


def test_the_notice_of_the_node_has_a_shape_too() -> None:
    assert shape_of(OutgoingRefused.TYPE).name == "OutgoingRefused"


def test_a_type_that_does_not_exist_is_a_bad_setting() -> None:
    with pytest.raises(BadSettings):
        shape_of("cn.ipx.clue.Nothing")


@pytest.mark.parametrize("path", ["title", "rights.0.holder.uscc", "rights.holder", "exhibition.booth"])
def test_a_path_of_the_event_is_taken(path: str) -> None:
    check_path(REPORTED, path, "here")


@pytest.mark.parametrize("path", ["titel", "rights.0.holder.phone", "title.x", "exhibition.nothing"])
def test_a_path_that_leads_nowhere_is_a_bad_setting(path: str) -> None:
    with pytest.raises(BadSettings, match="here"):
        check_path(REPORTED, path, "here")


def test_a_value_without_a_required_field_is_refused_and_the_field_named() -> None:
    value = dict.fromkeys(REPORTED.required, "x")
    check_complete(REPORTED, value)
    with pytest.raises(Refused) as refused:
        check_complete(REPORTED, {**value, "facts": None})
    assert refused.value.field == "facts"
    with pytest.raises(Refused) as refused:
        check_complete(REPORTED, {**value, "rights": [{"right_type": "trademark", "holder": {}}]})
    assert refused.value.field == "rights.holder.name"
