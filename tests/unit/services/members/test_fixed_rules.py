from __future__ import annotations

from typing import Any

import pytest

from services.codec.signature import key_id_of
from services.events import Event, to_value
from services.events.member import (
    AgreementProposed,
    CalendarHoliday,
    KeyRevoked,
    MemberEvent,
    ParticipantSuspended,
)
from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated
from services.events.registry import EVENT_TYPES
from services.events.transfer import CalendarApplied
from services.kernel.errors import Refused
from services.kernel.instants import parse_day
from services.members.authorise import deliveries
from services.members.fixed_rules import FIXED_RULES
from services.members.jurisdiction import routes_of
from services.members.registry import EMPTY, Registry
from tests.unit.services.members.town import (
    HANGZHOU,
    NANJING,
    NOW_MS,
    OPERATOR,
    POLICE,
    REF,
    Said,
    founded,
    gm_key_added,
    gm_signer,
    key_added,
    notice,
    proposed,
    registered,
    released,
    signed,
    signer,
    statement,
    tables,
    told,
    town,
)

NEW = "320500.police"


def ask(event: Event, source: str = OPERATOR, registry: Registry | None = None, **changes: str) -> tuple[Any, ...]:
    said = statement(type(event).TYPE, **{"source": source, "agreement": "-", **changes})
    schema = released().named(type(event).TYPE)
    return deliveries(
        registry or town(),
        schema,
        said,
        to_value(event),
        time_ms=NOW_MS,
        admitted_ms=NOW_MS,
        routes=routes_of(tables()),
    )


def code(event: Event, source: str = OPERATOR, registry: Registry | None = None, **changes: str) -> str:
    with pytest.raises(Refused) as refused:
        ask(event, source, registry, **changes)
    return refused.value.code


def revoked(participant: str = NANJING, key_id: str = "") -> KeyRevoked:
    return KeyRevoked(
        participant=participant, key_id=key_id or signer(NANJING).key_id, revoked_at=NOW_MS, reason="lost"
    )


def test_the_exchange_is_founded_once_by_the_operator_that_it_names() -> None:
    assert ask(founded(), registry=EMPTY) == ()
    assert code(founded()) == "already-founded"
    assert code(founded(operator=NANJING), registry=EMPTY) == "not-authorised"
    assert code(founded(key_id=f"{OPERATOR}#0000000000000000"), registry=EMPTY) == "bad-field"


def test_the_root_key_of_an_exchange_is_of_ed25519() -> None:
    gm = gm_signer(OPERATOR)
    root = {"key_id": gm.key_id, "suite": "sm2-sm3", "public_key": gm.public.data}
    assert code(founded(**root), registry=EMPTY) == "bad-field"
    gm = gm_signer(NANJING)
    root = {"operator": NANJING, "key_id": gm.key_id, "suite": "sm2-sm3", "public_key": gm.public.data}
    assert code(founded(**root), source=NANJING, registry=EMPTY) == "bad-field"


def test_a_participant_may_have_an_sm2_key_and_a_part_of_the_exchange_may_not() -> None:
    assert ask(gm_key_added(NANJING), source=NANJING) == ()
    assert ask(gm_key_added(POLICE)) == ()
    assert code(gm_key_added("exchange.clues")) == "bad-field"


SHORT = signer(NANJING, 1).public.data
OFF_CURVE = gm_signer(NANJING).public.data[:-1] + bytes([gm_signer(NANJING).public.data[-1] ^ 1])


@pytest.mark.parametrize(
    ("suite", "public_key"),
    [
        ("ed25519", gm_signer(NANJING).public.data),
        ("sm2-sm3", SHORT),
        ("sm2-sm3", OFF_CURVE),
        ("sm2-sm3", bytes(64)),
        ("sm2-sm3", b"\x04" + gm_signer(NANJING).public.data),
    ],
    ids=range(5),
)
def test_a_key_is_one_of_its_suite(suite: str, public_key: bytes) -> None:
    key_id = key_id_of(NANJING, public_key)
    with pytest.raises(Refused) as refused:
        ask(key_added(NANJING, 1, suite=suite, public_key=public_key, key_id=key_id))
    assert (refused.value.code, refused.value.field) == ("bad-field", "public_key")


@pytest.mark.parametrize(
    "event",
    [
        registered(NEW),
        ParticipantSuspended(participant=POLICE, suspended_at=NOW_MS, reason="试验"),
        proposed(version=2),
        key_added(POLICE, 1),
        revoked(),
        notice(),
    ],
)
def test_the_operator_may_and_a_third_one_may_not(event: MemberEvent) -> None:
    assert ask(event) == ()
    assert code(event, source=HANGZHOU) == "not-authorised"


def test_a_participant_adds_and_revokes_keys_of_its_own() -> None:
    assert ask(key_added(NANJING, 1), source=NANJING) == ()
    assert ask(revoked(), source=NANJING) == ()
    assert code(revoked(), source=HANGZHOU) == "not-authorised"


def test_member_events_have_no_addressee_and_no_agreement() -> None:
    assert code(registered(NEW), addressee=NANJING) == "addressee-not-agreed"
    assert code(registered(NEW), agreement=REF) == "flow-not-agreed"
    assert code(founded(), registry=EMPTY, agreement=REF) == "flow-not-agreed"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (registered(NEW, organ_type="court"), "bad-field"),
        (registered(NEW, division="320100"), "bad-field"),
        (registered(NEW, superior="320000.police"), "bad-reference"),
        (ParticipantSuspended(participant=NEW, suspended_at=NOW_MS, reason="x"), "bad-reference"),
        (ParticipantSuspended(participant=OPERATOR, suspended_at=NOW_MS, reason="x"), "not-authorised"),
        (key_added(NEW), "bad-reference"),
        (key_added(NANJING), "bad-reference"),
        (key_added(NANJING, 1, key_id=signer(NANJING, 2).key_id), "bad-field"),
        (revoked(NANJING, signer(NANJING, 5).key_id), "bad-reference"),
        (revoked(POLICE), "bad-reference"),
        (proposed(), "bad-reference"),
        (proposed(version=2, signatories=(NANJING, NEW)), "bad-reference"),
    ],
)
def test_what_does_not_fit_the_log_is_refused(event: MemberEvent, expected: str) -> None:
    assert code(event) == expected


