"""System tests: published cases on the real exchange, with every city's node and case system as processes of their own.

``first_run`` is one ``ipx demo`` that leaves its exchange up, in a directory of its own (or in ``IPX_TEST_SYSTEM_DIR``, which is not
ended: ``ipx down --state-dir DIR`` does); ``world`` is that exchange with one crew of cities. A run without them fails; nothing is
skipped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.codec.http import HttpClient, Reply
from services.codec.keys import Ed25519Signer, parse_private
from services.codec.token import issue
from services.demo.conduct import Conductor, Outcome, Standing
from services.demo.crew import Crew
from services.demo.exchange import hold_exchange
from services.demo.play import Play
from services.demo.roster import load_roster
from services.demo.scenario import Scenario, load_scenarios
from services.demo.stage import Stage, gateway_of, set_stage
from services.kernel.errors import IpxError
from services.platform import launch
from services.platform.launch import last_lines
from services.platform.layout import Layout
from services.platform.state import PlatformState, read_state
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemClock, SystemEntropy

HERE = Path(__file__).parent
KEPT_DIR = "IPX_TEST_SYSTEM_DIR"
RUN_WITHIN_S = 150.0
DEMO_WITHIN_S = 900.0
TEST_WITHIN_S = 900.0
PASSED_ON = frozenset({"IPX_CACHE_DIR"})
_runs = count(1)


@dataclass
class World:
    """A running exchange, running cities, and a hand to play cases and break things."""

    settings: CommonSettings
    stage: Stage
    http: HttpClient
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        return self.settings.state_dir / "logs"

    def state(self) -> PlatformState:
        state = read_state(Layout(self.settings.state_dir).state_file)
        assert state is not None
        return state

    def play(
        self, *names: str, watch: Callable[[Standing], None] = lambda _s: None, within_s: float = RUN_WITHIN_S
    ) -> Outcome:
        """Plays cases (all of them unless some are named) under new numbers."""
        return self.play_these(load_scenarios(names=names), watch=watch, within_s=within_s)

    def play_these(
        self,
        scenarios: tuple[Scenario, ...],
        *,
        watch: Callable[[Standing], None] = lambda _s: None,
        within_s: float = RUN_WITHIN_S,
    ) -> Outcome:
        run = f"T{SystemClock().now_ms() // 1000:X}{next(_runs)}"
        conductor = Conductor(self.settings, self.stage.desks, tend=self.stage.tend, watch=watch)
        return conductor.conduct([Play(s, run, self.stage.desks) for s in scenarios], within_s=within_s)

    def signer(self, organ: str) -> Ed25519Signer:
        """The key of an organ, as its node holds it."""
        return parse_private((self.settings.state_dir / "keys" / f"{organ}.key").read_text("utf-8").strip())

    def ask(self, organ: str, method: str, path: str, body: bytes | None = None, kind: str = "") -> Reply:
        """A request to the gateway as that organ."""
        token = issue(self.signer(organ), self.settings.exchange_name, SystemClock().now_ms())
        headers = {"authorization": f"Bearer {token}"} | ({"content-type": kind} if kind else {})
        return self.http.send(method, f"{gateway_of(self.settings)}{path}", body=body, headers=headers)

    def inbox(self, organ: str) -> list[dict[str, Any]]:
        """Everything in the organ's inbox, as the gateway hands it out."""
        items: list[dict[str, Any]] = []
        page = self.ask(organ, "GET", "/v1/inbox?after=start&limit=1000").json()
        while page["items"]:
            items += page["items"]
            page = self.ask(organ, "GET", f"/v1/inbox?after={page['cursor']}&limit=1000").json()
        return items

    def kill(self, part: str) -> int:
        """SIGKILL to a part of the exchange, once it is ready; its supervisor starts it again."""
        while True:
            self.wait_ready(part)
            pid = self.state().parts[part].pid
            if pid is None:
                continue
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # it was killed a moment ago, and its supervisor has not noticed yet
                time.sleep(0.1)
                continue
            return pid

    def wait_ready(self, part: str, *, not_pid: int | None = None, within_s: float = 60.0) -> None:
        """Until the part is ready again, as another process."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            found = self.state().parts[part]
            if found.condition == "ready" and found.pid not in (None, not_pid):
                return
            time.sleep(0.1)
        pytest.fail(f"{part} did not come back within {within_s} s")

    def pages(self) -> dict[str, str]:
        """The metrics page of every process, the text that it answers."""
        ports = dict(self.stage.place.nodes)
        ports |= {name: port for name, port in self.state().ports.items() if name.endswith("_metrics")}
        urls = {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}
        urls["gateway"] = f"http://127.0.0.1:{self.state().ports['gateway']}/metrics"
        return {name: self.http.send("GET", url).body.decode() for name, url in urls.items()}


@dataclass(frozen=True)
class DemoRun:
    """One ``ipx demo`` as a user runs it."""

    state_dir: Path
    environ: dict[str, str]
    code: int
    stdout: str
    stderr: str
    was_up_before: bool


def run_demo(state_dir: Path, environ: dict[str, str], *argv: str) -> DemoRun:
    """Runs it to its end."""
    was_up = launch.is_up(Layout(state_dir))
    command = [sys.executable, "-m", "services", "demo", "--json", "--state-dir", str(state_dir), *argv]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=DEMO_WITHIN_S, check=False)
    return DemoRun(state_dir, environ, done.returncode, done.stdout, done.stderr, was_up)


@pytest.fixture(scope="session")
def first_run() -> Iterator[DemoRun]:
    """The first ``ipx demo`` on a machine: nothing is up before it, and it is told to keep the exchange for the tests."""
    kept = os.environ.get(KEPT_DIR)
    state_dir = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="ipx-system-"))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("IPX_") or name in PASSED_ON}
    try:
        yield run_demo(state_dir, environ, "--keep")
    finally:
        if not kept:
            launch.stop(Layout(state_dir))
            shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def world(first_run: DemoRun) -> Iterator[World]:
    """The exchange that the first run left up, with cities of this session."""
    others = {n: os.environ.pop(n) for n in list(os.environ) if n.startswith("IPX_") and n not in PASSED_ON}
    state_dir = first_run.state_dir
    try:
        with (
            hold_exchange(state_dir, lambda *_: None, keep=True) as settings,
            Crew(state_dir / "demo", state_dir / "logs") as crew,
            HttpClient(timeout_s=30) as http,
        ):
            yield World(settings, set_stage(settings, load_roster(), crew, http, SystemEntropy()), http)
    except IpxError as error:
        pytest.fail(f"the exchange or its cities did not start: {error}", pytrace=False)
    finally:
        os.environ.update(others)


@pytest.fixture(scope="session")
def undisturbed(world: World) -> Outcome:
    """Every case, played once with nothing broken."""
    return world.play()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is below this folder, so that ``-m 'not broker'`` leaves it out by choice and never by chance.

    The tests of the command come first: a demo and the world would both run the nodes of the same participants.
    """
    own = [item for item in items if HERE in item.path.parents]
    for item in own:
        item.add_marker("broker")
        item.add_marker(pytest.mark.timeout(TEST_WITHIN_S))
    own.sort(key=lambda item: "world" in getattr(item, "fixturenames", ()))
    items[:] = own + [item for item in items if HERE not in item.path.parents]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Adds the end of every log of the world to the report of a test that failed in it."""
    report = yield
    found = getattr(item, "funcargs", {}).get("world")
    if report.failed and found is not None:
        for log in sorted(found.logs.glob("*.log")):
            report.sections.append((f"end of {log.name}", "\n".join(last_lines(log, 8))))
    return report
