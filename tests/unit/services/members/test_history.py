from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.envelope import Envelope
from services.codec.statement import format_statement
from services.kernel.errors import Corrupt
from services.members.history import SNAPSHOT_EVERY, History
from services.members.registry import EMPTY
from tests.unit.services.members.town import (
    LOG,
    NANJING,
    POLICE,
    Said,
    record,
    registered,
    released,
    root,
    signer,
    story,
    told,
    town,
)


def history() -> History:
    return History(log=LOG, schema_of=released().with_digest, root=root())


def filled(upto: int | None = None) -> History:
    read = history()
    for seq, said in enumerate(story()[:upto]):
        read.append(record(said, seq))
    return read


def test_the_history_ends_with_the_registry_that_the_events_make() -> None:
    assert filled().latest == town()


def test_every_size_gives_the_registry_of_then() -> None:
    read = filled()
    for size in range(read.size + 1):
        assert read.at(size) == told(EMPTY, *story()[:size])


def test_a_size_that_was_not_read_is_not_answered() -> None:
    with pytest.raises(Corrupt):
        filled(3).at(4)
    with pytest.raises(Corrupt):
        filled(3).at(-1)


def test_old_sizes_are_found_between_snapshots() -> None:
    read = filled()
    grown = read.latest
    for seq in range(read.size, SNAPSHOT_EVERY + 20):
        said = Said(registered(f"{330000 + seq}.court"))
        read.append(record(said, seq))
        grown = told(grown, said)
    assert read.at(SNAPSHOT_EVERY + 3).size == SNAPSHOT_EVERY + 3
    assert read.at(SNAPSHOT_EVERY - 1).size == SNAPSHOT_EVERY - 1
    assert read.latest == grown


def test_records_are_told_from_a_seq_on() -> None:
    read = filled(6)
    assert [found.entry.seq for found in read.since(4)] == [4, 5]
    assert [found.entry.seq for found in read.since(1, limit=2)] == [1, 2]
    assert read.since(6) == ()


def test_waiting_ends_when_the_size_is_reached() -> None:
    read = filled(2)
    assert not read.wait_for(3, 0)
    waiter = threading.Thread(target=lambda: read.append(record(story()[2], 2)))
    waiter.start()
    assert read.wait_for(3, 10)
    waiter.join()


def bad_records() -> dict[str, Envelope]:
    good = record(story()[1], 1)
    other = record(story()[2], 1)
    assert good.entry is not None
    return {
        "a gap": record(story()[2], 2),
        "a repeat": record(story()[0], 0),
        "another log": record(story()[1], 1, log="t.clues/0"),
        "another key": record(story()[1], 1, key=signer(NANJING)),
        "another body": replace(good, body=other.body),
        "another entry": replace(good, entry=other.entry),
        "no entry": replace(good, entry=None),
        "another signature": replace(good, signature=other.signature),
        "another subject": replace(good, statement=replace(good.statement, subject="x")),
        "a later size": replace(good, entry=good.entry.replace("members: 1\n", "members: 2\n")),
        "not said by the operator": record(Said(registered(POLICE), NANJING), 1),
    }


@pytest.mark.parametrize("name", sorted(bad_records()))
def test_a_record_that_does_not_verify_is_corrupt_and_changes_nothing(name: str) -> None:
    read = filled(1)
    with pytest.raises(Corrupt):
        read.append(bad_records()[name])
    assert read.size == 1
    read.append(record(story()[1], 1))  # the right one is still taken
    assert read.size == 2


def test_a_founding_by_another_root_key_is_corrupt() -> None:
    read = History(log=LOG, schema_of=released().with_digest, root=signer(NANJING).public)
    with pytest.raises(Corrupt, match="root key"):
        read.append(record(story()[0], 0))


@settings(max_examples=60)
@given(st.data())
def test_no_changed_byte_of_a_record_is_believed(data: st.DataObject) -> None:
    good = record(story()[1], 1)
    part = data.draw(st.sampled_from(("body", "signature", "entry")))
    held = getattr(good, part)
    raw = bytearray(held if isinstance(held, bytes) else held.encode())
    signed = len(format_statement(good.statement)) if part == "entry" else len(raw)  # the rest is admission's word
    at = data.draw(st.integers(0, signed - 1))
    raw[at] ^= data.draw(st.integers(1, 127))
    changed = bytes(raw) if part == "body" else raw.decode("latin-1")
    read = filled(1)
    with pytest.raises(Corrupt):
        read.append(replace(good, **{part: changed}))
