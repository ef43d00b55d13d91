"""Releases at the real schema registry: registered once, guarded, and judged there as they are judged without it."""

from __future__ import annotations

import copy
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.codec.compatibility import breaks_between
from services.codec.registry import SchemaRegistry
from services.codec.released import COMPATIBILITY, load_released, register_all
from services.kernel.errors import Refused
from tests.conftest import RunningPlatform, run_ipx

pytestmark = pytest.mark.broker
RELEASED = load_released()


@pytest.fixture
def registry(platform: RunningPlatform) -> Iterator[SchemaRegistry]:
    client = SchemaRegistry(platform.registry_url)
    yield client
    client.close()


def test_registering_twice_gives_the_same_ids_and_guards_every_subject(registry: SchemaRegistry) -> None:
    done = register_all(RELEASED, registry)
    assert register_all(RELEASED, registry) == done
    assert {registry.compatibility(event_type) for event_type in RELEASED.types} == {COMPATIBILITY}


def test_the_id_of_a_registered_schema_is_found_and_gives_the_same_schema(registry: SchemaRegistry) -> None:
    ids = {each.type: each.schema_id for each in register_all(RELEASED, registry)}
    for event_type in RELEASED.types:
        schema = RELEASED.named(event_type)
        assert registry.id_of(schema) == ids[event_type]
        assert json.loads(registry.schema_of(ids[event_type])) == schema.json


def test_the_command_registers_and_says_so(platform: RunningPlatform) -> None:
    environ = {**os.environ, "IPX_REGISTRY_URL": platform.registry_url, "IPX_STATE_DIR": str(platform.state_dir)}
    ran = run_ipx("schemas", "register", "--json", environ=environ)
    assert ran.returncode == 0, ran.stderr
    assert {each["type"] for each in json.loads(ran.stdout)["registered"]} == set(RELEASED.types)


Change = Callable[[list[dict[str, Any]]], object]
NULLABLE = {"name": "more", "type": ["null", "string"], "default": None}
CHANGES: dict[str, Change] = {
    "a word in a doc": lambda fields: fields[0].update(doc="other"),
    "a new nullable field": lambda fields: fields.append(NULLABLE),
    "a nullable field left out": lambda fields: fields.remove(_named(fields, "officer")),
    "a new field without default": lambda fields: fields.append({"name": "more", "type": "string"}),
    "a field without default left out": lambda fields: fields.remove(_named(fields, "accepted_at")),
    "another type": lambda fields: _named(fields, "contact_section").update(type=["null", "long"]),
    "a field that may be null now": lambda fields: _named(fields, "accepted_at").update(type=["null", "long"]),
    "a field of another name": lambda fields: _named(fields, "accepted_at").update(name="taken_at"),
}


def _named(fields: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(field for field in fields if field["name"] == name)


@pytest.mark.parametrize("what", CHANGES)
def test_the_registry_and_the_offline_check_come_to_one_verdict(registry: SchemaRegistry, what: str) -> None:
    old = {**RELEASED.named("cn.ipx.clue.ClueAccepted").json, "name": f"T{uuid.uuid4().hex}"}
    subject = f"cn.ipx.clue.{old['name']}"
    new = copy.deepcopy(old)
    CHANGES[what](new["fields"])
    registry.register(subject, json.dumps(old))
    registry.set_compatibility(subject, COMPATIBILITY)
    assert _takes(registry, subject, new) == (breaks_between(new, old) == ())


def _takes(registry: SchemaRegistry, subject: str, schema: dict[str, Any]) -> bool:
    try:
        registry.register(subject, json.dumps(schema))
    except Refused as refused:
        if refused.code != "incompatible-schema":
            raise
        return False
    return True
