"""Released schemas by their id in the registry: asked for once, then known, so that the registry may go away meanwhile."""

from __future__ import annotations

from services.codec.registry import SchemaRegistry
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, compile_schema
from services.kernel.errors import Refused
from services.kernel.ports import Clock

_ASK_AGAIN_MS = 10_000
_REMEMBERED = 10_000


class SchemaIds:
    """Finds the released schema behind an id; ids that mean nothing are asked for again after ten seconds."""

    def __init__(self, registry: SchemaRegistry, released: ReleasedSchemas, clock: Clock) -> None:
        self._registry = registry
        self._released = released
        self._clock = clock
        self._known: dict[int, EventSchema] = {}
        self._unknown: dict[int, tuple[Refused, int]] = {}

    def load(self) -> None:
        """Asks for the ids of every release. Blocks; ``Transient`` while the registry is away; refuses ``unreleased-schema``."""
        for release in self._released.releases:
            self._known[self._registry.id_of(release.schema)] = release.schema

    def id_of(self, event_type: str) -> int:
        """Id of the newest release of a type."""
        return self._registry.id_of(self._released.named(event_type))

    def with_id(self, schema_id: int) -> EventSchema:
        """The schema with that id.

        Refuses ``unknown-schema`` and ``unreleased-schema``. May block for an id not seen before; ``Transient`` while the registry
        is away: a schema that cannot be asked for is not an unknown one.
        """
        schema = self._known.get(schema_id)
        if schema is None:
            schema = self._ask(schema_id)
        return schema

    def _ask(self, schema_id: int) -> EventSchema:
        now_ms = self._clock.now_ms()
        refused, at_ms = self._unknown.get(schema_id, (None, 0))
        if refused is not None and now_ms - at_ms < _ASK_AGAIN_MS:
            raise Refused(refused.code, refused.message, field=refused.field)
        try:
            compiled = compile_schema(self._registry.schema_of(schema_id))
            schema = self._known[schema_id] = self._released.with_digest(compiled.digest_text)
        except Refused as error:
            refused = error if error.code != "bad-schema" else _not_ours(schema_id)
            if len(self._unknown) >= _REMEMBERED:
                self._unknown.clear()
            self._unknown[schema_id] = (refused, now_ms)
            raise refused from error
        return schema


def _not_ours(schema_id: int) -> Refused:
    return Refused(
        "unreleased-schema", f"schema {schema_id} of the registry is not a released event schema", field="dataschema"
    )
