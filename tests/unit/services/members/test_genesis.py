from __future__ import annotations

from dataclasses import replace

from services.codec.keys import PublicKey
from services.codec.log_keys import LEDGER, log_signer
from services.events import to_value
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    CalendarPublished,
    KeyAdded,
    ParticipantRegistered,
    ParticipantSuspended,
)
from services.members.authorise import deliveries
from services.members.calendars import NO_CALENDAR, with_notice
from services.members.genesis import OPERATOR, Missing, Plan, missing_from
from services.members.jurisdiction import routes_of
from services.members.registry import EMPTY, Registry
from tests.unit.services.members.town import (
    HANGZHOU,
    NANJING,
    NOW_MS,
    REF,
    Said,
    digest_of,
    notice,
    proposed,
    registered,
    released,
    signer,
    statement,
    tables,
    told,
)

PROVINCE = "330000.market_regulator"
PARTICIPANTS = (
    registered(HANGZHOU, superior=PROVINCE),
    registered(NANJING),
    registered(PROVINCE),
    registered(OPERATOR),
    registered("exchange.admission"),
)
CALENDAR = with_notice(with_notice(NO_CALENDAR, notice()), notice("试2号", issued_on=notice().issued_on + 1))
PLAN = Plan(
    name="t",
    title_zh="试验",
    title_en="Trial",
    families={"members": 1, "clues": 4},
    participants=PARTICIPANTS,
    agreements=(proposed(), proposed(agreement="later", status="draft")),
    calendar=CALENDAR,
)


def keys(*names: str) -> dict[str, PublicKey]:
    return {name: signer(name).public for name in (OPERATOR, *names)}


EVERYBODY = keys(*(one.participant for one in PARTICIPANTS))


def missing(registry: Registry, known: dict[str, PublicKey] = EVERYBODY, plan: Plan = PLAN) -> list[Missing]:
    digests = {f"{one.agreement}@{one.version}": digest_of(one) for one in plan.agreements}
    return missing_from(registry, plan, known, digests, NOW_MS)


def after(registry: Registry, found: list[Missing]) -> Registry:
    """As admission does it: each event is authorised by the registry with all before it."""
    for one in found:
        deliveries(
            registry,
            released().named(type(one.event).TYPE),
            statement(type(one.event).TYPE, source=one.source, agreement="-"),
            to_value(one.event),
            time_ms=NOW_MS,
            admitted_ms=NOW_MS,
            routes=routes_of(tables()),
        )
        registry = told(registry, Said(one.event, one.source))
    return registry


def test_everything_is_said_in_an_order_that_admission_takes() -> None:
    registry = after(EMPTY, missing(EMPTY))
    assert set(registry.participants) == {one.participant for one in PARTICIPANTS}
    assert set(registry.keys) == {public.key_id for public in EVERYBODY.values()}
    assert registry.in_force(REF, NOW_MS)
    assert registry.agreements["later@1"].signed == frozenset()


def test_said_once_nothing_is_missing() -> None:
    assert missing(after(EMPTY, missing(EMPTY))) == []


def test_what_was_interrupted_goes_on_where_it_stopped() -> None:
    whole = missing(EMPTY)
    for done in range(len(whole) + 1):
        registry = after(EMPTY, whole[:done])
        assert after(registry, missing(registry)) == after(EMPTY, whole)


def test_an_entry_that_changed_in_the_data_is_registered_anew_unless_it_was_suspended() -> None:
    registry = after(EMPTY, missing(EMPTY))
    renamed = replace(PLAN, participants=(PARTICIPANTS[2], registered(NANJING, name_zh="新名称"), PARTICIPANTS[0]))
    assert [one.subject for one in missing(registry, plan=renamed)] == [NANJING]
    suspension = ParticipantSuspended(participant=NANJING, suspended_at=NOW_MS, reason="试验")
    assert missing(told(registry, Said(suspension)), plan=renamed) == []


def test_the_root_key_is_not_added_a_second_time() -> None:
    added = [one.event for one in missing(EMPTY) if isinstance(one.event, KeyAdded)]
    assert OPERATOR not in [event.participant for event in added]


def test_a_superior_is_registered_before_its_inferiors() -> None:
    order = [one.event.participant for one in missing(EMPTY) if isinstance(one.event, ParticipantRegistered)]
    assert order.index(PROVINCE) < order.index(HANGZHOU)


def test_a_signatory_whose_key_is_elsewhere_signs_for_itself_later() -> None:
    found = missing(EMPTY, keys(NANJING, PROVINCE, "exchange.admission"))
    assert [one.source for one in found if isinstance(one.event, AgreementSigned)] == [NANJING]
    assert not after(EMPTY, found).agreements[REF].is_signed


def test_an_agreement_is_signed_with_the_digest_that_is_in_the_log() -> None:
    registry = after(EMPTY, [one for one in missing(EMPTY) if not isinstance(one.event, AgreementSigned)])
    changed = Plan(PLAN.name, "", "", PLAN.families, PARTICIPANTS, (proposed(notes="changed in the file"),))
    for one in missing(registry, plan=changed):
        assert isinstance(one.event, AgreementSigned)
        assert one.event.digest == digest_of(proposed())


def test_a_new_version_in_the_data_is_proposed() -> None:
    registry = after(EMPTY, missing(EMPTY))
    newer = Plan(PLAN.name, "", "", PLAN.families, PARTICIPANTS, (proposed(version=2),))
    assert [type(one.event) for one in missing(registry, plan=newer)] == [
        AgreementProposed,
        AgreementSigned,
        AgreementSigned,
    ]


def test_the_keys_that_sign_the_logs_are_added_to_the_ledger_and_once() -> None:
    ledger = signer(LEDGER)
    log_keys = [log_signer(ledger, origin).public for origin in ("t/members/0", "t/clues/0", "t/clues/1")]
    plan = replace(PLAN, participants=(*PARTICIPANTS, registered(LEDGER)))
    known = {**EVERYBODY, LEDGER: ledger.public}
    found = missing_from(EMPTY, plan, known, {REF: digest_of(proposed()), "later@1": REF}, NOW_MS, log_keys)
    registry = after(EMPTY, found)
    assert {key.id for key in registry.keys_of(LEDGER)} == {key.key_id for key in (ledger.public, *log_keys)}
    assert missing_from(registry, plan, known, {}, NOW_MS, log_keys) == []


def test_keys_of_logs_without_a_ledger_in_the_plan_are_not_added() -> None:
    log_keys = [log_signer(signer(LEDGER), "t/clues/0").public]
    found = missing_from(EMPTY, PLAN, EVERYBODY, {REF: digest_of(proposed()), "later@1": REF}, NOW_MS, log_keys)
    assert all(one.subject != LEDGER for one in found)


def test_every_notice_that_is_not_in_the_log_is_published_in_the_order_of_its_day() -> None:
    registry = after(EMPTY, missing(EMPTY))
    assert registry.calendar == CALENDAR
    assert [one.subject for one in missing(EMPTY) if isinstance(one.event, CalendarPublished)] == ["calendar-2027"] * 2
    half = told(EMPTY, Said(notice()))
    assert [one.event for one in missing(half) if isinstance(one.event, CalendarPublished)] == [
        notice("试2号", issued_on=notice().issued_on + 1)
    ]
