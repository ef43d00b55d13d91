import pytest

from services.codec.released import load_released
from services.codec.schema import EventSchema
from services.gateway.schema_ids import LearnedIds
from services.kernel.errors import Transient

RELEASED = load_released()
ACCEPTED = RELEASED.named("cn.ipx.clue.ClueAccepted")


class FakeRegistry:
    """Gives ids in the order it is asked; away once it has given as many as ``patience``."""

    def __init__(self, patience: int = 1_000) -> None:
        self.patience = patience
        self.ids: dict[bytes, int] = {}
        self.asked = 0

    def id_of(self, schema: EventSchema) -> int:
        if len(self.ids) >= self.patience:
            raise Transient("away")
        self.asked += 1
        return self.ids.setdefault(schema.digest, len(self.ids) + 1)

    def subjects(self) -> list[str]:
        if len(self.ids) >= self.patience:
            raise Transient("away")
        return []


def test_ids_are_known_once_the_registry_has_told_them() -> None:
    registry = FakeRegistry()
    ids = LearnedIds(RELEASED, registry, lambda _: None)
    ids.learn()

    assert {digest: ids.id_of(schema) for digest, schema in _by_digest().items()} == registry.ids


def test_before_that_the_caller_is_told_to_come_again_and_the_registry_is_not_asked() -> None:
    registry = FakeRegistry()
    ids = LearnedIds(RELEASED, registry, lambda _: None)

    with pytest.raises(Transient):
        ids.id_of(ACCEPTED)
    assert registry.asked == 0


def test_known_ids_outlive_an_outage_of_the_registry() -> None:
    registry = FakeRegistry()
    ids = LearnedIds(RELEASED, registry, lambda _: None)
    ids.learn()
    registry.patience = 0

    with pytest.raises(Transient):
        ids.learn()
    assert ids.id_of(ACCEPTED) == registry.ids[ACCEPTED.digest]


def test_what_was_told_before_the_registry_went_away_is_not_asked_for_again() -> None:
    registry = FakeRegistry(patience=3)
    ids = LearnedIds(RELEASED, registry, lambda _: None)
    with pytest.raises(Transient):
        ids.learn()
    registry.patience = 1_000
    ids.learn()

    assert registry.asked == len(RELEASED.by_digest)


def _by_digest() -> dict[bytes, EventSchema]:
    return {schema.digest: schema for schema in RELEASED.by_digest.values()}
