"""The closed list of event types."""

from __future__ import annotations

import dataclasses

import pytest

from services.events import EVENT_TYPES, clue, from_value, member, notice, receipt, to_value, transfer
from services.events.receipt import Delivered
from services.kernel.families import FAMILIES, family_of

DELIVERED = Delivered(event="e", recipient="320100.police", log="ipx.clues/3", number=1, delivered_at=2)


def records() -> list[type]:
    return [
        held
        for module in (clue, member, notice, receipt, transfer)
        for held in vars(module).values()
        if isinstance(held, type) and dataclasses.is_dataclass(held)
    ]


def test_every_type_is_named_as_its_class_and_belongs_to_a_family() -> None:
    assert {name.rpartition(".")[2] for name in EVENT_TYPES} == {cls.__name__ for cls in EVENT_TYPES.values()}
    assert {family_of(name) for name in EVENT_TYPES} <= set(FAMILIES)


def test_every_record_is_frozen_slotted_and_made_by_field_name() -> None:
    for record in records():
        assert "__slots__" in vars(record), record
        assert all(field.kw_only for field in dataclasses.fields(record)), record
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            record.__setattr__(object.__new__(record), dataclasses.fields(record)[0].name, 1)


def test_an_event_comes_back_from_its_value() -> None:
    assert from_value(Delivered.TYPE, to_value(DELIVERED)) == DELIVERED


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        from_value("cn.ipx.clue.Never", {})
