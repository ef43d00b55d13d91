"""``ipx calendar`` on the real parts: a year comes, every case that waited for it is told once, whoever is interrupted and how often it is run.

There is no notice for 2027. The one here is made up for this test, and says so; the clock of the exchange is moved to the end of 2026.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.codec.envelope import Envelope
from services.events.transfer import CalendarApplied, TransferOpened
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant, parse_instant
from services.runtime.moved_clock import MovedClock, write_offset
from tests.broker.admission_rig import HANGZHOU, NANJING, RELEASED, ROOT, Record, Rig, initialised
from tests.broker.admitted_cases import AGREEMENT, CaseRig, Relay, Room, write_case_data
from tests.broker.waiting import wait_until

YEAR_END = parse_instant("2026-12-28T02:00:00.000Z")
CASES = 5
BEFORE, AFTER = "2027-01-18T15:59:59.999Z", "2027-01-19T15:59:59.999Z"
LATER = "2027-01-20T15:59:59.999Z"
"""15 working days from the day after 2026-12-28: by the week; with New Year's Day off; with the Monday after it off too."""
NOTICE = """
[[notice]]
title = "made up for a test: no notice for 2027 was seen"
number = "test {number}"
issued = 2026-12-{day}
confidence = "advisory"
source = "made up for a test"

[[notice.holiday]]
zh = "元旦"
en = "New Year's Day"
first = 2027-01-{first}
last = 2027-01-{last}
working = []
"""


