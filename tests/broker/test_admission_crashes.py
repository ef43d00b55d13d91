"""Admission killed at each numbered step under load: afterwards log, inboxes and answers are those of an undisturbed run.

What an undisturbed run gives is known beforehand: every log partition holds the good events in the order in which they were proposed, each
once, and every proposal has its outcome. One process after the other dies exactly at a step, amid several batches; the next, under the same
name, goes on where it stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.admission.partitioning import partition_of
from services.codec.envelope import Envelope
from services.runtime.faults import EXIT_STATUS
from tests.broker.admission_checks import verify_logs
from tests.broker.admission_rig import POLICE, Rig, founded

POINTS = (
    *(f"admission.step{number}:150" for number in range(1, 10)),
    "admission.step10.inboxes:150",
    *(f"admission.step10.{place}:2" for place in ("log", "outcomes", "offsets", "commit", "committed", "indexed")),
)
SMALL = {"IPX_ADMISSION_BATCH_EVENTS": "60"}
PARTITIONS = 4


def load(rig: Rig, start: int) -> list[tuple[Envelope, str]]:
    """Events of 40 subjects, each with the outcome that it must have: good, said twice, conflicting, refused."""
    good = [rig.clue(start + number % 40, value_title=f"线索{number}") for number in range(240)]
    conflicting = [
        rig.clue(start + number, id=good[number].statement.id, value_title="另一内容") for number in range(10)
    ]
    refused = [rig.clue(start + number, addressee=POLICE) for number in range(10)]
    said = [(envelope, "admitted") for envelope in good]
    return [
        *said[:120],
        *((envelope, "duplicate") for envelope in good[:20]),
        *((envelope, "refused") for envelope in refused),
        *((envelope, "conflict") for envelope in conflicting),
        *said[120:],
    ]


def by_partition(said: list[tuple[Envelope, str]]) -> dict[int, list[tuple[str, str]]]:
    """Ids and expected outcomes by partition, in order."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for envelope, outcome in said:
        statement = envelope.statement
        found[partition_of(statement.subject.encode(), PARTITIONS)].append((statement.id, outcome))
    return found


def told(rig: Rig) -> dict[int, list[tuple[str, str]]]:
    """The outcomes by ``.in`` partition, in order, as the source was told them."""
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for record in rig.outcome_values():
        topic, _, partition = record["log"].rpartition("/")
        if topic.endswith(".clues.in"):
            found[int(partition)] += [(item["event"], item["outcome"]) for item in record["outcomes"]]
    return found


def loads(rig: Rig) -> Iterator[list[tuple[Envelope, str]]]:
    start = 0
    while True:
        yield load(rig, start)
        start += 1000


@pytest.mark.timeout(900)
def test_a_process_killed_at_any_step_leaves_nothing_lost_nothing_twice(make_exchange: Callable[[], Any]) -> None:
    with make_exchange() as exchange, founded(exchange) as rig:
        said: list[tuple[Envelope, str]] = []
        coming = loads(rig)
        for point in POINTS:
            process = rig.start(fault=point, **SMALL)
            while process.process.poll() is None:
                more = next(coming)
                rig.propose(envelope for envelope, _ in more)
                said += more
                rig.wait(lambda: process.process.poll() is not None or _is_answered(rig, len(said)), 60)  # noqa: B023
            assert process.wait_end() == EXIT_STATUS, point
        rig.start(**SMALL)
        rig.wait(lambda: _is_answered(rig, len(said)), 60)
        assert told(rig) == by_partition(said)
        log = {
            partition: [record.entry.statement.id for record in records]
            for partition, records in verify_logs(rig).items()
        }
        assert log == {
            partition: [event for event, outcome in items if outcome == "admitted"]
            for partition, items in by_partition(said).items()
        }


def _is_answered(rig: Rig, count: int) -> bool:
    return sum(len(items) for items in told(rig).values()) >= count
