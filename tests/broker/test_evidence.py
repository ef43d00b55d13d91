"""Evidence on a real exchange: from an event that a city sent to a file that verifies with nothing else at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.codec.content import parse_disclosure
from services.codec.entry import parse_entry
from services.codec.evidence import parse_evidence
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.tlog_policy import Policy, format_policy
from services.kernel.families import FAMILIES
from services.verifier.command import load_routes
from services.verifier.verify import Options, verify
from tests.broker.admission_rig import NANJING, PARTS, RELEASED, STRANGER, Rig, founded
from tests.broker.gateway_running import Client, RunningGateway, running_gateway, until
from tests.broker.ledger_rig import SIGNER, Process

CLUE = "cn.ipx.clue.ClueReported"


@dataclass(frozen=True, slots=True)
class Running:
    """The exchange with admission, ledger and gateway."""

    rig: Rig
    gateway: RunningGateway

    def client(self, participant: str) -> Client:
        made = Client(self.gateway, self.rig.exchange, participant)
        made.signer = self.rig.signer(participant)
        return made

    def policy(self) -> Policy:
        """The keys of the logs, and no witnesses: nobody follows this exchange."""
        name = self.rig.exchange.name
        origins = [f"{name}/{family}/{partition}" for family in FAMILIES for partition in range(8)]
        keys = [log_key(origin, log_signer(SIGNER, origin).public.data) for origin in origins]
        return Policy({key.name: key for key in keys}, {}, (), "none")

    def options(self) -> Options:
        return Options(root=self.rig.signer("exchange.operator").public, routes=load_routes())

    def admitted(self, number: int) -> str:
        """A clue that was sent, and is in a checkpoint."""
        event = self.rig.clue(number)
        reply = self.client(NANJING).publish(event, wait=20)
        assert reply.json()["outcomes"][0]["outcome"] == "admitted", reply.body
        path = f"/v1/events/{event.statement.id}/evidence"
        until(lambda: self.client(NANJING).get(path).status == 200, 30)
        return event.statement.id


@pytest.fixture(scope="module")
def running(make_exchange) -> Iterator[Running]:
    with make_exchange() as exchange, founded(exchange) as rig:
        key_file = exchange.state_dir / "keys" / f"{LEDGER}.key"
        key_file.write_text(f"{SIGNER.private_line()}\n")
        key_file.chmod(0o600)
        rig.start().wait_ready()
        ledger = Process(exchange)
        try:
            with running_gateway(exchange, IPX_ROOT_KEY="") as gateway:
                yield Running(rig, gateway)
        finally:
            ledger.stop()


def shown(data: bytes) -> set[str]:
    return set(parse_disclosure(RELEASED.named(CLUE), parse_evidence(data).disclosure).salts)


@pytest.mark.timeout(180)
def test_source_and_recipients_get_a_file_that_verifies_each_with_its_fields(running: Running) -> None:
    event = running.admitted(1)
    whole = running.client(NANJING).get(f"/v1/events/{event}/evidence").body
    copies = {one.recipient: set(one.withheld) for one in parse_entry(parse_evidence(whole).entry).deliveries}
    assert len(copies) == 2
    for viewer, withheld in ((NANJING, set[str]()), *copies.items()):
        reply = running.client(viewer).get(f"/v1/events/{event}/evidence")
        report = verify(reply.body, running.policy(), running.options())
        assert report.first_bad is None, report.first_bad
        assert (report.event, shown(reply.body)) == (event, set(RELEASED.named(CLUE).restricted) - withheld)
        assert reply.headers["ipx-witnessed"] == "not-yet"


@pytest.mark.timeout(180)
def test_nobody_else_learns_that_there_is_such_an_event(running: Running) -> None:
    event = running.admitted(2)
    asked = [event, "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52", "x"]
    told = [running.client(STRANGER).get(f"/v1/events/{one}/evidence") for one in asked]
    assert {reply.status for reply in told} == {404}
    assert len({json.dumps({**reply.json(), "instance": ""}) for reply in told}) == 1


@pytest.mark.timeout(180)
def test_the_commands_take_an_event_id_to_a_proof_and_find_the_byte_that_was_changed(
    running: Running, tmp_path: Path
) -> None:
    event = running.admitted(3)
    file, policy = tmp_path / "event.json", tmp_path / "policy"
    policy.write_bytes(format_policy(running.policy()))
    ipx = running.rig.exchange.ipx

    made = ipx("audit", "evidence", event, "-o", str(file), "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["witnessed"] is False
    assert shown(file.read_bytes()) == set()
    assert b"13900000000" not in file.read_bytes()

    good = ipx("audit", "verify", str(file), "--policy", str(policy), "--json")
    assert (good.returncode, json.loads(good.stdout)["event"]) == (0, event)
    file.write_bytes(file.read_bytes().replace(b"admitted: 2", b"admitted: 3", 1))
    bad = ipx("audit", "verify", str(file), "--policy", str(policy))
    assert bad.returncode == 1
    assert "Traceback" not in bad.stdout + bad.stderr


@pytest.mark.timeout(180)
def test_an_event_of_the_members_log_can_be_proved_too(running: Running, tmp_path: Path) -> None:
    records = [record for partition in running.rig.log("members").values() for record in partition]
    file = tmp_path / "member.json"
    for record in (records[0], records[len(PARTS)], records[-1]):
        made = running.rig.exchange.ipx("audit", "evidence", record.entry.statement.id, "-o", str(file))
        assert made.returncode == 0, made.stderr
        assert verify(file.read_bytes(), running.policy(), running.options()).first_bad is None


@pytest.mark.timeout(180)
def test_an_id_that_is_nowhere_is_one_line_and_exit_1(running: Running, tmp_path: Path) -> None:
    done = running.rig.exchange.ipx(
        "audit", "evidence", "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52", "-o", str(tmp_path / "x")
    )
    assert done.returncode == 1
    assert done.stderr.startswith("ipx: not-found")
    assert not (tmp_path / "x").exists()
