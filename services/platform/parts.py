"""The one table of what ``ipx up`` runs, in the order it is started; it is stopped in the reverse order."""

from __future__ import annotations

from collections.abc import Iterable

from services.kernel.errors import BadSettings
from services.platform import kafka, postgres, registry
from services.platform.exchange import process
from services.platform.program import Part

PLATFORM: tuple[Part, ...] = (
    Part(
        name="postgres",
        port="postgres",
        after=(),
        prepare=postgres.prepare,
        probe=postgres.probe,
        details=postgres.details,
        what_to_do="free some disk space or memory if the log says so; or set IPX_POSTGRES_DSN to a server you have",
    ),
    Part(
        name="kafka",
        port="kafka",
        after=(),
        prepare=kafka.prepare,
        probe=kafka.probe,
        details=kafka.details,
        what_to_do="the broker needs 600 MB of memory and its ports free; or set IPX_KAFKA_BOOTSTRAP to one you have",
    ),
    Part(
        name="registry",
        port="registry",
        after=("postgres",),
        prepare=registry.prepare,
        probe=registry.probe,
        details=registry.details,
        what_to_do="the registry needs 500 MB of memory and its database; or set IPX_REGISTRY_URL to one you have",
    ),
)

EXCHANGE: tuple[Part, ...] = (
    process("admission", "admission", "run"),
    process("gateway", "gateway", "run"),
    process("clues", "room", "run", "clues"),
    process("receipts", "room", "run", "receipts"),
    process("transfers", "room", "run", "transfers"),
    process("relay", "relay", "run"),
    process("ledger", "ledger", "run"),
)

PARTS = (*PLATFORM, *EXCHANGE)

EXTERNAL_SETTINGS = {
    "kafka": "IPX_KAFKA_BOOTSTRAP",
    "registry": "IPX_REGISTRY_URL",
    "postgres": "IPX_POSTGRES_DSN",
}
"""A part is not started when its setting is given in the environment."""


def select_parts(only: Iterable[str] = ()) -> tuple[Part, ...]:
    """The parts to run, all of them unless some are named; ``BadSettings`` for a name that is not one."""
    names = tuple(only)
    known = [part.name for part in PARTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadSettings(f"no part is called {', '.join(unknown)}; parts are {', '.join(known)}")
    return tuple(part for part in PARTS if not names or part.name in names)
