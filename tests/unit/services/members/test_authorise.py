from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from services.codec.statement import Statement
from services.events import to_value, transfer
from services.events.clue import ClueAccepted, ClueReported, ClueResultReturned
from services.events.member import Flow, ParticipantSuspended
from services.events.notice import NoticeEvent
from services.events.receipt import Delivered, OutcomesRecorded, StepMissing
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.authorise import deliveries
from services.members.jurisdiction import routes_of
from services.members.recipients import Recipient
from services.members.registry import EMPTY, Registry
from tests.unit.services.members.town import (
    CLUES,
    HANGZHOU,
    HANGZHOU_IP,
    HOUR_MS,
    NANJING,
    NANJING_IP,
    NOW_MS,
    POLICE,
    RECEIPTS,
    REF,
    STRANGER,
    TRANSFERS,
    XIHU,
    ZHEJIANG_IP,
    Said,
    clue,
    proposed,
    registered,
    released,
    signed,
    statement,
    tables,
    told,
    town,
)

ROUTES = routes_of(tables())
RESTRICTED = (
    "reporter",
    "reporter_phone",
    "reporter_id_number",
    "reporter_address",
    "informant_notes",
    "suspect_id_number",
    "suspect_phone",
)
TO_REGULATOR = tuple(name for name in RESTRICTED if name not in ("reporter", "suspect_phone"))
TO_COPY = tuple(name for name in RESTRICTED if name != "suspect_phone")
CAUSE = "01a20caa-b333-79b5-8821-17e581c13a15"


def ask(
    said: Statement, value: dict[str, Any] | None = None, registry: Registry | None = None
) -> tuple[Recipient, ...]:
    return deliveries(
        registry or town(),
        released().named(said.type),
        said,
        to_value(clue()) if value is None else value,
        time_ms=said.time_ms,
        admitted_ms=NOW_MS,
        routes=ROUTES,
    )


def code(
    said: Statement, value: dict[str, Any] | None = None, registry: Registry | None = None
) -> tuple[str, str | None]:
    with pytest.raises(Refused) as refused:
        ask(said, value, registry)
    return refused.value.code, refused.value.field


def suspended(name: str) -> Registry:
    return told(town(), Said(ParticipantSuspended(participant=name, suspended_at=NOW_MS, reason="试验")))


def accepted() -> dict[str, Any]:
    return to_value(ClueAccepted(accepted_at=NOW_MS))


def test_a_named_addressee_sees_what_the_flow_discloses_and_the_copy_what_it_discloses_to_copies() -> None:
    assert ask(statement(addressee=HANGZHOU)) == (
        Recipient(HANGZHOU_IP, TO_COPY),
        Recipient(HANGZHOU, TO_REGULATOR),
    )


def test_recipients_stand_in_ascending_order() -> None:
    names = [recipient.id for recipient in ask(statement(addressee=f"{HANGZHOU},{XIHU}"))]
    assert names == sorted(names)
    assert set(names) == {HANGZHOU, HANGZHOU_IP, XIHU}


def test_who_is_a_recipient_gets_no_copy_beside() -> None:
    found = ask(statement(addressee=f"{HANGZHOU_IP},{HANGZHOU}"))
    assert found == (Recipient(HANGZHOU_IP, RESTRICTED), Recipient(HANGZHOU, TO_REGULATOR))


def test_the_source_gets_no_copy_of_its_own_event() -> None:
    agreement = proposed(version=2, flows=(replace(proposed().flows[0], from_organ="ip_office"),))
    registry = told(town(), Said(agreement), Said(signed(agreement), NANJING), Said(signed(agreement), HANGZHOU))
    found = ask(statement(source=HANGZHOU_IP, agreement="delta@2", addressee=HANGZHOU), registry=registry)
    assert [recipient.id for recipient in found] == [HANGZHOU]


def test_nobody_named_goes_by_jurisdiction_to_the_district() -> None:
    assert [recipient.id for recipient in ask(statement())] == [XIHU]