MAY = (parse_day("2027-05-01"), parse_day("2027-05-05"))


@pytest.mark.parametrize(
    ("event", "expected", "field"),
    [
        (notice(), "bad-reference", "number"),
        (notice(issued_on=1), "bad-reference", "number"),
        (notice("试2号", year=2029), "bad-field", "holidays"),
        (notice("试2号", year=1), "bad-field", "holidays"),
        (notice("试2号", holidays=()), "bad-field", "holidays"),
        (
            notice("试2号", holidays=(CalendarHoliday(name_zh="假", name_en="x", first_on=MAY[1], last_on=MAY[0]),)),
            "bad-field",
            "holidays",
        ),
        (
            notice(
                "试2号",
                holidays=(
                    CalendarHoliday(
                        name_zh="假",
                        name_en="x",
                        first_on=MAY[0],
                        last_on=MAY[1],
                        working_on=(parse_day("2027-05-07"),),
                    ),
                ),
            ),
            "bad-field",
            "holidays",
        ),
    ],
)
def test_a_notice_that_arranges_no_year_or_is_there_already_is_refused(
    event: MemberEvent, expected: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(event, registry=told(town(), Said(notice())))
    assert (refused.value.code, refused.value.field) == (expected, field)


def test_a_second_notice_of_a_year_may_follow_and_goes_to_nobody() -> None:
    registry = told(town(), Said(notice()))
    assert ask(notice("试2号"), registry=registry) == ()
    assert code(notice("试2号"), registry=registry, addressee=NANJING) == "addressee-not-agreed"
    assert code(notice("试2号"), registry=registry, agreement=REF) == "flow-not-agreed"


def test_a_calendar_is_applied_to_a_case_by_the_operator_alone_and_once_it_is_published() -> None:
    cause = "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"
    applied = CalendarApplied(year=2027, calendar_event=cause)
    registry = told(town(), Said(notice()))
    right = {"addressee": f"{NANJING},{HANGZHOU}", "cause": cause}
    assert [one.id for one in ask(applied, registry=registry, **right)] == [NANJING, HANGZHOU]
    assert code(applied, NANJING, registry, **right) == "not-authorised"
    assert code(applied, registry=registry, **right, agreement=REF) == "flow-not-agreed"
    assert code(applied, registry=registry, addressee="-", cause=cause) == "addressee-not-agreed"
    assert code(applied, registry=registry, addressee=NANJING, cause="-") == "bad-reference"
    assert code(applied, **right) == "bad-reference"


def test_customs_serve_an_area_that_is_not_in_their_id() -> None:
    assert ask(registered("customs.2300", organ_type="customs", division="320100")) == ()


def test_only_a_signatory_signs_and_only_the_text_that_was_proposed() -> None:
    registry = told(town(), Said(proposed(version=2)))
    assert ask(signed(proposed(version=2)), source=NANJING, registry=registry) == ()
    assert code(signed(proposed(version=2)), source=POLICE, registry=registry) == "not-authorised"
    assert code(signed(proposed(version=2)), source=OPERATOR, registry=registry) == "not-authorised"
    assert code(signed(proposed(version=2, notes="x")), source=NANJING, registry=registry) == "bad-reference"
    assert code(signed(proposed(version=3)), source=NANJING, registry=registry) == "agreement-unknown"


def test_every_type_that_no_agreement_could_name_has_a_fixed_rule() -> None:
    fixed = set(FIXED_RULES) | {"cn.ipx.member.ExchangeFounded"}
    without = {name for name in EVENT_TYPES if name.startswith(("cn.ipx.member.", "cn.ipx.receipt."))} - fixed
    assert without == set()
    assert AgreementProposed.TYPE in fixed


def test_completeness_is_stated_by_the_ledger_to_the_recipient_and_answered_by_it_to_nobody() -> None:
    ledger, cause = "exchange.ledger", "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"
    registry = told(town(), Said(registered(ledger)))
    day = {"recipient": NANJING, "log": "ipx.clues/0", "admitted_on": 1, "first_number": 0, "count": 1, "root": "x"}
    stated = CompletenessStated(**day, senders=())
    right = {"addressee": NANJING, "cause": cause}
    assert [r.id for r in ask(stated, ledger, registry, **right)] == [NANJING]
    assert code(stated, NANJING, registry, **right) == "not-authorised"
    assert code(stated, ledger, registry, addressee=HANGZHOU, cause=cause) == "addressee-not-agreed"
    assert code(stated, ledger, registry, addressee=NANJING, cause="-") == "bad-reference"
    assert code(stated, ledger, registry, **right, agreement=REF) == "flow-not-agreed"
    for answer in (
        CompletenessConfirmed(**day, event=cause),
        CompletenessDisputed(event=cause, recipient=NANJING, log="ipx.clues/0", admitted_on=1, count=0, differs_at=0),
    ):
        assert ask(answer, NANJING, registry, cause=cause) == ()
        assert code(answer, HANGZHOU, registry, cause=cause) == "not-authorised"
        assert code(answer, NANJING, registry, cause="0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f53") == "bad-reference"
        assert code(answer, NANJING, registry, cause=cause, addressee=ledger) == "addressee-not-agreed"
