"""The process behind ``ipx admission run``: waits for what it needs, works, and begins anew when a part was away."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from confluent_kafka import Consumer, KafkaException

from services.admission.batch import Stages
from services.admission.catchup import LogReader
from services.admission.check import Door
from services.admission.deciding import Deciding
from services.admission.group import Group
from services.admission.inbox_tail import InboxTail
from services.admission.inboxes import Inboxes
from services.admission.judgement import Judge
from services.admission.outcomes import SOURCE, OutcomeWriter
from services.admission.partition import Partition, Place, open_index
from services.admission.publish import HUNG_S, Transactions
from services.admission.session import Session, Tools
from services.admission.settings import AdmissionSettings
from services.admission.telling import Telling
from services.admission.verification import Verifiers
from services.codec.keys import Ed25519Signer, PublicKey, parse_private, parse_public
from services.codec.registry import SchemaRegistry
from services.codec.released import ReleasedSchemas
from services.codec.schema_ids import SchemaIds
from services.events.receipt import OutcomesRecorded
from services.kernel.codes import CodeTables
from services.kernel.errors import BadSettings, Refused, Transient
from services.kernel.ports import Clock
from services.members.follower import MembersFollower
from services.runtime.background import begin, wait
from services.runtime.garbage import look_seldom
from services.runtime.topics import Groups, Topics, load_topics

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 5.0
_FOLLOW_S = 30.0
_SWITCH_S = 0.0005  # what waits for an answer beside the loop (verifiers, commit, health) waits for the interpreter at most so long


class Admission:
    """One process of admission. ``run`` blocks; ``stop`` may be called from a signal handler."""

    def __init__(
        self,
        settings: AdmissionSettings,
        released: ReleasedSchemas,
        tables: CodeTables,
        clock: Clock,
        telling: Telling,
        families: tuple[str, ...] | None = None,
    ) -> None:
        """``families`` narrows the work down to some logs; all of them when None. ``BadSettings`` without a root key."""
        self._settings = settings
        self._released = released
        self._clock = clock
        self._telling = telling
        self._topics = Topics(settings.exchange_name)
        self._table = load_topics(replication=settings.kafka_replication)
        self._families = families or tuple(self._table.families)
        self._root = _root_key(settings)
        self._judge = Judge(tables, oldest_days=settings.admission_oldest_days)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends the work after the batch that is in flight."""
        self._stopping.set()

    def run(self) -> None:
        """Works until it is stopped. Waits out every ``Transient``, telling why; ``Corrupt`` ends it."""
        sys.setswitchinterval(_SWITCH_S)
        look_seldom()
        follower = MembersFollower(
            self._settings.librdkafka(), self._topics, schema_of=self._released.with_digest, root=self._root
        )
        self._telling.checks.probe("members", lambda: None if follower.state == "following" else follower.state)
        follower.start()
        wait_s = _FIRST_WAIT_S
        try:
            while not self._stopping.is_set():
                try:
                    self._session(follower)
                    wait_s = _FIRST_WAIT_S
                except Transient as error:
                    self._telling.away(error, wait_s)
                    self._stopping.wait(wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        finally:
            follower.stop()

    def _session(self, follower: MembersFollower) -> None:
        settings, telling = self._settings, self._telling
        follower.wait_caught_up(_FOLLOW_S)
        with ExitStack() as stack:
            signer = self._signer()
            registry = SchemaRegistry(settings.registry_url)
            stack.callback(registry.close)
            schemas = self._schemas(registry)
            cluster, present = self._cluster()
            reader = LogReader(settings.librdkafka(), settings.exchange_name)
            stack.callback(reader.close)
            verifiers = Verifiers(settings.admission_verify_processes, self._root)
            stack.callback(verifiers.close)
            transactions = Transactions(
                settings.librdkafka(),
                f"{Groups(settings.exchange_name).admission}-{settings.admission_instance}",
                settings.admission_transaction_timeout_ms,
            )
            wait(begin(transactions.start), HUNG_S)
            outcomes = self._released.named(OutcomesRecorded.TYPE)
            tools = Tools(
                topics=self._topics,
                deciding=Deciding(
                    Stages(self._doors(), schemas, self._judge, verifiers),
                    follower,
                    self._clock,
                    self._root.participant,
                ),
                transactions=transactions,
                reader=reader,
                tail=InboxTail(reader, self._topics, outcomes),
                inboxes=Inboxes(settings, self._topics, self._table, present),
                outcomes=OutcomeWriter(outcomes, schemas.id_of(outcomes), signer),
                telling=telling,
                open_partition=lambda place: self._open(place, cluster),
                batch_events=settings.admission_batch_events,
                gather_s=settings.admission_gather_ms / 1000,
            )
            session = Session(tools)
            with self._group(session) as group:
                telling.log.info("session begun", worker=settings.admission_instance, topics=len(self._families))
                session.run(group, self._stopping.is_set)

    @contextmanager
    def _group(self, session: Session) -> Iterator[Group]:
        settings = self._settings
        group = Group(
            settings.librdkafka(),
            Groups(settings.exchange_name).admission,
            settings.admission_instance if settings.admission_static_member else None,
            settings.admission_session_timeout_ms,
            session.gained,
            session.lost,
        )
        try:
            group.subscribe(self._topics.proposals(family) for family in self._families)
            yield group
        finally:
            group.close()

    def _doors(self) -> dict[str, Door]:
        return {self._topics.proposals(family): Door(family, self._table.families[family]) for family in self._families}

    def _open(self, place: Place, cluster: str) -> Partition:
        topic, number = place
        door = self._doors()[topic]
        index = open_index(self._settings.index_dir, self._topics, door.family, number, cluster)
        return Partition(self._topics, door, number, index)

    def _signer(self) -> Ed25519Signer:
        path = self._settings.key_file
        try:
            signer = parse_private(path.read_text("utf-8").strip())
        except FileNotFoundError as error:
            self._telling.checks.failed("key", "there is no key of exchange.admission yet: run `ipx members init`")
            raise Transient(f"{path.name} is not there yet") from error
        if signer.public.participant != SOURCE:
            raise BadSettings(f"{path}: this is a key of {signer.public.participant}, expected one of {SOURCE}")
        self._telling.checks.passed("key")
        return signer

    def _schemas(self, registry: SchemaRegistry) -> SchemaIds:
        schemas = SchemaIds(self._released, registry, self._clock)
        try:
            for schema in self._released.by_digest.values():
                schemas.id_of(schema)
        except Transient:
            self._telling.checks.failed("registry", "the schema registry does not answer")
            raise
        except Refused as refused:
            self._telling.checks.failed("registry", "schemas are not registered: run `ipx schemas register`")
            raise Transient(f"{refused.message}; run `ipx schemas register`") from refused
        self._telling.checks.passed("registry")
        return schemas

    def _cluster(self) -> tuple[str, list[str]]:
        """The id of the Kafka cluster and the names of its topics."""
        client = Consumer(
            {**self._settings.librdkafka(), "log_level": 2, "group.id": f"{self._settings.exchange_name}-look"}
        )
        try:
            found = client.list_topics(timeout=10.0)
        except KafkaException as error:
            self._telling.kafka(is_away=True)
            raise Transient(f"Kafka does not answer: {error.args[0].name()}") from error
        finally:
            client.close()
        missing = [name for name in self._doors() if name not in found.topics]
        if missing:
            self._telling.checks.failed("kafka", "topics are missing: run `ipx topics apply`")
            raise Transient(f"topics are missing: {', '.join(missing)}; run `ipx topics apply`")
        return str(found.cluster_id), list(found.topics)


def _root_key(settings: AdmissionSettings) -> PublicKey:
    if settings.root_key is None:
        raise BadSettings(
            "IPX_ROOT_KEY is not set: the public key line of exchange.operator; `ipx members init` writes it"
        )
    return parse_public(settings.root_key)
