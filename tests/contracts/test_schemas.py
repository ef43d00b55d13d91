"""The schemas that ship: in order, released, and each refusal code, code table and format a real one."""

from __future__ import annotations

from typing import Any

import pytest

from services.codec.compatibility import breaks_between
from services.codec.field_rules import compile_field_rules
from services.codec.released import load_released
from services.codec.schema_files import event_type_of, read_event_schemas
from services.commands.schemas import all_findings, standing_of
from services.events import EVENT_TYPES
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR

TABLES = load_code_tables(SCHEMAS_DIR / "codes")
SCHEMAS = {event_type_of(schema): schema for schema in read_event_schemas().values()}


def test_the_lint_finds_nothing() -> None:
    assert all_findings() == []


def test_every_schema_equals_its_newest_release() -> None:
    standings = standing_of(read_event_schemas(), load_released())
    assert [each for each in standings if each.standing != "released"] == []


def test_every_release_can_stand_beside_every_other_of_its_type() -> None:
    released = load_released()
    for event_type in released.types:
        versions = released.versions_of(event_type)
        assert [each.version for each in versions] == list(range(1, len(versions) + 1))
        for newer in versions:
            for older in versions[: newer.version - 1]:
                assert breaks_between(newer.schema.json, older.schema.json) == ()


def test_every_event_type_has_a_schema_and_a_release() -> None:
    assert set(SCHEMAS) == set(EVENT_TYPES) == set(load_released().types)


@pytest.mark.parametrize("event_type", sorted(SCHEMAS))
def test_field_rules_compile_and_name_tables_that_are_there(event_type: str) -> None:
    rules = compile_field_rules(SCHEMAS[event_type])
    assert [name for name in rules.tables if name not in TABLES] == []


def test_who_reported_a_clue_is_restricted_in_every_type_that_has_it() -> None:
    personal = {
        "reporter",
        "reporter_phone",
        "reporter_id_number",
        "reporter_address",
        "informant_notes",
        "suspect_id_number",
        "suspect_phone",
        "officer",
        "officer_phone",
        "witness",
        "inspection_notes",
        "signer",
    }
    open_ones = [
        f"{event_type}.{field['name']}"
        for event_type, schema in SCHEMAS.items()
        for field in schema["fields"]
        if (field["name"] in personal) != (field.get("ipx.disclosure") == "restricted")
    ]
    assert open_ones == []


def test_what_the_exchange_derives_carries_no_restricted_field() -> None:
    derived = ["ClueResultReturned", "MoveHadNoEffect", "ReporterReferral"]
    types = [f"cn.ipx.clue.{name}" for name in derived]
    types += ["cn.ipx.transfer.MoveHadNoEffect", "cn.ipx.transfer.CalendarApplied"]
    types += [name for name in SCHEMAS if name.startswith(("cn.ipx.receipt.", "cn.ipx.notice."))]
    assert [load_released().named(name).restricted for name in types] == [()] * len(types)


def nested(event_type: str) -> dict[str, list[Any]]:
    """The fields of the records within an event, by name; a record that is only named is not among them."""
    found: dict[str, list[Any]] = {}

    def look(node: Any) -> None:
        if isinstance(node, list):
            for branch in node:
                look(branch)
        elif isinstance(node, dict):
            if node.get("type") == "record":
                found[node["name"]] = node["fields"]
            for value in node.values():
                look(value)

    look(SCHEMAS[event_type]["fields"])
    return found


def test_a_transfer_says_of_parties_rights_goods_and_evidence_what_a_clue_says() -> None:
    clue, transfer = nested("cn.ipx.clue.ClueReported"), nested("cn.ipx.transfer.TransferOpened")
    shared = ("Evidence", "Goods")
    assert {name: transfer[name] for name in shared} == {name: clue[name] for name in shared}
    assert transfer["Party"] == clue["Party"]
    assert [field["name"] for field in transfer["Right"]] == [field["name"] for field in clue["Right"]]
    assert nested("cn.ipx.transfer.TransferMoved")["Goods"] == clue["Goods"]
