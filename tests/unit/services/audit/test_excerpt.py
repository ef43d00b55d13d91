"""The excerpt has all that the members log says of who is concerned, and nothing of anybody else."""

from __future__ import annotations

from services.audit.excerpt import excerpt_for
from services.codec.entry import parse_entry
from services.events.member import CalendarHoliday
from services.kernel.instants import parse_day
from tests.unit.services.members.town import notice
from tests.vectors.evidence.exchange import Exchange, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import HANGZHOU, HANGZHOU_IP, NANJING, SUZHOU, key_added, key_revoked, registered

LAST_YEAR = (
    CalendarHoliday(name_zh="元旦", name_en="x", first_on=parse_day("2026-01-01"), last_on=parse_day("2026-01-01")),
)


def taken(exchange: Exchange) -> list[tuple[str, str]]:
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    records = exchange.history.since(0)
    found = excerpt_for(parse_entry((envelope.entry or "").encode()), records)
    assert [one.entry.seq for one in found] == sorted({one.entry.seq for one in found})
    return [(type(one.event).__name__, str(getattr(one.event, "participant", ""))) for one in found]


def test_it_begins_with_the_founding_and_has_both_organs_their_keys_and_the_agreement() -> None:
    assert taken(town()) == [
        ("ExchangeFounded", ""),
        ("ParticipantRegistered", NANJING),
        ("ParticipantRegistered", HANGZHOU),
        ("KeyAdded", NANJING),
        ("KeyAdded", HANGZHOU),
        ("AgreementProposed", ""),
        ("AgreementSigned", ""),
        ("AgreementSigned", ""),
    ]


def test_what_speaks_against_is_taken_too() -> None:
    def more(exchange: Exchange) -> None:
        exchange.tell(key_revoked(HANGZHOU))
        exchange.tell(registered(NANJING, name_zh="新名"))
        exchange.tell(key_revoked(SUZHOU))

    found = taken(town(more))
    assert found.count(("KeyRevoked", HANGZHOU)) == 1
    assert found.count(("ParticipantRegistered", NANJING)) == 2
    assert ("KeyRevoked", SUZHOU) not in found


def test_superiors_are_taken_up_to_the_top() -> None:
    def more(exchange: Exchange) -> None:
        exchange.tell(registered(HANGZHOU, superior=HANGZHOU_IP))
        exchange.tell(registered(HANGZHOU_IP, superior=SUZHOU))

    assert {name for kind, name in taken(town(more)) if kind == "ParticipantRegistered"} == {
        NANJING,
        HANGZHOU,
        HANGZHOU_IP,
        SUZHOU,
    }


def test_a_key_of_another_that_signed_a_record_is_taken() -> None:
    found = taken(town(lambda exchange: exchange.tell(key_added(HANGZHOU, 1), HANGZHOU)))
    assert found.count(("KeyAdded", HANGZHOU)) == 1, "the second key signed nothing here"


def test_the_notices_of_a_year_go_with_a_notice_of_that_year_and_with_nothing_else() -> None:
    def more(exchange: Exchange) -> None:
        for event in (notice(), notice("试2号"), notice("试1号", year=2026, holidays=LAST_YEAR), notice("试3号")):
            exchange.tell(event)

    exchange = town(more)
    records = exchange.history.since(0)
    found = excerpt_for(records[-1].entry, records[:-1], records[-1].event)
    assert [one.event for one in found if type(one.event).__name__ == "CalendarPublished"] == [
        notice(),
        notice("试2号"),
    ]
    assert "CalendarPublished" not in {kind for kind, _ in taken(exchange)}


def test_the_records_of_an_event_of_the_members_log_are_those_it_speaks_of() -> None:
    exchange = town()
    records = exchange.history.since(0)
    last = records[-1]
    found = excerpt_for(last.entry, records[:-1], last.event)
    assert "AgreementProposed" in {type(one.event).__name__ for one in found}
    assert last not in found
