"""Logs and inboxes side by side: clean as admission writes them, and each disagreement is named where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from services.admission.index import SourceNumbers
from services.admission.outcomes import OutcomeWriter
from services.audit.facts import Facts
from services.audit.inbox_facts import InboxFacts
from services.audit.log_facts import LogFacts
from services.audit.sources import Finding, entry_of
from services.codec.content import commitment, parse_disclosure, withhold
from services.codec.entry import parse_entry
from services.codec.envelope import envelope_from_record
from services.codec.statement import format_statement
from services.events.receipt import OutcomesRecorded
from services.kernel.instants import format_instant
from services.members.registry import Registry
from services.runtime.records import RawRecord, log_of
from tests.unit.services.admission.desk import IDS
from tests.unit.services.audit.lived import RECEIPT_LOG, derived_by, emissions_of, lived, registry_of
from tests.unit.services.audit.vault import CLUES, Vault
from tests.unit.services.members import town

LOGS = (CLUES, RECEIPT_LOG)


@dataclass(slots=True)
class Exchange:
    """Logs and inboxes that agree, for a test to spoil."""

    made: Vault
    inboxes: dict[str, list[RawRecord]] = field(default_factory=dict)

    def disagreements(self, later: Iterable[RawRecord] = ()) -> list[Finding]:
        """Everything that is found."""
        facts = Facts()
        registry: Registry = registry_of(self.made)
        said = LogFacts(facts, town.released())
        found = [f for log in LOGS for r in self.made.logged[log] for f in said.take(r, entry_of(r))]
        found += [f for record in later for f in said.take(record, entry_of(record), is_later=True)]
        for owner, records in self.inboxes.items():
            inbox = InboxFacts(owner, facts, town.released(), registry)
            found += [f for record in records for f in inbox.take(record)]
        found += list(facts.disagreements({owner: f"t.inbox.{owner}" for owner in self.inboxes}))
        facts.close()
        return found

    def codes(self, later: Iterable[RawRecord] = ()) -> list[str]:
        return [finding.code for finding in self.disagreements(later)]

    def put(self, owner: str, headers: list[tuple[str, bytes]], value: bytes | None) -> None:
        """Appends to an inbox."""
        held = self.inboxes.setdefault(owner, [])
        held.append(RawRecord(f"t.inbox.{owner}", 0, 3 * len(held), headers, value))


def exchange() -> Exchange:
    """As admission writes it: a copy for each delivery, redacted, and outcomes for each source."""
    whole = Exchange(lived()[0])
    items: dict[tuple[str, str], list[dict[str, object]]] = {}
    for log in LOGS:
        for record in whole.made.logged[log]:
            entry = parse_entry(entry_of(record))
            for delivery in entry.deliveries:
                number = f"{delivery.recipient} {log} {delivery.number}".encode()
                headers, value = copied(record, delivery.withheld)
                whole.put(delivery.recipient, [*headers, ("ce_ipxdelivery", number)], value)
            items.setdefault((entry.statement.source, log), []).append(admitted(record))
    schema = town.released().named(OutcomesRecorded.TYPE)
    writer = OutcomeWriter(schema, IDS[schema.name], town.signer("exchange.admission"))
    for (source, log), told in items.items():
        place = log.replace("/", ".in/")
        records, _ = writer.write(place, source, told, SourceNumbers(), format_instant(town.NOW_MS + 1))
        for one in records:
            whole.put(source, one.headers, one.value)
    return whole


def copied(record: RawRecord, withheld: tuple[str, ...]) -> tuple[list[tuple[str, bytes]], bytes]:
    """The copy of a record."""
    _, envelope = envelope_from_record(record.headers, record.value)
    schema = town.released().with_digest(envelope.statement.schema)
    parts = schema.split(envelope.body)
    digests = commitment(schema, parts, parse_disclosure(schema, envelope.salts))[1]
    body, salts = withhold(schema, parts, envelope.salts, digests, withheld)
    headers = [(n, salts.encode() if n == "ce_ipxsalts" else data) for n, data in record.headers]
    return headers, (record.value or b"")[:5] + body


def admitted(record: RawRecord, **changes: object) -> dict[str, object]:
    """The outcome of an entry."""
    import hashlib

    entry = parse_entry(entry_of(record))
    digest = hashlib.sha256(format_statement(entry.statement)).hexdigest()
    item = dict.fromkeys(("code", "field", "message_zh", "message_en"))
    said = {"event": entry.statement.id, "outcome": "admitted", "statement": f"sha256:{digest}"}
    return {**item, **said, "log": log_of(record.topic, record.partition), "seq": entry.seq, **changes}


def test_what_admission_writes_agrees() -> None:
    assert exchange().disagreements() == []


def test_a_copy_that_is_missing_is_named_where_its_entry_stands() -> None:
    whole = exchange()
    del whole.inboxes[town.HANGZHOU][1]
    found = whole.disagreements()
    assert [(f.code, f.topic, f.offset, f.seq) for f in found] == [("delivery-missing", "t.clues", 2, 1)]
    assert town.HANGZHOU in found[0].sentence


def test_a_copy_that_comes_twice_is_named() -> None:
    whole = exchange()
    copy = whole.inboxes[town.HANGZHOU][1]
    whole.inboxes[town.HANGZHOU].append(replace(copy, offset=77))
    assert [(f.code, f.offset, f.seq) for f in whole.disagreements()] == [("number-repeated", 77, 1)]


def test_a_copy_of_no_entry_is_named() -> None:
    whole = exchange()
    gone = whole.made.logged[CLUES].pop()
    assert set(whole.codes()) == {"copy-without-entry", "outcome-without-entry"}
    assert whole.codes(later=[gone]) == []  # it was admitted while the inboxes were read


def test_what_was_logged_meanwhile_need_not_have_its_copies_yet() -> None:
    whole = exchange()
    last = whole.made.logged[CLUES].pop()
    for owner in list(whole.inboxes):
        whole.inboxes[owner] = [r for r in whole.inboxes[owner] if entry_of(r) != entry_of(last)]
    assert "delivery-missing" not in whole.codes(later=[last])


@pytest.mark.parametrize("name", ["ce_ipxsalts", "ce_subject", "ce_ipxsignature"])
def test_a_copy_whose_headers_differ_is_named(name: str) -> None:
    whole = exchange()
    copy = whole.inboxes[town.HANGZHOU][0]
    headers = [(n, data + b"x" if n == name else data) for n, data in copy.headers]
    whole.inboxes[town.HANGZHOU][0] = replace(copy, headers=headers)
    assert [(f.code, f.topic, f.offset) for f in whole.disagreements()] == [
        ("copy-differs", f"t.inbox.{town.HANGZHOU}", 0)
    ]


def test_a_copy_that_shows_more_than_its_entry_says_is_named() -> None:
    whole = exchange()
    record = whole.made.logged[CLUES][0]
    number = dict(whole.inboxes[town.HANGZHOU][0].headers)["ce_ipxdelivery"]
    whole.inboxes[town.HANGZHOU][0] = replace(
        whole.inboxes[town.HANGZHOU][0], headers=[*record.headers, ("ce_ipxdelivery", number)], value=record.value
    )
    assert whole.codes() == ["copy-differs"]


def test_a_copy_in_the_wrong_inbox_or_under_another_number_is_named() -> None:
    whole = exchange()
    copy = whole.inboxes[town.HANGZHOU][0]
    whole.inboxes[town.NANJING].append(copy)
    number = f"{town.HANGZHOU} {CLUES} 9".encode()
    headers = [(n, number if n == "ce_ipxdelivery" else data) for n, data in copy.headers]
    whole.inboxes[town.HANGZHOU].append(replace(copy, headers=headers))
    assert whole.codes() == ["copy-disagrees", "copy-disagrees"]


def test_a_record_that_is_neither_copy_nor_outcome_is_named() -> None:
    whole = exchange()
    record = whole.made.logged[CLUES][0]
    whole.put(town.HANGZHOU, list(record.headers), record.value)
    whole.put(town.HANGZHOU, [], b"")
    assert whole.codes() == ["stray-record", "bad-record"]


def test_an_outcome_that_admission_did_not_sign_is_named() -> None:
    whole = exchange()
    whole.inboxes[town.NANJING] = [forged(record) for record in whole.inboxes[town.NANJING]]
    assert "outcome-forged" in whole.codes()


def forged(record: RawRecord) -> RawRecord:
    """The record under a signature that is of another statement."""
    other = dict(exchange().made.logged[CLUES][0].headers)["ce_ipxsignature"]
    return replace(record, headers=[(n, other if n == "ce_ipxsignature" else data) for n, data in record.headers])


def test_an_outcome_of_an_entry_that_is_not_there_is_named() -> None:
    whole = exchange()
    record = whole.made.logged[CLUES][0]
    schema = town.released().named(OutcomesRecorded.TYPE)
    writer = OutcomeWriter(schema, IDS[schema.name], town.signer("exchange.admission"))
    items = [admitted(record, seq=99)]
    [one], _ = writer.write("t.credit.in/0", town.NANJING, items, SourceNumbers(), format_instant(town.NOW_MS + 1))
    whole.put(town.NANJING, one.headers, one.value)
    assert whole.codes() == ["outcome-without-entry"]
    whole.put(town.NANJING, one.headers, one.value)
    assert whole.codes() == ["number-repeated", "outcome-without-entry", "outcome-without-entry"]


def test_a_source_that_was_never_told_is_named() -> None:
    whole = exchange()
    whole.inboxes[town.NANJING] = [r for r in whole.inboxes[town.NANJING] if "ce_ipxdelivery" in dict(r.headers)]
    assert set(whole.codes()) == {"outcome-missing"}


def test_a_derived_event_without_cause_is_named() -> None:
    whole = exchange()
    made = whole.made
    from services.clues.worker import room_of

    room = room_of(town.tables())
    cause = "01a20caa-b333-79b5-8821-17e581c13a14"
    emission = replace(emissions_of(made, room)[0], cause=cause)
    made.append(CLUES, derived_by(made, room, emission), registry_of(made), {town.NANJING: 1})
    found = [f for f in whole.disagreements() if f.code == "cause-missing"]
    assert [(f.topic, f.offset, f.seq, cause in f.sentence) for f in found] == [("t.clues", 10, 5, True)]


def test_a_derived_event_whose_id_does_not_follow_from_its_cause_is_named() -> None:
    whole = exchange()
    record = whole.made.logged[CLUES][4]
    _, envelope = envelope_from_record(record.headers, record.value)
    statement = replace(envelope.statement, id="01a20caa-b333-89b5-8821-17e581c13a14")
    whole.made.change_envelope(CLUES, 4, statement=statement)
    whole.made.change_entry(CLUES, 4, statement=statement)
    assert "id-not-derived" in whole.codes()


def test_a_receipt_of_a_delivery_that_never_was_is_named() -> None:
    whole = exchange()
    record = whole.made.logged[RECEIPT_LOG][0]
    _, envelope = envelope_from_record(record.headers, record.value)
    schema = town.released().with_digest(envelope.statement.schema)
    value = {**schema.decode(envelope.body), "number": 2}
    whole.made.change_envelope(RECEIPT_LOG, 0, body=schema.encode(value))
    found = whole.disagreements()
    assert [(f.code, f.topic, f.seq) for f in found if f.code != "copy-differs"] == [
        ("receipt-without-delivery", "t.receipts", 0)
    ]


@pytest.mark.parametrize("changes", [{"statement": "sha256:zz"}, {"statement": None}, {"log": None}, {"seq": None}])
def test_an_outcome_of_nonsense_is_an_outcome_without_entry(changes: dict[str, object]) -> None:
    whole = exchange()
    schema = town.released().named(OutcomesRecorded.TYPE)
    writer = OutcomeWriter(schema, IDS[schema.name], town.signer("exchange.admission"))
    items = [admitted(whole.made.logged[CLUES][0], **changes)]
    [one], _ = writer.write("t.credit.in/0", town.NANJING, items, SourceNumbers(), format_instant(town.NOW_MS + 1))
    whole.put(town.NANJING, one.headers, one.value)
    assert whole.codes() == ["outcome-without-entry"]


def test_a_receipt_of_no_event_is_named() -> None:
    whole = exchange()
    _, envelope = envelope_from_record(
        whole.made.logged[RECEIPT_LOG][0].headers, whole.made.logged[RECEIPT_LOG][0].value
    )
    schema = town.released().with_digest(envelope.statement.schema)
    value = {**schema.decode(envelope.body), "event": "not an id", "log": "x"}
    whole.made.change_envelope(RECEIPT_LOG, 0, body=schema.encode(value))
    assert "receipt-without-delivery" in whole.codes()


def test_a_log_record_that_cannot_be_read_is_named() -> None:
    whole = exchange()
    whole.made.put(CLUES, 0, b"")
    assert whole.codes()[0] == "bad-record"
