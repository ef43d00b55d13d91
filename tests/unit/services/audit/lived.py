"""The small exchange of ``vault.py`` with its rooms alive: what they derive is admitted too, as it would be."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from services.audit.refold import HistoryWorld, Refold, empty_store
from services.clues.worker import room_of
from services.codec.envelope import Envelope, envelope_from_record
from services.events.receipt import Delivered
from services.kernel.instants import format_instant
from services.members.history import History
from services.members.registry import Registry
from services.receipts.worker import ROOM as RECEIPTS
from services.runtime.fold import Emission, Logged, Room
from services.runtime.planner import Position
from services.runtime.proposals import Proposer
from services.runtime.records import read_logged
from services.runtime.topics import Topics
from tests.unit.services.admission.desk import IDS, sealed
from tests.unit.services.audit.vault import ADMITTED_MS, CLUES, MEMBERS, Vault, story, vault
from tests.unit.services.members import town

RECEIPT_LOG = "t.receipts/0"


@dataclass(slots=True)
class FakeLive:
    """The live rooms' tables, as far as a replay asks for them."""

    now_ms: int
    held: dict[str, dict[str, Any]] = field(default_factory=dict)
    at: dict[str, dict[tuple[str, int], Position]] = field(default_factory=dict)

    def positions(self, room: str) -> dict[tuple[str, int], Position] | None:
        return self.at.get(room)

    def states(self, room: str) -> Any:
        return iter(sorted(self.held[room].items()))


def registry_of(made: Vault) -> Registry:
    """The members of a vault."""
    history = History(log=MEMBERS, schema_of=town.released().with_digest, root=made.root)
    for record in made.logged[MEMBERS]:
        history.append(envelope_from_record(record.headers, record.value)[1])
    return history.latest


def logged_of(made: Vault, log: str) -> list[Logged]:
    """The entries of a log as a fold takes them."""
    return [read_logged(record, town.released().with_digest) for record in made.logged[log]]


def derived_by(made: Vault, room: Room[Any], emission: Emission) -> Envelope:
    """What a room proposes, signed by its key."""
    signer = town.signer(room.participant)
    proposer = Proposer(room.name, Topics("t"), signer, town.released().named, lambda schema: IDS[schema.name])
    proposal = proposer.propose(emission)
    return envelope_from_record([(n, text.encode()) for n, text in proposal.headers], proposal.value)[1]


def lived(limit_s: int | None = None) -> tuple[Vault, FakeLive]:
    """Three clues, one said twice (the room answers), one received; logs, and the tables of both rooms at their ends.

    ``limit_s``: within how long every copy is to be delivered.
    """
    made = vault(3, signed_at=(), said=story_with(limit_s))
    registry = registry_of(made)
    numbers = {"330100.market_regulator": 3, "330100.ip_office": 3}
    made.append(CLUES, sealed(number=40, subject="CL-0"), registry, numbers)  # said before: no effect
    room = room_of(town.tables())
    for emission in emissions_of(made, room):
        made.append(CLUES, derived_by(made, room, emission), registry, numbers)
    copy = logged_of(made, CLUES)[1]
    delivered = Delivered(
        event=copy.id, recipient=town.HANGZHOU, log=CLUES, number=1, delivered_at=ADMITTED_MS + 20_000
    )
    says = {"source": town.HANGZHOU, "subject": "CL-1", "agreement": "-", "addressee": town.NANJING, "cause": copy.id}
    receipt = sealed(delivered, number=50, **says, time=format_instant(ADMITTED_MS + 1))
    made.append(RECEIPT_LOG, receipt, registry, {})
    made.sign(CLUES)
    made.keep_tiles(CLUES)
    return made, live_of(made)


def story_with(limit_s: int | None) -> list[town.Said]:
    """The story of the vault, with that limit in the agreement."""
    agreement = town.proposed()
    limited = replace(agreement, flows=tuple(replace(flow, delivered_within_s=limit_s) for flow in agreement.flows))
    changed = {agreement: limited, town.signed(agreement): town.signed(limited)}
    return [town.Said(changed.get(said.event, said.event), said.source) for said in story()]


def emissions_of(made: Vault, room: Room[Any]) -> list[Emission]:
    """What the room derives from the clues log as it is."""
    found: list[Emission] = []
    world = world_of(made)
    states: dict[str, Any] = {}
    for logged in logged_of(made, CLUES):
        for key in room.key_of(logged):
            folded = room.fold(states.get(key), logged, world)
            states[key] = folded.state
            found += folded.emissions
    return found


def world_of(made: Vault) -> HistoryWorld:
    """The members log as folds ask for it."""
    history = History(log=MEMBERS, schema_of=town.released().with_digest, root=made.root)
    for record in made.logged[MEMBERS]:
        history.append(envelope_from_record(record.headers, record.value)[1])
    return HistoryWorld(history)


def live_of(made: Vault) -> FakeLive:
    """The tables of both rooms after everything in the logs."""
    live = FakeLive(made.horizon_ms + 5_000)
    for room in (room_of(town.tables()), RECEIPTS):
        store = empty_store()
        refold: Refold[Any] = Refold(room, world_of(made), store, town.released(), "t")
        for log in made.logs():
            if log.split("/")[0].split(".")[1] in room.families:
                refold.fold(logged_of(made, log))
        live.held[room.name] = dict(refold.states())
        live.at[room.name] = dict(refold.positions)
        store.close()
    return live
