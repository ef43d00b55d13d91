"""What the supervisor's process needs before it starts anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.errors import BadSettings
from services.platform import daemon
from services.platform.daemon import external_services, programs, take_lock, write_env
from services.platform.layout import Layout
from services.platform.program import Programs
from services.platform.settings import PlatformSettings
from services.runtime.settings import read_env_file, update_env_file
from tests.unit.services.platform.site import make_site


def test_a_service_is_somebody_elses_when_its_setting_is_in_the_environment():
    assert external_services({"IPX_KAFKA_BOOTSTRAP": "k:1", "IPX_REGISTRY_URL": "", "PATH": "/bin"}) == {"kafka": "k:1"}
    assert external_services({}) == {}


def test_only_one_process_holds_a_state_directory(tmp_path):
    layout = Layout(tmp_path / "made")
    lock = take_lock(layout)
    assert lock is not None
    assert take_lock(layout) is None
    lock.close()
    again = take_lock(layout)
    assert again is not None
    again.close()


def test_who_starts_nothing_of_the_platform_needs_no_programs_and_no_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(daemon, "find_spec", lambda name: pytest.fail(f"looked for {name}"))
    assert programs({"admission"}, tmp_path) == Programs()


def test_a_missing_package_is_told_with_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(daemon, "find_spec", lambda name: None)
    with pytest.raises(BadSettings, match=r"ipx\[local\]"):
        programs({"postgres"}, tmp_path)


def test_the_settings_of_the_services_are_written_and_those_of_others_kept(tmp_path):
    update_env_file(tmp_path / "env", {"IPX_ROOT_KEY": "key", "IPX_KAFKA_BOOTSTRAP": "old:1"})
    write_env(make_site(tmp_path, registry="http://theirs", postgres="postgresql://a@b/c"))
    assert read_env_file(tmp_path / "env") == {
        "IPX_EXCHANGE_NAME": "ipx",
        "IPX_KAFKA_BOOTSTRAP": "127.0.0.1:19092",
        "IPX_POSTGRES_DSN": "postgresql://a@b/c",
        "IPX_REGISTRY_URL": "http://theirs",
        "IPX_ROOT_KEY": "key",
    }


def test_an_exchange_whose_clock_is_moved_says_so_to_every_command_of_its_directory_for_ever(tmp_path):
    moved = tmp_path / "clock"
    settings = PlatformSettings.load({"IPX_CLOCK_FILE": str(moved)}, state_dir=tmp_path)
    write_env(replace(make_site(tmp_path), settings=settings))
    write_env(make_site(tmp_path))
    assert read_env_file(tmp_path / "env")["IPX_CLOCK_FILE"] == str(moved)
