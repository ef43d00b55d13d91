"""Each record of a log by itself and beside its neighbours: what is not as admission writes it is named with its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.admission.partitioning import partition_of
from services.audit.sources import entry_of
from services.codec.content import format_disclosure, parse_disclosure, redact
from services.codec.entry import Delivery, parse_entry
from services.codec.envelope import envelope_from_record
from services.events.member import FamilyLog
from services.kernel.instants import format_instant
from services.members.registry import EMPTY
from tests.unit.services.admission.desk import sealed
from tests.unit.services.audit.checking import checked, first
from tests.unit.services.audit.vault import (
    ADMITTED_MS,
    CLUES,
    story,
    vault,
)
from tests.unit.services.members import town


def test_a_changed_body_is_not_what_was_committed_to() -> None:
    made = vault()
    other = sealed(town.clue(title="另一线索"), number=2)
    made.change_envelope(CLUES, 2, body=other.body)
    assert first(made) == ("bad-content", 4, 2)


def test_a_changed_salt_is_not_what_was_committed_to() -> None:
    made = vault()
    made.change_envelope(CLUES, 2, salts=sealed(number=3).salts)
    assert first(made) == ("bad-content", 4, 2)


def test_attributes_of_another_statement_than_the_entrys_are_named() -> None:
    made = vault()
    statement = replace(parse_entry(entry_of(made.logged[CLUES][2])).statement, subject="CL-9")
    made.change_envelope(CLUES, 2, statement=statement)
    assert first(made) == ("entry-differs", 4, 2)


def test_a_signature_by_another_key_is_named() -> None:
    made = vault()
    forged = sealed(number=2, key=town.signer(town.HANGZHOU))
    made.change_envelope(CLUES, 2, signature=forged.signature)
    made.change_entry(CLUES, 2, signature=forged.signature)
    assert first(made) == ("bad-signature", 4, 2)


def test_a_log_holds_every_event_whole() -> None:
    made = vault()
    _, envelope = envelope_from_record(made.logged[CLUES][2].headers, made.logged[CLUES][2].value)
    schema = town.released().with_digest(envelope.statement.schema)
    disclosure = parse_disclosure(schema, envelope.salts)
    value, parts = schema.decode_parts(envelope.body)
    _, shown, less = redact(schema, value, parts, disclosure, schema.restricted[:1])
    made.change_envelope(CLUES, 2, body=b"".join(shown), salts=format_disclosure(schema, less))
    assert first(made) == ("bad-content", 4, 2)


def test_a_key_of_another_suite_signs_nothing() -> None:
    key = town.key_added(town.NANJING, 1, suite="sm2-sm3")
    said = [*story(), town.Said(key)]
    made = vault(said=said)
    numbers = dict.fromkeys((town.HANGZHOU, town.HANGZHOU_IP), 12)
    signed = sealed(number=30, key=town.signer(town.NANJING, 1))
    made.append(CLUES, signed, town.told(EMPTY, *said), numbers)
    assert first(made) == ("bad-signature", 24, 12)


def test_a_subject_has_its_partition() -> None:
    families = (FamilyLog(family="clues", partitions=4),)
    made = vault(said=[town.Said(town.founded(families=families)), *story()[1:]])
    away = [number for number in range(12) if partition_of(f"CL-{number}".encode(), 4)]
    assert [(f.code, f.seq) for f in checked(made).findings] == [("wrong-partition", number) for number in away]


def test_admission_times_do_not_go_back_between_two_runs_either() -> None:
    made = vault(1001, signed_at=())
    made.change_entry(CLUES, 1000, admitted=format_instant(ADMITTED_MS))
    assert first(made, signatures=False) == ("time-goes-back", 2000, 1000)


def test_a_recipient_that_the_agreement_does_not_give_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    more = tuple(sorted((*entry.deliveries, Delivery(town.POLICE, 0)), key=lambda d: d.recipient))
    made.change_entry(CLUES, 2, deliveries=more)
    assert first(made) == ("deliveries-differ", 4, 2)


def test_a_field_disclosed_beyond_the_flow_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    made.change_entry(CLUES, 2, deliveries=tuple(replace(d, withheld=()) for d in entry.deliveries))
    assert first(made) == ("deliveries-differ", 4, 2)


def test_an_event_that_nobody_may_say_is_named_by_the_members_log_that_its_entry_names() -> None:
    made = vault()
    keys = len(story()) - 5  # before the agreement was signed
    made.change_entry(CLUES, 2, members=keys)
    code, offset, seq = first(made)
    assert (code, offset, seq) == ("not-authorised", 4, 2)


def test_an_entry_that_names_more_members_than_there_are_is_named() -> None:
    made = vault()
    made.change_entry(CLUES, 2, members=10_000)
    assert first(made) == ("members-ahead", 4, 2)


def test_an_entry_of_another_log_is_named() -> None:
    made = vault()
    made.change_entry(CLUES, 2, log="t.clues/1")
    assert first(made) == ("wrong-log", 4, 2)


def test_a_delivery_number_left_out_or_repeated_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    made.change_entry(CLUES, 2, deliveries=tuple(replace(d, number=d.number + 1) for d in entry.deliveries))
    report = checked(made, signatures=False)
    assert [(f.code, f.seq) for f in report.findings[:4]] == [("delivery-number", 2)] * 2 + [("delivery-number", 3)] * 2


def test_admission_times_never_go_back() -> None:
    made = vault()
    made.change_entry(CLUES, 2, admitted=format_instant(town.NOW_MS))
    assert first(made, signatures=False) == ("time-goes-back", 4, 2)


@pytest.mark.parametrize("place", [999, 1000, 1001])
def test_what_stands_between_two_runs_is_seen_too(place: int) -> None:
    made = vault(2100, signed_at=())
    del made.logged[CLUES][place]
    assert first(made, signatures=False) == ("seq-gap", 2 * place + 2, place + 1)
