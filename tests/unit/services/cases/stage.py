"""A small stage for tests of a case: the kinds of trial_kinds.toml, a handful of organs, entries made by hand. No broker, no clock."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from services.cases.documents import parse_transfers
from services.cases.fold import Around, Said, Step, due_of, ripe, step
from services.cases.state import Case
from services.cases.table import Transfers
from services.events.member import ParticipantRegistered
from services.events.transfer import CalendarApplied, TransferMoved, TransferOpened
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.kernel.parties import division_of, organ_type_of
from services.members.registry import EMPTY, Registry, apply

NANJING, SUZHOU, NINGBO = "320100.market_regulator", "320500.market_regulator", "330200.market_regulator"
HAISHU, JIANGSU, ZHEJIANG = "330203.market_regulator", "320000.market_regulator", "330000.market_regulator"
NATION = "100000.market_regulator"
NINGBO_POLICE, SUZHOU_POLICE, HAISHU_POLICE = "330200.police", "320500.police", "330203.police"
NINGBO_PROCURATORATE = "330200.procuratorate"
NINGBO_COURT, HAISHU_COURT, ZHEJIANG_COURT, SHANGHAI_COURT = (
    "330200.court",
    "330203.court",
    "330000.court",
    "310000.court",
)
MEDIATOR = "330200.people_mediation"
SUPERIORS = {
    NANJING: JIANGSU,
    SUZHOU: JIANGSU,
    NINGBO: ZHEJIANG,
    HAISHU: NINGBO,
    JIANGSU: NATION,
    ZHEJIANG: NATION,
}
ORGANS = (
    NATION,
    JIANGSU,
    ZHEJIANG,
    NANJING,
    SUZHOU,
    NINGBO,
    HAISHU,
    NINGBO_POLICE,
    SUZHOU_POLICE,
    HAISHU_POLICE,
    NINGBO_PROCURATORATE,
    NINGBO_COURT,
    HAISHU_COURT,
    ZHEJIANG_COURT,
    SHANGHAI_COURT,
    MEDIATOR,
)
SUBJECT = "TR-330200-2026-000001"
HOUR = 3_600_000
DAY = 24 * HOUR
MORNING = 1_770_602_400_000  # 2026-02-09 10:00 in Beijing, a working day before the spring holiday

KINDS_FILE = Path(__file__).with_name("trial_kinds.toml")


@cache
def clock_rules() -> ClockRules:
    return load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")


def document() -> dict[str, Any]:
    return tomllib.loads(KINDS_FILE.read_text("utf-8"))


@cache
def tables() -> Transfers:
    return parse_transfers(document(), clock_rules())


def level_of(division: str) -> str:
    if division.endswith("0000"):
        return "national" if division == "100000" else "province"
    return "prefecture" if division.endswith("00") else "county"


@cache
def members() -> Registry:
    registry = replace(EMPTY, calendar=load_calendar(SCHEMAS_DIR / "codes" / "calendars"))
    for name in ORGANS:
        organ = ParticipantRegistered(
            participant=name,
            name_zh=f"{name}（测试）",
            name_en=f"{name} (test)",
            division=division_of(name),
            organ_type=organ_type_of(name),
            level=level_of(division_of(name) or ""),
            superior=SUPERIORS.get(name),
            valid_from=0,
        )
        registry = apply(registry, organ, source="exchange.operator")
    return registry


@cache
def around() -> Around:
    return Around(tables(), clock_rules(), members())


@dataclass
class Stage:
    """One subject, and what was said on it: each entry is a step of the fold."""

    subject: str = SUBJECT
    case: Case | None = None
    log: list[Said] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    at: int = MORNING

    def say(
        self,
        body: TransferOpened | TransferMoved | CalendarApplied,
        source: str,
        to: tuple[str, ...] = (),
        *,
        at: int | None = None,
        copies: tuple[str, ...] = (),
    ) -> Step:
        """One entry; each comes an hour after the one before unless ``at`` says when it is admitted."""
        self.at = self.at + HOUR if at is None else at
        said = Said(
            event=f"0198f6c0-0000-7000-8000-{len(self.log):012d}",
            source=source,
            addressees=to,
            recipients=tuple(sorted({*to, *copies})),
            seq=len(self.log),
            time_ms=self.at,
            admitted_ms=self.at,
            members=members().size,
            subject=self.subject,
            body=body,
        )
        return self.hear(said)

    def hear(self, said: Said) -> Step:
        """The step of an entry as it is."""
        told = step(self.case, said, around())
        self.case = told.case
        self.log.append(said)
        self.steps.append(told)
        return told

    def open(self, kind: str, source: str, *to: str, at: int | None = None, **more: Any) -> Step:
        """An opening with what every kind of this table needs."""
        return self.say(opening(kind, **more), source, to, at=at)

    def move(self, move: str, source: str, *to: str, at: int | None = None, **more: Any) -> Step:
        """A move of the case's own kind that happened when it was admitted, unless ``happened_at`` says otherwise."""
        admitted = self.at + HOUR if at is None else at
        return self.say(moving(self.kind, move, more.pop("happened_at", admitted), **more), source, to, at=admitted)

    def wait(self, until_ms: int) -> list[Step]:
        """The ticks that are due by then."""
        told = []
        while self.case is not None and (due := due_of(self.case)) is not None and due <= until_ms:
            told.append(ripe(self.case, due, around()))
            self.case = told[-1].case
        self.steps += told
        self.at = until_ms
        return told

    @property
    def kind(self) -> str:
        """The kind of the case as it stands; an assistance where there is none."""
        return self.case.kind if self.case is not None and self.case.exists else "assistance"

    @property
    def now(self) -> Case:
        """The case, which something was said on."""
        assert self.case is not None
        return self.case


def opening(kind: str, **more: Any) -> TransferOpened:
    told: dict[str, Any] = {
        "kind": kind,
        "title": "电池改贴商标",
        "facts": "检查发现",
        "requests": "请协助取证",
        **more,
    }
    return TransferOpened(**told)


def moving(kind: str, move: str, happened_at: int, **more: Any) -> TransferMoved:
    return TransferMoved(kind=kind, move=move, happened_at=happened_at, **more)


def refused(told: Step) -> str | None:
    """The code of the rule by which an entry had no effect."""
    return None if told.refused is None else told.refused.rule


def assistance() -> Stage:
    """A case in which Nanjing asked Ningbo for assistance."""
    stage = Stage()
    assert refused(stage.open("assistance", NANJING, NINGBO)) is None
    return stage


def referral() -> Stage:
    """A case that the regulator of Ningbo referred to the police of Ningbo."""
    stage = Stage()
    assert refused(stage.open("referral", NINGBO, NINGBO_POLICE)) is None
    return stage