def test_jurisdiction_climbs_until_an_organ_is_a_member() -> None:
    found = ask(statement(), to_value(clue(place_division="330102")))
    assert [recipient.id for recipient in found] == [HANGZHOU_IP, HANGZHOU]


def test_a_suspended_organ_is_passed_over_when_climbing() -> None:
    assert HANGZHOU in [recipient.id for recipient in ask(statement(), registry=suspended(XIHU))]


def test_agency_misconduct_begins_at_the_province() -> None:
    value = to_value(clue(subtype="agency_misconduct", right_type="patent"))
    assert ask(statement(), value) == (Recipient(ZHEJIANG_IP, RESTRICTED),)


def test_no_competent_member_is_refused() -> None:
    assert code(statement(), to_value(clue(place_division="340104"))) == ("no-competent-organ", "addressee")


def test_a_right_type_whose_organ_is_not_routed_to_is_refused() -> None:
    assert code(statement(), to_value(clue(right_type="copyright"))) == ("flow-not-agreed", "addressee")


def test_two_organs_of_one_division_are_not_guessed_between() -> None:
    twins = [registered(f"customs.{n}", organ_type="market_regulator", division="330109") for n in ("2901", "2902")]
    registry = told(town(), *(Said(twin) for twin in twins))
    assert code(statement(), to_value(clue(place_division="330109")), registry) == ("no-competent-organ", "addressee")


def test_a_public_report_goes_to_no_other_organ_even_when_one_is_named() -> None:
    value = to_value(clue(subtype="public_report"))
    assert ask(statement(), value) == ()
    assert ask(statement(addressee=HANGZHOU), value) == ()


def test_a_case_whose_one_other_party_is_no_member_is_addressed_to_nobody_and_admitted() -> None:
    flows = (Flow(type=transfer.TransferOpened.TYPE, from_organ="market_regulator", to_organ="market_regulator"),)
    agreed = proposed(agreement="outside", flows=flows)
    signatures = (Said(signed(agreed), source=name) for name in (NANJING, HANGZHOU))
    registry = told(town(), Said(agreed), *signatures)
    assert ask(statement(transfer.TransferOpened.TYPE, agreement="outside@1"), {}, registry) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": "320500.market_regulator"}, ("not-a-member", "source")),
        ({"source": STRANGER}, ("not-a-member", "source")),
        ({"source": CLUES}, ("not-authorised", "type")),
        ({"agreement": "-"}, ("agreement-unknown", "agreement")),
        ({"agreement": "delta@9"}, ("agreement-unknown", "agreement")),
        ({"time": format_instant(NOW_MS - 1)}, ("agreement-not-in-force", "agreement")),
        ({"time": format_instant(NOW_MS + 1001 * HOUR_MS)}, ("agreement-not-in-force", "agreement")),
        ({"source": POLICE}, ("flow-not-agreed", "type")),
        ({"addressee": POLICE}, ("flow-not-agreed", "addressee")),
        ({"addressee": "510100.market_regulator"}, ("addressee-not-a-member", "addressee")),
        ({"addressee": STRANGER}, ("addressee-not-agreed", "addressee")),
        ({"addressee": f"{HANGZHOU},{STRANGER}"}, ("addressee-not-agreed", "addressee")),
    ],
)
def test_what_is_not_agreed_is_refused(changes: dict[str, str], expected: tuple[str, str]) -> None:
    assert code(statement(**changes)) == expected


def test_a_refusal_names_the_agreement_and_the_missing_flow() -> None:
    with pytest.raises(Refused) as refused:
        ask(statement(addressee=POLICE))
    for word in (REF, ClueReported.TYPE, "market_regulator", "police"):
        assert word in refused.value.message


def test_a_type_that_is_not_routed_needs_an_addressee() -> None:
    assert code(statement(ClueAccepted.TYPE), accepted()) == ("addressee-not-agreed", "addressee")
    assert [one.id for one in ask(statement(ClueAccepted.TYPE, addressee=HANGZHOU), accepted())] == [HANGZHOU]


