"""Schema ids: found lazily, refused out of a bounded memory, and the registry is never flooded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from services.codec.released import Release, collect
from services.codec.schema import EventSchema, compile_schema
from services.codec.schema_ids import FORGET_AFTER_MS, LEARN_EVERY_MS, QUESTIONS_A_SECOND, REMEMBERED, SchemaIds
from services.kernel.errors import Refused, Transient
from services.kernel.ports import SettableClock


def schema(name: str, *fields: str) -> EventSchema:
    held = [{"name": each, "type": ["null", "string"], "default": None} for each in ("a", *fields)]
    return compile_schema(json.dumps({"type": "record", "name": name, "namespace": "cn.ipx.clue", "fields": held}))


OLD, NEW, OTHER, FOREIGN = schema("Seen"), schema("Seen", "b"), schema("Lost"), schema("Stolen")
RELEASED = collect([Release(OLD.name, 1, OLD), Release(NEW.name, 2, NEW), Release(OTHER.name, 1, OTHER)])


@dataclass
class FakeRegistry:
    """A registry that can be away and counts its questions."""

    ids: dict[bytes, int] = field(default_factory=lambda: {OLD.digest: 1, NEW.digest: 2, OTHER.digest: 3})
    texts: dict[int, str] = field(default_factory=dict)
    is_away: bool = False
    asked_ids: int = 0
    asked_texts: int = 0

    def id_of(self, schema: EventSchema) -> int:
        self.asked_ids += 1
        if self.is_away:
            raise Transient("away")
        if schema.digest not in self.ids:
            raise Refused("unreleased-schema", "not registered")
        return self.ids[schema.digest]

    def schema_of(self, schema_id: int) -> str:
        self.asked_texts += 1
        if self.is_away:
            raise Transient("away")
        if schema_id not in self.texts:
            raise Refused("unknown-schema", "no such id")
        return self.texts[schema_id]


def made() -> tuple[SchemaIds, FakeRegistry, SettableClock]:
    registry, clock = FakeRegistry(), SettableClock()
    return SchemaIds(RELEASED, registry, clock), registry, clock


def code_of(ids: SchemaIds, schema_id: int) -> str:
    with pytest.raises(Refused) as caught:
        ids.with_id(schema_id)
    return caught.value.code


def test_a_released_schema_is_found_by_its_id_and_asked_for_once() -> None:
    ids, registry, _ = made()
    for _ in range(3):
        assert [ids.with_id(each) for each in (1, 2, 3)] == [OLD, NEW, OTHER]
        assert [ids.id_of(each) for each in (OLD, NEW, OTHER)] == [1, 2, 3]
    assert (registry.asked_ids, registry.asked_texts) == (3, 0)


def test_the_id_of_one_schema_is_asked_for_when_it_is_needed() -> None:
    ids, registry, _ = made()
    assert ids.id_of(NEW) == 2
    assert registry.asked_ids == 1
    assert ids.with_id(2) is NEW
    assert registry.asked_ids == 1


def test_unknown_and_unreleased_ids_are_told_apart() -> None:
    ids, registry, _ = made()
    registry.texts = {8: json.dumps(FOREIGN.json), 9: "nonsense", 10: "[" * 100_000}
    assert [code_of(ids, each) for each in (7, 8, 9, 10)] == ["unknown-schema", *["unreleased-schema"] * 3]


def test_a_released_schema_under_a_second_id_is_found() -> None:
    ids, registry, _ = made()
    registry.texts = {8: json.dumps(NEW.json, indent=3)}
    assert ids.with_id(8) is NEW
    assert ids.with_id(8) is NEW
    assert registry.asked_texts == 1
    assert ids.id_of(NEW) == 2


def test_a_negative_answer_is_believed_for_a_while() -> None:
    ids, registry, clock = made()
    assert [code_of(ids, 7) for _ in range(5)] == ["unknown-schema"] * 5
    assert registry.asked_texts == 1
    clock.advance(FORGET_AFTER_MS)
    registry.texts = {7: json.dumps(NEW.json)}
    assert ids.with_id(7) is NEW


def test_random_ids_reach_the_registry_a_few_times_a_second_and_fill_no_memory() -> None:
    ids, registry, clock = made()
    for number in range(100, 100 + 50 * REMEMBERED):
        assert code_of(ids, number) == "unknown-schema"
        if number % 50 == 0:
            clock.advance(1000)
    seconds = REMEMBERED + 1
    assert registry.asked_texts <= seconds * QUESTIONS_A_SECOND
    assert registry.asked_ids == 3
    assert len(ids._noes) <= REMEMBERED
    assert len(ids._schemas) == 3
    assert ids.with_id(2) is NEW


def test_while_the_registry_is_away_nothing_is_said_of_an_id_that_could_be_released() -> None:
    ids, registry, clock = made()
    registry.is_away = True
    for _ in range(50):
        with pytest.raises(Transient):
            ids.with_id(7)
    assert registry.asked_ids == 1
    registry.is_away = False
    clock.advance(LEARN_EVERY_MS)
    assert ids.with_id(3) is OTHER
    assert code_of(ids, 7) == "unknown-schema"


def test_a_registry_that_goes_away_later_stops_nobody() -> None:
    ids, registry, _ = made()
    assert ids.with_id(1) is OLD
    registry.is_away = True
    assert ids.with_id(2) is NEW
    assert ids.id_of(OTHER) == 3
    assert code_of(ids, 7) == "unknown-schema"
    registry.is_away = False
    registry.texts = {7: json.dumps(NEW.json)}
    assert ids.with_id(7) is NEW


def test_a_schema_that_is_registered_after_its_release_is_found_within_a_second() -> None:
    ids, registry, clock = made()
    del registry.ids[OTHER.digest]
    assert ids.with_id(1) is OLD
    with pytest.raises(Refused) as caught:
        ids.id_of(OTHER)
    assert caught.value.code == "unreleased-schema"
    registry.ids[OTHER.digest] = 3
    clock.advance(LEARN_EVERY_MS)
    assert ids.with_id(3) is OTHER


def test_a_clock_that_steps_back_does_not_stop_the_learning() -> None:
    ids, registry, clock = made()
    registry.is_away = True
    with pytest.raises(Transient):
        ids.with_id(1)
    registry.is_away = False
    clock.advance(-10_000_000)
    assert ids.with_id(1) is OLD
