"""The kinds of transfer that ship, against the facts they were taken from, the clocks, the code tables and the agreement they move under."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterable
from typing import get_args

import pytest

from services.cases.checks import CHECKS
from services.cases.documents import load_transfers
from services.cases.rules import RULES as ANSWERED
from services.cases.table import OPEN, Kind, Role
from services.cases.wording import CLOCK_STATES
from services.events.documents import agreement_from_document
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.clock_documents import load_clock_rules
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day
from services.kernel.verdict import State

CLOCKS = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
TRANSFERS = load_transfers(SCHEMAS_DIR / "codes" / "transfers.toml", CLOCKS)
TABLES = load_code_tables(SCHEMAS_DIR / "codes")
DAY = parse_day("2026-11-24")
KINDS = tuple(TRANSFERS.kinds.values())
EXCHANGE_RULE = "交换规则 / rule of the exchange"

CLOCKS_OF = {  # written by hand from the rows of domain 1A to 1F
    "criminal_referral": {"C2", "C3", "C4", "C5-tell", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C16"},
    "procuratorial_opinion": {"D1", "D3", "D4"},
    "opinion_consultation": {"D1", "D2"},
    "penalty_consultation": {"D5"},
    "court_to_admin": set(),
    "court_to_police": set(),
    "police_to_court": set(),
    "city_to_city": {"A1", "A4", "A9"},
    "department_transfer": set(),
    "jurisdiction_dispute": {"A3", "A4"},
    "patent_jurisdiction": set(),
    "police_jurisdiction": set(),
    "superior_assignment": {"A1", "A9"},
    "assistance_request": {"A8"},
    "police_cooperation": {"C17"},
    "police_cooperation_remote": {"C17-remote"},
    "police_other_cooperation": set(),
    "judicial_confirmation": {"E1", "E3", "E4", "E4-rule", "E6-party", "E6-third", "E7"},
    "mediation_link": set(),
    "arbitration_link": set(),
    "rights_aid": set(),
    "notarial_link": {"F8"},
    "customs_assistance": {"F6", "F7-application", "F7-exofficio"},
}
NOT_OF_A_TRANSFER = {  # inside one organ, or a citizen's matter: schemas/DESIGN.md says why
    *("A11", "A12", "A13", "A14", "A15", "A16", "A16-notice", "A17", "A18"),
    *("B1", "B2", "B2-tell", "B3", "B4", "B6"),
    *("F1", "F1-docket", "F1-answer", "F1-suit", "F5"),
}
BARRED_MOVES = {"reject_incomplete", "penalise_instead", "retransfer"}
COPIES = {("procuratorate", "police"), ("procuratorate", "court"), ("court", "court"), ("customs", "customs")}


def words(table: str) -> dict[str, tuple[str, str]]:
    return {row.code: (row.zh, row.en) for row in TABLES[table].rows}


def said(entries: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, str]]:
    """Words by id; one id with two meanings fails here."""
    found: dict[str, tuple[str, str]] = {}
    for name, zh, en in entries:
        assert found.setdefault(name, (zh, en)) == (zh, en), name
    return found


def test_the_kinds_and_their_clocks_are_those_of_the_rows() -> None:
    assert {kind.id: set(kind.clocks) for kind in KINDS} == CLOCKS_OF


def test_every_clock_runs_in_a_kind_or_is_known_to_run_in_none() -> None:
    running = set().union(*CLOCKS_OF.values())
    assert running | NOT_OF_A_TRANSFER == {rule.id for rule in CLOCKS.rules}
    assert running & NOT_OF_A_TRANSFER == set()


def test_the_code_tables_hold_the_words_of_the_kinds() -> None:
    assert words("transfer_kinds") == said((kind.id, kind.zh, kind.en) for kind in KINDS)
    states = said((state.id, state.zh, state.en) for kind in KINDS for state in kind.states)
    assert words("transfer_states") == {**states, "unknown": ("未知", "unknown")}
    moves = said(
        [(move.id, move.zh, move.en) for kind in KINDS for move in kind.moves]
        + [(move.id, move.zh, move.en) for move in TRANSFERS.common]
    )
    table = words("transfer_moves")
    assert {name: table[name] for name in moves} == moves
    assert set(table) - set(moves) == {OPEN, *BARRED_MOVES}


def test_the_code_tables_hold_the_words_of_the_clocks() -> None:
    assert words("clock_rules") == {rule.id: (rule.zh, rule.en) for rule in CLOCKS.rules}
    assert words("clock_moments") == said((word.id, word.zh, word.en) for word in CLOCKS.moments.values())
    assert words("clock_grounds") == said((word.id, word.zh, word.en) for word in CLOCKS.grounds.values())


def test_the_states_of_a_clock_are_called_what_officers_see() -> None:
    assert words("clock_states") == dict(CLOCK_STATES)
    assert set(words("clock_states")) == set(get_args(State))


def test_every_name_of_a_rule_in_force_outlives_the_rule() -> None:
    assert [row.code for row in TABLES["clock_rules"].rows if row.valid_from or row.valid_until] == []


def test_every_rule_that_is_answered_is_in_the_code_table() -> None:
    answered = {rule.code for rule in ANSWERED} | {bar.rule for kind in KINDS for bar in kind.bars}
    assert sorted(code for code in answered if not TABLES["rules"].valid(code, DAY)) == []


def test_a_result_on_which_a_moment_is_told_is_a_result() -> None:
    results = {each.result for kind in KINDS for move in kind.moves for each in move.tells if each.result}
    assert results == {"infringing"}
    assert results <= TABLES["transfer_results"].codes_on(DAY)


def test_the_reason_that_is_no_reason_not_to_file_is_a_reason() -> None:
    assert TABLES["transfer_reasons"].valid("not_competent", DAY)


def test_only_what_the_facts_forbid_is_barred() -> None:
    barred = {(kind.id, bar.move, bar.rule) for kind in KINDS for bar in kind.bars}
    assert barred == {
        ("criminal_referral", "reject_incomplete", "incomplete_is_no_refusal"),
        ("criminal_referral", "penalise_instead", "no_penalty_instead"),
        ("city_to_city", "open", "no_retransfer"),
        ("city_to_city", "retransfer", "no_retransfer"),
    }


def test_every_check_is_used() -> None:
    used = {name for kind in KINDS for name in kind.opens_checks}
    assert used | {name for kind in KINDS for move in kind.moves for name in move.checks} == set(CHECKS)


def test_the_matters_that_no_court_confirms_are_matters() -> None:
    assert {"ownership", "validity", "status"} <= TABLES["agreement_matters"].codes_on(DAY)


def test_organ_types_of_roles_exist() -> None:
    named = {organ for kind in KINDS for role in kind.roles for organ in role.organ_types}
    assert sorted(organ for organ in named if not TABLES["organ_types"].valid(organ, DAY)) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_step_names_an_instrument_that_was_seen_or_says_that_it_is_the_exchanges(kind: Kind) -> None:
    articles = [kind.opens_article, *(move.article for move in kind.moves), *(bar.article for bar in kind.bars)]
    for article in articles:
        if article != EXCHANGE_RULE:
            assert all(re.search(r"\[[LS]\d+\]$", cited) for cited in article.split("；")), article
            assert "~" not in article, article
            assert "MU" not in article, article


def test_a_role_that_must_act_is_of_the_organ_types_of_the_clock() -> None:
    for kind in KINDS:
        actors = {rule.actor for rule in CLOCKS.rules if rule.id in kind.clocks and rule.actor.kinds}
        for actor, role in itertools.product(actors, kind.roles):
            if actor.id in role.acts_as:
                assert set(role.organ_types) <= set(actor.kinds), (kind.id, role.id, actor.id)


def test_incomplete_is_a_state_of_a_referral_and_never_its_refusal() -> None:
    referral = TRANSFERS.kinds["criminal_referral"]
    assert referral.opens_needs == ()
    refusing = referral.move("refuse_filing")
    assert refusing is not None
    assert refusing.from_states == ("accepted", "supervision")
    told = referral.move("tell_incomplete")
    assert told is not None
    assert (told.to, told.needs) == ("incomplete", ("missing",))


def opener(kind: Kind) -> Role:
    return next(role for role in kind.roles if role.joins == "opens")


def pairs(first: Role, second: Role) -> set[tuple[str, str]]:
    return set(itertools.product(first.organ_types, second.organ_types))


def openings() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for kind in KINDS:
        for role in kind.roles:
            found |= pairs(opener(kind), role) if role.joins == "addressee" else set()
    return found


def moves() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for kind in KINDS:
        for first, second in itertools.product(kind.roles, repeat=2):
            joining = any(move.joins == second.id and first.id in move.by for move in kind.moves)
            found |= pairs(first, second) if first is not second or first.many or joining else set()
    return found


def test_the_flows_of_the_agreement_are_those_that_the_roles_need_and_the_copies() -> None:
    path = SCHEMAS_DIR / "agreements" / "statutory-transfers.toml"
    agreement = agreement_from_document(tomllib.loads(path.read_text(encoding="utf-8")))
    found = {(flow.type, flow.from_organ, flow.to_organ) for flow in agreement.flows}
    assert {pair[1:] for pair in found if pair[0] == TransferOpened.TYPE} == openings() | COPIES
    told = {pair[1:] for pair in found if pair[0] == TransferMoved.TYPE}
    assert moves() <= told
    assert told - moves() <= {(organ, organ) for organ in ("court", "customs")}


def test_who_only_has_a_copy_sees_nothing_that_is_restricted_of_an_opening() -> None:
    path = SCHEMAS_DIR / "agreements" / "statutory-transfers.toml"
    agreement = agreement_from_document(tomllib.loads(path.read_text(encoding="utf-8")))
    for flow in agreement.flows:
        if flow.type == TransferOpened.TYPE and (flow.from_organ, flow.to_organ) in COPIES:
            assert flow.disclose == (), flow
