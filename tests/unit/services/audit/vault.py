"""A whole small exchange in memory, as an auditor reads it: members log, a clues log, checkpoints and tiles; and ways to tamper with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.audit.sources import entry_of, place_of
from services.codec.checkpoint import Checkpoint, format_checkpoint, origin_of
from services.codec.entry import Delivery, Entry, format_entry, parse_entry
from services.codec.envelope import Envelope, envelope_from_record, frame
from services.codec.keys import Ed25519Signer, PublicKey
from services.codec.log_keys import LEDGER, log_signer
from services.codec.merkle import EMPTY_ROOT, leaf_hash, levels_of
from services.codec.note import Note, format_note, sign_note
from services.codec.statement import format_statement
from services.codec.tiles import WIDTH, Read, bundle_path, new_tiles, pack_bundle, tile_path, width_at
from services.events.member import KeyAdded
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant
from services.members.authorise import deliveries
from services.members.jurisdiction import routes_of
from services.members.registry import Registry
from services.runtime.records import RawRecord
from tests.unit.services.admission.desk import IDS, sealed
from tests.unit.services.members import town

CLUES = "t.clues/0"
MEMBERS = "t.members/0"
ADMITTED_MS = town.NOW_MS + 10_000
ROUTES = routes_of(town.tables())


def ledger_key(log: str) -> Ed25519Signer:
    """The key that signs checkpoints of a log."""
    return log_signer(town.signer(LEDGER), origin_of(log))


def story(logs: Sequence[str] = (CLUES, MEMBERS)) -> list[town.Said]:
    """The town with a ledger that has a key for each log; no families are named, so a subject may be in any partition."""
    keys = [ledger_key(log).public for log in logs]
    added = [
        KeyAdded(participant=LEDGER, key_id=key.key_id, suite="ed25519", public_key=key.data, valid_from=town.NOW_MS)
        for key in keys
    ]
    return [*town.story(), town.Said(town.registered(LEDGER)), *(town.Said(event) for event in added)]


def raw(log: str, offset: int, envelope: Envelope) -> RawRecord:
    """An envelope as it stands in a topic."""
    return RawRecord(*place_of(log), offset, envelope.headers(), frame(IDS[envelope.statement.type], envelope.body))


def checkpoint(log: str, entries: Sequence[bytes], key: Ed25519Signer | None = None) -> bytes:
    """The signed note over the tree of these entries."""
    levels = levels_of([leaf_hash(data) for data in entries]) if entries else [[EMPTY_ROOT]]
    return signed_head(log, Checkpoint(origin_of(log), len(entries), levels[-1][0]), key)


def signed_head(log: str, head: Checkpoint, key: Ed25519Signer | None = None) -> bytes:
    """A signed note that says this."""
    signer = key or ledger_key(log)
    text = format_checkpoint(head)
    return format_note(Note(text, (sign_note(text, origin_of(log), signer.public.data, signer.sign),)))


def tiles_of(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Every tile and bundle of the tree of these entries."""
    found: dict[str, bytes] = {}
    size = len(entries)
    level_hashes = [leaf_hash(data) for data in entries]
    level = 0
    while level_hashes:
        for index in range((len(level_hashes) + WIDTH - 1) // WIDTH):
            width = width_at(level, index, size)
            found[tile_path(level, index, width)] = b"".join(level_hashes[index * WIDTH : index * WIDTH + width])
        level_hashes = [
            levels_of(level_hashes[at : at + WIDTH])[-1][0] for at in range(0, len(level_hashes) - WIDTH + 1, WIDTH)
        ]
        level += 1
    for index in range((size + WIDTH - 1) // WIDTH):
        width = width_at(0, index, size)
        found[bundle_path(index, width)] = pack_bundle(entries[index * WIDTH : index * WIDTH + width])
    assert {path for path in found if "entries" not in path} == {tile_path(*place) for place in new_tiles(0, size)}
    return found


@dataclass(slots=True)
class Vault:
    """A source whose records, checkpoints and tiles a test may change as it likes."""

    logged: dict[str, list[RawRecord]] = field(default_factory=dict)
    notes: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    kept_tiles: dict[str, dict[str, bytes]] = field(default_factory=dict)
    root: PublicKey = field(default_factory=town.root)
    exchange: str = "t"
    schemas_dir: Path = SCHEMAS_DIR
    horizon_ms: int = ADMITTED_MS + 86_400_000
    quorum: dict[str, bytes] = field(default_factory=dict)
    firsts: dict[str, int] = field(default_factory=dict)
    nexts: dict[str, int] = field(default_factory=dict)

    def logs(self) -> Sequence[str]:
        return sorted(self.logged, key=lambda log: (log != MEMBERS, log))

    def span(self, log: str) -> int:
        return len(self.logged[log])

    def first_seq(self, log: str) -> int:
        return self.firsts.get(log, 0)

    def next_seq(self, log: str) -> int | None:
        return self.nexts.get(log)

    def records(self, log: str) -> Iterator[RawRecord]:
        return iter(self.logged[log])

    def checkpoints(self, origin: str) -> Iterator[bytes]:
        return iter(self.notes[origin])

    def witnessed(self, origin: str) -> bytes | None:
        return self.quorum.get(origin)

    def tiles(self, origin: str) -> Read | None:
        tiles = self.kept_tiles.get(origin)
        return None if tiles is None else tiles.get

    def entries(self, log: str) -> list[bytes]:
        """The entries of a log."""
        return [entry_of(record) for record in self.logged[log]]

    def sign(self, log: str, size: int | None = None) -> None:
        """Appends the checkpoint over the first entries."""
        self.notes[origin_of(log)].append(checkpoint(log, self.entries(log)[:size]))

    def keep_tiles(self, log: str) -> None:
        """Keeps the tiles of the log as it is now."""
        self.kept_tiles[origin_of(log)] = tiles_of(self.entries(log))

    def append(self, log: str, envelope: Envelope, registry: Registry, numbers: dict[str, int]) -> None:
        """Admits an envelope as admission would, one second after the other."""
        held = self.logged.setdefault(log, [])
        admitted_ms = ADMITTED_MS + 1000 * len(held)
        statement = envelope.statement
        schema = town.released().with_digest(statement.schema)
        value = schema.decode(envelope.body)
        times = {"time_ms": statement.time_ms, "admitted_ms": admitted_ms}
        lines = []
        for recipient in deliveries(registry, schema, statement, value, **times, routes=ROUTES):
            lines.append(Delivery(recipient.id, numbers.get(recipient.id, 0), recipient.withheld))
            numbers[recipient.id] = lines[-1].number + 1
        text, admitted = format_statement(statement), format_instant(admitted_ms)
        data = format_entry(text, envelope.signature, admitted, log, len(held), registry.size, tuple(lines))
        held.append(raw(log, 2 * len(held), replace(envelope, entry=data.decode())))

    def change_entry(self, log: str, place: int, /, **changes: Any) -> None:
        """Another entry at that place: only what the exchange itself says of it can be changed and still have its form."""
        entry: Entry = replace(parse_entry(entry_of(self.logged[log][place])), **changes)
        text = format_statement(entry.statement)
        said = (entry.signature, entry.admitted, entry.log, entry.seq, entry.members, entry.deliveries)
        self.put(log, place, format_entry(text, *said))

    def put(self, log: str, place: int, entry: bytes) -> None:
        """Other bytes for the entry of a record."""
        record = self.logged[log][place]
        headers = [(name, entry if name == "ce_ipxentry" else data) for name, data in record.headers]
        self.logged[log][place] = replace(record, headers=headers)

    def change_envelope(self, log: str, place: int, **changes: Any) -> None:
        """Another body, salts or signature at that place."""
        record = self.logged[log][place]
        _, envelope = envelope_from_record(record.headers, record.value)
        self.logged[log][place] = raw(log, record.offset, replace(envelope, **changes))


def vault(clues: int = 12, *, signed_at: Sequence[int] = (5, 12), said: Sequence[town.Said] = ()) -> Vault:
    """An exchange with that many clues, checkpoints at these sizes, and the tiles of the whole."""
    made = Vault()
    said = said or story()
    made.logged[MEMBERS] = [raw(MEMBERS, seq, town.record(one, seq)) for seq, one in enumerate(said)]
    registry = town.told(town.EMPTY, *said)
    numbers: dict[str, int] = {}
    made.logged[CLUES] = []
    for number in range(clues):
        made.append(CLUES, sealed(number=number), registry, numbers)
    for size in signed_at:
        made.sign(CLUES, size)
    made.sign(MEMBERS)
    made.keep_tiles(CLUES)
    made.keep_tiles(MEMBERS)
    return made
