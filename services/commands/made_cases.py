"""Made-up cases for measuring the transfers room: entries of a log as admission writes them, and states as the room keeps them.

Two kinds in turn: an assistance request (five events, two changes of its clock) and a criminal referral (four events, eight changes
of its clocks). Everything in the entries is as it would be; their signatures are made by keys made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from services.cases.state import Case
from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, frame, seal
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.released import ReleasedSchemas
from services.codec.statement import format_statement
from services.events import to_value
from services.events.clue import Goods
from services.events.transfer import Document, EarlierStep, TransferMoved, TransferOpened
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from services.members.registry import Registry
from services.runtime.fold import Folded, Logged
from services.runtime.records import RawRecord, read_logged
from services.transfers.worker import ROOM

TOPIC: Final = "bench.transfers"
ASSISTANCE, REFERRAL = "assistance_request", "criminal_referral"
ASKING, ASKED = "320100.market_regulator", "330100.market_regulator"
REFERRING, POLICE = "330200.market_regulator", "330200.police"
IN_FLIGHT: Final = 500
"""Cases that are under way at one time: the events of a log come mixed."""
_HOUR_MS: Final = 3_600_000
_SCHEMA_ID: Final = 1


@dataclass(frozen=True, slots=True)
class Move:
    """One event of a case: what, by whom, to whom."""

    event: TransferOpened | TransferMoved
    source: str
    to: str


@dataclass
class Log:
    """Writes entries of one partition in order; each admitted a millisecond after the one before."""

    released: ReleasedSchemas
    members: int
    at_ms: int
    seq: int = 0
    entropy: CountedEntropy = field(default_factory=CountedEntropy)
    _signers: dict[str, Ed25519Signer] = field(default_factory=dict)

    def record(self, subject: str, move: Move) -> RawRecord:
        """The next record."""
        schema = self.released.named(type(move.event).TYPE)
        draft = Draft(
            id=uuid7(self.at_ms, self.entropy.draw(10)),
            source=move.source,
            subject=subject,
            time=format_instant(self.at_ms),
            agreement="statutory-transfers@1",
            addressee=move.to,
        )
        envelope = seal(schema, to_value(move.event), draft, self._signer(move.source), self.entropy)
        entry = format_entry(
            format_statement(envelope.statement),
            envelope.signature,
            format_instant(self.at_ms),
            f"{TOPIC}/0",
            self.seq,
            self.members,
            (Delivery(move.to, self.seq),),
        )
        headers = replace(envelope, entry=entry.decode()).headers()
        record = RawRecord(TOPIC, 0, self.seq, headers, frame(_SCHEMA_ID, envelope.body))
        self.seq += 1
        self.at_ms += 1
        return record

    def _signer(self, participant: str) -> Ed25519Signer:
        if participant not in self._signers:
            seed = participant.encode().ljust(32, b".")[:32]
            self._signers[participant] = signer_from_seed(participant, seed)
        return self._signers[participant]


def records(log: Log, count: int, *, prefix: str = "TR-BENCH") -> Iterator[RawRecord]:
    """Entries of whole cases, many under way at a time, until there are that many."""
    made, first = 0, 0
    while made < count:
        stories = [(f"{prefix}-{number:08d}", story(number, log.at_ms)) for number in range(first, first + IN_FLIGHT)]
        first += IN_FLIGHT
        for step in range(max(len(moves) for _, moves in stories)):
            for subject, moves in stories:
                if step < len(moves) and made < count:
                    yield log.record(subject, moves[step])
                    made += 1


def openings(log: Log, count: int, *, prefix: str) -> Iterator[RawRecord]:
    """Openings of assistance requests, nothing else: every one of them starts a clock of the same length."""
    for number in range(count):
        yield log.record(f"{prefix}-{number:08d}", assistance(log.at_ms)[0])


def story(number: int, at_ms: int) -> list[Move]:
    """The events of a case, kinds in turn."""
    return referral(at_ms) if number % 2 else assistance(at_ms)


def assistance(at_ms: int) -> list[Move]:
    """Asked, received, accepted, completed by more material, finished."""
    common: dict[str, Any] = {"kind": ASSISTANCE, "happened_at": at_ms + IN_FLIGHT * 20, "officer": "王某"}
    opened = TransferOpened(
        kind=ASSISTANCE,
        title="标注他人注册商标的电池",
        facts="检查发现无标识电池改贴商标，请协助向当地销售商取证。",
        requests="请调取销售台账和进货凭证。",
        right_type="trademark",
        goods=(Goods(name="电池", quantity=1200, unit="节"),),
        officer="李某",
    )
    return [
        Move(opened, ASKING, ASKED),
        Move(TransferMoved(move="sign_receipt", **common), ASKED, ASKING),
        Move(TransferMoved(move="accept", **common), ASKED, ASKING),
        Move(TransferMoved(move="supplement", text="补充销售商地址。", **common), ASKING, ASKED),
        Move(TransferMoved(move="finish", text="已取证，材料随函寄送。", **common), ASKED, ASKING),
    ]


def referral(at_ms: int) -> list[Move]:
    """Referred a few hours after it was approved, received, accepted, filed."""
    common: dict[str, Any] = {"kind": REFERRAL, "happened_at": at_ms + IN_FLIGHT * 20, "officer": "赵某"}
    opened = TransferOpened(
        kind=REFERRAL,
        title="销售假冒注册商标的商品案",
        facts="现场查获假冒商品货值二十余万元，涉嫌构成犯罪。",
        right_type="trademark",
        amount_fen=23_480_000,
        documents=(Document(name="涉嫌犯罪案件移送书", kind="transfer_letter", pages=3),),
        legal_basis=("行政执法机关移送涉嫌犯罪案件的规定 3",),
        earlier=(EarlierStep(moment="referral_approved", at=at_ms - 5 * _HOUR_MS),),
        transfer_letter="甬市监移〔2026〕12号",
        officer="孙某",
    )
    return [
        Move(opened, REFERRING, POLICE),
        Move(TransferMoved(move="sign_receipt", **common), POLICE, REFERRING),
        Move(TransferMoved(move="accept", **common), POLICE, REFERRING),
        Move(TransferMoved(move="file", document_number="甬公立字〔2026〕88号", **common), POLICE, REFERRING),
    ]


@dataclass(frozen=True, slots=True)
class OneRegistry:
    """A world whose members never change."""

    members: Registry

    def registry(self, size: int) -> Registry:
        """Whatever the size."""
        return self.members


def kept_states(log: Log, world: OneRegistry) -> list[Case]:
    """States of cases at every step of their stories, as patterns for a table of many."""
    found: list[Case] = []
    for number in range(2):
        state: Case | None = None
        for move in story(number, log.at_ms):
            logged = read_logged(log.record(f"TR-PATTERN-{number}", move), log.released.with_digest)
            state = folded(state, logged, world).state
            assert state is not None
            found.append(state)
    return found


def folded(state: Case | None, logged: Logged, world: OneRegistry) -> Folded[Case | None]:
    """One entry through the room's own fold."""
    return ROOM.fold(state, logged, world)


def fold_in_memory(entries: Iterable[Logged], world: OneRegistry) -> tuple[int, int]:
    """Folds entries over states that are kept in memory; says how many events and how many emissions there were."""
    states: dict[str, Case | None] = {}
    events = emissions = 0
    for logged in entries:
        for key in ROOM.key_of(logged):
            done = ROOM.fold(states.get(key), logged, world)
            states[key] = done.state
            emissions += len(done.emissions)
        events += 1
    return events, emissions
