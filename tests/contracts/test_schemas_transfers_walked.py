"""Every move of every kind of transfer that ships, made once by organs that ship: the table, the directory and the fold fit together."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import pytest

from services.cases.documents import load_transfers
from services.cases.fold import Around, Said, step
from services.cases.possibilities import parties
from services.cases.state import Case
from services.cases.table import Kind, Move
from services.events.documents import participants_from_document
from services.events.transfer import Document, EarlierStep, TransferMoved, TransferOpened
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRule
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant
from services.members.registry import EMPTY, Registry, apply

HOUR = 3_600_000
SOON = 1_000
DEPTH = 12
MORNING = parse_instant("2026-02-09T02:00:00.000Z")
CLOCKS = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
TRANSFERS = load_transfers(SCHEMAS_DIR / "codes" / "transfers.toml", CLOCKS)
KINDS = tuple(TRANSFERS.kinds.values())
FILLED = {
    "text": "情况说明",
    "document_number": "宁市监案移〔2026〕1号",
    "reason": "other",
    "result": "other",
    "missing": ("鉴定意见",),
    "documents": (Document(name="鉴定意见", kind="appraisal_opinion"),),
}


@dataclass(frozen=True, slots=True)
class Cast:
    """Who opens a case of a kind, to whom, and who joins it later, by role or by move."""

    opener: str
    addressee: str
    joining: dict[str, str]


CASTS = {
    "criminal_referral": Cast(
        "320100.market_regulator",
        "320100.police",
        {
            "police": "321100.police",
            "procuratorate": "320100.procuratorate",
            "escalate_supervision": "320000.procuratorate",
        },
    ),
    "procuratorial_opinion": Cast(
        "330203.procuratorate", "330324.market_regulator", {"informed": "330203.market_regulator"}
    ),
    "opinion_consultation": Cast("330203.procuratorate", "330324.procuratorate", {"superior": "330000.procuratorate"}),
    "penalty_consultation": Cast("320100.procuratorate", "320100.market_regulator", {}),
    "court_to_admin": Cast("320100.court", "320100.market_regulator", {}),
    "court_to_police": Cast("320100.court", "320100.police", {}),
    "police_to_court": Cast("320100.police", "320100.court", {}),
    "city_to_city": Cast("320100.market_regulator", "330200.market_regulator", {"superior": "100000.market_regulator"}),
    "department_transfer": Cast("320100.market_regulator", "320100.copyright_office", {}),
    "jurisdiction_dispute": Cast(
        "320100.market_regulator", "320500.market_regulator", {"superior": "320000.market_regulator"}
    ),
    "patent_jurisdiction": Cast("320100.ip_office", "340100.ip_office", {"superior": "100000.ip_office"}),
    "police_jurisdiction": Cast("320100.police", "321100.police", {"superior": "320000.police"}),
    "superior_assignment": Cast("320000.market_regulator", "320100.market_regulator", {}),
    "assistance_request": Cast("340100.market_regulator", "310115.market_regulator", {}),
    "police_cooperation": Cast("331022.police", "340100.police", {}),
    "police_cooperation_remote": Cast("331022.police", "340100.police", {}),
    "police_other_cooperation": Cast("331022.police", "340100.police", {}),
    "judicial_confirmation": Cast("110000.ip_office", "110000.court", {}),
    "mediation_link": Cast("320100.court", "320100.people_mediation", {}),
    "arbitration_link": Cast("320100.ip_office", "320100.arbitration", {}),
    "rights_aid": Cast("320100.market_regulator", "320100.rights_aid", {}),
    "notarial_link": Cast("320100.people_mediation", "320100.notary", {}),
    "customs_assistance": Cast("customs.2300", "320100.ip_office", {}),
}


def directory() -> Registry:
    document = tomllib.loads((SCHEMAS_DIR / "agreements" / "participants.toml").read_text(encoding="utf-8"))
    registry = EMPTY
    for event in participants_from_document(document, 0):
        registry = apply(registry, event, source="exchange.operator")
    return registry


AROUND = Around(TRANSFERS, CLOCKS, directory())


class Walk:
    """Makes each move from the first case that stands where it may be made; what had no effect is kept."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.cast = kind, CASTS[kind.id]
        self.made: set[str] = set()
        self.started: set[str] = set()
        self.without_effect: list[tuple[str, str, str]] = []
        self._seq = count()

    def run(self) -> None:
        waiting = [case for case in [self._open()] if case is not None]
        seen = {case.state for case in waiting}
        while waiting:
            case = waiting.pop(0)
            for move in self.kind.moves:
                after = self._make(case, move) if case.state in move.from_states else None
                if after is not None and (after.state not in seen or len(after.parts) > len(case.parts)):
                    seen.add(after.state)
                    waiting.append(after)

    def _open(self) -> Case | None:
        earlier = tuple(EarlierStep(moment=word, at=MORNING - HOUR) for word in self.kind.earlier)
        body = TransferOpened(
            kind=self.kind.id,
            title="案由",
            facts="事实",
            right_type="utility_model",
            requests="请求",
            place_division="330200",
            agreement_matters=("payment",),
            earlier=earlier,
        )
        return self._said(None, "open", self.cast.opener, (self.cast.addressee,), MORNING, body)

    def _make(self, case: Case, move: Move, after_ms: int = HOUR) -> Case | None:
        movers = [part.participant for part in case.parts if part.role in move.by]
        if not movers:
            return None
        joins = self.cast.joining
        joining = (joins.get(move.id, joins[move.joins]),) if move.joins else ()
        told = sorted({*parties(case), *joining} - {movers[0]})
        filled = {name: FILLED.get(name, self.cast.addressee) for name in move.needs}
        at = case.facts[-1].admitted_ms + after_ms
        body = TransferMoved(kind=self.kind.id, move=move.id, happened_at=at, **filled)  # type: ignore[arg-type]
        return self._said(case, move.id, movers[0], told, at, body)

    def _said(
        self,
        case: Case | None,
        move: str,
        source: str,
        addressees: Iterable[str],
        at: int,
        body: TransferOpened | TransferMoved,
    ) -> Case | None:
        seq = next(self._seq)
        said = Said(f"event-{seq}", source, tuple(addressees), (), seq, at, at + 1, 1, "TR-320100-2026-000001", body)
        told = step(case, said, AROUND)
        self.started |= {change.clock.rule for change in told.changes if change.what == "started"}
        if told.refused is not None:
            self.without_effect.append((move, told.refused.rule, told.refused.en))
            return None
        self.made.add(move)
        return told.case


