"""What the ledger states of whole days beside what follows from the logs: the part of a replay that no room does.

``services/ledger/FORMAT.md`` section 6.8. The fold is the ledger's own (``services/ledger/completeness.py``). An exchange whose ledger has never stated
anything owes no statement here; one that has owes one for every day that is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.audit.derivations import Derivations
from services.audit.refold import Derived, NoKey
from services.audit.sources import MEMBERS, Finding, LogSource, entry_of, place_of
from services.codec.entry import parse_entry
from services.codec.envelope import envelope_from_record, unframe
from services.codec.log_keys import LEDGER
from services.codec.released import ReleasedSchemas
from services.codec.statement import format_statement
from services.events.receipt import CompletenessStated
from services.kernel.errors import Corrupt, Refused
from services.kernel.instants import parse_instant
from services.ledger.completeness import ROOM, Completeness, end_of_day_ms
from services.runtime.fold import Emission
from services.runtime.proposals import Proposer
from services.runtime.records import RawRecord, read_logged
from services.runtime.topics import Topics

_LEAVE_MS: Final = 120_000
"""After midnight the ledger waits for the logs to be quiet before it states."""
_TYPE: Final = CompletenessStated.TYPE.encode()


def restate(
    source: LogSource, released: ReleasedSchemas, derivations: Derivations, until_ms: int
) -> tuple[Finding, ...]:
    """Folds every log again up to an instant and hands over what was stated and what was to be; logs that cannot be folded are findings."""
    if not _hear(source, released, derivations, until_ms):
        return ()
    proposer = Proposer(ROOM, Topics(source.exchange), NoKey(LEDGER), released.named, lambda _: 0)
    findings = []
    for log in source.logs():
        if place_of(log)[0].rpartition(".")[2] == MEMBERS:
            continue
        try:
            for emission, day in _emissions(source, log, until_ms):
                derivations.derived("receipts", _derived(proposer, emission, end_of_day_ms(day) + _LEAVE_MS))
        except (Corrupt, Refused) as error:
            findings.append(Finding("not-foldable", *place_of(log), str(error)))
    return tuple(findings)


def _hear(source: LogSource, released: ReleasedSchemas, derivations: Derivations, until_ms: int) -> bool:
    """The statements in the receipts log; whether there are any."""
    receipts = f"{Topics(source.exchange).log('receipts')}/"
    heard = False
    for log in source.logs():
        if not log.startswith(receipts):
            continue
        for record in source.records(log):
            if not _is_statement(record):
                continue
            try:
                logged = read_logged(record, released.with_digest)
            except Corrupt:
                break  # the rooms cannot fold it either, and say so
            if logged.admitted_ms <= until_ms:
                derivations.said(logged, unframe(record.value)[1])
                heard = True
    return heard


def _is_statement(record: RawRecord) -> bool:
    return any(name == "ce_type" and value == _TYPE for name, value in record.headers)


def _emissions(source: LogSource, log: str, until_ms: int) -> Iterator[tuple[Emission, int]]:
    counting = Completeness(log)
    for record in source.records(log):
        data = entry_of(record)
        if parse_instant(parse_entry(data).admitted) > until_ms:
            break
        day = counting.day
        for emission in counting.take(data):
            assert day is not None
            yield emission, day
    day = counting.day
    if day is not None and end_of_day_ms(day) <= until_ms:
        for emission in counting.close():
            yield emission, day


def _derived(proposer: Proposer, emission: Emission, due_ms: int) -> Derived:
    proposal = proposer.propose(emission)
    headers = [(name, text.encode()) for name, text in proposal.headers]
    statement = envelope_from_record(headers, proposal.value)[1].statement
    text = format_statement(statement)
    return Derived(statement.id, statement.cause, text, unframe(proposal.value)[1], due_ms, "receipts")
