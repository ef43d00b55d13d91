"""Topics made and checked on a broker, by kafka-python's admin client; what must be done is decided in ``topics.py``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from services.kernel.errors import Transient
from services.runtime.settings import CommonSettings
from services.runtime.topics import FoundTopic, TopicPlan, Topics, TopicSpec, TopicTable, compare, load_topics


@contextmanager
def open_admin(settings: CommonSettings, *, timeout_ms: int = 10_000) -> Iterator[Any]:
    """An admin client, closed at the end; ``Transient`` when no broker answers within the timeout. Blocks."""
    # kafka-python logs every failed attempt as an error; the last one reaches the caller as an exception anyway
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        admin = KafkaAdminClient(
            **settings.kafka_python(),
            client_id=f"{settings.exchange_name}-admin",
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=max(timeout_ms, 10_000),
            reconnect_backoff_max_ms=250,
        )
    except KafkaError as error:
        raise Transient(f"Kafka at {settings.kafka_bootstrap} does not answer: {error}") from error
    try:
        yield admin
    except KafkaError as error:
        raise Transient(f"Kafka at {settings.kafka_bootstrap}: {type(error).__name__} {error}") from error
    finally:
        admin.close()


def find_topics(admin: Any, names: Iterable[str]) -> dict[str, FoundTopic]:
    """Those of the names that the broker has, with partitions and every setting. Blocks."""
    wanted = set(names)
    present = sorted(wanted & set(admin.list_topics()))
    if not present:
        return {}
    counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics(present)}
    configs = _configs(admin, present)
    return {name: FoundTopic(name, counts[name], configs.get(name, {})) for name in present}


def apply_topics(admin: Any, specs: Sequence[TopicSpec]) -> TopicPlan:
    """Makes the broker agree with the specs and says what was done; twice is once. ``BadSettings`` as in ``compare``.

    Returns when every new topic has a leader. Replication of an existing topic is not changed. Blocks.
    """
    plan = compare(specs, find_topics(admin, (spec.name for spec in specs)))
    if plan.create:
        _create(admin, plan.create)
    if plan.reset:
        admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, dict(config)) for name, config in plan.reset.items()]
        )
    return plan


def ensure_participant_topics(
    admin: Any, topics: Topics, participants: Iterable[str], table: TopicTable | None = None
) -> TopicPlan:
    """Inbox and outbox of these participants exist when this returns; repeat as often as you like. Blocks."""
    return apply_topics(admin, (table or load_topics()).participant_specs(topics, participants))


def _create(admin: Any, specs: Sequence[TopicSpec]) -> None:
    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": dict(spec.config),
        }
        for spec in specs
    }
    try:
        admin.create_topics(wanted, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # another process applied the same table a moment ago
        for name, options in wanted.items():
            _create_alone(admin, name, options)
        admin.wait_for_topics(list(wanted))


def _create_alone(admin: Any, name: str, options: dict[str, Any]) -> None:
    try:
        admin.create_topics({name: options})
    except TopicAlreadyExistsError:
        return


def _configs(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    described = admin.describe_configs(resources, config_filter="all")
    return {
        name: {key: str(entry["value"]) for key, entry in config.items()}
        for by_name in described.values()
        for name, config in by_name.items()
    }
