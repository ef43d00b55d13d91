"""The node is killed at each step of its work, under load, and started again: nothing is lost, nothing is said twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.runtime.shell import SystemClock
from tests.broker.node_running import RunningCity, running_city, running_node, until
from tests.broker.small_gateway import SmallGateway, small_gateway
from tests.unit.connectors.node_rig import clue
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, OPERATOR, SmallExchange, signer_of

CLUES = 12
HANDLED = ("ClueReported", "ClueAccepted", "ClueVerified", "ClueFiled")
RULES = """
[[rules]]
steps = [{ do = "accept" }, { do = "verify", outcome = "SHEXIAN_WEIFA", after_s = 0.05 }, { do = "file", after_s = 0.05 }]
"""


@dataclass
class Road:
    """Two cities, one node for both, and the exchange between them."""

    exchange: SmallExchange
    gateway: SmallGateway
    nanjing: RunningCity
    hangzhou: RunningCity
    config: Path

    def admitted(self) -> Counter[str]:
        with self.gateway.lock:
            return Counter(e.statement.type.rpartition(".")[2] for e in self.exchange.admitted)

    def is_done(self, clues: int = CLUES) -> bool:
        found = self.admitted()
        return all(found[name] == clues for name in HANDLED) and found["Committed"] == clues * len(HANDLED)


@contextmanager
def road(folder: Path, **more: Any) -> Iterator[Road]:
    exchange = SmallExchange(participants=(NANJING, HANGZHOU), clock=SystemClock(), **more)
    with (
        small_gateway(exchange) as gateway,
        running_city(folder / "nanjing") as nanjing,
        running_city(folder / "hangzhou", dialect="nested", rules=RULES) as hangzhou,
    ):
        yield Road(exchange, gateway, nanjing, hangzhou, write_config(folder, gateway.url, nanjing, hangzhou))


def write_config(folder: Path, gateway: str, nanjing: RunningCity, hangzhou: RunningCity, pace: str = "") -> Path:
    lines = [
        "[node]",
        'name = "both"',
        'exchange = "small"',
        f'gateway = "{gateway}"',
        f'root_key = "{signer_of(OPERATOR).public.line()}"',
        "resend_after_s = 3",
    ]
    for participant, dialect, city in ((NANJING, "320100", nanjing), (HANGZHOU, "330100", hangzhou)):
        key = folder / f"{participant}.key"
        key.write_text(signer_of(participant).private_line())
        key.chmod(0o600)
        lines += [
            "[[participants]]",
            f'id = "{participant}"',
            f'key_file = "{key.name}"',
            "[participants.city]",
            f'dialect = "{dialect}"',
            f'url = "{city.url}"',
            "poll_s = 0.1",
            "timeout_s = 2",
            pace,
            "[participants.city.retry]",
            "first_s = 0.1",
            "most_s = 0.5",
        ]
    path = folder / "node.toml"
    path.write_text("\n".join(lines))
    return path


def clues(count: int = CLUES, **more: Any) -> list[dict[str, Any]]:
    made = []
    for number in range(1, count + 1):
        one = clue(f"2026-{number:06d}", **more)
        del one["lsh"], one["sjlx"], one["fssj"]  # the system gives these itself
        made.append(one)
    return made


def check_nothing_lost_nothing_twice(made: Road) -> None:
    admitted = made.admitted()
    assert {name: admitted[name] for name in HANDLED} == dict.fromkeys(HANDLED, CLUES)
    assert admitted["Delivered"] == admitted["Committed"] == CLUES * len(HANDLED)
    assert admitted["Rejected"] == admitted["NotCommitted"] == 0
    assert "conflict" not in made.gateway.outcomes
    assert "refused" not in made.gateway.outcomes
    held = made.hangzhou.holdings()["clues"]
    assert len(held) == CLUES
    assert len({row["nr"]["jiaohuanXinxi"]["jiaohuanBianhao"] for row in held}) == CLUES
    answers = Counter(row["nr"]["fklx"] for row in made.nanjing.holdings()["answers"])
    assert answers == {"SL": CLUES, "HC": CLUES, "LA": CLUES}


def test_an_undisturbed_run_brings_every_clue_there_and_every_result_back(tmp_path: Path) -> None:
    with road(tmp_path) as made, running_node(made.config) as node:
        made.nanjing.enter(*clues())
        until(made.is_done, 60)
        check_nothing_lost_nothing_twice(made)
        until(lambda: all(check["ok"] for check in node.checks().values()))
        status = node.command("status")
        assert status["dead_letters"] == status["unverified"] == 0
        assert status["participants"][HANGZHOU]["deliveries"]["committed"] == CLUES
        listed = node.command("outbox", "--kind", "event", "--limit", "1000")["outbox"]
        assert {row["state"] for row in listed} == {"admitted"}


@pytest.mark.parametrize(
    "point",
    [
        "node.after_pull:2",
        "node.after_intake:2",
        "node.after_post",
        "node.after_post:3",
        "node.before_store:2",
        "node.after_store:2",
        "node.after_push:5",
        "node.after_answer:5",
    ],
)
def test_a_kill_at_each_step_loses_nothing_and_repeats_nothing(tmp_path: Path, point: str) -> None:
    with road(tmp_path) as made:
        made.nanjing.enter(*clues())
        with running_node(made.config, fault_at=point) as node:
            assert node.ended() == 137
        with running_node(made.config):
            until(made.is_done, 60)
            check_nothing_lost_nothing_twice(made)


def test_kills_at_any_moment_under_load_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    with road(tmp_path) as made:
        for step in range(4):
            made.nanjing.enter(*clues()[step * 3 : step * 3 + 3])
            with running_node(made.config) as node:
                reached = (step + 1) * 5
                until(lambda wanted=reached: sum(made.admitted().values()) >= wanted, 30)
                node.kill()
        with running_node(made.config):
            until(made.is_done, 60)
            check_nothing_lost_nothing_twice(made)


def test_sigterm_ends_the_node_in_good_order(tmp_path: Path) -> None:
    with road(tmp_path) as made:
        with running_node(made.config) as node:
            until(lambda: all(check["ok"] for check in node.checks().values()))
            node.process.terminate()
            assert node.ended() == 0
        assert "Traceback" not in node.log()
