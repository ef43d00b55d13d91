"""Ids of the released schemas, learned from the registry in the background: no request ever waits for the registry.

Ids never change, so the registry is needed once; after that it is asked now and then only to say whether it is there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema
from services.kernel.errors import Refused, Transient

_RETRY_S = 1.0
_PROBE_S = 5.0


class Registry(Protocol):
    """What is asked of the schema registry; both calls block and raise ``Transient`` while it is away."""

    def id_of(self, schema: EventSchema) -> int:
        """Id of a registered schema; refuses ``unreleased-schema``."""
        ...

    def subjects(self) -> list[str]:
        """Every subject."""
        ...


class LearnedIds:
    """The ids as far as they have been told. Safe to ask from any thread."""

    def __init__(self, released: ReleasedSchemas, registry: Registry, health: Callable[[str | None], None]) -> None:
        self._released = released
        self._registry = registry
        self._health = health
        self._ids: Mapping[bytes, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-schemas", daemon=True)

    def start(self) -> None:
        """Begins to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._thread.join(_PROBE_S)

    def id_of(self, schema: EventSchema) -> int:
        """Id of a released schema; ``Transient`` as long as the registry has not told it. Does not block."""
        found = self._ids.get(schema.digest)
        if found is None:
            raise Transient(f"the registry has not told the id of {schema.name} yet")
        return found

    def learn(self) -> None:
        """Asks for the ids that are missing, or whether the registry is there when none is. Blocks.

        Raises ``Transient`` while it is away, ``Refused`` for a schema that was released and is not registered.
        """
        missing = [schema for schema in self._released.by_digest.values() if schema.digest not in self._ids]
        if not missing:
            self._registry.subjects()
        for schema in missing:
            self._ids = {**self._ids, schema.digest: self._registry.id_of(schema)}

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            try:
                self.learn()
                self._health(None)
                wait_s = _PROBE_S
            except (Transient, Refused) as error:
                self._health(f"{error.code}: {error}")
                wait_s = _RETRY_S
