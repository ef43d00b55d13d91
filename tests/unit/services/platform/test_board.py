"""What the supervisor says about its parts, everywhere at once."""

from __future__ import annotations

import pytest

from services.kernel.ports import SettableClock
from services.platform.board import Board
from services.platform.parts import PLATFORM
from services.platform.state import Condition, PlatformState, read_state
from services.runtime.health import Checks
from services.runtime.metrics import PLATFORM_RESTARTS, PLATFORM_RUNNING, Metrics
from tests.unit.services.platform.site import make_site

KAFKA = next(part for part in PLATFORM if part.name == "kafka")


class Told:
    """A board and the places where it writes."""

    def __init__(self, root, **external: str) -> None:
        self.file = root / "state.json"
        self.clock = SettableClock(1_000)
        self.metrics = Metrics("platform")
        self.checks = Checks(self.metrics, "kafka")
        self.board = Board(make_site(root, **external), PlatformState(), self.clock, self.metrics, self.checks)
        self.board.open(KAFKA)

    @property
    def kafka(self):
        return read_state(self.file).parts["kafka"]


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path)


def test_a_part_that_is_to_run_waits_at_its_port(told):
    assert (told.kafka.condition, told.kafka.port, told.kafka.since_ms) == (Condition.WAITING, 19092, 1_000)
    assert told.kafka.details["bootstrap"] == "127.0.0.1:19092"
    assert told.checks.reason("kafka") == "waiting"


def test_somebody_elses_service_is_external_and_good(tmp_path):
    told = Told(tmp_path, kafka="k:1")
    assert (told.kafka.condition, told.kafka.port, told.kafka.details["bootstrap"]) == (Condition.EXTERNAL, None, "k:1")
    assert told.checks.reason("kafka") is None


def test_since_is_when_the_condition_began_and_not_when_something_else_changed(told):
    told.clock.advance(500)
    told.board.note(KAFKA, condition=Condition.STARTING)
    told.clock.advance(500)
    told.board.note(KAFKA, pid=7)
    assert (told.kafka.since_ms, told.kafka.pid) == (1_500, 7)


def test_a_ready_part_passes_its_check_and_runs(told):
    told.board.note(KAFKA, condition=Condition.READY, pid=7)
    assert told.checks.reason("kafka") is None
    assert told.metrics.value(PLATFORM_RUNNING, part="kafka") == 1


def test_a_restart_is_counted_once_and_fails_the_check(told):
    told.board.note(KAFKA, condition=Condition.READY, pid=7)
    for error in ("ended with exit code 1", "ended with exit code 2"):
        told.board.note(KAFKA, condition=Condition.RESTARTING, pid=None, error=error)
    assert told.metrics.value(PLATFORM_RESTARTS, part="kafka") == 1
    assert told.metrics.value(PLATFORM_RUNNING, part="kafka") == 0
    assert told.checks.reason("kafka") == "restarting"


def test_the_platform_as_a_whole_is_told_too(told):
    told.board.tell(bootstrap="done")
    assert read_state(told.file).bootstrap == "done"
