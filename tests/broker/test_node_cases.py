"""A case to and fro through the real exchange: each party's node and an auditor compute the same verdict bytes, and never asked one another.

The auditor has an exported archive and the root key, the nodes their own databases. Two officers type at their cities' systems.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from services.kernel.instants import format_instant
from tests.broker.admission_rig import CLOCK, HANGZHOU, NANJING, POLICE, Rig, initialised
from tests.broker.admitted_cases import write_case_data
from tests.broker.audit_rig import QUICK, Whole
from tests.broker.gateway_running import running_gateway
from tests.broker.node_running import RunningCity, node_command, running_city, running_node
from tests.broker.room_rig import pause_until

ROOT = Path(__file__).resolve().parents[2]
REQUEST, REFERRAL = "TR-320100-2026-000041", "TR-330100-2026-000007"
CHINA = timezone(timedelta(hours=8))


@dataclass
class Played:
    """Two nodes with their cities, and the exchange between them."""

    whole: Whole
    nanjing: RunningCity
    hangzhou: RunningCity
    configs: dict[str, Path]

    @property
    def exchange(self) -> Any:
        return self.whole.exchange

    def type_in(self, city: RunningCity, form: str, fields: dict[str, Any]) -> None:
        """What an officer types in at the desk."""
        reply = city.http.send("POST", f"/desk/forms/{form}", body=json.dumps(fields).encode())
        assert reply.status == 200, reply.body

    def wait_told(self, city: RunningCity, table: str, count: int) -> list[dict[str, Any]]:
        """Waits until a city's system holds so many documents of a kind."""
        pause_until(lambda: len(city.holdings()[table]) >= count, within_s=60, what=f"{city.name}: {count} {table}")
        found: list[dict[str, Any]] = city.holdings()[table]
        return [row["nr"] for row in found]

    def cases(self, node: str, at: str) -> list[dict[str, Any]]:
        """``ipx node cases``."""
        found: list[dict[str, Any]] = node_command(self.configs[node], "cases", "--at", at)["cases"]
        return found


@contextmanager
def founded(exchange: Any) -> Iterator[Whole]:
    """The exchange with the transfers room; organs of two cities may hand cases to one another."""
    exchange.environ["IPX_MEMBERS_DATA_DIR"] = str(write_case_data(exchange.state_dir / "data"))
    exchange.environ.update(QUICK)
    made = Whole(Rig(exchange, initialised(exchange)))
    try:
        made.rig.start().wait_ready()
        for argv in (("ledger", "run"), ("room", "run", "transfers"), ("relay", "run")):
            made.start(*argv)
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
        made.rig.close()


