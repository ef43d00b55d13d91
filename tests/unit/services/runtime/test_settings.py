"""Settings: read once, typed, unknown names refused, secrets hidden, the env file under the environment."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError

from services.kernel.errors import BadSettings
from services.runtime import settings as module
from services.runtime.settings import CommonSettings, known_names, read_env_file, update_env_file

CLASSES = "_classes"


@pytest.fixture(autouse=True)
def _no_class_of_another_test(monkeypatch):
    monkeypatch.setattr(module, CLASSES, {})


@pytest.fixture
def bench():
    class BenchSettings(CommonSettings):
        room: ClassVar[str] = "bench"
        bench_events: int = 10

    return BenchSettings


def load(tmp_path, cls=CommonSettings, **environ):
    return cls.load({"IPX_STATE_DIR": str(tmp_path), **environ})


def test_defaults_stand_when_nothing_is_set(tmp_path):
    settings = load(tmp_path)
    assert (settings.exchange_name, settings.metrics_port, settings.log_format) == ("ipx", 0, "json")
    assert settings.state_dir == tmp_path


def test_the_environment_wins_over_the_env_file_and_the_file_over_the_default(tmp_path):
    update_env_file(tmp_path / "env", {"IPX_KAFKA_BOOTSTRAP": "127.0.0.1:1", "IPX_EXCHANGE_NAME": "fromfile"})
    settings = load(tmp_path, IPX_EXCHANGE_NAME="fromenv")
    assert (settings.exchange_name, settings.kafka_bootstrap, settings.log_level) == ("fromenv", "127.0.0.1:1", "info")


def test_an_empty_value_is_no_value(tmp_path):
    assert load(tmp_path, IPX_ROOT_KEY="", IPX_METRICS_PORT="").root_key is None


@pytest.mark.parametrize("name", ["IPX_FOO", "IPX_KAFKA_BOOTSTRAPS", "IPX_GATEWAYS_PORT", "IPX_"])
def test_an_unknown_name_is_refused_and_named(tmp_path, name):
    with pytest.raises(BadSettings, match=f"unknown setting {name};") as refused:
        load(tmp_path, **{name: "1"})
    assert refused.value.code == "bad-settings"


def test_an_unknown_name_in_the_env_file_is_refused_too(tmp_path):
    (tmp_path / "env").write_text("IPX_FOO=1\n", "utf-8")
    with pytest.raises(BadSettings, match="unknown setting IPX_FOO;"):
        load(tmp_path)


def test_a_name_of_a_room_is_checked_by_the_process_that_has_loaded_it(tmp_path, bench):
    assert load(tmp_path, IPX_GATEWAY_WHATEVER="1").exchange_name == "ipx"
    with pytest.raises(BadSettings, match="unknown setting IPX_BENCH_EVENT;"):
        load(tmp_path, IPX_BENCH_EVENT="1")
    assert load(tmp_path, bench, IPX_BENCH_EVENTS="7").bench_events == 7
    assert "IPX_BENCH_EVENTS" in known_names()


def test_names_of_others_are_none_of_our_business(tmp_path):
    assert load(tmp_path, PATH="/bin", IPXX="1").exchange_name == "ipx"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IPX_METRICS_PORT", "many"),
        ("IPX_METRICS_PORT", "65536"),
        ("IPX_METRICS_PORT", "-1"),
        ("IPX_LOG_FORMAT", "xml"),
        ("IPX_EXCHANGE_NAME", "Ipx"),
        ("IPX_EXCHANGE_NAME", "a.b"),
        ("IPX_KAFKA_REPLICATION", "0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_name_of_its_setting(tmp_path, name, value):
    with pytest.raises(BadSettings, match=name):
        load(tmp_path, **{name: value})


def test_every_wrong_value_is_told_at_once(tmp_path):
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, IPX_METRICS_PORT="x", IPX_LOG_FORMAT="y")
    assert "IPX_METRICS_PORT" in str(refused.value)
    assert "IPX_LOG_FORMAT" in str(refused.value)


def test_secrets_are_in_no_text_of_the_settings_nor_of_a_refusal(tmp_path):
    secret = "hush-hush-word"
    given = {"IPX_POSTGRES_DSN": f"postgresql://a:{secret}@h/d", "IPX_KAFKA_SASL_PASSWORD": secret}
    settings = load(tmp_path, **given)
    assert secret not in f"{settings!r}{settings}{settings.model_dump()}"
    assert settings.kafka_python()["sasl_plain_password"] == secret
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, IPX_METRICS_PORT="x", **given)
    assert secret not in str(refused.value)


def test_settings_do_not_change_once_read(tmp_path):
    with pytest.raises(ValidationError):
        load(tmp_path).exchange_name = "other"


def test_a_room_with_a_field_of_another_room_is_a_bug(bench):
    with pytest.raises(TypeError, match="begin with gateway_: bench_events"):

        class Stray(CommonSettings):
            room: ClassVar[str] = "gateway"
            bench_events: int = 1


def test_a_class_without_a_room_is_a_bug():
    with pytest.raises(TypeError, match="room is ''"):

        class Roomless(CommonSettings):
            own: int = 1


def test_connection_arguments_hold_what_is_set_and_nothing_else(tmp_path):
    assert load(tmp_path).librdkafka() == {"bootstrap.servers": "127.0.0.1:19092", "security.protocol": "PLAINTEXT"}
    tls = load(tmp_path, IPX_KAFKA_SECURITY_PROTOCOL="SSL", IPX_KAFKA_SSL_CAFILE="/ca.pem")
    assert tls.librdkafka()["ssl.ca.location"] == "/ca.pem"
    assert tls.kafka_python()["ssl_cafile"] == "/ca.pem"


def test_updating_the_env_file_keeps_what_others_wrote_and_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "made" / "env"
    update_env_file(path, {"IPX_ROOT_KEY": "ed25519:AAA=", "IPX_EXCHANGE_NAME": "a"})
    update_env_file(path, {"IPX_EXCHANGE_NAME": "b"})
    assert read_env_file(path) == {"IPX_EXCHANGE_NAME": "b", "IPX_ROOT_KEY": "ed25519:AAA="}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["env"]


@pytest.mark.parametrize("values", [{"IPX_A": "one\ntwo"}, {"PATH": "/bin"}])
def test_what_is_no_setting_of_one_line_is_not_written(tmp_path, values):
    with pytest.raises(BadSettings):
        update_env_file(tmp_path / "env", values)
    assert not (tmp_path / "env").exists()


def test_a_broken_line_is_named_with_its_place_and_without_its_value(tmp_path):
    (tmp_path / "env").write_text("# by ipx up\n\nIPX_EXCHANGE_NAME=ipx\nsecret\n", "utf-8")
    with pytest.raises(BadSettings, match="env:4"):
        read_env_file(tmp_path / "env")


def test_a_missing_env_file_is_empty(tmp_path):
    assert read_env_file(tmp_path / "env") == {}


@pytest.mark.parametrize(
    "away",
    [
        {"IPX_KAFKA_BOOTSTRAP": "127.0.0.1:9092,kafka-2:9092"},
        {"IPX_REGISTRY_URL": "http://registry.example.cn/apis/ccompat/v7"},
        {"IPX_POSTGRES_DSN": "postgresql://ipx@10.0.0.5/ipx"},
        {"IPX_POSTGRES_DSN": "dbname=ipx"},
    ],
)
def test_a_moved_clock_is_refused_unless_every_part_is_at_loopback(tmp_path, away):
    (name,) = away
    assert load(tmp_path, **away).clock_file is None
    with pytest.raises(BadSettings, match=f"IPX_CLOCK_FILE moves the clock of one machine alone, and {name}"):
        load(tmp_path, IPX_CLOCK_FILE=str(tmp_path / "clock"), **away)


def test_a_moved_clock_is_a_setting_that_no_default_sets(tmp_path):
    assert load(tmp_path).clock_file is None
    assert load(tmp_path, IPX_CLOCK_FILE="/tmp/clock").clock_file == Path("/tmp/clock")
