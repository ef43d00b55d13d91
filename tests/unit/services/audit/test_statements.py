"""A replay states completeness again: what the ledger said must follow from the logs, and what follows must have been said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from services.audit.derivations import Derivations
from services.audit.refold import empty_store
from services.audit.statements import restate
from services.codec.entry import parse_entry
from services.codec.envelope import envelope_from_record
from services.kernel.codes import day_of
from services.ledger.completeness import Completeness, end_of_day_ms
from services.runtime.fold import Emission
from services.runtime.proposals import Proposer
from services.runtime.topics import Topics
from tests.unit.services.admission.desk import IDS
from tests.unit.services.audit.lived import RECEIPT_LOG, registry_of
from tests.unit.services.audit.vault import ADMITTED_MS, CLUES, LEDGER, Vault, vault
from tests.unit.services.members import town

MIDNIGHT = end_of_day_ms(day_of(ADMITTED_MS))


def due(made: Vault) -> list[Emission]:
    """What the ledger states of the clues."""
    counting = Completeness(CLUES)
    for entry in made.entries(CLUES):
        counting.take(entry)
    return list(counting.close())


def state(made: Vault, emission: Emission) -> None:
    proposer = Proposer(
        "ledger", Topics("t"), town.signer(LEDGER), town.released().named, lambda schema: IDS[schema.name]
    )
    proposal = proposer.propose(emission)
    envelope = envelope_from_record([(n, text.encode()) for n, text in proposal.headers], proposal.value)[1]
    held = [parse_entry(entry) for entry in made.entries(RECEIPT_LOG)] if RECEIPT_LOG in made.logged else []
    numbers = Counter(line.recipient for entry in held for line in entry.deliveries)
    made.append(RECEIPT_LOG, envelope, registry_of(made), dict(numbers))


def codes(made: Vault, until_ms: int = MIDNIGHT + 600_000) -> list[str]:
    store = empty_store()
    derivations = Derivations(store)
    found = [finding.code for finding in restate(made, town.released(), derivations, until_ms)]
    found += [finding.code for finding in derivations.disagreements("t", until_ms)]
    store.close()
    return found


@pytest.fixture
def made() -> Vault:
    return vault(3, signed_at=())


def test_what_was_stated_follows_from_the_logs(made: Vault) -> None:
    emissions = due(made)
    assert len(emissions) == 2
    for emission in emissions:
        state(made, emission)
    assert codes(made) == []
    assert codes(made, ADMITTED_MS - 1) == []


def test_a_ledger_that_never_stated_anything_owes_nothing_and_one_that_did_owes_every_day_that_is_over(
    made: Vault,
) -> None:
    assert codes(made) == []
    state(made, due(made)[0])
    assert codes(made) == ["derived-missing"]
    assert codes(made, MIDNIGHT + 1_000) == []  # it waits for the logs to be quiet


def test_a_statement_that_counts_otherwise_is_named(made: Vault) -> None:
    first, second = due(made)
    state(made, replace(first, event=replace(first.event, count=2)))
    state(made, second)
    assert codes(made) == ["derived-differs"]


def test_a_statement_that_nothing_gives_is_invented(made: Vault) -> None:
    for emission in due(made):
        state(made, emission)
    state(made, replace(due(made)[0], ordinal=7))
    assert codes(made) == ["derived-invented"]


def test_a_log_that_cannot_be_folded_is_a_finding(made: Vault) -> None:
    for emission in due(made):
        state(made, emission)
    del made.logged[CLUES][1]
    assert codes(made)[0] == "not-foldable"
