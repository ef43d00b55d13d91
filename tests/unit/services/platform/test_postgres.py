"""The database: how it is started and entered."""

from __future__ import annotations

import signal
import stat
from dataclasses import replace

import pytest
from psycopg.conninfo import conninfo_to_dict

from services.kernel.ports import CountedEntropy
from services.platform import postgres
from services.platform.postgres import dsn, password, prepare, sibling
from tests.unit.services.platform.site import make_site


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A state directory whose cluster was made before, and a user who is not root."""
    monkeypatch.setattr(postgres, "account", lambda: None)
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    (tmp_path / "postgres" / "data" / "PG_VERSION").touch()
    return tmp_path


def test_it_listens_on_loopback_alone_and_on_no_socket_file(made):
    argv = prepare(make_site(made)).argv
    assert "listen_addresses=127.0.0.1" in argv
    assert "unix_socket_directories=" in argv
    assert "port=15432" in argv


def test_it_is_stopped_without_waiting_for_its_clients(made):
    assert prepare(make_site(made)).stop_signal == signal.SIGINT


def test_the_password_is_drawn_once_and_is_for_its_owner_alone(tmp_path):
    site = make_site(tmp_path)
    drawn = password(site, CountedEntropy())
    assert drawn == password(site, CountedEntropy(drawn=7))
    path = tmp_path / "postgres" / "password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(drawn) == 48


def test_the_address_is_ours_with_its_password_or_theirs_as_it_was_given(tmp_path):
    site = make_site(tmp_path)
    assert dsn(site) == f"postgresql://ipx:{password(site)}@127.0.0.1:15432/ipx"
    assert dsn(replace(site, external={"postgres": "postgresql://a@b/c"})) == "postgresql://a@b/c"


def test_a_sibling_is_another_database_on_the_same_server():
    told = conninfo_to_dict(sibling("postgresql://a:w@h:5/one", "two"))
    assert told == {"user": "a", "password": "w", "host": "h", "port": "5", "dbname": "two"}
