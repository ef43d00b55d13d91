"""Fixtures for tests that need the real Kafka, registry and PostgreSQL: ``platform`` (one per run), ``exchange`` (one per test).

A run without them fails; nothing is skipped. To keep one platform from run to run while developing:
``export IPX_TEST_STATE_DIR=/tmp/ipx-test`` (it is started there when it is not up, and left up; ``ipx down`` ends it).

``exchange`` has a name of its own, so its topics, groups and database are nobody else's; ``exchange.environ`` starts any
``ipx`` command on it. When a test fails, the end of each part's log is in the report.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.platform.state import PlatformState
    from services.runtime.settings import CommonSettings
    from services.runtime.topics import Groups, Topics

HERE = Path(__file__).parent
PLATFORM = "kafka,registry,postgres"
START_TIMEOUT_S = 600  # the first run on a machine fetches the artifacts
TAIL_LINES = 15
LINE_CHARS = 300
REGISTRY_WITHIN_S = 60.0
REGISTRY_ANSWERS = 20
REPORTED = pytest.StashKey[Path]()


def run_ipx(*argv: str, environ: dict[str, str], timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs an ``ipx`` command to its end and returns what it said; does not judge the exit code."""
    return subprocess.run(
        [sys.executable, "-m", "services", *argv],
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """The real parts that this run of the tests uses."""

    state_dir: Path
    kafka_bootstrap: str
    registry_url: str
    postgres_dsn: str

    def state(self) -> PlatformState:
        """How the supervisor says the parts are."""
        from services.platform.layout import Layout
        from services.platform.state import read_state

        state = read_state(Layout(self.state_dir).state_file)
        assert state is not None
        return state


@dataclass(frozen=True, slots=True)
class TestExchange:
    """One exchange of a test's own: topics made, database empty, no process started."""

    __test__ = False

    name: str
    settings: CommonSettings
    topics: Topics
    groups: Groups
    environ: dict[str, str]

    @property
    def state_dir(self) -> Path:
        """A directory of this exchange alone, gone after the test."""
        return self.settings.state_dir

    @property
    def postgres_dsn(self) -> str:
        """Its own database, with the password."""
        return self.settings.postgres_dsn.get_secret_value()

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """A Kafka admin client."""
        from services.runtime.topic_admin import open_admin

        with open_admin(self.settings) as admin:
            yield admin

    def ensure_participants(self, *participants: str) -> None:
        """Inbox and outbox topics of these participants exist."""
        from services.runtime.topic_admin import ensure_participant_topics

        with self.admin() as admin:
            ensure_participant_topics(admin, self.topics, participants)

    def ipx(self, *argv: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs an ``ipx`` command on this exchange."""
        return run_ipx(*argv, environ=self.environ, timeout_s=timeout_s)


@pytest.fixture(scope="session")
def platform() -> Iterator[RunningPlatform]:
    """Kafka, registry and PostgreSQL, started once per run or taken from ``IPX_TEST_STATE_DIR``."""
    kept = os.environ.get("IPX_TEST_STATE_DIR")
    state_dir = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="ipx-test-"))
    environ = {**os.environ, "IPX_STATE_DIR": str(state_dir)}
    started = run_ipx("up", "--only", PLATFORM, environ=environ, timeout_s=START_TIMEOUT_S)
    if started.returncode != 0:
        pytest.fail(f"the platform did not start:\n{started.stdout}{started.stderr}", pytrace=False)
    try:
        yield _running(state_dir)
    finally:
        if not kept:
            run_ipx("down", environ=environ, timeout_s=120)
            shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def make_exchange(platform: RunningPlatform) -> Callable[[], Any]:
    """``with make_exchange() as exchange:`` for tests that want more than one, or one for a whole module."""
    return lambda: _exchange(platform)


@pytest.fixture
def exchange(platform: RunningPlatform, request: pytest.FixtureRequest) -> Iterator[TestExchange]:
    """An exchange of this test's own on the platform."""
    with _exchange(platform) as made:
        request.node.stash[REPORTED] = made.state_dir
        yield made


def _running(state_dir: Path) -> RunningPlatform:
    from services.runtime.settings import CommonSettings

    settings = CommonSettings.load(state_dir=state_dir)
    return RunningPlatform(
        state_dir=state_dir,
        kafka_bootstrap=settings.kafka_bootstrap,
        registry_url=settings.registry_url,
        postgres_dsn=settings.postgres_dsn.get_secret_value(),
    )


def _wait_for_registry(url: str) -> None:
    """Until it answers again and again: a test before this one may have killed its database, and some of its connections are dead a while."""
    from services.codec.http import HttpClient
    from services.kernel.errors import Transient
    from tests.broker.waiting import wait_until

    with HttpClient(timeout_s=10) as http:

        def is_well() -> bool:
            try:
                return http.send("GET", f"{url}/subjects").status == 200
            except Transient:
                return False

        wait_until(lambda: all(is_well() for _ in range(REGISTRY_ANSWERS)), REGISTRY_WITHIN_S, f"{url} answers")


@contextmanager
def _exchange(platform: RunningPlatform) -> Iterator[TestExchange]:
    from services.platform.postgres import connect, ensure_database, sibling
    from services.runtime.settings import CommonSettings
    from services.runtime.topic_admin import apply_topics, open_admin
    from services.runtime.topics import Groups, Topics, load_topics

    name = f"t{uuid.uuid4().hex[:10]}"
    ensure_database(platform.postgres_dsn, name)
    state_dir = Path(tempfile.mkdtemp(prefix=f"ipx-{name}-"))
    told = {
        "IPX_EXCHANGE_NAME": name,
        "IPX_KAFKA_BOOTSTRAP": platform.kafka_bootstrap,
        "IPX_REGISTRY_URL": platform.registry_url,
        "IPX_POSTGRES_DSN": sibling(platform.postgres_dsn, name),
        "IPX_STATE_DIR": str(state_dir),
    }
    others = {key: value for key, value in os.environ.items() if not key.startswith("IPX_")}
    settings = CommonSettings.load(told)
    with open_admin(settings) as admin:
        apply_topics(admin, load_topics().specs(Topics(name)))
    _wait_for_registry(platform.registry_url)
    try:
        yield TestExchange(name, settings, Topics(name), Groups(name), {**others, **told})
    finally:
        with open_admin(settings) as admin:
            admin.delete_topics([topic for topic in admin.list_topics() if topic.startswith(f"{name}.")])
        with connect(platform.postgres_dsn) as connection:
            connection.execute(f'drop database if exists "{name}" with (force)')  # the name is ours, letters and digits
        shutil.rmtree(state_dir, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first."""
    items.sort(key=lambda item: ("system" not in _folders(item), "broker" not in _folders(item)))


def _folders(item: pytest.Item) -> tuple[str, ...]:
    return item.path.relative_to(HERE).parts[:-1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist loadfile`` the tests of the system, which share one exchange and its cities, stay together too, whatever file they are in.

    By the names of the files alone: groups by mark do not reach the scheduler with pytest 9.
    """
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByPlatform(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "tests/system" if file.startswith("tests/system/") else file

    return ByPlatform(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Adds the end of every part's log to the report of a test that failed on the platform."""
    report = yield
    if report.failed and "platform" in getattr(item, "fixturenames", ()):
        running = getattr(item, "funcargs", {}).get("platform")
        directories = [running.state_dir] if running is not None else []
        directories += [item.stash[REPORTED]] if REPORTED in item.stash else []
        for log in (log for directory in directories for log in sorted((directory / "logs").glob("*.log"))):
            from services.platform.launch import last_lines

            lines = (line[:LINE_CHARS] for line in last_lines(log, TAIL_LINES))
            report.sections.append((f"end of {log.name}", "\n".join(lines)))
    return report
