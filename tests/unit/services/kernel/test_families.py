"""Families: each type belongs to one, and a foreign type to none."""

from __future__ import annotations

import pytest

from services.events.registry import EVENT_TYPES
from services.kernel.errors import Refused
from services.kernel.families import FAMILIES, family_of


@pytest.mark.parametrize(
    ("event_type", "family"),
    [
        ("cn.ipx.clue.ClueReported", "clues"),
        ("cn.ipx.member.KeyAdded", "members"),
        ("cn.ipx.receipt.Committed", "receipts"),
        ("cn.ipx.transfer.CaseTransferred", "transfers"),
    ],
)
def test_a_type_belongs_to_the_family_of_its_namespace(event_type: str, family: str) -> None:
    assert family_of(event_type) == family


def test_every_typed_event_has_a_family() -> None:
    assert {family_of(event_type) for event_type in EVENT_TYPES} <= set(FAMILIES)


def test_no_family_stands_twice() -> None:
    assert len(set(FAMILIES)) == len(FAMILIES) == 8


@pytest.mark.parametrize(
    "event_type", ["", "ClueReported", "cn.ipx.clue", "cn.ipx.clue.", "org.other.clue.X", "cn.ipx.clue.a.B"]
)
def test_a_foreign_type_is_refused(event_type: str) -> None:
    with pytest.raises(Refused) as caught:
        family_of(event_type)
    assert (caught.value.code, caught.value.field) == ("unknown-schema", "type")
