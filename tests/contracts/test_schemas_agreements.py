"""The agreements and the directory of participants that ship: whole, consistent, and honest about what is a draft."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from services.codec.field_rules import compile_field_rules
from services.codec.released import load_released
from services.events import to_value
from services.events.documents import agreement_from_document, participants_from_document
from services.events.member import AgreementProposed, ParticipantRegistered
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant
from services.kernel.parties import division_of, organ_type_of
from tests.contracts.test_schemas_codes import DELTA_CITIES

AT = parse_instant("2026-11-24T08:00:00.000Z")
TABLES = load_code_tables(SCHEMAS_DIR / "codes")
RELEASED = load_released()
DIRECTORY = SCHEMAS_DIR / "agreements"
FILES = sorted(path for path in DIRECTORY.glob("*.toml") if path.name != "participants.toml")
PARTICIPANTS = {
    each.participant: each
    for each in participants_from_document(
        tomllib.loads((DIRECTORY / "participants.toml").read_text(encoding="utf-8")), AT
    )
}


def read(path: Path) -> AgreementProposed:
    return agreement_from_document(tomllib.loads(path.read_text(encoding="utf-8")))


def covers(agreement: AgreementProposed, participant: ParticipantRegistered) -> bool:
    members = set(agreement.members)
    return participant.participant in members or not members.isdisjoint(TABLES.lineage(participant.division or ""))


def test_the_six_agreements_ship_and_two_of_them_are_drafts() -> None:
    assert {read(path).agreement: read(path).status for path in FILES} == {
        "yrd-enforcement": "in_force",
        "nanjing-metro": "in_force",
        "four-capitals": "in_force",
        "greater-nanchang": "draft",
        "shanghai-suzhou-nantong": "draft",
        "statutory-transfers": "in_force",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_agreement_encodes_and_keeps_the_field_rules(path: Path) -> None:
    schema = RELEASED.named(AgreementProposed.TYPE)
    value = to_value(read(path))
    assert schema.decode(schema.encode(value)) == value
    assert compile_field_rules(schema.json).check(value, AT, TABLES) == ()
    assert path.stem == read(path).agreement


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_members_are_divisions_that_exist_and_its_signatories_are_among_them(path: Path) -> None:
    agreement = read(path)
    assert [code for code in agreement.members if not TABLES["divisions"].valid(code, AT // 86_400_000)] == []
    for signatory in agreement.signatories:
        assert covers(agreement, PARTICIPANTS[signatory]), signatory


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_flows_disclose_only_fields_that_are_restricted_in_their_type(path: Path) -> None:
    for flow in read(path).flows:
        restricted = set(RELEASED.named(flow.type).restricted)
        assert {*flow.disclose, *flow.copy_disclose} <= restricted, flow


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_flow_gives_away_the_identity_number_or_address_of_a_reporter(path: Path) -> None:
    for flow in read(path).flows:
        assert not {"reporter_id_number", "reporter_address", "witness"} & {*flow.disclose, *flow.copy_disclose}
        assert not {"reporter", "reporter_phone", "informant_notes"} & set(flow.copy_disclose)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_organ_that_gets_a_clue_can_answer_the_one_that_sent_it(path: Path) -> None:
    flows = {(flow.type.rpartition(".")[2], flow.from_organ, flow.to_organ) for flow in read(path).flows}
    assert len(flows) == len(read(path).flows)
    for name, source, recipient in flows:
        if name == "ClueReported":
            for answer in ("ClueAccepted", "ClueReturned", "ClueVerified", "ClueFiled", "ClueNotFiled"):
                assert (answer, recipient, source) in flows, (answer, recipient, source)


def test_the_delta_agreement_covers_the_41_cities_and_their_districts() -> None:
    agreement = read(DIRECTORY / "yrd-enforcement.toml")
    for code in [*DELTA_CITIES, "320413", "331022", "310115"]:
        assert not set(agreement.members).isdisjoint(TABLES.lineage(code)), code
    assert set(agreement.members).isdisjoint(TABLES.lineage("420100"))


def test_hefei_is_in_the_delta_and_in_the_four_capitals() -> None:
    hefei = PARTICIPANTS["340100.market_regulator"]
    assert [
        covers(read(DIRECTORY / f"{name}.toml"), hefei)
        for name in ("yrd-enforcement", "four-capitals", "nanjing-metro")
    ] == [
        True,
        True,
        False,
    ]


def test_every_participant_encodes_and_keeps_the_field_rules() -> None:
    schema = RELEASED.named(ParticipantRegistered.TYPE)
    rules = compile_field_rules(schema.json)
    for participant in PARTICIPANTS.values():
        value = to_value(participant)
        assert schema.decode(schema.encode(value)) == value
        assert rules.check(value, AT, TABLES) == (), participant


def test_each_of_the_41_cities_has_its_market_regulator() -> None:
    assert [code for code in DELTA_CITIES if f"{code}.market_regulator" not in PARTICIPANTS] == []


def test_the_id_of_a_participant_says_its_division_and_organ_type() -> None:
    for participant in PARTICIPANTS.values():
        assert organ_type_of(participant.participant) == participant.organ_type
        assert division_of(participant.participant) in (None, participant.division)


def test_superiors_form_one_tree_per_system_up_to_its_national_organ() -> None:
    rank = {row.code: int(row.more["rank"]) for row in TABLES["levels"].rows}
    for participant in PARTICIPANTS.values():
        if participant.superior is None:
            row = TABLES["organ_types"].row(participant.organ_type, AT // 86_400_000)
            assert row is not None
            assert participant.level == "national" or row.more["superior_by"] == "none", participant
            continue
        above = PARTICIPANTS[participant.superior]
        assert above.organ_type == participant.organ_type
        assert rank[above.level] < rank[participant.level], participant
