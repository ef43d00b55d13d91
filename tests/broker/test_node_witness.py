"""The node process as a witness: it cosigns, remembers across a kill between storing and posting, and refuses a split view for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.codec.note import COSIGNATURE, NoteKey, cosigned_at, is_signed, parse_note
from services.runtime.shell import SystemClock
from tests.broker.node_running import RunningNode, node_command, running_node, until
from tests.broker.small_gateway import SmallGateway, small_gateway
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, OPERATOR, SmallExchange, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, join_ledger, key_of


@dataclass
class Post:
    """A node without a city beside a gateway with one log."""

    exchange: SmallExchange
    gateway: SmallGateway
    config: Path

    def posted(self) -> list[tuple[str, bytes]]:
        return [(who, parse_note(data).text) for who, _, data in self.gateway.cosigned]

    def serve(self, log: SmallLog) -> SmallLog:
        with self.gateway.lock:
            self.gateway.logs[log.origin] = log
        return log

    def grow(self, log: SmallLog, count: int) -> None:
        with self.gateway.lock:
            log.grow(count)

    def said(self, name: str) -> list[Any]:
        with self.gateway.lock:
            return self.exchange.types_admitted(name)


@contextmanager
def post(folder: Path, *participants: str, more: str = "[witness]\nevery_s = 0.1") -> Iterator[Post]:
    exchange = SmallExchange(participants=(NANJING, HANGZHOU), clock=SystemClock())
    join_ledger(exchange)
    with small_gateway(exchange) as gateway:
        lines = [
            "[node]",
            'name = "witness"',
            'exchange = "small"',
            f'gateway = "{gateway.url}"',
            f'root_key = "{signer_of(OPERATOR).public.line()}"',
            more,
        ]
        for participant in participants or (NANJING,):
            key = folder / f"{participant}.key"
            key.write_text(signer_of(participant).private_line())
            key.chmod(0o600)
            lines += ["[[participants]]", f'id = "{participant}"', f'key_file = "{key.name}"']
        config = folder / "node.toml"
        config.write_text("\n".join(lines))
        yield Post(exchange, gateway, config)


def text(log: SmallLog, size: int | None = None) -> bytes:
    return parse_note(log.checkpoint(size)).text


def is_ready(node: RunningNode) -> bool:
    return node.get("/readyz").status == 200


def test_each_participant_of_the_node_cosigns_what_the_log_signed(tmp_path: Path) -> None:
    with post(tmp_path, NANJING, HANGZHOU) as made, running_node(made.config) as node:
        log = made.serve(SmallLog().grow(300))
        until(lambda: len(made.gateway.cosigned) == 2)
        made.grow(log, 400)
        until(lambda: len(made.gateway.cosigned) == 4)
        assert [one for _, one in made.posted()][2:] == [text(log)] * 2
        for who, origin, data in made.gateway.cosigned:
            note, key = parse_note(data), NoteKey(who, COSIGNATURE, signer_of(who).public.data)
            assert origin == ORIGIN
            assert is_signed(note, key_of())
            assert cosigned_at(note, key) is not None
        found = node.command("status")["witness"]
        assert found["logs"][ORIGIN]["size"] == 700
        until(lambda: set(node.command("status")["witness"]["logs"][ORIGIN]["cosignatures"].values()) == {"sent"})
        assert found["open_split_views"] == 0


def test_a_kill_between_storing_and_posting_loses_no_cosignature_and_no_memory(tmp_path: Path) -> None:
    with post(tmp_path) as made:
        log = made.serve(SmallLog().grow(300))
        with running_node(made.config, fault_at="node.after_cosign") as node:
            assert node.ended() == 137
        assert made.posted() == []
        assert node_command(made.config, "status")["witness"]["logs"][ORIGIN]["cosignatures"] == {NANJING: "new"}
        with running_node(made.config):
            until(lambda: made.posted() == [(NANJING, text(log))])
        other = log.fork(250).grow(100, "other")
        made.serve(other)
        with running_node(made.config, fault_at="node.after_cosign") as node:
            until(lambda: node.is_up() and is_ready(node))
            until(lambda: node_command(made.config, "status")["witness"]["open_split_views"] == 1)
        assert len(made.posted()) == 1


def test_a_split_view_is_refused_reported_once_and_needs_an_operator(tmp_path: Path) -> None:
    with post(tmp_path) as made, running_node(made.config) as node:
        log = made.serve(SmallLog().grow(300))
        until(lambda: len(made.posted()) == 1)
        other = made.serve(log.fork(250).grow(100, "other"))
        until(lambda: made.said("SplitViewFound"))
        made.grow(other, 50)
        until(lambda: b"ipx_node_open_split_views 1.0" in node.get("/metrics").body)
        assert is_ready(node)
        assert len(made.posted()) == 1
        (event,) = made.said("SplitViewFound")
        assert event.statement.source == NANJING
        assert event.statement.addressee == OPERATOR
        (found,) = node.command("split-views")["split_views"]
        assert (found["seen_size"], found["offered_size"], found["reason"]) == (300, 350, None)
        assert found["seen_note"].encode() == log.checkpoint()
        made.serve(log.grow(1))
        assert node.command("clear-split-view", ORIGIN, "--reason", "the ledger was restored") == {
            "origin": ORIGIN,
            "cleared": 1,
        }
        until(lambda: len(made.posted()) == 2)
        assert made.posted()[1] == (NANJING, text(log, 301))
        assert len(made.said("SplitViewFound")) == 1


def test_a_node_that_is_told_not_to_witness_asks_for_no_log(tmp_path: Path) -> None:
    with post(tmp_path, more="[witness]\nenabled = false") as made, running_node(made.config) as node:
        made.serve(SmallLog().grow(5))
        until(lambda: is_ready(node))
        assert node.command("status")["witness"]["logs"] == {}
        assert made.posted() == []


def test_the_witness_waits_out_a_gateway_that_is_away(tmp_path: Path) -> None:
    with post(tmp_path) as made, running_node(made.config):
        log = made.serve(SmallLog().grow(5))
        until(lambda: len(made.posted()) == 1)
        made.gateway.closed = True
        made.grow(log, 5)
        until(lambda: "could not be witnessed" in (made.config.parent / "node.log").read_text())
        made.gateway.closed = False
        until(lambda: len(made.posted()) == 2)
