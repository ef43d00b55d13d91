"""Two nodes witness the logs of a real exchange; a forged history, signed with the log's own key, is refused by them and stands in the log as an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.node.receipts import OPERATOR
from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.keys import parse_private
from services.codec.log_keys import LEDGER
from services.codec.note import format_note, parse_note
from services.codec.tiles import read_bundle
from services.codec.tlog_policy import judge, parse_policy
from services.events.receipt import SplitViewFound
from services.ledger.files import LogFiles, write_files
from services.ledger.growing import GrowingTree
from services.ledger.signing import LogKey
from tests.broker.admission_rig import HANGZHOU, NANJING, PARTS, Rig, initialised, write_data
from tests.broker.gateway_running import RunningGateway, running_gateway
from tests.broker.node_running import RunningNode, running_node, until
from tests.broker.room_rig import Worker

QUORUM = """
title_zh = "试验联署规则"
title_en = "Trial witnesses"
needed = 2
[[groups]]
name = "jiangsu"
divisions = ["32"]
[[groups]]
name = "zhejiang"
divisions = ["33"]
"""


@dataclass
class Exchange:
    """A founded exchange with admission, gateway and ledger, and what its participants' nodes need."""

    rig: Rig
    gateway: RunningGateway
    ledger: Worker

    @property
    def directory(self) -> Path:
        return self.rig.exchange.state_dir / "ledger"

    def files(self, origin: str) -> LogFiles:
        return LogFiles(self.directory / origin)

    def logs(self) -> dict[str, dict[str, Any]]:
        return {log["origin"]: log for log in self.gateway.get("/v1/log").json()["logs"]}

    def states(self, family: str) -> list[tuple[str, int, int]]:
        return [
            (log["state"], log["size"], log["witnessed_size"])
            for origin, log in self.logs().items()
            if origin.split("/")[1] == family
        ]

    def propose(self, count: int, start: int = 0) -> None:
        self.rig.propose(self.rig.clues(count, start=start))
        self.rig.wait_outcomes(start + count)

    @contextmanager
    def node(self, folder: Path, participant: str) -> Iterator[RunningNode]:
        folder.mkdir(exist_ok=True)
        key = folder / "own.key"
        key.write_text(self.rig.signer(participant).private_line())
        key.chmod(0o600)
        lines = [
            "[node]",
            f'name = "{folder.name}"',
            f'exchange = "{self.rig.exchange.name}"',
            f'gateway = "{self.gateway.url}"',
            f'root_key = "{self.rig.signer(OPERATOR).public.line()}"',
            "[witness]",
            "every_s = 0.3",
            "[[participants]]",
            f'id = "{participant}"',
            'key_file = "own.key"',
        ]
        (folder / "node.toml").write_text("\n".join(lines))
        with running_node(folder / "node.toml") as node:
            until(lambda: node.get("/readyz").status == 200, 30)
            yield node


@pytest.fixture(scope="module")
def exchange(make_exchange: Any) -> Iterator[Exchange]:
    with ExitStack() as stack:
        made = stack.enter_context(make_exchange())
        data = write_data(made.state_dir / "data", (*PARTS, LEDGER))
        quorum = made.state_dir / "quorum.toml"
        quorum.write_text(QUORUM, "utf-8")
        made.environ.update(IPX_MEMBERS_DATA_DIR=str(data), IPX_LEDGER_WITNESSES_FILE=str(quorum))
        rig = Rig(made, initialised(made))
        stack.callback(rig.close)
        rig.start().wait_ready()
        ledger = Worker(made, ("-m", "services", "ledger", "run"))
        stack.callback(ledger.stop)
        gateway = stack.enter_context(running_gateway(made, IPX_ROOT_KEY=""))
        yield Exchange(rig, gateway, ledger)


