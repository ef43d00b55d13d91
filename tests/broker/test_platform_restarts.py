"""What the supervisor does when parts, or it itself, are killed; each test has a platform of its own, small as it can be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer

from services.platform.postgres import connect
from services.runtime.settings import CommonSettings
from services.runtime.topic_admin import apply_topics, open_admin
from services.runtime.topics import Topics, load_topics
from tests.broker.waiting import wait_until
from tests.conftest import run_ipx

BACK_WITHIN_S = 90


class OwnPlatform:
    """A state directory, and the commands on it."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        others = {name: value for name, value in os.environ.items() if not name.startswith("IPX_")}
        self.environ = {**others, "IPX_STATE_DIR": str(state_dir)}

    def up(self, *only: str, **settings: str):
        return run_ipx("up", "--only", ",".join(only), environ={**self.environ, **settings}, timeout_s=120)

    def down(self):
        return run_ipx("down", environ=self.environ, timeout_s=60)

    def status(self) -> dict:
        return json.loads(run_ipx("status", "--json", environ=self.environ).stdout)

    def settings(self) -> CommonSettings:
        return CommonSettings.load({"IPX_STATE_DIR": str(self.state_dir)})

    def wait_ready(self) -> dict:
        return wait_until(
            lambda: seen if (seen := self.status())["ready"] else None, BACK_WITHIN_S, self.status, every_s=0.2
        )

    def processes(self) -> list[psutil.Process]:
        return [p for p in psutil.process_iter() if str(self.state_dir) in " ".join(_command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.fixture
def own():
    platform = OwnPlatform(Path(tempfile.mkdtemp(prefix="ipx-own-")))
    yield platform
    platform.down()
    left = platform.processes()
    shutil.rmtree(platform.state_dir, ignore_errors=True)
    assert left == []


def test_a_killed_broker_is_back_with_what_was_acknowledged(own):
    assert own.up("kafka").returncode == 0
    settings = own.settings()
    topic = Topics("ipx").proposals("clues")
    with open_admin(settings) as admin:
        apply_topics(admin, load_topics().specs(Topics("ipx")))
    producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap, acks="all")
    producer.send(topic, key=b"CL-1", value=b"kept").get(timeout=10)
    producer.close()
    before = own.status()["parts"]["kafka"]

    os.kill(before["pid"], signal.SIGKILL)

    after = own.wait_ready()["parts"]["kafka"]
    assert after["pid"] != before["pid"]
    assert (after["restarts"], after["port"]) == (1, before["port"])
    consumer = KafkaConsumer(
        topic, bootstrap_servers=settings.kafka_bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000
    )
    assert next(consumer).value == b"kept"
    consumer.close()


def test_a_killed_database_is_back_and_the_registry_with_it(own):
    assert own.up("postgres", "registry").returncode == 0
    before = own.status()["parts"]
    with connect(own.settings().postgres_dsn.get_secret_value()) as connection:
        connection.execute("create table kept (id int)")

    os.kill(before["postgres"]["pid"], signal.SIGKILL)

    after = own.wait_ready()["parts"]
    assert after["postgres"]["restarts"] >= 1
    with connect(own.settings().postgres_dsn.get_secret_value()) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == ("kept",)


def test_down_stops_everything_and_the_second_up_finds_its_data_at_the_same_ports(own):
    assert own.up("postgres").returncode == 0
    ports = own.status()["parts"]["postgres"]["port"]
    with connect(own.settings().postgres_dsn.get_secret_value()) as connection:
        connection.execute("create table kept (id int)")

    said = own.down()
    assert (said.returncode, said.stdout) == (0, "stopped: postgres\n")
    assert own.processes() == []
    assert own.status()["condition"] == "down"

    assert own.up("postgres").returncode == 0
    assert own.status()["parts"]["postgres"]["port"] == ports
    with connect(own.settings().postgres_dsn.get_secret_value()) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == ("kept",)


def test_up_when_it_is_up_says_so_and_changes_nothing(own):
    assert own.up("postgres").returncode == 0
    before = own.status()

    again = own.up("postgres")
    assert (again.returncode, "already up" in again.stderr) == (0, True)
    assert own.status() == before

    more = own.up("postgres", "kafka")
    assert (more.returncode, "to start kafka" in more.stderr) == (1, True)
    assert own.status() == before


def test_parts_of_a_killed_supervisor_are_told_and_ended_by_down(own):
    assert own.up("postgres").returncode == 0
    os.kill(own.status()["supervisor_pid"], signal.SIGKILL)

    seen = own.status()
    assert (seen["condition"], seen["ready"]) == ("abandoned", False)
    assert seen["parts"]["postgres"]["answers"] is True

    said = own.down()
    assert "the supervisor was gone" in said.stdout
    assert own.processes() == []


def test_a_killed_supervisor_is_followed_by_a_new_one_that_ends_what_it_left(own):
    assert own.up("postgres").returncode == 0
    before = own.status()
    os.kill(before["supervisor_pid"], signal.SIGKILL)

    assert own.up("postgres").returncode == 0
    after = own.status()
    assert after["condition"] == "up"
    assert after["parts"]["postgres"]["port"] == before["parts"]["postgres"]["port"]
    assert before["parts"]["postgres"]["pid"] not in {process.pid for process in own.processes()}


def test_a_part_that_cannot_start_is_named_with_its_log_and_advice_and_nothing_is_left_running(own):
    wrong = own.state_dir / "wrong.properties"
    wrong.write_text("process.roles=nonsense\n", "utf-8")

    said = own.up("kafka", "postgres", IPX_PLATFORM_KAFKA_PROPERTIES=str(wrong))

    assert said.returncode == 1
    assert "kafka did not start" in said.stderr
    assert "nonsense" in said.stderr
    assert "IPX_KAFKA_BOOTSTRAP" in said.stderr  # what to do
    assert own.processes() == []


def test_a_wrong_artifact_is_refused_with_its_name_before_anything_starts(own, tmp_path):
    from services.platform.artifacts import load_lock
    from services.platform.layout import Layout, cache_dir

    cache = cache_dir(Layout(own.state_dir), None)
    for artifact in load_lock():
        (tmp_path / artifact.file).symlink_to(cache / artifact.file)
    clients = next(artifact.file for artifact in load_lock() if artifact.artifact == "kafka-clients")
    (tmp_path / clients).unlink()
    (tmp_path / clients).write_bytes((cache / clients).read_bytes() + b"x")

    said = own.up("kafka", IPX_CACHE_DIR=str(tmp_path))

    assert said.returncode == 1
    assert "corrupt" in said.stderr
    assert clients in said.stderr
    assert own.processes() == []
    assert own.status()["condition"] == "down"


def test_a_service_that_the_settings_point_at_is_not_started(own, platform):
    said = own.up("postgres", "kafka", IPX_KAFKA_BOOTSTRAP=platform.kafka_bootstrap)

    assert said.returncode == 0
    assert f"kafka is not started: IPX_KAFKA_BOOTSTRAP points at {platform.kafka_bootstrap}" in said.stderr
    seen = own.status()
    assert (seen["parts"]["kafka"]["condition"], seen["parts"]["kafka"]["answers"]) == ("external", True)
    assert seen["parts"]["kafka"]["pid"] is None
    assert own.settings().kafka_bootstrap == platform.kafka_bootstrap
