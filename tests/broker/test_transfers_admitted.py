"""A case through the real door: admission, the transfers room, the relay, admission again; and ``ipx audit replay`` of it all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services.events.transfer import TransferMoved, TransferOpened
from tests.broker.admission_rig import CLOCK, HANGZHOU, NANJING, XIHU, Rig, initialised
from tests.broker.admitted_cases import AGREEMENT, CaseRig, Relay, Room, write_case_data
from tests.broker.waiting import wait_until

CASE, OTHER = "TR-320100-2026-000001", "TR-320100-2026-000002"


class Scene(CaseRig):
    """Says something on a case, and waits for what the room says of it."""

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


@pytest.fixture
def scene(make_exchange: Callable[[], Any]) -> Iterator[Scene]:
    with make_exchange() as exchange:
        exchange.environ["IPX_MEMBERS_DATA_DIR"] = str(write_case_data(exchange.state_dir / "data"))
        made = Scene(Rig(exchange, initialised(exchange)))
        try:
            made.rig.start().wait_ready()
            made.start(Room)
            made.start(Relay)
            yield made
        finally:
            made.close()


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
