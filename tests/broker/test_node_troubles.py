"""One bad city never slows another; nothing is lost while a part is away; nobody sees what the agreement withholds."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.runtime.shell import SystemClock
from tests.broker.node_running import RunningCity, RunningNode, node_command, running_city, running_node, until
from tests.broker.small_gateway import SmallGateway, small_gateway
from tests.broker.test_node_crash import clues
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, OPERATOR, RELEASED, SUZHOU, SmallExchange, signer_of

SECRETS = ("320106199003071234", "南京市某路1号")
SHOWN = ("举报人某某", "13800000000")


@dataclass
class Three:
    """Nanjing sends; Hangzhou is well; Suzhou is troubled. One node hosts all three."""

    exchange: SmallExchange
    gateway: SmallGateway
    cities: dict[str, RunningCity]
    config: Path

    def receipts(self, name: str, recipient: str) -> list[dict[str, Any]]:
        """Values of the receipts of that kind that a recipient signed."""
        with self.gateway.lock:
            admitted = self.exchange.types_admitted(name)
        return [RELEASED.named(e.statement.type).decode(e.body) for e in admitted if e.statement.source == recipient]


@contextmanager
def three(folder: Path, pace: str = "", **more: Any) -> Iterator[Three]:
    exchange = SmallExchange(clock=SystemClock(), **more)
    with (
        small_gateway(exchange) as gateway,
        running_city(folder / "nanjing") as nanjing,
        running_city(folder / "hangzhou", dialect="nested") as hangzhou,
        running_city(folder / "suzhou") as suzhou,
    ):
        cities = {NANJING: nanjing, HANGZHOU: hangzhou, SUZHOU: suzhou}
        yield Three(exchange, gateway, cities, _config(folder, gateway, cities, pace))


def _config(folder: Path, gateway: SmallGateway, cities: dict[str, RunningCity], pace: str) -> Path:
    lines = ["[node]", 'name = "three"', 'exchange = "small"', f'gateway = "{gateway.url}"']
    lines += [f'root_key = "{signer_of(OPERATOR).public.line()}"', "resend_after_s = 3"]
    for participant, city in cities.items():
        key = folder / f"{participant}.key"
        key.write_text(signer_of(participant).private_line())
        key.chmod(0o600)
        lines += ["[[participants]]", f'id = "{participant}"', f'key_file = "{key.name}"', "[participants.city]"]
        lines += [f'dialect = "{participant[:6]}"', f'url = "{city.url}"', "poll_s = 0.1", "timeout_s = 1", pace]
        lines += ["[participants.city.retry]", "first_s = 0.1", "most_s = 0.3", "jitter = 0.0"]
        lines += ["attempts = 4" if "few" in pace else "attempts = 500"]
        lines += ["[participants.city.breaker]", "rest_s = 0.2", "most_rest_s = 0.5"]
    path = folder / "node.toml"
    path.write_text("\n".join(line for line in lines if line != "few"))
    return path


def for_suzhou(count: int) -> list[dict[str, Any]]:
    made = clues(count, jsdqh="320500")
    return [{**one, "xsbh": f"2026-9{n:05d}"} for n, one in enumerate(made)]


@pytest.mark.parametrize(
    "trouble",
    [
        {"mode": "down"},
        {"mode": "slow", "seconds": 30},
        {"mode": "fail"},
        {"mode": "nonsense", "kind": "html"},
        {"mode": "nonsense", "kind": "cut"},
        {"mode": "hollow"},
    ],
    ids=lambda t: t.get("kind", t["mode"]),
)
def test_a_troubled_city_delays_nobody_and_gets_everything_when_it_is_well_again(
    tmp_path: Path, trouble: dict[str, Any]
) -> None:
    with three(tmp_path, committed_within_s=2) as made, running_node(made.config) as node:
        made.cities[SUZHOU].control(where="push", **trouble)
        made.cities[NANJING].enter(*for_suzhou(5), *clues(10))
        until(lambda: len(made.receipts("Committed", HANGZHOU)) == 10)
        assert made.receipts("Committed", SUZHOU) == []
        assert made.cities[SUZHOU].holdings()["clues"] == []
        # the negative receipt comes at the time limit of the agreement, and trying goes on
        late = until(lambda: (found := made.receipts("NotCommitted", SUZHOU)) and len(found) == 5 and found)
        assert all(value["still_trying"] for value in late)
        until(lambda: not node.checks()[f"push {SUZHOU}"]["ok"])
        assert node.checks()[f"push {HANGZHOU}"]["ok"]
        made.cities[SUZHOU].control(mode="normal")
        until(lambda: len(made.receipts("Committed", SUZHOU)) == 5)
        assert len(made.cities[SUZHOU].holdings()["clues"]) == 5
        assert made.receipts("Rejected", SUZHOU) == []


def test_a_refusing_city_is_rejected_with_its_code_and_the_sender_is_told(tmp_path: Path) -> None:
    with three(tmp_path) as made, running_node(made.config):
        made.cities[SUZHOU].control(mode="refuse", code="1001", text="不属于本机关管辖")
        made.cities[NANJING].enter(*for_suzhou(2))
        values = until(lambda: (found := made.receipts("Rejected", SUZHOU)) and len(found) == 2 and found)
        assert {(v["code"], v["city_code"], v["reason"]) for v in values} == {
            ("not-our-jurisdiction", "1001", "不属于本机关管辖")
        }
        answers = until(lambda: (held := made.cities[NANJING].holdings()["answers"]) and len(held) == 2 and held)
        assert {row["nr"]["fklx"] for row in answers} == {"JS"}
        assert {row["nr"]["jsdm"] for row in answers} == {"not-our-jurisdiction"}
        assert made.receipts("Committed", SUZHOU) == []


def test_what_never_gets_through_is_a_dead_letter_that_can_be_driven_again(tmp_path: Path) -> None:
    with three(tmp_path, pace="few") as made, running_node(made.config) as node:
        made.cities[SUZHOU].control(mode="nonsense", kind="html")
        made.cities[NANJING].enter(*for_suzhou(1))
        (value,) = until(lambda: made.receipts("NotCommitted", SUZHOU))
        assert (value["still_trying"], value["last_error"], value["attempts"]) == (False, "nonsense", 4)
        (letter,) = node.command("dead-letters")["dead_letters"]
        assert (letter["way"], letter["code"]) == ("to_city", "nonsense")
        made.cities[SUZHOU].control(mode="normal")
        (marked,) = node.command("redrive", "--item", letter["item"])["redriven"]
        assert marked["connector"] == SUZHOU
        until(lambda: len(made.receipts("Committed", SUZHOU)) == 1)
        until(lambda: node.command("dead-letters")["dead_letters"] == [])


def test_a_gateway_that_is_away_at_the_start_and_later_loses_nothing(tmp_path: Path) -> None:
    with three(tmp_path) as made:
        made.gateway.closed = True
        with running_node(made.config) as node:
            made.cities[NANJING].enter(*clues(3))
            until(lambda: _waiting(node) == 3)
            assert not node.checks()["members"]["ok"]
            assert node.get("/livez").status == 200
            assert node.get("/readyz").status == 503
            made.gateway.closed = False
            until(lambda: len(made.receipts("Committed", HANGZHOU)) == 3, 40)
            made.gateway.closed = True
            made.cities[NANJING].enter(*[{**one, "xsbh": f"{one['xsbh']}-2"} for one in clues(3)])
            until(lambda: _waiting(node) == 3)
            made.gateway.closed = False
            until(lambda: len(made.receipts("Committed", HANGZHOU)) == 6, 40)
            until(lambda: node.get("/readyz").status == 200, 40)


def _waiting(node: RunningNode) -> int:
    counts = node.command("status")["participants"][NANJING]["outbox"]
    return int(counts.get("event.new", 0))


def test_a_city_that_is_away_when_the_node_starts_is_read_when_it_comes(tmp_path: Path) -> None:
    with three(tmp_path) as made:
        port = int(made.cities[NANJING].url.rpartition(":")[2])
        made.cities[NANJING].enter(*clues(2))
        made.cities[NANJING].kill()
        with running_node(made.config) as node:
            until(lambda: node.checks()[f"pull {NANJING}"]["reason"] == "unreachable")
            with running_city(tmp_path / "nanjing", port=port):
                until(lambda: len(made.receipts("Committed", HANGZHOU)) == 2, 40)


def test_a_bulk_hand_over_rests_on_one_batch_signature(tmp_path: Path) -> None:
    with three(tmp_path) as made:
        made.cities[NANJING].enter(*clues(254))
        with running_node(made.config):
            until(lambda: len(made.receipts("Committed", HANGZHOU)) == 254, 90)
        reported = made.exchange.types_admitted("ClueReported")
        assert {e.signature.rpartition(":")[2] for e in reported} == {reported[0].signature.rpartition(":")[2]}
        assert reported[0].signature.startswith("ed25519-batch:")
        assert len(made.cities[HANGZHOU].holdings()["clues"]) == 254
        assert len({e.statement.id for e in reported}) == 254


def test_the_recipient_sees_exactly_what_the_agreement_discloses_and_no_log_shows_even_that(tmp_path: Path) -> None:
    with three(tmp_path) as made, running_node(made.config) as node:
        made.cities[NANJING].enter(*clues(2), {**clues(1)[0], "xsbh": "2026-8", "qqlx": "77"})
        until(lambda: len(made.receipts("Committed", HANGZHOU)) == 2)
        until(lambda: node.command("status")["dead_letters"] == 1)
        held = json.dumps(made.cities[HANGZHOU].holdings(), ensure_ascii=False)
        assert all(word in held for word in SHOWN)
        assert not any(word in held for word in SECRETS)
        commands = (("status",), ("outbox", "--limit", "1000"), ("dead-letters",))
        told = [json.dumps(node.command(*argv), ensure_ascii=False) for argv in commands]
        told += [node.log(), node.get("/metrics").body.decode(), node.get("/readyz").body.decode()]
        for word in (*SECRETS, *SHOWN, "网店销售"):
            assert not any(word in text for text in told), word


def test_metrics_and_logs_say_what_was_done_for_whom(tmp_path: Path) -> None:
    with three(tmp_path) as made, running_node(made.config) as node:
        made.cities[NANJING].enter(*clues(2))
        until(lambda: len(made.receipts("Committed", HANGZHOU)) == 2)
        metrics = node.get("/metrics").body.decode()
        assert f'ipx_node_committed_events_total{{participant="{HANGZHOU}"}} 2.0' in metrics
        assert f'ipx_node_pulled_records_total{{target="{NANJING}"}} 2.0' in metrics
        lines = [json.loads(line) for line in node.log().splitlines() if line.startswith("{")]
        committed = [line for line in lines if line["event"] == "committed" and line["target"] == HANGZHOU]
        assert len(committed) == 2
        assert all(len(line["trace_id"]) == 32 and line["event_id"] for line in committed)


def test_a_node_without_a_root_key_does_not_start(tmp_path: Path) -> None:
    with three(tmp_path) as made:
        text = made.config.read_text()
        made.config.write_text("\n".join(line for line in text.splitlines() if not line.startswith("root_key")))
        with pytest.raises(AssertionError, match="bad-settings"), running_node(made.config):
            time.sleep(0)


def test_the_commands_of_a_node_that_never_ran_say_so(tmp_path: Path) -> None:
    with three(tmp_path) as made, pytest.raises(AssertionError, match="no database"):
        node_command(made.config, "status")
