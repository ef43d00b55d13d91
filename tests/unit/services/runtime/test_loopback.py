"""What is at loopback and what is not: hosts, bootstrap lists, connection strings."""

from __future__ import annotations

import pytest

from services.runtime.loopback import bootstrap_hosts, dsn_hosts, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost", "/tmp/pg"])
def test_this_machine_is_known_by_its_name(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "0.0.0.0", "10.0.0.1", "kafka", "localhost.example.cn", "::", "127.0.0.1.cn"]
)
def test_any_other_machine_and_no_name_at_all_are_not_this_one(host):
    assert not is_loopback(host)


def test_every_server_of_a_bootstrap_list_counts():
    assert bootstrap_hosts("127.0.0.1:9092, kafka-2:9092,[::1]:9092") == ("127.0.0.1", "kafka-2", "[::1]")


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://ipx@127.0.0.1:5432/ipx", ("127.0.0.1",)),
        ("postgresql://ipx@127.0.0.1,db.example.cn/ipx", ("127.0.0.1", "db.example.cn")),
        ("host=localhost hostaddr=10.0.0.5 dbname=ipx", ("localhost", "10.0.0.5")),
        ("host=/tmp/pg dbname=ipx", ("/tmp/pg",)),
        ("dbname=ipx", ("",)),
        ("this is no connection string", ("",)),
    ],
)
def test_every_host_of_a_connection_string_counts(dsn, hosts):
    assert dsn_hosts(dsn) == hosts
