"""What one inbox holds: copies with contiguous numbers, outcome records signed by admission, and nothing else. Pure.

Formats: ``services/ledger/FORMAT.md`` sections 4.1 and 5. A copy that is missing is found from the log's side (``facts.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from services.audit.facts import Facts
from services.audit.log_facts import print_of
from services.audit.sources import Finding, entry_of
from services.codec.entry import parse_entry
from services.codec.envelope import Envelope, check_content, envelope_from_record
from services.codec.numbering import Numbered, parse_numbering
from services.codec.released import ReleasedSchemas
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events.receipt import OutcomesRecorded
from services.kernel.errors import Refused
from services.members.registry import Registry
from services.runtime.records import RawRecord

ADMISSION: Final = "exchange.admission"
_TOLD: Final = ("admitted", "duplicate")


@dataclass(slots=True)
class InboxFacts:
    """Takes the records of one inbox in order and appends what they say."""

    owner: str
    facts: Facts
    released: ReleasedSchemas
    registry: Registry
    roots: RootCache = field(default_factory=RootCache)
    _copies: dict[str, int] = field(default_factory=dict)
    _records: dict[str, int] = field(default_factory=dict)
    _outcomes: dict[str, int] = field(default_factory=dict)

    def take(self, record: RawRecord) -> list[Finding]:
        """The next record; what is wrong with it by itself, or after those before it."""
        try:
            _, envelope = envelope_from_record(record.headers, record.value)
            if envelope.outcome is not None:
                return self._outcome(record, envelope)
            if envelope.delivery is not None:
                return self._copy(record, parse_numbering(envelope.delivery))
        except Refused as refused:
            return [self._finding(record, "bad-record", f"{refused.code}: {refused.message}")]
        return [self._finding(record, "stray-record", "neither a copy nor an outcome")]

    def _copy(self, record: RawRecord, numbered: Numbered) -> list[Finding]:
        entry = parse_entry(entry_of(record))
        delivery = entry.delivery_to(self.owner)
        said = (numbered.owner, numbered.log, numbered.number)
        if delivery is None or said != (self.owner, entry.log, delivery.number):
            right = "none" if delivery is None else f"{entry.log} {delivery.number}"
            sentence = f"the copy says {numbered.owner} {numbered.log} {numbered.number}, its entry {right}"
            return [self._finding(record, "copy-disagrees", sentence, entry.seq)]
        expected = self._copies.get(numbered.log, 0)
        if numbered.number < expected:
            sentence = f"copy {numbered.number} of {numbered.log} where {expected} was expected"
            return [self._finding(record, "number-repeated", sentence, entry.seq)]
        self._copies[numbered.log] = numbered.number + 1
        place = (self.facts.number_of(self.owner), self.facts.number_of(numbered.log), numbered.number)
        self.facts.add("copied", (*place, print_of(record.headers, record.value), record.offset))
        return []

    def _outcome(self, record: RawRecord, envelope: Envelope) -> list[Finding]:
        numbered = parse_numbering(envelope.outcome or "")
        statement = envelope.statement
        if statement.type != OutcomesRecorded.TYPE or statement.source != ADMISSION or numbered.owner != self.owner:
            return [self._finding(record, "outcome-forged", f"{statement.type} of {statement.source}")]
        value = check_content(self.released.with_digest(statement.schema), envelope)
        if not self._is_signed(envelope):
            return [self._finding(record, "outcome-forged", f"it is not signed by {ADMISSION}")]
        found = self._numbers(record, numbered, value)
        owner = self.facts.number_of(self.owner)
        for item in value["outcomes"]:
            if item["outcome"] in _TOLD:
                log = self.facts.number_of(item["log"] or "")
                self.facts.add("told", (log, item["seq"], item["statement"], owner, record.offset))
        return found

    def _numbers(self, record: RawRecord, numbered: Numbered, value: dict[str, Any]) -> list[Finding]:
        place, found = numbered.log, []
        expected = (self._records.get(place, 0), self._outcomes.get(place, 0))
        if (numbered.number, value["first_number"]) != expected:
            code = "number-repeated" if numbered.number < expected[0] else "outcome-number"
            sentence = f"outcome record {numbered.number} of {place} from {value['first_number']} on, expected {expected[0]} from {expected[1]} on"
            found.append(self._finding(record, code, sentence))
        self._records[place] = numbered.number + 1
        self._outcomes[place] = value["first_number"] + len(value["outcomes"])
        return found

    def _is_signed(self, envelope: Envelope) -> bool:
        statement = envelope.statement
        signature = parse_signature(envelope.signature)
        key = self.registry.key(signature.key_id, statement.time_ms)
        if key.participant != ADMISSION:
            return False
        return verify(format_statement(statement), signature, key.public_key, self.roots)

    def _finding(self, record: RawRecord, code: str, sentence: str, seq: int | None = None) -> Finding:
        return Finding(code, record.topic, record.partition, sentence, record.offset, seq)