def test_a_suspended_source_may_not_publish_nor_a_suspended_addressee_receive() -> None:
    assert code(statement(addressee=HANGZHOU), registry=suspended(NANJING)) == ("member-suspended", "source")
    assert code(statement(addressee=HANGZHOU), registry=suspended(HANGZHOU)) == ("addressee-not-agreed", "addressee")


def test_a_suspended_organ_gets_no_copy() -> None:
    found = ask(statement(addressee=HANGZHOU), registry=suspended(HANGZHOU_IP))
    assert [recipient.id for recipient in found] == [HANGZHOU]


def test_a_member_that_is_not_one_yet_is_none() -> None:
    registry = told(town(), Said(registered("330200.market_regulator", valid_from=NOW_MS + 1)))
    assert code(statement(source="330200.market_regulator"), registry=registry) == ("not-a-member", "source")
    said = statement(addressee="330200.market_regulator")
    assert code(said, registry=registry) == ("addressee-not-a-member", "addressee")


def test_before_the_founding_nothing_is_allowed() -> None:
    assert code(statement(), registry=EMPTY)[0] == "not-founded"


def receipt(**changes: object) -> dict[str, Any]:
    event = {"event": CAUSE, "recipient": HANGZHOU, "log": "t.clues/0", "number": 0, "delivered_at": NOW_MS, **changes}
    return to_value(Delivered(**event))  # type: ignore[arg-type]


def said_receipt(**changes: str) -> Statement:
    given = {"source": HANGZHOU, "agreement": "-", "addressee": NANJING, "cause": CAUSE, **changes}
    return statement(Delivered.TYPE, **given)


def test_a_receipt_goes_from_the_recipient_to_the_source_of_the_event() -> None:
    assert ask(said_receipt(), receipt()) == (Recipient(NANJING),)


@pytest.mark.parametrize(
    ("changes", "value", "expected"),
    [
        ({"agreement": REF}, {}, ("flow-not-agreed", "agreement")),
        ({"source": NANJING_IP}, {}, ("not-authorised", "recipient")),
        ({"cause": "-"}, {}, ("bad-reference", "cause")),
        ({"addressee": "-"}, {}, ("addressee-not-agreed", "addressee")),
        ({"addressee": f"{NANJING_IP},{NANJING}"}, {}, ("addressee-not-agreed", "addressee")),
        ({"addressee": "510100.police"}, {}, ("addressee-not-a-member", "addressee")),
    ],
)
def test_a_receipt_that_is_not_ones_own_is_refused(
    changes: dict[str, str], value: dict[str, object], expected: tuple[str, str]
) -> None:
    assert code(said_receipt(**changes), receipt(**value)) == expected


def test_a_receipt_reaches_a_suspended_source_too() -> None:
    assert ask(said_receipt(), receipt(), suspended(NANJING)) == (Recipient(NANJING),)


def test_outcomes_are_never_proposed() -> None:
    said = statement(OutcomesRecorded.TYPE, source="exchange.admission", agreement="-")
    assert code(said, {"log": "t.clues.in/0", "first_number": 0, "outcomes": []})[0] == "not-authorised"


@pytest.mark.parametrize(
    ("event_type", "room", "other"),
    [
        (ClueResultReturned.TYPE, CLUES, RECEIPTS),
        (StepMissing.TYPE, RECEIPTS, CLUES),
        (transfer.MoveHadNoEffect.TYPE, TRANSFERS, CLUES),
        *((event.TYPE, TRANSFERS, CLUES) for event in get_args(NoticeEvent)),
    ],
)
def test_a_derived_event_comes_from_its_own_room_alone(event_type: str, room: str, other: str) -> None:
    said = statement(event_type, source=room, agreement="-", addressee=NANJING, cause=CAUSE)
    assert ask(said, {}) == (Recipient(NANJING),)
    for changes, expected in (
        ({"source": other}, "not-authorised"),
        ({"source": NANJING}, "not-authorised"),
        ({"agreement": REF}, "flow-not-agreed"),
        ({"cause": "-"}, "bad-reference"),
    ):
        wrong = {"source": room, "agreement": "-", "addressee": NANJING, "cause": CAUSE, **changes}
        assert code(statement(event_type, **wrong), {})[0] == expected
