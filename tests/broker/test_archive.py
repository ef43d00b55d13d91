"""An archive of a real exchange: exported while it runs, then verified and read with the exchange gone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.audit.archive_reading import open_archive
from services.audit.verify_log import read_members
from services.kernel.codes import day_of
from services.kernel.instants import format_day
from services.runtime.topics import load_topics
from tests.broker.admission_rig import CLOCK, HANGZHOU, NANJING
from tests.broker.audit_rig import Whole, whole

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(make_exchange) -> Any:
    with make_exchange() as exchange, whole(exchange) as running:
        running.work()
        yield running


def export(made: Whole, name: str, *options: str) -> dict[str, Any]:
    folder = made.exchange.state_dir / name
    done = made.exchange.ipx("audit", "export", str(folder), "--json", *options, timeout_s=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def offline(made: Whole, *argv: str) -> subprocess.CompletedProcess[str]:
    """An ``ipx`` command where there is neither Kafka nor state directory: a root key and the archive alone."""
    root = made.rig.signer("exchange.operator").public.line()
    environ = {"PATH": "/usr/bin:/bin", "IPX_KAFKA_BOOTSTRAP": "127.0.0.1:1", "IPX_STATE_DIR": "/nonexistent/state"}
    command = [sys.executable, "-m", "services", *argv, "--root-key", root]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.timeout(300)
def test_an_archive_is_the_whole_exchange_and_verifies_without_it(made) -> None:
    done = export(made, "archive")
    folder = made.exchange.state_dir / "archive"
    root = made.rig.signer("exchange.operator").public
    source = open_archive(folder, root)
    assert source.check_all() == done["files"]
    members = read_members(source)
    assert members.findings == ()
    assert source.is_signed(members.history.latest)

    for family in ("clues", "receipts", "members"):
        topic = made.exchange.topics.log(family)
        for partition, records in made.rig.log(family).items():
            line = done["logs"][f"{topic}/{partition}"]
            found = list(source.topic(topic, partition))
            assert len(found) == line["next"]
            live = [(r.offset, r.key, dict(r.headers), r.value) for r in records[: line["size"]]]
            assert [(r.offset, r.key, dict(r.headers), r.value) for r in found] == live
    for participant in (HANGZHOU, NANJING):
        topic = made.exchange.topics.inbox(participant)
        archived = [(r.offset, r.value) for r in source.topic(topic, 0)]
        live = [(r.offset, r.value) for r in made.rig.inbox(participant)]
        assert set(archived) <= set(live)
        assert len(archived) >= 4

    checked = offline(made, "audit", "verify-log", "--archive", str(folder), "--json")
    assert checked.returncode == 0, checked.stdout[-3000:] + checked.stderr[-3000:]
    replayed = offline(made, "audit", "replay", "--archive", str(folder), "--json")
    assert replayed.returncode == 0, replayed.stdout[-3000:] + replayed.stderr[-3000:]

    record = next(p for p in sorted(folder.glob(f"records/{made.exchange.topics.log('clues')}/*/*.avro")))
    held = record.read_bytes()
    record.write_bytes(held[:-30] + bytes([held[-30] ^ 1]) + held[-29:])
    refused = offline(made, "audit", "verify-log", "--archive", str(folder), "--json")
    record.write_bytes(held)
    assert refused.returncode != 0
    assert str(record.relative_to(folder)) in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.timeout(300)
def test_a_day_of_the_exchange_is_archived_with_the_whole_members_log(made) -> None:
    today = format_day(day_of(CLOCK.now_ms()))
    done = export(made, "today", "--from", today, "--until", today)
    logs = done["logs"]
    assert logs[f"{made.exchange.topics.log('members')}/0"]["first"] == 0
    assert (
        sum(logs[f"{made.exchange.topics.log('clues')}/{n}"]["next"] for n in range(load_topics().families["clues"]))
        >= 4
    )
    yesterday = format_day(day_of(CLOCK.now_ms()) - 9)
    empty = export(made, "empty", "--until", yesterday)
    assert all(line["next"] == 0 for log, line in empty["logs"].items() if "members" not in log)
    again = made.exchange.ipx("audit", "export", str(made.exchange.state_dir / "today"), timeout_s=60)
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
