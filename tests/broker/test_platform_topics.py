"""Topics and lag on the real broker."""

from __future__ import annotations

import json

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from services.kernel.errors import BadSettings
from services.runtime.topic_admin import apply_topics, ensure_participant_topics, find_topics
from services.runtime.topics import load_topics
from tests.broker.waiting import wait_until

WHO = "320100.market_regulator"


def eventually(holds) -> None:
    """A broker tells a change a moment after it has accepted it."""
    wait_until(holds, 10)


def test_topics_are_as_the_table_says_and_applying_again_changes_nothing(exchange):
    specs = load_topics().specs(exchange.topics)
    with exchange.admin() as admin:
        found = find_topics(admin, [spec.name for spec in specs])
        assert {spec.name: spec.partitions for spec in specs} == {name: one.partitions for name, one in found.items()}
        assert apply_topics(admin, specs).is_empty


def test_a_setting_that_somebody_changed_is_put_back(exchange):
    log = exchange.topics.log("clues")
    with exchange.admin() as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, log, {"retention.ms": "1000"})])
        eventually(lambda: find_topics(admin, [log])[log].config["retention.ms"] == "1000")
        done = apply_topics(admin, load_topics().specs(exchange.topics))
        assert done.reset == {log: {"retention.ms": "-1"}}
        eventually(lambda: find_topics(admin, [log])[log].config["retention.ms"] == "-1")


def test_a_topic_with_other_partitions_is_refused_and_left_as_it_is(exchange):
    log = exchange.topics.log("clues")
    with exchange.admin() as admin:
        admin.create_partitions({log: 5})
        eventually(lambda: find_topics(admin, [log])[log].partitions == 5)
        with pytest.raises(BadSettings, match="5 partitions"):
            apply_topics(admin, load_topics().specs(exchange.topics))
        assert find_topics(admin, [log])[log].partitions == 5
    said = exchange.ipx("topics", "apply")
    assert (said.returncode, "bad-settings" in said.stderr) == (1, True)


def test_a_participant_gets_its_inbox_and_outbox_once(exchange):
    with exchange.admin() as admin:
        first = ensure_participant_topics(admin, exchange.topics, [WHO])
        assert [spec.name for spec in first.create] == [exchange.topics.inbox(WHO), exchange.topics.outbox(WHO)]
        assert ensure_participant_topics(admin, exchange.topics, [WHO]).is_empty
    listed = json.loads(exchange.ipx("topics", "list", "--json").stdout)
    assert {row["state"] for row in listed["topics"]} == {"present"}
    assert exchange.topics.inbox(WHO) in {row["name"] for row in listed["topics"]}


def test_a_topic_that_the_table_does_not_have_is_not_made_by_writing_to_it(exchange):
    misspelt = f"{exchange.name}.misspelt"
    producer = KafkaProducer(bootstrap_servers=exchange.settings.kafka_bootstrap, max_block_ms=2_000)
    with pytest.raises(KafkaError):
        producer.send(misspelt, value=b"x").get(timeout=5)
    producer.close(timeout=1)
    with exchange.admin() as admin:
        assert misspelt not in admin.list_topics()


def lag_of(exchange, kind: str, name: str) -> dict:
    said = exchange.ipx("lag", "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)[kind][name]


def produce(exchange, topic: str, *batches: int, commit_last: bool = True) -> None:
    producer = Producer({**exchange.settings.librdkafka(), "transactional.id": f"{exchange.name}-test"})
    producer.init_transactions(30)
    for number, size in enumerate(batches, start=1):
        producer.begin_transaction()
        for _ in range(size):
            producer.produce(topic, b"x", partition=0)
        if number < len(batches) or commit_last:
            producer.commit_transaction(30)
        else:
            producer.flush(10)
            producer.abort_transaction(30)


def test_lag_of_a_participant_is_counted_in_records_without_transaction_markers(exchange):
    exchange.ensure_participants(WHO)
    inbox = exchange.topics.inbox(WHO)
    assert lag_of(exchange, "participants", WHO) == {
        "group": exchange.groups.inbox(WHO),
        "records": 0,
        "exact": True,
        "seconds": 0.0,
    }

    produce(exchange, inbox, 3, 2, 4, commit_last=False)  # offsets 0-2, 4-5; markers at 3 and 6; four aborted records

    behind = lag_of(exchange, "participants", WHO)
    assert (behind["records"], behind["exact"]) == (5, True)
    assert 0 < behind["seconds"] < 60

    with exchange.admin() as admin:
        committed = {TopicPartition(inbox, 0): OffsetAndMetadata(5, "", -1)}
        admin.alter_group_offsets(exchange.groups.inbox(WHO), committed)
    assert lag_of(exchange, "participants", WHO)["records"] == 1

    with exchange.admin() as admin:
        committed = {TopicPartition(inbox, 0): OffsetAndMetadata(6, "", -1)}
        admin.alter_group_offsets(exchange.groups.inbox(WHO), committed)
    behind = lag_of(exchange, "participants", WHO)
    assert (behind["records"], behind["exact"], behind["seconds"]) == (0, True, 0.0)


def test_lag_of_a_part_that_never_committed_is_everything(exchange):
    produce(exchange, exchange.topics.proposals("clues"), 2)
    produce(exchange, exchange.topics.log("receipts"), 1)
    assert lag_of(exchange, "parts", "admission")["records"] == 2
    produce(exchange, exchange.topics.log("transfers"), 4)
    assert lag_of(exchange, "parts", "receipts")["records"] == 5  # that room reads every family
    assert lag_of(exchange, "parts", "clues")["records"] == 0


def test_a_long_lag_is_told_by_offsets_and_marked(exchange):
    produce(exchange, exchange.topics.log("clues"), 600, 600)
    behind = lag_of(exchange, "parts", "clues")
    assert (behind["records"], behind["exact"]) == (1202, False)


def test_commands_say_that_the_broker_is_away(exchange):
    away = {**exchange.environ, "IPX_KAFKA_BOOTSTRAP": "127.0.0.1:9"}
    from tests.conftest import run_ipx

    said = run_ipx("lag", environ=away)
    assert (said.returncode, said.stdout) == (1, "")
    assert "unavailable: Kafka at 127.0.0.1:9 does not answer" in said.stderr
