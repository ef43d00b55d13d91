"""The state file: read back as written, replaced as a whole, for its owner alone."""

from __future__ import annotations

import json
import stat

import pytest

from services.kernel.errors import Corrupt
from services.platform.state import (
    Condition,
    PartState,
    PlatformState,
    format_state,
    parse_state,
    read_state,
    write_state,
)

STATE = PlatformState(
    exchange="ipx",
    pid=7,
    created=12.5,
    ports={"kafka": 19092},
    parts={
        "kafka": PartState(Condition.READY, 8, 13.5, 19092, 1000, 2, True, None, "/logs/kafka.log", {"bootstrap": "b"}),
        "registry": PartState(Condition.EXTERNAL, details={"url": "http://r", "management_port": 1}),
    },
    bootstrap="done",
)


def test_a_state_is_read_back_as_it_was_written(tmp_path):
    write_state(tmp_path / "state.json", STATE)
    assert read_state(tmp_path / "state.json") == STATE
    assert parse_state(format_state(PlatformState())) == PlatformState()


def test_readers_find_pid_port_and_details_beside_one_another():
    data = json.loads(format_state(STATE))
    assert (data["version"], data["exchange"], data["pid"]) == (1, "ipx", 7)
    assert data["parts"]["kafka"]["pid"] == 8
    assert data["parts"]["kafka"]["bootstrap"] == "b"
    assert data["parts"]["registry"]["url"] == "http://r"


def test_the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it(tmp_path):
    write_state(tmp_path / "state.json", STATE)
    write_state(tmp_path / "state.json", PlatformState())
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_no_file_is_no_state(tmp_path):
    assert read_state(tmp_path / "state.json") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "parts": {}}',
        '{"version": 1}',
        '{"version": 1, "parts": {"kafka": {}}}',
        '{"version": 1, "parts": {}, "other": 1}',
    ],
)
def test_another_file_is_refused(text):
    with pytest.raises(Corrupt):
        parse_state(text)


def test_one_part_changes_and_the_others_stay():
    changed = STATE.with_part("kafka", condition=Condition.RESTARTING, pid=None)
    assert (changed.parts["kafka"].condition, changed.parts["kafka"].pid) == (Condition.RESTARTING, None)
    assert changed.parts["kafka"].restarts == 2
    assert changed.parts["registry"] == STATE.parts["registry"]
    assert STATE.with_part("new").parts["new"] == PartState()


def test_what_is_neither_ready_nor_somebody_elses_is_not_ready():
    assert STATE.not_ready == ()
    assert STATE.with_part("kafka", condition=Condition.STARTING).not_ready == ("kafka",)
