"""Apache Kafka: one process, broker and KRaft controller in one, both listeners on loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from services.kernel.errors import BadSettings, Transient
from services.platform.ports import LOOPBACK
from services.platform.program import JVM_FLAGS, Program, Site
from services.runtime.topic_admin import open_admin

NODE_ID = 1
CLUSTER_ID = "SVBYLWxvY2FsLWthZmthLQ"
"""The same in every state directory: the data of one is never another's."""

_FORMAT_TIMEOUT_S = 60
_YEAR_MINUTES = 365 * 24 * 60


def properties(site: Site) -> dict[str, str]:
    """The broker's configuration; every value that differs from Kafka's default has its reason beside it."""
    broker, controller = site.ports["kafka"], site.ports["kafka_controller"]
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller}",
        "listeners": f"BROKER://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{broker}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(site.layout.data("kafka") / "data"),
        # topics come from deploy/kafka/topics.toml alone; a misspelt name must fail
        "auto.create.topics.enable": "false",
        "unclean.leader.election.enable": "false",
        # one broker: internal topics cannot have three copies, and few partitions start faster
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # a killed worker is back within ten seconds: no wait for more members, session timeouts from 6 s on
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "6000",
        # after kill -9 the controller lets the broker in again when its old session is over; 9 s by default
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "1000",
        # a node that is silent for months keeps its place in its inbox
        "offsets.retention.minutes": str(_YEAR_MINUTES),
        "log.retention.ms": "-1",
        # a laptop has hundreds of small topics; the default preallocates 10 MB of index for each
        "log.segment.bytes": str(128 << 20),
        "log.index.size.max.bytes": str(1 << 20),
        "message.max.bytes": "1572864",
        "replica.fetch.max.bytes": "2097152",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "num.recovery.threads.per.data.dir": "2",
    }


def prepare(site: Site) -> Program:
    """Writes the configuration, formats the storage the first time, and says how to start the broker. Blocks."""
    home = site.layout.data("kafka")
    home.mkdir(parents=True, exist_ok=True)
    config = home / "server.properties"
    config.write_text(_spell(properties(site)) + _added(site), "utf-8")
    (home / "log4j2.properties").write_text(_LOG4J, "utf-8")
    if not (home / "data" / "meta.properties").exists():
        _format(site, config)
    heap = ("-Xms128m", "-Xmx512m")
    return Program(argv=(*_java(site, home, heap), "kafka.Kafka", str(config)), stop_within_s=30)


def probe(site: Site) -> None:
    """A broker that tells its topics and coordinates groups is ready; asking makes the topic of offsets the first time."""
    settings = site.settings.model_copy(update={"kafka_bootstrap": site.kafka_bootstrap})
    with open_admin(settings, timeout_ms=2_000) as admin:
        admin.list_topics()
        admin.list_group_offsets({f"{site.settings.exchange_name}-probe": None})


def details(site: Site) -> Mapping[str, str | int]:
    """What ``state.json`` tells beside the port."""
    return {"bootstrap": site.kafka_bootstrap, "controller_port": site.ports["kafka_controller"]}


def _spell(values: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _added(site: Site) -> str:
    """The operator's own lines; of two lines with one name Java takes the later."""
    path = site.settings.platform_kafka_properties
    try:
        return "" if path is None else path.read_text("utf-8")
    except OSError as error:
        raise BadSettings(f"IPX_PLATFORM_KAFKA_PROPERTIES: {error}") from error


def _java(site: Site, home: Path, heap: tuple[str, ...]) -> tuple[str, ...]:
    classpath = ":".join(str(jar) for jar in site.programs.kafka_jars)
    logging = f"-Dlog4j2.configurationFile={home / 'log4j2.properties'}"
    # Kafka unmaps its index files through sun.misc.Unsafe; Java 25 warns of it at every start
    unsafe = "--sun-misc-unsafe-memory-access=allow"
    return (str(site.programs.java), *heap, *JVM_FLAGS, unsafe, "-Djava.awt.headless=true", logging, "-cp", classpath)


def _format(site: Site, config: Path) -> None:
    argv = (*_java(site, config.parent, ("-Xmx128m",)), "kafka.tools.StorageTool", "format")
    done = subprocess.run(
        [*argv, "-t", CLUSTER_ID, "-c", str(config), "--ignore-formatted"],
        capture_output=True,
        text=True,
        timeout=_FORMAT_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line and not line.startswith("\tat ")]
        raise Transient(f"Kafka's storage could not be formatted: {' '.join(said)[:500]}")


_LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd'T'HH:mm:ss.SSS} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server
logger.server.level = info
logger.metadata.name = kafka.server.metadata
logger.metadata.level = warn
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = error
logger.mbean.name = kafka.utils.Log4jControllerRegistration$
logger.mbean.level = error
"""
