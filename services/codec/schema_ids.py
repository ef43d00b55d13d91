"""Registry ids of the released schemas, both ways, where the id comes from whoever can write a record.

Only a released schema is ever taken, so the ids of those are asked for first, and an id that is none of them is asked for only to say
whether it is unknown or merely unreleased. Whoever sends random ids gets refusals out of a bounded memory, and a few questions a
second reach the registry, no more; a good id never waits for them.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Final, Protocol

from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, schema_digest
from services.kernel.errors import Refused, Transient
from services.kernel.ports import Clock

REMEMBERED: Final = 1024
FORGET_AFTER_MS: Final = 30_000
LEARN_EVERY_MS: Final = 1_000
QUESTIONS_A_SECOND: Final = 10


class Registry(Protocol):
    """What is asked of the schema registry; ``registry.SchemaRegistry`` is it. Both block, and raise ``Transient``."""

    def id_of(self, schema: EventSchema) -> int:
        """Id of a registered schema; refuses ``unreleased-schema``."""
        ...

    def schema_of(self, schema_id: int) -> str:
        """Text of the schema with that id; refuses ``unknown-schema``."""
        ...


@dataclass(frozen=True, slots=True)
class _No:
    """A negative answer, and until when it is believed."""

    code: str
    until_ms: int


class SchemaIds:
    """Safe to ask from any thread. Blocks on the registry for an id that it does not know, never for one that it does."""

    def __init__(self, released: ReleasedSchemas, registry: Registry, clock: Clock) -> None:
        self._released = released
        self._registry = registry
        self._clock = clock
        self._lock = threading.Lock()
        self._ids: dict[bytes, int] = {}
        self._schemas: dict[int, EventSchema] = {}
        self._noes: dict[int, _No] = {}
        self._learned_ms: int | None = None
        self._is_told = False
        self._second = -1
        self._questions = 0

    def id_of(self, schema: EventSchema) -> int:
        """Id of a released schema; ``Transient`` while the registry is away, ``unreleased-schema`` when it has it not."""
        known = self._ids.get(schema.digest)
        if known is None:
            with self._lock:
                known = self._registry.id_of(schema)
                self._remember(schema, known)
        return known

    def with_id(self, schema_id: int) -> EventSchema:
        """The released schema with that id. Refuses ``unknown-schema`` and ``unreleased-schema``.

        ``Transient`` while the registry has not told the ids of the released schemas, since this could be one of them.
        """
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        with self._lock:
            now_ms = self._clock.now_ms()
            self._learn(now_ms)
            return self._schemas.get(schema_id) or self._find(schema_id, now_ms)

    def _learn(self, now_ms: int) -> None:
        """Asks for the ids of released schemas that are not known, at most once a second."""
        missing = [schema for schema in self._released.by_digest.values() if schema.digest not in self._ids]
        if not missing:
            return
        if self._learned_ms is None or not 0 <= now_ms - self._learned_ms < LEARN_EVERY_MS:
            self._learned_ms = now_ms
            self._is_told = False
            for schema in missing:
                try:
                    self._remember(schema, self._registry.id_of(schema))
                except Refused:
                    continue  # released and not registered yet: no id means it
            self._is_told = True
        if not self._is_told:
            raise Transient("the registry has not told the ids of the released schemas yet")

    def _find(self, schema_id: int, now_ms: int) -> EventSchema:
        """A released schema under a second id, or the refusal, remembered for a while."""
        no = self._noes.get(schema_id)
        if no is None or now_ms >= no.until_ms:
            found = self._ask(schema_id, now_ms)
            if isinstance(found, EventSchema):
                return found
            no = found
        if no.code == "unreleased-schema":
            raise Refused("unreleased-schema", f"the schema with id {schema_id} has not been released", field="schema")
        raise Refused("unknown-schema", f"there is no schema with id {schema_id}", field="schema")

    def _ask(self, schema_id: int, now_ms: int) -> EventSchema | _No:
        second = now_ms // 1000
        if second != self._second:
            self._second, self._questions = second, 0
        self._questions += 1
        if self._questions > QUESTIONS_A_SECOND:
            return _No("unknown-schema", now_ms)
        try:
            text = self._registry.schema_of(schema_id)
        except Refused:
            return self._note(schema_id, _No("unknown-schema", now_ms + FORGET_AFTER_MS))
        except Transient:
            return _No("unknown-schema", now_ms)  # every released id is known, and this is none of them
        schema = self._released.by_digest.get(_digest_text(text))
        if schema is None:
            return self._note(schema_id, _No("unreleased-schema", now_ms + FORGET_AFTER_MS))
        self._schemas[schema_id] = schema
        return schema

    def _note(self, schema_id: int, no: _No) -> _No:
        self._noes.pop(schema_id, None)
        if len(self._noes) >= REMEMBERED:
            del self._noes[next(iter(self._noes))]
        self._noes[schema_id] = no
        return no

    def _remember(self, schema: EventSchema, schema_id: int) -> None:
        self._ids[schema.digest] = schema_id
        self._schemas[schema_id] = schema


def _digest_text(text: str) -> str:
    """Digest of a schema text of the registry; that of no schema when it is not one."""
    try:
        return f"sha256:{schema_digest(json.loads(text)).hex()}"
    except (ValueError, RecursionError):
        return ""
