"""A small stage for tests of the clues room: five organs, one agreement, entries made by hand. No broker, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial

from services.clues.fold import fold
from services.clues.state import Clue
from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.events import Event, to_value
from services.events.clue import ClueAccepted, ClueFiled, ClueNotFiled, ClueReported, ClueReturned, ClueVerified
from services.events.member import AgreementProposed, ParticipantRegistered
from services.kernel.codes import CodeTables, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.parties import division_of, organ_type_of
from services.members.jurisdiction import routes_of
from services.members.registry import EMPTY, Registry, apply
from services.runtime.fold import Folded, Logged

NANJING, HANGZHOU, NINGBO = "320100.market_regulator", "330100.market_regulator", "330200.market_regulator"
NANJING_IP, SHANGHAI, NINGBO_POLICE = "320100.ip_office", "310000.market_regulator", "330200.police"
ORGANS = (NANJING, HANGZHOU, NINGBO, NANJING_IP, SHANGHAI, NINGBO_POLICE)
SUBJECT = "CL-320100-2026-000123"
NOON = 1_795_500_000_000  # 2026-11-24


@cache
def tables() -> CodeTables:
    return load_code_tables(SCHEMAS_DIR / "codes")


@cache
def members() -> Registry:
    registry = EMPTY
    for name in ORGANS:
        organ = ParticipantRegistered(
            participant=name,
            name_zh=f"{name}（测试）",
            name_en=f"{name} (test)",
            division=division_of(name),
            organ_type=organ_type_of(name),
            level="prefecture",
            valid_from=0,
        )
        registry = apply(registry, organ, source="exchange.operator")
    agreement = AgreementProposed(
        agreement="yrd-enforcement",
        version=1,
        title_zh="协议",
        title_en="agreement",
        status="in_force",
        members=("310000", "320000", "330000"),
        signatories=(NANJING,),
        valid_from=0,
    )
    return apply(registry, agreement, source="exchange.operator")


class FakeWorld:
    """The members as they are in these tests, whatever the size asked for."""

    def registry(self, size: int) -> Registry:
        return members()


WORLD = FakeWorld()


def report(**changes: object) -> ClueReported:
    told: dict[str, object] = {
        "subtype": "inspection",
        "right_type": "trademark",
        "title": "标注他人注册商标的电池",
        "facts": "检查发现无标识电池改贴商标",
        "place_division": "330212",
        "discovered_at": NOON,
        "reporter": "SECRET-REPORTER",
        "reporter_phone": "SECRET-PHONE",
        "informant_notes": "SECRET-NOTES",
    }
    return ClueReported(**{**told, **changes})  # type: ignore[arg-type]


def accepted() -> ClueAccepted:
    return ClueAccepted(accepted_at=NOON, officer="SECRET-OFFICER")


def returned() -> ClueReturned:
    return ClueReturned(returned_at=NOON, reason="not_competent_place", explanation="SECRET-WORDS")


def verified() -> ClueVerified:
    return ClueVerified(verified_at=NOON, outcome="breach_suspected", findings="查见商品", witness="SECRET-WITNESS")


def filed(number: str = "甬市监立案〔2026〕17号") -> ClueFiled:
    return ClueFiled(case_number=number, filed_on=20781, cause="侵犯注册商标专用权", officer="SECRET-OFFICER")


def not_filed() -> ClueNotFiled:
    return ClueNotFiled(decided_on=20781, ground="minor_corrected", explanation="已改正", officer="SECRET-OFFICER")


@dataclass(slots=True)
class Stage:
    """One clue as it unfolds: every ``say`` is an entry of the log with the next seq."""

    subject: str = SUBJECT
    state: Clue | None = None
    seq: int = 0
    log: list[Logged] = field(default_factory=list)

    def entry(
        self,
        event: Event,
        source: str,
        *,
        to: tuple[str, ...] = (),
        copies: tuple[str, ...] = (),
        cause: str = "-",
        at_ms: int | None = None,
    ) -> Logged:
        """The next entry; ``to`` are the named addressees, ``copies`` get a delivery without being named."""
        admitted = NOON + 1000 * self.seq if at_ms is None else at_ms
        event_id = uuid7(admitted, self.seq.to_bytes(10, "big"))
        statement = Statement(
            id=event_id,
            source=source,
            type=event.TYPE,
            subject=self.subject,
            time=format_instant(admitted),
            agreement="yrd-enforcement@1",
            addressee=",".join(sorted(to)) or "-",
            cause=cause,
            schema="sha256:" + "0" * 64,
            content="sha256:" + "0" * 64,
        )
        deliveries = tuple(Delivery(name, self.seq) for name in sorted({*to, *copies}))
        entry = Entry(statement, "ed25519:x", format_instant(admitted), "ipx.clues/0", self.seq, 12, deliveries)
        logged = Logged(entry, to_value(event), event, "ipx.clues", 0, self.seq)
        self.seq += 1
        self.log.append(logged)
        return logged

    def say(self, event: Event, source: str, **how: object) -> Folded[Clue]:
        """Logs the event and folds it."""
        return self.take(self.entry(event, source, **how))  # type: ignore[arg-type]

    def take(self, logged: Logged) -> Folded[Clue]:
        """Folds an entry, for the first time or again."""
        folded = bound_fold()(self.state, logged, WORLD)
        self.state = folded.state
        assert folded.state is not None
        return folded

    def opened(self, *, to: tuple[str, ...] = (NINGBO,), source: str = NANJING) -> Logged:
        """A clue that Nanjing hands to Ningbo."""
        self.say(report(), source, to=to)
        return self.log[-1]

    def moves(self, source: str, *events: Event, to: tuple[str, ...] = (NANJING,)) -> Folded[Clue]:
        """Several moves of one organ; what the last one gave."""
        return [self.say(event, source, to=to) for event in events][-1]


@cache
def bound_fold():  # type: ignore[no-untyped-def]
    return partial(fold, routes_of(tables()))


def answers(folded, kind):  # type: ignore[no-untyped-def]
    return [e for e in folded.emissions if isinstance(e.event, kind)]


def only(folded, kind):  # type: ignore[no-untyped-def]
    (emission,) = folded.emissions
    assert isinstance(emission.event, kind)
    return emission