def write_config(folder: Path, made: Whole, gateway: str, cities: dict[str, tuple[str, str]]) -> Path:
    """``node.toml`` of a node that hosts these participants, each with dialect and address of its system."""
    folder.mkdir()
    lines = [
        "[node]",
        f'name = "{folder.name}"',
        f'gateway = "{gateway}"',
        f'exchange = "{made.exchange.name}"',
        f'root_key = "{made.rig.signer("exchange.operator").public.line()}"',
        "members_poll_s = 0.5",
        "[witness]",
        "enabled = false",
    ]
    for participant, (dialect, url) in cities.items():
        key = made.exchange.state_dir / "keys" / f"{participant}.key"
        lines += ["[[participants]]", f'id = "{participant}"', f'key_file = "{key}"']
        if url:
            lines += ["[participants.city]", f'dialect = "{dialect}"', f'url = "{url}"', "poll_s = 0.2"]
    (folder / "node.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "node.toml"


@pytest.fixture(scope="module")
def played(make_exchange, tmp_path_factory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("cases")
    with ExitStack() as stack:
        made = stack.enter_context(founded(stack.enter_context(make_exchange())))
        gateway = stack.enter_context(running_gateway(made.exchange, IPX_ROOT_KEY=""))
        nanjing = stack.enter_context(running_city(folder / "nj"))
        hangzhou = stack.enter_context(running_city(folder / "hz", dialect="nested"))
        configs = {
            "nanjing": write_config(folder / "nanjing", made, gateway.url, {NANJING: ("320100", nanjing.url)}),
            "hangzhou": write_config(
                folder / "hangzhou", made, gateway.url, {HANGZHOU: ("330100", hangzhou.url), POLICE: ("", "")}
            ),
        }
        for config in configs.values():
            stack.enter_context(running_node(config))
        yield Played(made, nanjing, hangzhou, configs)


def ago(days: int) -> str:
    """So many days ago, as the nested dialect writes it."""
    then = datetime.fromtimestamp(CLOCK.now_ms() / 1000, UTC).astimezone(CHINA) - timedelta(days=days)
    return then.isoformat(timespec="seconds")


def to_and_fro(made: Played) -> None:
    """Nanjing asks; Hangzhou takes longer, says so, finishes, and is told that a second finish has no effect; Hangzhou refers a crime."""
    asks = {"ajbh": "2026-000041", "ajlx": "XZDC", "jsdqh": "330100", "jsdwlx": "SJ"}
    made.type_in(
        made.nanjing, "transfer", {**asks, "bt": "协助调查", "aq": "包装标注杭州某厂。", "qq": "查明供货数量。"}
    )
    (came,) = made.wait_told(made.hangzhou, "cases", 1)
    assert came["jiaohuanXinxi"]["jiaohuanBianhao"] == REQUEST
    (number,) = [row["slbh"] for row in made.hangzhou.holdings()["cases"]]
    longer = {"qixianGuize": "A8", "yanqiLeixing": "JIEMANQIANGAOZHIQINGQIUJI", "yanqiShichang": 10}
    for moves, step in enumerate(({"leixing": "YANCHANGQIXIAN", **longer}, {"leixing": "WANCHENGXIEZHU"}), start=1):
        made.hangzhou.act(number, do="move", shuoming="已核查", **step)
        made.wait_told(made.nanjing, "moves", moves)
    made.type_in(made.nanjing, "move", {"ajbh": "2026-000041", "czlx": "CH", "sm": "不再需要"})
    told = made.wait_told(made.nanjing, "moves", 3)
    assert [one["fklx"] for one in told] == ["AJCZ", "AJCZ", "WSX"]
    earlier = [
        {"shixiang": "TICHUYISONGBAOGAO", "shijian": ago(20)},
        {"shixiang": "PIZHUNYISONG", "shijian": ago(1)},
    ]
    crime = {
        "bianhao": "2026-000007",
        "leixing": "SHEXIANFANZUIANJIANYISONG",
        "biaoti": "销售假冒商品",
        "anqing": "金额巨大。",
    }
    made.type_in(
        made.hangzhou,
        "transfer",
        {"anjian": {**crime, "qianxuShixiang": earlier}, "jiaohuanXinxi": {"jieshouDanwei": POLICE}},
    )


@pytest.mark.timeout(300)
def test_each_node_and_the_auditor_of_an_archive_give_the_same_verdict_bytes(played: Played) -> None:
    to_and_fro(played)
    kinds = [one["txlx"] for one in played.wait_told(played.nanjing, "terms", 3)]
    assert kinds == ["QS", "BD", "ZJ"]
    made = played.whole

    def is_told() -> bool:
        at = format_instant(CLOCK.now_ms())
        rows = {row["case"]: row for row in played.cases("hangzhou", at) if row["participant"] == POLICE}
        return REFERRAL in rows and rows[REFERRAL]["told"] >= 2

    pause_until(is_told, within_s=60, what="the police are told of the clocks of the referral")
    at = format_instant(CLOCK.now_ms())
    shown = {(row["participant"], row["case"]): row for node in played.configs for row in played.cases(node, at)}
    assert set(shown) == {(NANJING, REQUEST), (HANGZHOU, REQUEST), (HANGZHOU, REFERRAL), (POLICE, REFERRAL)}
    assert all(row["whole"] and row["party"] and row["differs"] == [] for row in shown.values())

    code, audited = made.audit("verdicts", "--at", at)
    assert (code, audited["findings"]) == (0, [])
    digests = {one["verdicts"]["case"]: one["digest"] for one in audited["cases"]}
    assert {key: row["digest"] for key, row in shown.items()} == {key: digests[key[1]] for key in shown}
    states = {
        one["verdicts"]["case"]: {c["clock"]: c["state"] for c in one["verdicts"]["clocks"]} for one in audited["cases"]
    }
    assert states[REQUEST] == {"A8/1": "met"}
    assert "late" in states[REFERRAL].values()

    folder = made.exchange.state_dir / "archive"
    pause_until(lambda: export(made, folder) == 0, within_s=60, what="the archive is exported")
    offline = audit_offline(made, folder, at)
    assert (offline["good"], offline["cases"]) == (True, audited["cases"])
    one = audit_offline(made, folder, at, "--case", REQUEST)
    assert [case["digest"] for case in one["cases"]] == [digests[REQUEST]]


@pytest.mark.timeout(120)
def test_a_node_without_an_exchange_computes_its_cases_all_the_same(played: Played) -> None:
    """The configuration names a gateway that is not there: nothing is asked of it."""
    config = played.configs["nanjing"]
    text = config.read_text("utf-8").replace("http://127.0.0.1:", "http://127.0.0.1:1/")
    alone = config.with_name("alone.toml")
    alone.write_text(text, "utf-8")
    at = format_instant(CLOCK.now_ms())
    assert node_command(alone, "cases", "--at", at)["cases"] == played.cases("nanjing", at)
    assert node_command(alone, "cases", "--case", "TR-1")["cases"] == []


def export(made: Whole, folder: Path) -> int:
    """Exit code of an export into a new folder."""
    if folder.exists():
        return 0
    return int(made.exchange.ipx("audit", "export", str(folder), "--json", timeout_s=120).returncode)


def audit_offline(made: Whole, folder: Path, at: str, *more: str) -> dict[str, Any]:
    """``ipx audit verdicts`` where there is neither Kafka nor state directory."""
    root = made.rig.signer("exchange.operator").public.line()
    environ = {"PATH": "/usr/bin:/bin", "IPX_KAFKA_BOOTSTRAP": "127.0.0.1:1", "IPX_STATE_DIR": "/nonexistent/state"}
    argv = [sys.executable, "-m", "services", "audit", "verdicts", "--archive", str(folder), "--root-key", root]
    done = subprocess.run(
        [*argv, "--at", at, "--json", *more],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(json.loads(done.stdout))
