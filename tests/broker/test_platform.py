"""The platform as it runs: loopback only, one exchange apart from another, the second start finds the data of the first."""

from __future__ import annotations

import psutil
from kafka import KafkaConsumer, KafkaProducer

from services.codec.http import HttpClient
from services.platform.postgres import connect


def test_every_port_of_the_platform_is_bound_to_loopback_alone(platform):
    supervisor = psutil.Process(platform.state().pid)
    listening = [
        address
        for process in supervisor.children(recursive=True)
        for address in process.net_connections(kind="inet")
        if address.status == psutil.CONN_LISTEN
    ]
    assert {address.laddr.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    told = platform.state().ports
    assert {address.laddr.port for address in listening} == {
        told[name] for name in ("kafka", "kafka_controller", "registry", "registry_management", "postgres")
    }


def test_a_record_in_an_exchanges_topic_comes_back(exchange):
    topic = exchange.topics.proposals("clues")
    producer = KafkaProducer(bootstrap_servers=exchange.settings.kafka_bootstrap)
    producer.send(topic, key=b"CL-1", value=b"x").get(timeout=10)
    producer.close()
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=exchange.settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    assert next(consumer).value == b"x"
    consumer.close()


def test_two_exchanges_share_no_topic_and_no_database(make_exchange):
    with make_exchange() as one, make_exchange() as other, one.admin() as admin:
        topics = admin.list_topics()
        assert one.topics.log("clues") in topics
        assert other.topics.log("clues") in topics
        assert one.postgres_dsn != other.postgres_dsn
        with connect(one.postgres_dsn) as connection:
            connection.execute("create table seen (id int)")
        with connect(other.postgres_dsn) as connection:
            assert connection.execute("select to_regclass('seen')").fetchone() == (None,)


def test_the_registry_refuses_an_incompatible_schema_under_full_transitive(exchange):
    subject = f"cn.ipx.test.{exchange.name}"
    string = '{"schema": "{\\"type\\":\\"record\\",\\"name\\":\\"A\\",\\"fields\\":[{\\"name\\":\\"a\\",\\"type\\":\\"string\\"}]}"}'
    number = string.replace("string", "int")
    headers = {"content-type": "application/vnd.schemaregistry.v1+json"}
    with HttpClient(exchange.settings.registry_url, timeout_s=10) as registry:
        made = registry.send("POST", f"/subjects/{subject}/versions", body=string.encode(), headers=headers)
        assert made.status == 200
        level = b'{"compatibility": "FULL_TRANSITIVE"}'
        assert registry.send("PUT", f"/config/{subject}", body=level, headers=headers).status == 200
        refused = registry.send("POST", f"/subjects/{subject}/versions", body=number.encode(), headers=headers)
    assert refused.status == 409