def test_two_nodes_witness_the_logs_and_then_a_forged_history_gets_no_cosignature(
    exchange: Exchange, tmp_path: Path
) -> None:
    exchange.propose(20)
    origin = f"{exchange.rig.exchange.name}/clues/0"
    until(lambda: sum(size for _, size, _ in exchange.states("clues")) == 20, 30)
    assert {state for state, _, _ in exchange.states("clues")} == {"not yet"}
    with exchange.node(tmp_path / "nanjing", NANJING) as nanjing:
        until(lambda: origin in nanjing.command("status")["witness"]["logs"], 30)
        assert {state for state, _, _ in exchange.states("clues")} == {"not yet"}, "one of two provinces is no quorum"
        with exchange.node(tmp_path / "hangzhou", HANGZHOU) as hangzhou:
            until(lambda: all(s == "witnessed" and a == b for s, a, b in exchange.states("clues")), 60)
            exchange.propose(30, start=20)
            until(lambda: sum(size for _, size, _ in exchange.states("clues")) == 50, 30)
            until(lambda: all(s == "witnessed" and a == b for s, a, b in exchange.states("clues")), 60)
            check_by_the_policy(exchange, origin)
            forge(exchange, origin, nanjing, hangzhou)


def check_by_the_policy(exchange: Exchange, origin: str) -> None:
    """A stranger with the policy finds the witnessed checkpoint good, by the gateway's answers alone."""
    policy = parse_policy(exchange.gateway.get("/v1/log/policy").body)
    note = parse_note(exchange.gateway.get(f"/v1/log/{origin}/witnessed").body)
    standing = judge(note, policy)
    assert standing.is_witnessed
    assert set(standing.cosigned) == {NANJING, HANGZHOU}
    assert standing.strangers == ()


def forge(exchange: Exchange, origin: str, *nodes: RunningNode) -> None:
    """The ledger is stopped, and its files are replaced by those of another history of the log, signed with the log's key."""
    exchange.ledger.stop()
    files = exchange.files(origin)
    data = files.witnessed()
    assert data is not None
    true = parse_checkpoint(parse_note(data).text)
    first, second, *others = read_bundle(files.read, 0, true.size)
    tree, made = GrowingTree(), []
    for entry in (second, first, *others, first, second):
        made += tree.append(entry)
    signer = parse_private((exchange.rig.exchange.state_dir / "keys" / f"{LEDGER}.key").read_text().strip())
    note = format_note(LogKey.of(signer, origin).sign(Checkpoint(origin, tree.size, tree.root())))
    write_files(files.directory, [*made, *tree.partials(), ("candidate", note), ("checkpoint", note)])

    for node in nodes:
        until(lambda node=node: node.command("status")["witness"]["logs"][origin]["is_split"], 60)
        assert node.get("/readyz").status == 200
        (found,) = node.command("split-views")["split_views"]
        assert (found["seen_size"], found["offered_size"]) == (true.size, tree.size)
        assert found["offered_note"].encode() == note
        until(lambda node=node: b"ipx_node_open_split_views 1.0" in node.get("/metrics").body, 30)

    def reported() -> list[Any]:
        records = [record for records in exchange.rig.log("receipts").values() for record in records]
        return [record for record in records if record.entry.statement.type == SplitViewFound.TYPE]

    until(lambda: len(reported()) == 2, 60)
    assert {record.entry.statement.source for record in reported()} == {NANJING, HANGZHOU}
    assert {record.entry.statement.subject for record in reported()} == {origin}
    assert [line.recipient for record in reported() for line in record.entry.deliveries] == [OPERATOR, OPERATOR]
    inbox = exchange.rig.inbox(OPERATOR)
    assert [r.envelope.statement.type for r in inbox if "ce_ipxdelivery" in r.headers].count(SplitViewFound.TYPE) == 2
    heads = [record.value for record in exchange.rig.read(exchange.rig.exchange.topics.checkpoints)]
    forged = parse_note(note).text
    assert [head for head in heads if parse_note(head).text == forged] == []
    assert exchange.logs()[origin]["witnessed_size"] == true.size
