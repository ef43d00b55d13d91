"""The members log in the node's database, as it was verified: by it, and by the root key, a case is computed without asking anybody. SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from connectors.node.sealing import document_of
from services.codec.cloudevents import envelope_from_structured
from services.codec.envelope import Envelope
from services.codec.keys import PublicKey
from services.codec.strict_json import parse_json
from services.kernel.errors import Transient
from services.members.history import History
from services.members.reading import SchemaOf

_MOST_BYTES = 4 << 20


def keep(db: sqlite3.Connection, start: int, envelopes: Sequence[Envelope]) -> None:
    """Stores verified records, the first of which has that number; a record that is there already is replaced by itself."""
    rows = [(start + at, document_of(envelope)) for at, envelope in enumerate(envelopes)]
    db.executemany("insert or replace into members_log values (?, ?)", rows)


def read(db: sqlite3.Connection, log: str, root: PublicKey, schema_of: SchemaOf) -> History:
    """The history of what is kept, verified anew. ``Transient`` when nothing is, ``Corrupt`` when it is not what it must be."""
    history = History(log=log, schema_of=schema_of, root=root)
    for (document,) in db.execute("select document from members_log order by seq"):
        history.append(envelope_from_structured(parse_json(bytes(document), most_bytes=_MOST_BYTES)))
    if not history.size:
        raise Transient("the node has not read the members log yet; it does when it runs")
    return history
