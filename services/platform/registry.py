"""Apicurio Registry: both ports on loopback, schemas kept in the PostgreSQL beside it.

Its other durable storage, a Kafka journal, would make the registry wait for the broker at every start and read the whole
journal into memory; a database of its own on the server that runs anyway starts beside Kafka and is backed up with the
rest. See deploy/DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict

from services.kernel.errors import Transient
from services.platform import postgres
from services.platform.asking import ask
from services.platform.ports import LOOPBACK
from services.platform.program import JVM_FLAGS, Program, Site

_OK = 200


def prepare(site: Site) -> Program:
    """Makes the registry's database and says how to start it. Blocks. Needs PostgreSQL to be there."""
    postgres.ensure_database(postgres.dsn(site), _database(site))
    jar = site.programs.registry_home / "quarkus-run.jar"
    return Program(argv=(str(site.programs.java), "-Xmx400m", *JVM_FLAGS, "-jar", str(jar)), env=environment(site))


def environment(site: Site) -> dict[str, str]:
    """The registry's configuration: where it listens and where it keeps schemas; holds the database's password."""
    database = conninfo_to_dict(postgres.dsn(site))
    host, port = database.get("host", LOOPBACK), database.get("port", "5432")
    return {
        "QUARKUS_PROFILE": "prod",
        "QUARKUS_HTTP_HOST": LOOPBACK,
        "QUARKUS_HTTP_PORT": str(site.ports["registry"]),
        "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
        "QUARKUS_MANAGEMENT_PORT": str(site.ports["registry_management"]),
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "postgresql",
        "APICURIO_DATASOURCE_URL": f"jdbc:postgresql://{host}:{port}/{_database(site)}",
        "APICURIO_DATASOURCE_USERNAME": str(database.get("user", postgres.OWNER)),
        "APICURIO_DATASOURCE_PASSWORD": str(database.get("password", "")),
        # twenty idle connections by default; one exchange on one machine needs few
        "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "2",
        "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "10",
    }


def probe(site: Site) -> None:
    """A registry that lists its subjects is ready: its database is there too."""
    reply = ask(f"{site.registry_url}/subjects")
    if reply.status != _OK:
        raise Transient(f"the registry at {site.registry_url} answers {reply.status}")


def details(site: Site) -> Mapping[str, str | int]:
    """What ``state.json`` tells beside the port."""
    return {"url": site.registry_url, "management_port": site.ports["registry_management"]}


def _database(site: Site) -> str:
    return f"{conninfo_to_dict(postgres.dsn(site)).get('dbname', postgres.OWNER)}_registry"
