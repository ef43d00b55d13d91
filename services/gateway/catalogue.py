"""What the exchange publishes about itself: schemas and code tables to anyone, the members log to its participants.

Schemas and tables are fixed while the process runs, so their replies are made once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from services.codec.cloudevents import envelope_to_structured
from services.codec.released import Release, ReleasedSchemas
from services.gateway.exchange import Incoming, Reply, whole_number
from services.kernel.codes import CodeTable, CodeTables
from services.kernel.errors import Refused
from services.kernel.families import family_of
from services.kernel.instants import format_day
from services.members.history import History

_KEPT = (b"cache-control", b"public, max-age=300")
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
MEMBERS_PAGE = 500


class Catalogue:
    """Handlers of ``/v1/schemas…`` and ``/v1/codes…``."""

    def __init__(self, released: ReleasedSchemas, tables: CodeTables) -> None:
        self._released = released
        self._schemas = _reply({"items": [_release(release) for release in released.releases]})
        self._tables = {name: _reply(_table(table)) for name, table in tables.by_name.items()}
        self._codes = _reply(
            {"items": [{"table": name, "href": f"/v1/codes/{name}"} for name in sorted(tables.by_name)]}
        )

    async def schemas(self, incoming: Incoming) -> Reply:
        """``GET /v1/schemas``: every release of every event type."""
        incoming.query(())
        return _unless_known(incoming, self._schemas)

    async def schema(self, incoming: Incoming) -> Reply:
        """``GET /v1/schemas/{type}``: the newest released Avro schema of a type; refuses ``not-found``."""
        incoming.query(())
        release = self._released.newest.get(incoming.path_values["type"])
        if release is None:
            raise Refused("not-found", "there is no released schema of that type", field="type")
        return _unless_known(incoming, _schema(release, _KEPT))

    async def schema_by_digest(self, incoming: Incoming) -> Reply:
        """``GET /v1/schemas/by-digest/{hex}``: the schema that a statement names; refuses ``not-found``."""
        incoming.query(())
        wanted = f"sha256:{incoming.path_values['hex']}"
        for release in self._released.releases:
            if release.schema.digest_text == wanted:
                return _unless_known(incoming, _schema(release, _FOR_EVER))
        raise Refused("not-found", "no released schema has that digest", field="hex")

    async def codes(self, incoming: Incoming) -> Reply:
        """``GET /v1/codes``: the names of the code tables."""
        incoming.query(())
        return _unless_known(incoming, self._codes)

    async def table(self, incoming: Incoming) -> Reply:
        """``GET /v1/codes/{table}``: one code table with validity and source; refuses ``not-found``."""
        incoming.query(())
        found = self._tables.get(incoming.path_values["table"])
        if found is None:
            raise Refused("not-found", "there is no code table of that name", field="table")
        return _unless_known(incoming, found)


class MembersLog:
    """Handler of ``GET /v1/members``: the members log as it was admitted, for nodes that verify it themselves."""

    def __init__(self, history: Callable[[], History], principal: Callable[[Incoming], str]) -> None:
        self._history = history
        self._principal = principal

    async def page(self, incoming: Incoming) -> Reply:
        """Entries from number ``after`` on (how many the caller has already; 0 when left out), and the next number."""
        self._principal(incoming)
        query = incoming.query(("after", "limit"))
        after = whole_number(query.get("after"), "after", 0, 0, 10**12)
        limit = whole_number(query.get("limit"), "limit", MEMBERS_PAGE, 1, MEMBERS_PAGE)
        history = self._history()
        if after > history.size:
            raise Refused("bad-request", f"after: the members log has {history.size} entries", field="after")
        records = history.since(after, limit)
        items = [envelope_to_structured(record.envelope) for record in records]
        return Reply(200, _encoded({"items": items, "next": after + len(items)}))


def _release(release: Release) -> dict[str, Any]:
    schema = release.schema
    return {
        "type": release.type,
        "version": release.version,
        "family": family_of(release.type),
        "digest": schema.digest_text,
        "restricted": list(schema.restricted),
        "href": f"/v1/schemas/by-digest/{schema.digest.hex()}",
    }


def _schema(release: Release, kept: tuple[bytes, bytes]) -> Reply:
    schema = release.schema
    etag = (b"etag", f'"{schema.digest.hex()}"'.encode())
    return Reply(200, _encoded(schema.json), b"application/schema+json", (etag, kept))


def _table(table: CodeTable) -> dict[str, Any]:
    rows = [
        {
            "code": row.code,
            "zh": row.zh,
            "en": row.en,
            **row.more,
            "valid_from": _day(row.valid_from),
            "valid_until": _day(row.valid_until),
            "source": row.source,
        }
        for row in table.rows
    ]
    return {"table": table.name, "rows": rows}


def _day(day: int | None) -> str | None:
    return None if day is None else format_day(day)


def _reply(document: Mapping[str, Any]) -> Reply:
    body = _encoded(document)
    etag = (b"etag", f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode())
    return Reply(200, body, headers=(etag, _KEPT))


def _unless_known(incoming: Incoming, reply: Reply) -> Reply:
    """304 without a body when the caller names the tag of the reply (RFC 9110 section 13.1.2)."""
    etag = dict(reply.headers)[b"etag"]
    if etag in [tag.strip() for tag in incoming.headers.get(b"if-none-match", b"").split(b",")]:
        return Reply(304, b"", reply.content_type, reply.headers)
    return reply


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
