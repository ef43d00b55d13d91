"""The access rules on a broker with SASL and an authorizer: what the plan does not grant, the broker refuses."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError

from services.platform.state import read_state
from services.runtime.settings import CommonSettings
from services.runtime.topics import Groups, Topics
from tests.conftest import run_ipx

WHO, OTHER = "320100.market_regulator", "330100.market_regulator"
USERS = ("admin", "ipx-admission", "ipx-gateway", WHO, OTHER)
TOPICS, GROUPS = Topics("ipx"), Groups("ipx")

PROPERTIES = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
allow.everyone.if.no.acl.found=false
listener.security.protocol.map=BROKER:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.broker.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="admin" password="admin-word" {users};
"""


@pytest.fixture(scope="module")
def guarded():
    """A broker that knows its clients, with the topics made and the plan applied."""
    state_dir = Path(tempfile.mkdtemp(prefix="ipx-acl-"))
    lines = state_dir / "authorizer.properties"
    lines.write_text(PROPERTIES.format(users=" ".join(f'user_{user}="{user}-word"' for user in USERS)), "utf-8")
    others = {name: value for name, value in os.environ.items() if not name.startswith("IPX_")}
    environ = {
        **others,
        "IPX_STATE_DIR": str(state_dir),
        "IPX_PLATFORM_KAFKA_PROPERTIES": str(lines),
        "IPX_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "IPX_KAFKA_SASL_MECHANISM": "PLAIN",
        "IPX_KAFKA_SASL_USERNAME": "admin",
        "IPX_KAFKA_SASL_PASSWORD": "admin-word",
    }
    try:
        started = run_ipx("up", "--only", "kafka", environ=environ, timeout_s=120)
        assert started.returncode == 0, started.stderr
        told = [word for who in (WHO, OTHER) for word in ("--participant", who)]
        made = run_ipx("topics", "apply", *told, environ=environ)
        assert made.returncode == 0, made.stderr
        granted = run_ipx("topics", "acls", environ=environ)
        assert granted.returncode == 0, granted.stderr
        assert f"granted: User:{WHO} write topic {TOPICS.outbox(WHO)} (literal)" in granted.stdout
        assert run_ipx("topics", "acls", environ=environ).stdout == ""  # twice is once
        assert read_state(state_dir / "state.json") is not None
        yield CommonSettings.load({name: value for name, value in environ.items() if name.startswith("IPX_")})
    finally:
        run_ipx("down", environ=environ, timeout_s=60)
        shutil.rmtree(state_dir, ignore_errors=True)


def as_user(settings: CommonSettings, user: str) -> dict:
    return {**settings.kafka_python(), "sasl_plain_username": user, "sasl_plain_password": f"{user}-word"}


def write(settings: CommonSettings, user: str, topic: str) -> None:
    producer = KafkaProducer(**as_user(settings, user), max_block_ms=5_000, request_timeout_ms=5_000)
    try:
        producer.send(topic, key=b"k", value=b"v").get(timeout=10)
    finally:
        producer.close(timeout=1)


def read(settings: CommonSettings, user: str, topic: str, group: str) -> list[bytes | str]:
    """Values, or the name of the error that the broker answered."""
    login = {"sasl.username": user, "sasl.password": f"{user}-word", "group.id": group, "enable.auto.commit": False}
    consumer = Consumer({**settings.librdkafka(), **login})
    try:
        place = TopicPartition(topic, 0, 0)
        consumer.assign([place])
        (known,) = consumer.committed([place], timeout=10)
        if known.error is not None:
            return [known.error.name()]
        message = consumer.poll(10)
        assert message is not None
        return [message.value() if message.error() is None else message.error().name()]
    except KafkaException as error:
        return [error.args[0].name()]
    finally:
        consumer.close()


def test_a_participant_writes_its_own_outbox_and_reads_its_own_inbox(guarded):
    write(guarded, WHO, TOPICS.outbox(WHO))
    write(guarded, "ipx-admission", TOPICS.inbox(WHO))
    assert read(guarded, WHO, TOPICS.inbox(WHO), GROUPS.inbox(WHO)) == [b"v"]
    assert read(guarded, "ipx-gateway", TOPICS.outbox(WHO), GROUPS.outboxes) == [b"v"]


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        (WHO, TOPICS.proposals("clues")),
        (WHO, TOPICS.log("clues")),
        (WHO, TOPICS.outbox(OTHER)),
        (WHO, TOPICS.inbox(WHO)),
        ("ipx-gateway", TOPICS.log("clues")),
        ("ipx-gateway", TOPICS.inbox(WHO)),
        ("ipx-admission", TOPICS.proposals("clues")),
    ],
)
def test_nobody_writes_what_is_not_theirs(guarded, user, topic):
    with pytest.raises(KafkaError) as refused:
        write(guarded, user, topic)
    assert "Authorization" in repr(refused.value)


def transact(settings: CommonSettings, user: str, transactional_id: str, topic: str, outbox: str, group: str) -> str:
    """Forwards in a transaction as the Kafka door does; ``committed``, or the name of the error the broker answered."""
    login = {"sasl.username": user, "sasl.password": f"{user}-word"}
    consumer = Consumer({**settings.librdkafka(), **login, "group.id": group, "enable.auto.commit": False})
    producer = Producer({**settings.librdkafka(), **login, "transactional.id": transactional_id})
    try:
        consumer.subscribe([outbox])
        consumer.poll(10)
        producer.init_transactions(10)
        producer.begin_transaction()
        producer.produce(topic, b"v", b"k")
        producer.send_offsets_to_transaction([TopicPartition(outbox, 0, 0)], consumer.consumer_group_metadata(), 10)
        producer.commit_transaction(10)
        return "committed"
    except KafkaException as error:
        return error.args[0].name()
    finally:
        consumer.close()


def test_the_kafka_door_writes_in_transactions_under_ids_of_its_own_and_under_no_others(guarded):
    proposals, outbox = TOPICS.proposals("clues"), TOPICS.outbox(WHO)
    door, admission = f"{TOPICS.prefix}-gateway-door-gateway-0", f"{GROUPS.admission}-admission-0"
    assert transact(guarded, "ipx-gateway", door, proposals, outbox, GROUPS.outboxes) == "committed"
    refused = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"
    assert transact(guarded, "ipx-gateway", admission, proposals, outbox, GROUPS.outboxes) == refused
    assert transact(guarded, WHO, door, TOPICS.outbox(WHO), TOPICS.inbox(WHO), GROUPS.inbox(WHO)) == refused


def test_a_participant_does_not_read_the_inbox_or_commit_in_the_group_of_another(guarded):
    write(guarded, "ipx-admission", TOPICS.inbox(OTHER))
    assert read(guarded, WHO, TOPICS.inbox(OTHER), GROUPS.inbox(WHO)) == ["TOPIC_AUTHORIZATION_FAILED"]
    admin = KafkaAdminClient(**as_user(guarded, WHO))
    with pytest.raises(GroupAuthorizationFailedError):
        admin.list_group_offsets({GROUPS.inbox(OTHER): None})
    admin.close()


def test_a_broker_without_an_authorizer_keeps_no_rules_and_that_is_said(exchange):
    said = exchange.ipx("topics", "acls", "--participant", WHO)
    assert (said.returncode, "no authorizer" in said.stderr) == (1, True)
    planned = exchange.ipx("topics", "acls", "--dry-run", "--participant", WHO)
    assert f"would grant: User:{WHO} read topic {exchange.topics.inbox(WHO)} (literal)" in planned.stdout