class Scene(CaseRig):
    """A founded exchange at the end of 2026."""

    def calendar(self, *argv: str, wait_s: str = "60") -> subprocess.CompletedProcess[str]:
        environ = {**self.rig.exchange.environ, "IPX_MEMBERS_WAIT_S": wait_s}
        return subprocess.run(
            [sys.executable, "-m", "services", "calendar", *argv],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def said(self, *argv: str) -> dict[str, Any]:
        done = self.calendar(*argv, "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def open(self, number: int) -> Envelope:
        event = TransferOpened(kind="assistance_request", title="协助调查", facts="销售记录", requests="请协助取证")
        return self.rig.event(
            event,
            NANJING,
            f"TR-320100-2026-{number:06d}",
            agreement=AGREEMENT,
            addressee=HANGZHOU,
            time=self.now(),
        )

    def now(self) -> str:
        return format_instant(MovedClock(Path(self.rig.exchange.environ["IPX_CLOCK_FILE"])).now_ms())

    def entries(self, family: str, kind: str) -> list[Record]:
        return [
            record
            for records in self.rig.log(family).values()
            for record in records
            if record.entry.statement.type == f"cn.ipx.{kind}"
        ]

    def moved(self) -> Counter[tuple[str, str]]:
        """How often each end of each case was told as moved by a calendar."""
        schema = RELEASED.named("cn.ipx.notice.ClockMoved")
        found: Counter[tuple[str, str]] = Counter()
        for record in self.entries("notices", "notice.ClockMoved"):
            value = schema.decode(record.envelope.body)
            assert (value["why"], value["verdict"]["provisional"]) == ("calendar", False)
            assert record.entry.statement.addressees == (NANJING, HANGZHOU)
            found[record.entry.statement.subject, format_instant(value["verdict"]["due_at"])] += 1
        return found

    def wait_moved(self, expected: dict[tuple[str, str], int]) -> None:
        wait_until(lambda: self.moved() == expected, 60, lambda: (self.moved(), self.ends()))


@contextmanager
def founded(exchange: Any) -> Iterator[Scene]:
    data, years = write_case_data(exchange.state_dir / "data"), exchange.state_dir / "calendars"
    years.mkdir()
    for shipped in (SCHEMAS_DIR / "codes" / "calendars").glob("*.toml"):
        if int(shipped.stem) <= 2026:
            shutil.copy(shipped, years)
    clock = exchange.state_dir / "clock"
    write_offset(clock, YEAR_END - time.time_ns() // 1_000_000)
    exchange.environ.update(
        IPX_MEMBERS_DATA_DIR=str(data), IPX_MEMBERS_CALENDARS_DIR=str(years), IPX_CLOCK_FILE=str(clock)
    )
    scene = Scene(Rig(exchange, initialised(exchange)))
    try:
        yield scene
    finally:
        scene.close()


@pytest.fixture(scope="module")
def scene(make_exchange: Callable[[], Any]) -> Iterator[Scene]:
    """Five cases whose end lies in a year that nobody has published."""
    with make_exchange() as exchange, founded(exchange) as made:
        made.rig.start().wait_ready()
        made.start(Room)
        made.start(Relay)
        made.rig.propose([made.open(number) for number in range(CASES)])
        wait_until(lambda: made.said("show")["provisional"] == CASES, 60, made.ends)
        yield made


@pytest.fixture(scope="module")
def notice(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    directory = tmp_path_factory.mktemp("years")

    def write(*notices: tuple[int, str, str], name: str = "2027.toml") -> Path:
        text = "".join(
            NOTICE.format(number=number, day=10 + number, first=first, last=last) for number, first, last in notices
        )
        path = directory / name
        path.write_text(f"year = 2027\n{text}", "utf-8")
        return path

    return write


FIRST, SECOND, THIRD = (1, "01", "01"), (2, "04", "04"), (3, "05", "05")


def cases() -> list[str]:
    return [f"TR-320100-2026-{number:06d}" for number in range(CASES)]


def test_nothing_is_published_without_a_yes(scene: Scene, notice: Callable[..., Path]) -> None:
    done = scene.calendar("load", str(notice(FIRST)), "--json")
    assert done.returncode == 2
    assert scene.said("show")["last_year"] == 2026


def test_a_year_that_comes_moves_every_end_that_waited_and_tells_it_once(
    scene: Scene, notice: Callable[..., Path]
) -> None:
    told = scene.said("load", str(notice(FIRST)), "--yes")
    assert (told["published"], told["known"], told["cases"]) == (["test 1"], [], CASES)
    assert [one["case"] for one in told["moved"]] == cases()
    for one in told["moved"]:
        assert one["before"] == {"due_at": BEFORE, "state": "running", "provisional": True}
        assert one["after"] == {"due_at": AFTER, "state": "running", "provisional": False}
    scene.wait_moved({(case, AFTER): 1 for case in cases()})
    shown = scene.said("show", "2027")
    assert (shown["last_year"], shown["waiting"], shown["provisional"]) == (2027, 0, 0)


def test_run_again_it_says_so_and_changes_nothing(scene: Scene, notice: Callable[..., Path]) -> None:
    before = len(scene.entries("transfers", "transfer.CalendarApplied"))
    told = scene.said("load", str(notice(FIRST)), "--yes")
    assert (told["published"], told["known"], told["cases"], told["moved"]) == ([], ["test 1"], 0, [])
    assert len(scene.entries("transfers", "transfer.CalendarApplied")) == before == CASES
    assert scene.moved() == {(case, AFTER): 1 for case in cases()}


def test_a_notice_that_says_otherwise_under_the_same_number_is_refused(
    scene: Scene, notice: Callable[..., Path]
) -> None:
    done = scene.calendar("load", str(notice((1, "01", "03"), name="other.toml")), "--yes")
    assert done.returncode == 1
    assert "test 1" in done.stderr
    assert "Traceback" not in done.stderr


def test_killed_after_it_said_so_the_next_run_finishes_and_repeats_nothing(
    scene: Scene, notice: Callable[..., Path]
) -> None:
    room = scene.processes[0]
    room.stop()
    path = str(notice(FIRST, SECOND))
    half = subprocess.Popen(
        [sys.executable, "-m", "services", "calendar", "load", path, "--yes"],
        cwd=ROOT,
        env=scene.rig.exchange.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(
            lambda: len(scene.entries("transfers", "transfer.CalendarApplied")) == 2 * CASES, 60, scene.ends
        )  # the room is away: nothing of it is folded
    finally:
        half.send_signal(signal.SIGKILL)
        half.wait(10)
    assert scene.said("show")["waiting"] == CASES
    away = scene.calendar("load", path, "--yes", wait_s="2")
    assert away.returncode == 1
    assert "unavailable" in away.stderr
    scene.start(Room)
    told = scene.said("load", path, "--yes")
    assert (told["published"], told["known"]) == ([], ["test 1", "test 2"])
    scene.wait_moved({(case, end): 1 for case in cases() for end in (AFTER, LATER)})
    assert len(scene.entries("transfers", "transfer.CalendarApplied")) == 2 * CASES
    assert scene.said("show")["waiting"] == 0


def test_killed_before_it_said_so_the_next_run_says_it(scene: Scene, notice: Callable[..., Path]) -> None:
    path = str(notice(FIRST, SECOND, THIRD))
    admission = scene.rig.processes[0]
    admission.stop()
    half = scene.calendar(
        "load", path, "--yes", wait_s="20"
    )  # admits on the members log alone, as nobody else is there
    assert half.returncode == 1
    assert scene.said("show")["waiting"] == CASES
    scene.rig.start("2").wait_ready()
    told = scene.said("load", path, "--yes")
    assert told["published"] == []
    wait_until(lambda: scene.said("show")["waiting"] == 0, 60, scene.ends)
    assert len(scene.entries("transfers", "transfer.CalendarApplied")) == 3 * CASES
    wait_until(lambda: set(scene.moved().values()) == {1} and len(scene.moved()) == 3 * CASES, 60, scene.ends)


def test_nobody_but_the_operator_applies_a_calendar(scene: Scene) -> None:
    cause = scene.entries("members", "member.CalendarPublished")[-1].entry.statement.id
    event = CalendarApplied(year=2027, calendar_event=cause)
    forged = scene.rig.event(event, NANJING, cases()[0], addressee=HANGZHOU, cause=cause, time=scene.now())
    outcome = scene.rig.outcome_of(forged)
    assert (outcome["outcome"], outcome["code"]) == ("refused", "not-authorised")
