"""What admission wrote, verified as a reader does: numbers, entries, commitments, signatures."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.broker.admission_rig import RELEASED, Record, Rig, verified


def verify_logs(rig: Rig, family: str = "clues") -> dict[int, list[Record]]:
    """Reads a log and the inboxes and checks that they are whole: seqs, delivery numbers, copies, signatures."""
    log = rig.log(family)
    topic = rig.exchange.topics.log(family)
    promised: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for number, records in log.items():
        assert [record.entry.seq for record in records] == list(range(len(records))), f"{topic}/{number}"
        for record in records:
            entry = record.entry
            assert entry.log == f"{topic}/{number}"
            assert entry.statement == record.envelope.statement
            for delivery in entry.deliveries:
                promised[delivery.recipient, entry.log].append((delivery.number, entry.statement.id))
    for (recipient, place), numbered in promised.items():
        assert [number for number, _ in numbered] == list(range(len(numbered))), (recipient, place)
    received: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for recipient in {recipient for recipient, _ in promised}:
        for record in rig.inbox(recipient):
            if "ce_ipxdelivery" in record.headers:
                who, place, number = record.headers["ce_ipxdelivery"].decode().split(" ")
                assert who == recipient
                if place.startswith(f"{topic}/"):
                    received[recipient, place].append((int(number), record.envelope.statement.id))
    assert received == promised
    return log


def verify_copy(rig: Rig, record: Record) -> dict[str, Any]:
    """The content of an inbox copy after everything that a node verifies of it; what it shows."""
    envelope = record.envelope
    entry = record.entry
    assert entry.statement == envelope.statement
    assert entry.signature == envelope.signature
    return verified(
        envelope, rig.signer(envelope.statement.source).public.data, RELEASED.named(envelope.statement.type)
    )
