"""Names of topics and consumer groups, and the table ``deploy/kafka/topics.toml`` that says how each topic is made.

Pure: ``compare`` says what must be done so that a broker agrees with the table; ``topic_admin.py`` does it.
Implements design section 5.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.kernel.errors import BadSettings
from services.kernel.families import FAMILIES

TABLE = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "topics.toml"
KINDS = ("proposals", "log", "inbox", "outbox", "checkpoints", "quarantine")


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names of one exchange; the prefix is ``IPX_EXCHANGE_NAME``."""

    prefix: str

    def log(self, family: str) -> str:
        """The log of a family, written by admission alone."""
        return f"{self.prefix}.{family}"

    def proposals(self, family: str) -> str:
        """Where the gateway and the relay put what is proposed to a family's log."""
        return f"{self.prefix}.{family}.in"

    def inbox(self, participant: str) -> str:
        """What is delivered to a participant: one partition, so that its cursor is one number."""
        return f"{self.prefix}.inbox.{participant}"

    def outbox(self, participant: str) -> str:
        """Where a participant with its own Kafka client publishes."""
        return f"{self.prefix}.outbox.{participant}"

    def inbox_owner(self, topic: str) -> str | None:
        """The participant whose inbox this topic is, or None when it is another topic."""
        start = f"{self.prefix}.inbox."
        return topic.removeprefix(start) if topic.startswith(start) else None

    @property
    def checkpoints(self) -> str:
        """Signed and co-signed tree heads."""
        return f"{self.prefix}.checkpoints"

    @property
    def quarantine(self) -> str:
        """Bytes that cannot be decoded, with where they came from and why."""
        return f"{self.prefix}.quarantine"


@dataclass(frozen=True, slots=True)
class Groups:
    """Consumer groups of one exchange; one place, so that ``ipx lag`` and the ACL plan name what the processes use."""

    prefix: str

    @property
    def admission(self) -> str:
        """Offsets of the ``.in`` topics."""
        return f"{self.prefix}-admission"

    @property
    def outboxes(self) -> str:
        """The gateway's Kafka door."""
        return f"{self.prefix}-outboxes"

    def room(self, name: str) -> str:
        """A room that folds its family's log."""
        return f"{self.prefix}-room-{name}"

    def inbox(self, participant: str) -> str:
        """Where a participant's acknowledged cursor is committed, by the gateway on the node's behalf."""
        return f"{self.prefix}-inbox-{participant}"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be."""

    name: str
    kind: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """One topic as a broker has it."""

    name: str
    partitions: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What must be done: topics to create, settings to put back."""

    create: tuple[TopicSpec, ...]
    reset: Mapping[str, Mapping[str, str]]

    @property
    def is_empty(self) -> bool:
        """Whether the broker agrees with the table already."""
        return not self.create and not self.reset


@dataclass(frozen=True, slots=True)
class TopicTable:
    """The table as read; ``specs`` spells it out for one exchange."""

    families: Mapping[str, int]
    singles: Mapping[str, int]
    replication: int
    config: Mapping[str, Mapping[str, str]]

    def specs(self, topics: Topics) -> tuple[TopicSpec, ...]:
        """Every topic that does not depend on who is a member."""
        made = [
            self._spec(name, kind, partitions)
            for family, partitions in self.families.items()
            for name, kind in ((topics.proposals(family), "proposals"), (topics.log(family), "log"))
        ]
        made += [
            self._spec(name, kind, self.singles[kind])
            for name, kind in ((topics.checkpoints, "checkpoints"), (topics.quarantine, "quarantine"))
        ]
        return tuple(made)

    def participant_specs(self, topics: Topics, participants: Iterable[str]) -> tuple[TopicSpec, ...]:
        """Inbox and outbox of each participant."""
        return tuple(
            self._spec(name, kind, 1)
            for participant in sorted(set(participants))
            for name, kind in ((topics.inbox(participant), "inbox"), (topics.outbox(participant), "outbox"))
        )

    def _spec(self, name: str, kind: str, partitions: int) -> TopicSpec:
        in_sync = {"min.insync.replicas": str(max(1, self.replication - 1))}
        return TopicSpec(name, kind, partitions, self.replication, {**in_sync, **self.config[kind]})


def load_topics(path: Path = TABLE, *, replication: int | None = None) -> TopicTable:
    """Reads the table; raises ``BadSettings`` for a family without a row, a row without a family or a wrong number.

    ``replication`` (``IPX_KAFKA_REPLICATION``) overrides the table's.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path.name}: {error}") from error
    families = _counts(path, data, "families", FAMILIES)
    singles = _counts(path, data, "singles", ("checkpoints", "quarantine"))
    config = data.get("config", {})
    if set(config) != set(KINDS):
        raise BadSettings(f"{path.name}: [config] has {sorted(config)}, expected {sorted(KINDS)}")
    chosen = data.get("replication", 1) if replication is None else replication
    if not isinstance(chosen, int) or not 1 <= chosen <= 9:
        raise BadSettings(f"{path.name}: replication must be 1 to 9, not {chosen!r}")
    return TopicTable(families, singles, chosen, {kind: dict(config[kind]) for kind in KINDS})


def compare(specs: Iterable[TopicSpec], found: Mapping[str, FoundTopic]) -> TopicPlan:
    """What makes a broker agree with the specs; raises ``BadSettings`` for a topic with another number of partitions.

    Partitions are never changed: the partition of a subject would move, and with it its place in the hash tree.
    """
    wanted = tuple(specs)
    wrong = [
        f"{spec.name} has {found[spec.name].partitions} partitions, the table says {spec.partitions}"
        for spec in wanted
        if spec.name in found and found[spec.name].partitions != spec.partitions
    ]
    if wrong:
        raise BadSettings(
            f"{'; '.join(wrong)}; a topic with records keeps its partitions: correct the table, "
            "or use another IPX_EXCHANGE_NAME"
        )
    reset = {spec.name: _drift(spec, found[spec.name]) for spec in wanted if spec.name in found}
    return TopicPlan(
        create=tuple(spec for spec in wanted if spec.name not in found),
        reset={name: config for name, config in reset.items() if config},
    )


def _drift(spec: TopicSpec, found: FoundTopic) -> dict[str, str]:
    return {name: value for name, value in spec.config.items() if found.config.get(name) != value}


def _counts(path: Path, data: Mapping[str, Any], table: str, names: Iterable[str]) -> dict[str, int]:
    rows = data.get(table, {})
    if set(rows) != set(names):
        raise BadSettings(f"{path.name}: [{table}] has {sorted(rows)}, expected {sorted(names)}")
    wrong = [name for name, count in rows.items() if not isinstance(count, int) or not 1 <= count <= 1024]
    if wrong:
        raise BadSettings(f"{path.name}: [{table}] partitions must be 1 to 1024: {', '.join(wrong)}")
    return dict(rows)
