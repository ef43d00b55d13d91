"""Whether an address is on this machine: of Kafka, of a database, of a URL. Pure."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine by its name alone: a loopback address, ``localhost``, the folder of a socket."""
    if not host:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")


def bootstrap_hosts(servers: str) -> tuple[str, ...]:
    """The hosts of a Kafka bootstrap list (``host:port`` joined by commas)."""
    return tuple(server.strip().rpartition(":")[0] for server in servers.split(","))


def dsn_hosts(dsn: str) -> tuple[str, ...]:
    """The hosts of a PostgreSQL connection string; one empty host where it names none, which may be any."""
    # here, since every process reads its settings, and few of them speak to a database
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        said = conninfo_to_dict(dsn)
    except ProgrammingError:
        return ("",)
    hosts = [str(said[name]) for name in ("host", "hostaddr") if said.get(name)]
    return tuple(host for named in hosts for host in named.split(",")) or ("",)
