"""Completeness on the real exchange: the ledger states, a node confirms, a node that lacks a copy disputes, and the log has it all."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from services.codec.released import load_released
from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated
from services.kernel.codes import day_of
from services.kernel.instants import format_day
from services.kernel.ports import SettableClock
from services.ledger.completeness import end_of_day_ms
from services.ledger.stater import Stater
from tests.broker.admission_rig import CLOCK, HANGZHOU, HANGZHOU_IP
from tests.broker.audit_rig import Whole, whole
from tests.broker.gateway_running import running_gateway
from tests.broker.node_running import running_node
from tests.broker.room_rig import pause_until

CLUES = 12
HOSTED = (HANGZHOU, HANGZHOU_IP)


@pytest.fixture
def made(exchange) -> Any:
    with whole(exchange) as running:
        yield running


def node_config(made: Whole, url: str) -> Path:
    """One node for two participants without a system; their keys are those that ``members init`` made."""
    folder = made.exchange.state_dir / "node"
    folder.mkdir()
    root = made.rig.signer("exchange.operator").public.line()
    lines = ["[node]", 'name = "hangzhou"', f'gateway = "{url}"', f'exchange = "{made.exchange.name}"']
    lines += [f'root_key = "{root}"', "[witness]", "enabled = false"]
    for participant in HOSTED:
        key = made.exchange.state_dir / "keys" / f"{participant}.key"
        lines += ["[[participants]]", f'id = "{participant}"', f'key_file = "{key}"']
    (folder / "node.toml").write_text("\n".join(lines) + "\n")
    return folder / "node.toml"


def kept(database: Path) -> dict[str, int]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        return dict(db.execute("select participant, count(*) from copies group by participant").fetchall())


@pytest.mark.timeout(300)
def test_a_node_confirms_what_it_has_and_disputes_what_it_lacks(made) -> None:
    rig = made.rig
    with (
        running_gateway(made.exchange, IPX_ROOT_KEY="") as gateway,
        running_node(node_config(made, gateway.url)) as node,
    ):
        rig.propose(rig.clues(CLUES))
        rig.wait_outcomes(CLUES)
        database = node.config.parent / "node.db"
        pause_until(lambda: kept(database) == dict.fromkeys(HOSTED, CLUES), within_s=60, what="the node has every copy")
        with sqlite3.connect(database, timeout=20) as db:
            [(log, number)] = db.execute(
                "select log, number from copies where participant = ? order by log, number desc limit 1", (HANGZHOU_IP,)
            ).fetchall()
            db.execute(
                "delete from copies where participant = ? and log = ? and number = ?", (HANGZHOU_IP, log, number)
            )
        made.wait_signed()

        # the night comes: the ledger of the exchange looks once, as it would after midnight
        today = day_of(CLOCK.now_ms())
        stater = Stater(
            made.exchange.settings,
            made.exchange.state_dir / "ledger",
            signer=rig.signer("exchange.ledger"),
            released=load_released(),
            clock=SettableClock(end_of_day_ms(today) + 120_000),
            look_s=3600,
        )
        stater.start()
        logs = sum(1 for records in rig.log("clues").values() if records)
        answers = (CompletenessConfirmed.TYPE, CompletenessDisputed.TYPE)
        made.wait_log("receipts", lambda types: sum(types.count(name) for name in answers) == 2 * logs)
        stater.stop()
        stater.require()

    done = made.exchange.ipx("ledger", "completeness", "--day", format_day(today), "--json", timeout_s=120)
    assert done.returncode == 1, done.stderr
    statements = json.loads(done.stdout)["statements"]
    of_clues = [one for one in statements if "clues" in one["log"]]
    assert {(one["recipient"], one["log"]) for one in of_clues if one["state"] == "disputed"} == {(HANGZHOU_IP, log)}
    assert sum(one["count"] for one in of_clues if one["recipient"] == HANGZHOU) == CLUES
    assert {one["state"] for one in of_clues if one["recipient"] == HANGZHOU} == {"confirmed"}
    [disputed] = [one for one in of_clues if one["state"] == "disputed"]
    assert disputed["answer"]["differs_at"] == number
    assert disputed["answer"]["count"] == disputed["count"] - 1
    stated = [
        r
        for records in rig.log("receipts").values()
        for r in records
        if r.entry.statement.type == CompletenessStated.TYPE
    ]
    assert all(r.entry.statement.source == "exchange.ledger" for r in stated)
    table = made.exchange.ipx("ledger", "completeness", timeout_s=120)
    assert "disputed" in table.stdout
