"""The schema registry as the exchange uses it: the Confluent API that Apicurio serves at ``/apis/ccompat/v7``.

Subjects follow RecordName: the full name of the record. The id of a schema is asked for once, since it never changes; what stands
under an id is asked for every time, since ids come from outside (``schema_ids.py`` remembers with a bound).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from services.codec.http import HttpClient, Reply
from services.codec.schema import EventSchema
from services.kernel.errors import Refused, Transient

_TYPE = {"content-type": "application/vnd.schemaregistry.v1+json"}


class SchemaRegistry:
    """A blocking client of the registry. Raises ``Transient`` while it is away, ``Refused`` what it does not take."""

    def __init__(self, base_url: str, *, timeout_s: float = 10.0, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(base_url.rstrip("/"), timeout_s=timeout_s)
        self._ids: dict[bytes, int] = {}

    def register(self, subject: str, schema_text: str) -> int:
        """Id of the schema under the subject, registering it when it is new; refuses ``incompatible-schema``."""
        reply = self._call("POST", f"/subjects/{_quoted(subject)}/versions", {"schema": schema_text})
        if reply.status in (409, 422):
            raise Refused(
                "incompatible-schema", f"{subject}: the registry says {reply.body.decode(errors='replace')[:400]}"
            )
        return _read_id(reply)

    def set_compatibility(self, subject: str, level: str) -> None:
        """Sets the compatibility rule of a subject, ``FULL_TRANSITIVE`` for ours."""
        _good(self._call("PUT", f"/config/{_quoted(subject)}", {"compatibility": level}))

    def compatibility(self, subject: str) -> str | None:
        """The rule of a subject, or None when it has none of its own."""
        reply = self._call("GET", f"/config/{_quoted(subject)}", None)
        return None if reply.status == 404 else _read_text(reply, "compatibilityLevel")

    def id_of(self, schema: EventSchema) -> int:
        """Id of a schema that has been registered; refuses ``unreleased-schema`` one that has not."""
        known = self._ids.get(schema.digest)
        if known is None:
            reply = self._call("POST", f"/subjects/{_quoted(schema.name)}", {"schema": json.dumps(schema.json)})
            if reply.status == 404:
                raise Refused("unreleased-schema", f"{schema.name} {schema.digest_text} is not registered")
            known = self._ids[schema.digest] = _read_id(reply)
        return known

    def schema_of(self, schema_id: int) -> str:
        """Text of the schema with that id; refuses ``unknown-schema`` an id that the registry does not have."""
        reply = self._call("GET", f"/schemas/ids/{schema_id}", None)
        if reply.status == 404:
            raise Refused("unknown-schema", f"the registry has no schema with id {schema_id}")
        return _read_text(reply, "schema")

    def subjects(self) -> list[str]:
        """Every subject; also the cheapest question to ask whether the registry is there."""
        found = _good(self._call("GET", "/subjects", None))
        if not isinstance(found, list):
            raise Transient("the registry answered GET /subjects with something else than a list")
        return [str(name) for name in found]

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _call(self, method: str, path: str, document: object) -> Reply:
        body = None if document is None else json.dumps(document).encode()
        reply = self._http.send(method, path, body=body, headers=_TYPE if body else None)
        if reply.status >= 500 or reply.status == 429:
            raise Transient(f"the registry answered {method} {path} with {reply.status}")
        return reply


def _good(reply: Reply) -> Any:
    if reply.status >= 300:
        raise Refused(
            "bad-request", f"the registry answered {reply.status}: {reply.body.decode(errors='replace')[:400]}"
        )
    try:
        return reply.json()
    except (ValueError, RecursionError) as error:
        raise Transient("the registry answered with something else than JSON") from error


def _read_id(reply: Reply) -> int:
    document = _good(reply)
    found = document.get("id") if isinstance(document, dict) else None
    if isinstance(found, int) and 0 < found < 1 << 32:
        return found
    raise Transient("the registry answered without a schema id")


def _read_text(reply: Reply, name: str) -> str:
    document = _good(reply)
    found = document.get(name) if isinstance(document, dict) else None
    if isinstance(found, str):
        return found
    raise Transient(f"the registry answered without {name}")


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
