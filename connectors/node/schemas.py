"""The released schemas that the node knows: those it came with, and those that the exchange has released since.

A schema is asked for by its digest and checked against it, so the gateway cannot pass another one for it; and it must be one
that the project's own rules take.
"""

from __future__ import annotations

from connectors.node.gateway import Gateway
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, compile_schema
from services.kernel.errors import Refused


class Schemas:
    """Look-ups by digest; ``fetch`` adds what is new."""

    def __init__(self, released: ReleasedSchemas) -> None:
        self._released = released
        self._fetched: dict[str, EventSchema] = {}

    def with_digest(self, digest: str) -> EventSchema:
        """The schema with that digest (``sha256:<hex>``); refuses ``unreleased-schema`` one that is not known here."""
        found = self._fetched.get(digest)
        return found if found is not None else self._released.with_digest(digest)

    async def fetch(self, gateway: Gateway, participant: str, digest: str) -> bool:
        """Asks the exchange for a schema; False when it has not released it, or what it gave is not that schema."""
        if not digest.startswith("sha256:"):
            return False
        text = await gateway.schema(participant, digest.removeprefix("sha256:"))
        if text is None:
            return False
        try:
            schema = compile_schema(text)
        except Refused:
            return False
        if schema.digest_text != digest:
            return False
        self._fetched[digest] = schema
        return True
