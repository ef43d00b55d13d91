"""A case through the real door: admission, the transfers room, the relay, admission again; and ``ipx audit replay`` of it all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.events.transfer import TransferMoved, TransferOpened
from tests.broker.admission_rig import CLOCK, HANGZHOU, NANJING, XIHU, Rig, initialised, write_data
from tests.broker.running import Running
from tests.broker.waiting import wait_until

AGREEMENT = "handover@1"
CASE, OTHER = "TR-320100-2026-000001", "TR-320100-2026-000002"
PARTS = ("exchange.transfers", "exchange.ledger")
AGREEMENT_TOML = f"""
id = "handover"
version = 1
title_zh = "试验协议"
title_en = "Trial agreement"
status = "in_force"
valid_from = 2020-01-01T00:00:00+08:00
members = ["320000", "330000"]
signatories = ["{NANJING}", "{HANGZHOU}"]

[[flows]]
types = ["cn.ipx.transfer.TransferOpened", "cn.ipx.transfer.TransferMoved"]
from = ["market_regulator"]
to = ["market_regulator"]
"""


class Room(Running):
    """The transfers room."""

    argv = ("room", "run", "transfers")


class Relay(Running):
    """The relay of the rooms' outboxes."""

    argv = ("relay", "run")


@dataclass
class Scene:
    """Admission, room and relay over a founded exchange."""

    rig: Rig
    processes: list[Running] = field(default_factory=list)

    def propose(self, event: Any, source: str, to: str, case: str = CASE) -> None:
        self.rig.propose([self.rig.event(event, source, case, agreement=AGREEMENT, addressee=to)])

    def said(self) -> Counter[tuple[str, str, str]]:
        """Case, type and addressees of everything that the room derived and admission took."""
        return Counter(
            (statement.subject, statement.type.rpartition(".")[2], statement.addressee)
            for family in ("transfers", "notices")
            for records in self.rig.log(family).values()
            for statement in (record.entry.statement for record in records)
            if statement.source == "exchange.transfers"
        )

    def wait(self, *expected: tuple[str, str, str]) -> None:
        wait_until(lambda: self.said() == Counter(expected), 60, lambda: f"{self.said()}\n{self.ends()}")

    def ends(self) -> str:
        return "\n".join(process.end_of_log() for process in [*self.processes, *self.rig.processes])


@pytest.fixture
def scene(make_exchange: Callable[[], Any]) -> Iterator[Scene]:
    with make_exchange() as exchange:
        data = write_data(exchange.state_dir / "data")
        participants = (data / "participants.toml").read_text("utf-8")
        more = ",\n".join(
            f'{{ id = "{name}", name_zh = "{name}", name_en = "{name}", organ_type = "exchange", level = "exchange" }}'
            for name in PARTS
            if name not in participants
        )
        (data / "participants.toml").write_text(participants.replace("\n]\n", f",\n{more}\n]\n"), "utf-8")
        (data / "handover.toml").write_text(AGREEMENT_TOML, "utf-8")
        exchange.environ["IPX_MEMBERS_DATA_DIR"] = str(data)
        made = Scene(Rig(exchange, initialised(exchange)))
        try:
            made.rig.start().wait_ready()
            made.processes += [part(exchange).wait_ready() for part in (Room, Relay)]
            yield made
        finally:
            for process in made.processes:
                if process.process.poll() is None:
                    process.kill()
            made.rig.close()


def moved(move: str) -> TransferMoved:
    return TransferMoved(kind="assistance_request", move=move, happened_at=CLOCK.now_ms(), text="已取证")


def test_a_case_is_opened_moved_and_finished_and_every_word_of_it_is_admitted(scene: Scene) -> None:
    both = f"{NANJING},{HANGZHOU}"
    opened = TransferOpened(kind="assistance_request", title="协查", facts="检查发现", requests="请协助取证")
    scene.propose(opened, NANJING, HANGZHOU)
    started = (CASE, "ClockStarted", both)
    scene.wait(started)
    scene.propose(moved("finish"), XIHU, HANGZHOU)  # a stranger to the case; Hangzhou is none
    answers = [(CASE, "MoveHadNoEffect", HANGZHOU), (CASE, "MoveHadNoEffect", XIHU)]
    scene.wait(started, *answers)
    scene.propose(moved("finish"), HANGZHOU, NANJING)
    stopped = (CASE, "ClockStopped", both)
    scene.wait(started, *answers, stopped)
    scene.propose(moved("finish"), HANGZHOU, NANJING, OTHER)  # no such case: both are told the same
    scene.wait(started, *answers, stopped, (OTHER, "MoveHadNoEffect", both))

    done = scene.rig.exchange.ipx("audit", "replay", "--json", timeout_s=120)
    document = json.loads(done.stdout)
    assert (done.returncode, document["good"], document["findings"]) == (0, True, []), document
    assert (document["states"]["transfers"], document["folded"]["transfers"]) == (2, 7)
