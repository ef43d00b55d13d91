"""The made-up exchange that the ledger is measured with: everything in it verifies, and what is changed is found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from services.audit.sources import ENTRY_HEADER
from services.audit.verify_log import check_log
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.entry import parse_entry
from services.codec.merkle import RightEdge, leaf_hash
from services.commands.made_exchange import LOG, MEMBERS_LOG, RECIPIENT, SOURCE, MadeExchange, made_exchange
from services.runtime.records import RawRecord

NOW_MS = 1_795_500_000_000
SIZE = 620
"""More than there are different clue reports, so that they begin again."""


@cache
def exchange() -> MadeExchange:
    made = made_exchange(SIZE, NOW_MS)
    root = RightEdge().extend(leaf_hash(made.entry(seq)) for seq in range(SIZE)).root()
    return replace(made, heads={origin_of(LOG): Checkpoint(origin_of(LOG), SIZE, root)})


@pytest.mark.parametrize("signatures", [False, True])
def test_every_entry_of_it_verifies_under_its_checkpoint(signatures: bool) -> None:
    report = check_log(exchange(), LOG, signatures=signatures, processes=0)
    assert report.findings == ()
    assert (report.entries, report.checkpoints, report.signed_size) == (SIZE, 1, SIZE)


def test_the_members_log_of_it_verifies() -> None:
    report = check_log(exchange(), MEMBERS_LOG, signatures=True, processes=0)
    assert report.entries == exchange().history.size
    assert {finding.code for finding in report.findings} <= {"no-checkpoint"}


def test_entries_are_all_different_and_go_from_the_source_to_the_recipient() -> None:
    entries = [parse_entry(exchange().entry(seq)) for seq in range(SIZE)]
    assert len({exchange().entry(seq) for seq in range(SIZE)}) == SIZE
    assert [entry.seq for entry in entries] == list(range(SIZE))
    assert {entry.statement.source for entry in entries} == {SOURCE}
    assert all([d.recipient for d in entry.deliveries] == [RECIPIENT] for entry in entries)


class Changed:
    """The same source with one entry of another number of members."""

    def __init__(self, seq: int) -> None:
        self._seq = seq

    def __getattr__(self, name: str) -> object:
        return getattr(exchange(), name)

    def records(self, log: str) -> Iterator[RawRecord]:
        for record in exchange().records(log):
            if log == LOG and record.offset == self._seq:
                headers = [
                    (n, d.replace(b"\nmembers: ", b"\nmembers: 1") if n == ENTRY_HEADER else d)
                    for n, d in record.headers
                ]
                yield replace(record, headers=headers)
            else:
                yield record


def test_a_changed_entry_is_found() -> None:
    report = check_log(Changed(300), LOG, signatures=False, processes=0)  # type: ignore[arg-type]
    assert "root-differs" in {finding.code for finding in report.findings}


def test_with_fewer_entries_it_has_no_checkpoint() -> None:
    fewer = exchange().up_to(10)
    assert fewer.span(LOG) == 10
    assert list(fewer.checkpoints(origin_of(LOG))) == []
    assert check_log(fewer, LOG, signatures=True, processes=0).entries == 10
