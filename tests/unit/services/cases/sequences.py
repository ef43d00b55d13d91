"""Sequences of entries on one case, for hypothesis: any kind of the shipped table, moves that may have effect and moves that may not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from services.cases.documents import load_transfers
from services.cases.fold import Around, Said, Step, due_of, possible, ripe, step
from services.cases.possibilities import parties
from services.cases.state import Case
from services.cases.table import COMMON, OPEN, Kind
from services.events.member import ParticipantRegistered
from services.events.transfer import CalendarApplied, Document, EarlierStep, OutsideOrgan, TransferMoved, TransferOpened
from services.kernel.calendar import Calendar
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.members.registry import EMPTY, Registry, apply
from tests.unit.services.cases.stage import DAY, HOUR, MORNING, SUBJECT, clock_rules, level_of, members

DIVISIONS = ("100000", "330000", "320000", "330200", "320100", "330203")
ABOVE = {"330000": "100000", "320000": "100000", "330200": "330000", "320100": "320000", "330203": "330200"}
OLD, NEW = 1_000, 1_001
"""Sizes of the members log before and after the calendar of 2026."""

_CHOICES = ("possible",) * 7 + ("any", "calendar", "again")


@cache
def everyone(size: int) -> Registry:
    """An organ of every type in every one of six divisions; a calendar that has 2026 only in the newer registry."""
    registry = EMPTY
    for division in DIVISIONS:
        for organ in load_code_tables(SCHEMAS_DIR / "codes")["organ_types"].rows:
            above = ABOVE.get(division)
            event = ParticipantRegistered(
                participant=f"{division}.{organ.code}",
                name_zh="机关",
                name_en="organ",
                division=division,
                organ_type=organ.code,
                level=level_of(division),
                superior=f"{above}.{organ.code}" if above else None,
                valid_from=0,
            )
            registry = apply(registry, event, source="exchange.operator")
    years = members().calendar.years
    known = tuple(year for year in years if year.year < 2026 or size == NEW)
    return replace(registry, size=size, calendar=Calendar(known))


@cache
def world(size: int, before: int) -> Around:
    """What an entry at that size is judged by, for a case whose last event with effect came at the other size."""
    shipped = load_transfers(SCHEMAS_DIR / "codes" / "transfers.toml", clock_rules())
    return Around(shipped, clock_rules(), everyone(size), everyone(before) if before != size else None)


def heard(case: Case | None, said: Said) -> Step:
    """The step of an entry, with both registries as the room gives them."""
    before = case.members if case is not None and case.exists else said.members
    return step(case, said, world(said.members, before))


def ticked(case: Case) -> Step | None:
    """The next tick; None when nothing is due."""
    due = due_of(case)
    return None if due is None else ripe(case, due, world(case.members, case.members))


@dataclass(frozen=True)
class Told:
    """A log, the case after each entry, and everything that was said."""

    log: tuple[Said, ...]
    steps: tuple[Step, ...]

    @property
    def case(self) -> Case:
        """The case after the last entry."""
        return self.steps[-1].case


@st.composite
def logs(draw: st.DrawFn, longest: int = 14) -> Told:
    """A log on one case: an opening that has effect, then mostly moves that are possible, whatever is drawn."""
    kinds = world(NEW, NEW).tables.kinds
    kind = kinds[draw(st.sampled_from(sorted(kinds)))]
    log = [_said(0, MORNING, draw(st.sampled_from((OLD, NEW))), *_opening(draw, kind))]
    steps = [heard(None, log[0])]
    for seq in range(1, draw(st.integers(1, longest))):
        case = steps[-1].case
        at = log[-1].admitted_ms + draw(st.sampled_from((0, 1, HOUR, DAY, 5 * DAY, 40 * DAY)))
        size = NEW if log[-1].members == NEW else draw(st.sampled_from((OLD, OLD, NEW)))
        log.append(_said(seq, at, size, *_entry(draw, kind, case, at)))
        steps.append(heard(case, log[-1]))
    return Told(tuple(log), tuple(steps))


def _said(seq: int, at: int, size: int, body: Any, source: str, to: tuple[str, ...]) -> Said:
    event = f"0198f6c0-0000-7000-8000-{seq:012d}"
    return Said(event, source, to, to, 2 * seq, at, at, size, SUBJECT, body)


def _opening(draw: st.DrawFn, kind: Kind) -> tuple[TransferOpened, str, tuple[str, ...]]:
    division = draw(st.sampled_from(("330200", "320100", "330203")))
    source = f"{division}.{kind.opens.organ_types[0]}"
    roles = [role for role in kind.roles if role.joins == "addressee"]
    there = "330200" if kind.id != "procuratorial_opinion" and division != "330203" else division
    outside = None
    to = tuple(f"{there}.{role.organ_types[0]}" for role in roles)
    to = tuple(one if one != source else f"320100.{one.partition('.')[2]}" for one in to)
    if source in to:
        to = (f"330200.{roles[0].organ_types[0]}",)
    if roles[0].outside and draw(st.booleans()):
        outside = OutsideOrgan(name="异地机关", division=f"44{division[2:]}", organ_type=roles[0].organ_types[0])
        to = ()
    earlier = draw(st.lists(st.sampled_from(kind.earlier), unique=True)) if kind.earlier else []
    opened = TransferOpened(
        kind=kind.id,
        title="案由",
        facts="事实",
        right_type="trademark",
        requests="请求",
        place_division="330203",
        agreement_matters=("payment",),
        earlier=tuple(EarlierStep(moment=moment, at=MORNING - draw(st.integers(0, 9)) * DAY) for moment in earlier),
        outside=outside,
    )
    return opened, source, to


def _entry(draw: st.DrawFn, kind: Kind, case: Case, at: int) -> tuple[Any, str, tuple[str, ...]]:
    choice = draw(st.sampled_from(_CHOICES))
    organs = sorted({*parties(case), "320100.market_regulator", "330200.police"})
    if choice == "calendar":
        return (
            CalendarApplied(year=2026, calendar_event="0198f6c0-0000-7000-8000-999999999999"),
            "exchange.operator",
            (),
        )
    if choice == "again":
        opened, _, to = _opening(draw, kind)
        return opened, draw(st.sampled_from(organs)), to
    can = [
        (each.participant, move) for each in possible(case, world(case.members, case.members)) for move in each.moves
    ]
    if choice == "any" or not can:
        named = (*(move.id for move in kind.moves), *(bar.move for bar in kind.bars), *COMMON, OPEN, "made_up")
        source, move = draw(st.sampled_from(organs)), draw(st.sampled_from(named))
    else:
        source, move = draw(st.sampled_from(can))
    others = tuple(party for party in parties(case) if party != source)
    to = others if draw(st.integers(0, 9)) else others[1:]
    found = kind.move(move)
    if found is not None and found.joins is not None:
        to = (*to, draw(_joiner(kind, found.joins)))
    back = draw(st.sampled_from((0, 0, 0, -HOUR, HOUR, DAY, 3 * DAY, 30 * DAY, at + 1, -(1 << 61))))
    return _move(draw, kind, move, at - back, to), source, tuple(dict.fromkeys(to))


def _joiner(kind: Kind, role: str) -> st.SearchStrategy[str]:
    organ = kind.role(role).organ_types[0]
    return st.sampled_from([f"{division}.{organ}" for division in DIVISIONS])


def _move(draw: st.DrawFn, kind: Kind, move: str, happened_at: int, to: tuple[str, ...]) -> TransferMoved:
    rules = [version for rule in kind.clocks for version in clock_rules().versions(rule)]
    extensions = sorted((rule.id, one.id) for rule in rules for one in rule.extensions) or [("A1", "head")]
    grounds = sorted({ground for rule in rules for ground in rule.ids["exclusions"]}) or ["testing"]
    rule, extension = draw(st.sampled_from(extensions))
    return TransferMoved(
        kind=kind.id,
        move=move,
        happened_at=happened_at,
        document_number="甬市监〔2026〕1号",
        text="说明",
        reason="other",
        ground=draw(st.sampled_from(grounds)),
        rule=rule if move == "extend" else None,
        extension=extension,
        length=draw(st.sampled_from((None, 1, 30, 5_000))),
        missing=("清单",),
        designated=to[-1] if to else None,
        result="done",
        documents=(Document(name="笔录", kind="record"),),
    )