def walked(kind: Kind) -> Walk:
    walk = Walk(kind)
    walk.run()
    return walk


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_move_has_effect_where_the_table_says_so(kind: Kind) -> None:
    walk = walked(kind)
    assert [each for each in walk.without_effect if each[1] != "done_before"] == []
    assert walk.made == {"open", *(move.id for move in kind.moves)}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_clock_of_a_kind_is_started_by_its_moves(kind: Kind) -> None:
    assert walked(kind).started == set(kind.clocks)


Place = tuple[str, frozenset[str], tuple[str, ...], frozenset[str]]
"""All that decides where a case can go from here: its state, its clocks that run, who plays a part, what is made only once."""


class Search(Walk):
    """Every way that a case can take, each place once, so fast that no term runs out: where each place leads."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.leads: dict[Place, set[Place]] = {}

    def explore(self) -> None:
        opened = self._open()
        waiting = [] if opened is None else [opened]
        depth = 0
        while waiting and depth < DEPTH:
            found: dict[Place, Case] = {}
            for case in waiting:
                leads = self.leads.setdefault(self.place(case), set())
                for move in self.kind.moves:
                    after = self._make(case, move, SOON) if case.state in move.from_states else None
                    if after is not None:
                        leads.add(self.place(after))
                        found.setdefault(self.place(after), after)
            waiting = [case for place, case in found.items() if place not in self.leads]
            depth += 1
        assert waiting == [], "there are longer ways than that"

    def place(self, case: Case) -> Place:
        once = {move.id for move in self.kind.moves if move.once} & {fact.move for fact in case.facts}
        return case.state, self._owed(case), tuple(sorted({part.role for part in case.parts})), frozenset(once)

    def _owed(self, case: Case) -> frozenset[str]:
        running = {clock.rule for clock in case.clocks if clock.told_state in ("running", "suspended")}
        return frozenset(rule.id for rule in CLOCKS.rules if rule.id in running and owed_for_certain(rule))

    def endless(self) -> list[tuple[str, str]]:
        """Each place that a case can be in with a clock that nothing done from there can end."""
        ends = {
            (place, rule)
            for place, leads in self.leads.items()
            for rule in place[1]
            if any(rule not in further[1] for further in leads)
        }
        while True:
            more = {
                (place, rule)
                for place, leads in self.leads.items()
                for rule in place[1]
                if (place, rule) not in ends and any((further, rule) in ends for further in leads)
            }
            if not more:
                break
            ends |= more
        return sorted({(place[0], rule) for place in self.leads for rule in place[1] if (place, rule) not in ends})


def owed_for_certain(rule: ClockRule) -> bool:
    return rule.effect == "overdue" and rule.confidence == "certain"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_no_duty_outlives_what_could_end_it(kind: Kind) -> None:
    search = Search(kind)
    search.explore()
    assert search.endless() == []
