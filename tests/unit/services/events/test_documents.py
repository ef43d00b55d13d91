"""Agreements and participants as documents: lists become single flows, and a slip in a file is named."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from services.events.documents import agreement_from_document, participants_from_document
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_day, parse_instant

AGREEMENT = """
id = "two-cities"
version = 2
title_zh = "两市协议"
title_en = "Two cities"
status = "in_force"
valid_from = 2026-01-01T00:00:00+08:00
members = ["320100", "340100"]
signatories = ["320100.market_regulator"]

[[basis]]
instrument = "会议纪要"
signed_on = 2025-12-01
source = "made up"

[[flows]]
types = ["cn.ipx.clue.ClueAccepted", "cn.ipx.clue.ClueFiled"]
from = ["market_regulator", "police"]
to = ["ip_office", "court"]
disclose = ["officer"]
copy_to = ["procuratorate"]
delivered_within_s = 3600
"""
PARTICIPANTS: dict[str, Any] = {
    "participants": [
        {
            "id": "100000.police",
            "name_zh": "公安部",
            "name_en": "Ministry",
            "division": "100000",
            "organ_type": "police",
            "level": "national",
        },
        {"id": "exchange.clues", "name_zh": "线索", "name_en": "Clues", "organ_type": "exchange", "level": "exchange"},
    ]
}


def agreement() -> dict[str, Any]:
    return tomllib.loads(AGREEMENT)


def test_a_flow_of_lists_becomes_one_flow_for_each_combination() -> None:
    event = agreement_from_document(agreement())
    assert len(event.flows) == 8
    assert len({(flow.type, flow.from_organ, flow.to_organ) for flow in event.flows}) == 8
    assert {
        (flow.disclose, flow.copy_to, flow.copy_disclose, flow.routed, flow.delivered_within_s, flow.committed_within_s)
        for flow in event.flows
    } == {(("officer",), ("procuratorate",), (), False, 3600, None)}


def test_what_the_document_says_is_in_the_event() -> None:
    event = agreement_from_document(agreement())
    assert (event.agreement, event.version, event.status) == ("two-cities", 2, "in_force")
    assert event.members == ("320100", "340100")
    assert event.valid_from == parse_instant("2025-12-31T16:00:00.000Z")
    assert event.valid_until is None
    assert event.basis[0].signed_on == parse_day("2025-12-01")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "signed"),
        ("version", "2"),
        ("members", "320100"),
        ("title_en", None),
        ("colour", "red"),
        ("flows", [{"types": ["x"], "from": "police", "to": ["police"]}]),
        ("flows", [{"types": ["x"], "from": ["police"], "to": ["police"], "discloses": []}]),
        ("basis", [{"instrument": "纪要"}]),
    ],
)
def test_a_slip_in_an_agreement_is_named(key: str, value: Any) -> None:
    document = {**agreement(), key: value}
    with pytest.raises(BadSettings):
        agreement_from_document(document)


def test_a_moment_without_offset_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"\+08:00"):
        agreement_from_document(tomllib.loads(AGREEMENT.replace("+08:00", "")))


def test_participants_are_registered_in_the_order_of_the_file() -> None:
    events = participants_from_document(PARTICIPANTS, 7)
    assert [(event.participant, event.division, event.valid_from) for event in events] == [
        ("100000.police", "100000", 7),
        ("exchange.clues", None, 7),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "exchange.clues"},
        {"superior": "200000.police"},
        {"name_zh": None},
        {"town": "Nanjing"},
    ],
)
def test_a_slip_in_the_participants_is_named(change: dict[str, Any]) -> None:
    first, second = PARTICIPANTS["participants"]
    with pytest.raises(BadSettings):
        participants_from_document({"participants": [{**first, **change}, second]}, 7)
