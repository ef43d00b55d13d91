"""The broker's configuration."""

from __future__ import annotations

import pytest

from services.kernel.errors import BadSettings
from services.platform.kafka import details, prepare, properties
from tests.unit.services.platform.site import make_site


@pytest.fixture
def formatted(tmp_path):
    """A state directory whose storage was formatted before, so that nothing is run."""
    (tmp_path / "kafka" / "data").mkdir(parents=True)
    (tmp_path / "kafka" / "data" / "meta.properties").touch()
    return tmp_path


def test_both_listeners_are_on_loopback(tmp_path):
    told = properties(make_site(tmp_path))
    for name in ("listeners", "advertised.listeners", "controller.quorum.voters"):
        assert all("127.0.0.1:" in listener for listener in told[name].split(","))


def test_no_topic_is_made_by_itself_and_no_unclean_leader_is_elected(tmp_path):
    told = properties(make_site(tmp_path))
    assert (told["auto.create.topics.enable"], told["unclean.leader.election.enable"]) == ("false", "false")


def test_the_data_lies_in_the_state_directory(tmp_path):
    assert properties(make_site(tmp_path))["log.dirs"] == str(tmp_path / "kafka" / "data")


def test_the_program_is_our_java_on_our_jars_with_the_written_configuration(formatted):
    program = prepare(make_site(formatted))
    assert program.argv[0] == "/opt/java"
    assert "/opt/a.jar:/opt/b.jar" in program.argv
    assert program.argv[-2:] == ("kafka.Kafka", str(formatted / "kafka" / "server.properties"))
    written = (formatted / "kafka" / "server.properties").read_text("utf-8")
    assert "auto.create.topics.enable=false\n" in written


def test_lines_of_the_operator_come_after_ours_so_that_they_win(formatted, tmp_path):
    (tmp_path / "more").write_text("num.io.threads=9\n", "utf-8")
    site = make_site(formatted)
    settings = site.settings.model_copy(update={"platform_kafka_properties": tmp_path / "more"})
    prepare(type(site)(site.layout, settings, site.ports, {}, site.installed))
    written = (formatted / "kafka" / "server.properties").read_text("utf-8").splitlines()
    assert [line for line in written if line.startswith("num.io.threads=")][-1] == "num.io.threads=9"


def test_a_missing_file_of_lines_is_refused(formatted, tmp_path):
    site = make_site(formatted)
    settings = site.settings.model_copy(update={"platform_kafka_properties": tmp_path / "none"})
    with pytest.raises(BadSettings, match="IPX_PLATFORM_KAFKA_PROPERTIES"):
        prepare(type(site)(site.layout, settings, site.ports, {}, site.installed))


def test_the_state_tells_the_address_ours_or_theirs(tmp_path):
    assert details(make_site(tmp_path))["bootstrap"] == "127.0.0.1:19092"
    assert details(make_site(tmp_path, kafka="k:1"))["bootstrap"] == "k:1"
