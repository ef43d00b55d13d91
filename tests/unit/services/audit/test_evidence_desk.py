"""An event is found in the files of the ledger and read from its log at its offset, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from services.audit.evidence_desk import EvidenceDesk
from services.codec.envelope import Envelope
from services.codec.evidence import format_evidence
from services.codec.tlog_policy import NONE, Policy
from services.kernel.errors import Corrupt, IpxError, Refused
from services.ledger.files import CHECKPOINT, write_files
from services.ledger.index import EventIndex
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import CLUES, Exchange, Log, routes, schema_of, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import HANGZHOU, NANJING

FIRST_OFFSET = 40


@dataclass(slots=True)
class Kept:
    """The log of clues as Kafka has it: markers between the records."""

    exchange: Exchange
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def read(self, topic: str, partition: int, offset: int) -> Envelope:
        self.asked.append((topic, partition, offset))
        return self.exchange.clues.envelopes[(offset - FIRST_OFFSET) // 2]


def stored(log: Log, directory: Path, ids: list[str] | None = None) -> None:
    folder = directory / log.origin
    assert log.note is not None
    write_files(folder, [*log.files.items(), (CHECKPOINT, log.note)])
    index = EventIndex(folder)
    wanted = [envelope.statement.id for envelope in log.envelopes] if ids is None else ids
    index.add([(event, seq, FIRST_OFFSET + 2 * seq) for seq, event in enumerate(wanted)])
    index.close()


@pytest.fixture
def exchange() -> Exchange:
    exchange = town()
    for _ in range(3):
        exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    return exchange


def desk(exchange: Exchange, directory: Path) -> tuple[EvidenceDesk, Kept]:
    kept = Kept(exchange)
    return EvidenceDesk(directory, "t", kept, lambda: exchange.history, schema_of, exchange.policy), kept


def test_the_evidence_of_an_event_by_its_id_verifies(exchange: Exchange, tmp_path: Path) -> None:
    for log in (exchange.members, exchange.clues):
        stored(log, tmp_path)
    asked, kept = desk(exchange, tmp_path)
    made = asked.make(exchange.clues.envelopes[1].statement.id, lambda entry, schema: schema.restricted)
    assert kept.asked == [("t.clues", 0, FIRST_OFFSET + 2)]
    assert made.is_witnessed, "its signatures meet the quorum, whichever file they are in"
    report = verify(format_evidence(made.evidence), exchange.policy(), Options(exchange.root, (), routes()))
    assert report.first_bad is None


def test_the_signature_of_a_node_that_is_no_witness_of_the_policy_stays_out(exchange: Exchange, tmp_path: Path) -> None:
    for log in (exchange.members, exchange.clues):
        stored(log, tmp_path)
    every, (asked, _) = exchange.policy(), desk(exchange, tmp_path)
    fewer = replace(every, witnesses={NANJING: every.witnesses[NANJING]}, groups=(), quorum=NANJING)
    none = Policy(every.logs, {}, (), NONE)
    event = exchange.clues.envelopes[1].statement.id
    for policy, is_witnessed in ((fewer, True), (none, False)):
        made = replace(asked, policy=lambda policy=policy: policy).make(event, lambda entry, schema: ())
        assert made.is_witnessed is is_witnessed
        assert verify(format_evidence(made.evidence), policy, Options(exchange.root, (), routes())).first_bad is None


def failing(desk: EvidenceDesk, event: str) -> IpxError:
    with pytest.raises(IpxError) as caught:
        desk.make(event, lambda entry, schema: ())
    return caught.value


@pytest.mark.parametrize("event", ["", "../../x", "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52", "x" * 10_000])
def test_an_id_that_no_log_has_is_not_found(exchange: Exchange, tmp_path: Path, event: str) -> None:
    stored(exchange.clues, tmp_path)
    asked, kept = desk(exchange, tmp_path)
    found = failing(asked, event)
    assert isinstance(found, Refused)
    assert found.code == "not-found"
    assert kept.asked == []


def test_an_index_that_names_another_record_is_corrupt(exchange: Exchange, tmp_path: Path) -> None:
    first, second, third = (envelope.statement.id for envelope in exchange.clues.envelopes)
    stored(exchange.members, tmp_path)
    stored(exchange.clues, tmp_path, [second, first, third])
    assert isinstance(failing(desk(exchange, tmp_path)[0], first), Corrupt)


def test_logs_of_another_exchange_in_the_same_directory_are_not_looked_at(exchange: Exchange, tmp_path: Path) -> None:
    stored(exchange.clues, tmp_path)
    (tmp_path / "t").rename(tmp_path / "u")
    assert isinstance(failing(desk(exchange, tmp_path)[0], exchange.clues.envelopes[0].statement.id), Refused)
    assert CLUES == "t.clues/0"
