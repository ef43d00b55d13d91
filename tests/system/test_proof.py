"""From an event of the demo to a proof that a stranger can check: the commands of the README, with the cities as witnesses."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from services.codec.evidence import parse_evidence
from services.demo.conduct import Outcome
from tests.conftest import run_ipx
from tests.system.conftest import World

SHANGHAI = "310000.market_regulator"
WITNESSED_WITHIN_S = 60.0


def an_event_of(world: World) -> str:
    """One that Shanghai sent: the cause of a receipt in its inbox."""
    found = [item for item in world.inbox(SHANGHAI) if item["type"].endswith(".Delivered")]
    return str(found[0]["ipxcause"])


def test_the_commands_of_the_readme_lead_from_an_event_to_a_proof_with_a_quorum_of_cities(
    world: World, undisturbed: Outcome, tmp_path: Path
) -> None:
    environ = {"IPX_STATE_DIR": str(world.settings.state_dir), "PATH": "/usr/bin:/bin"}
    event, file, policy = an_event_of(world), tmp_path / "event.json", tmp_path / "policy"
    until = time.monotonic() + WITNESSED_WITHIN_S
    told: dict[str, object] = {"witnessed": False}
    while not told["witnessed"] and time.monotonic() < until:
        made = run_ipx("audit", "evidence", event, "-o", str(file), "--json", environ=environ)
        assert made.returncode == 0, made.stderr
        told = json.loads(made.stdout)
    assert told["witnessed"], told
    printed = run_ipx("ledger", "policy", environ=environ)
    policy.write_text(printed.stdout, encoding="utf-8")
    root = world.settings.root_key
    assert root is not None

    argv = ["-m", "services.verifier", str(file), "--policy", str(policy), "--root", root, "--json"]
    stranger = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, check=False, env={})
    report = json.loads(stranger.stdout)
    assert (stranger.returncode, report["event"]) == (0, event), stranger.stdout
    findings = {step["number"]: step["finding"] for step in report["steps"]}
    assert findings[5] == "ok", "the cosignatures of the cities' nodes meet the quorum"
    assert {number for number, finding in findings.items() if finding != "ok"} == {16, 18}

    evidence = parse_evidence(file.read_bytes())
    changed = file.read_bytes().replace(f'"index {evidence.proof.index}"'.encode(), b'"index 999999"')
    file.write_bytes(changed)
    again = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, check=False, env={})
    assert again.returncode == 1
