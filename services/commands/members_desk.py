"""The desk behind ``ipx members``: reads the members log, proposes to it, and runs admission for the while when none does."""

from __future__ import annotations

import os
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.admission.outcomes import SOURCE
from services.admission.run import Admission
from services.admission.settings import AdmissionSettings
from services.admission.telling import CHECKS, Telling
from services.codec.envelope import Envelope
from services.codec.keys import Ed25519Signer, ParticipantSigner, PublicKey, parse_public
from services.codec.log_keys import LEDGER, log_signer
from services.codec.registry import SchemaRegistry
from services.codec.released import ReleasedSchemas, load_released
from services.events import to_value
from services.events.documents import agreement_from_document, participants_from_document
from services.events.member import AgreementProposed, MemberEvent
from services.kernel.calendar_documents import load_calendar
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Transient
from services.kernel.parties import agreement_ref
from services.members.follower import MembersFollower
from services.members.genesis import OPERATOR, Plan, missing_from
from services.members.history import History
from services.members.keyring import Keyring
from services.members.proposing import Proposing, seal_member
from services.members.reading import body_digest
from services.members.registry import Registry
from services.members.settings import MembersSettings
from services.runtime.health import Checks
from services.runtime.logging import get_logger
from services.runtime.metrics import Metrics
from services.runtime.settings import ENV_FILE, update_env_file
from services.runtime.shell import SystemEntropy, clock_of
from services.runtime.topic_admin import ensure_participant_topics, open_admin
from services.runtime.topics import Groups, Topics, load_topics

PARTICIPANTS_FILE = "participants.toml"
TITLE_ZH = "区域知识产权保护协作交换"
TITLE_EN = "Regional IP protection exchange"
_GROUP_S = 10.0
_SILENCE_S = 12.0


class Desk:
    """A context: the members log as it stands, and a way to propose to it."""

    def __init__(self, settings: MembersSettings) -> None:
        self.settings = settings
        self.clock = clock_of(settings.clock_file)
        self.entropy = SystemEntropy()
        self.keyring = Keyring(settings.keys_dir, self.entropy)
        self.released = load_released()
        self.topics = Topics(settings.exchange_name)
        self._follower = _follower(settings, self.topics, self.released)

    def __enter__(self) -> Desk:
        self._follower.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._follower.stop()

    def now_ms(self) -> int:
        """The time."""
        return self.clock.now_ms()

    def registry(self) -> Registry:
        """The members as of now. Blocks; ``Transient`` while Kafka is away."""
        return self.history().latest

    def history(self) -> History:
        """The members log up to its present end."""
        self._follower.wait_caught_up(self.settings.members_wait_s)
        return self._follower.wait_current(self.settings.members_wait_s)

    def say(self, event: MemberEvent, participant: str, *, about: str, not_with: str = "") -> None:
        """Proposes one event, signed by the participant itself or by the operator, whichever has a good key here; waits for admission.

        ``Refused`` as admission puts it, ``BadSettings`` when no key that may sign is here.
        """
        signer = self.signer(participant, not_with=not_with)
        envelope = seal_member(
            event, subject=about, signer=signer, released=self.released, clock=self.clock, entropy=self.entropy
        )
        self.propose([envelope])

    def propose(self, envelopes: Sequence[Envelope], told: Callable[[int], None] = lambda _known: None) -> None:
        """Proposes and waits; raises the first refusal, ``Transient`` when there is no outcome in time.

        When no admission is in the group, or the one that is says nothing for a while (a process that has just gone is counted until its
        session ends), one is run in this process.
        """
        ids = frozenset(envelope.statement.id for envelope in envelopes)
        wait_s = self.settings.members_wait_s
        with self.proposing() as proposing:
            proposing.send(envelopes, wait_s)
            found = proposing.hear(ids, _SILENCE_S, told) if _has_workers(self.settings) else {}
            if len(found) < len(ids):
                with admission_of_our_own(self.settings, self.released):
                    known = len(found)
                    found |= proposing.hear(ids - found.keys(), wait_s, lambda more: told(known + more))
        if len(found) < len(ids):
            raise Transient(
                f"{len(ids) - len(found)} proposals have no outcome after {wait_s:g} s; run the command again"
            )
        for envelope in envelopes:
            found[envelope.statement.id].require_admitted()

    @contextmanager
    def proposing(self) -> Iterator[Proposing]:
        """Clients that propose and hear outcomes, closed at the end."""
        registry = SchemaRegistry(self.settings.registry_url)
        proposing = Proposing(
            self.settings.librdkafka(),
            self.topics,
            self.released,
            lambda name: registry.id_of(self.released.named(name)),
        )
        try:
            yield proposing
        finally:
            proposing.close()
            registry.close()

    def signer(self, participant: str, *, not_with: str = "") -> ParticipantSigner:
        """A key here that is valid now, of the participant or else of the operator; ``BadSettings`` when there is none."""
        registry, now_ms = self.registry(), self.now_ms()
        for name in (participant, OPERATOR):
            for signer in self.keyring.signers(name):
                key = registry.keys.get(signer.key_id)
                if key is not None and key.refusal_at(now_ms) is None and signer.key_id != not_with:
                    return signer
        raise BadSettings(f"no valid key of {participant} or {OPERATOR} is in {self.settings.keys_dir}")


def initialise(settings: MembersSettings, told: Callable[[int, int], None]) -> dict[str, int]:
    """Brings the members log to what the data says; how many events that took, and its size. Blocks."""
    clock, entropy = clock_of(settings.clock_file), SystemEntropy()
    keyring = Keyring(settings.keys_dir, entropy)
    settings = _with_root_key(settings, keyring)
    with Desk(settings) as desk:
        now_ms = clock.now_ms()
        plan = read_plan(settings, now_ms)
        names = {OPERATOR, SOURCE, *(one.participant for one in plan.participants)}
        signers = {name: keyring.ensure(name) for name in names}
        with open_admin(settings) as admin:
            ensure_participant_topics(admin, desk.topics, names)
        digests = {agreement_ref(one.agreement, one.version): _digest(desk.released, one) for one in plan.agreements}
        keys = {name: signer.public for name, signer in signers.items()}
        missing = missing_from(desk.registry(), plan, keys, digests, now_ms, _log_keys(plan, signers))
        envelopes = [
            seal_member(
                one.event,
                subject=one.subject,
                signer=signers[one.source],
                released=desk.released,
                clock=clock,
                entropy=entropy,
            )
            for one in missing
        ]
        if envelopes:
            desk.propose(envelopes, lambda known: told(known, len(envelopes)))
        return {"proposed": len(envelopes), "size": desk.registry().size}


def read_plan(settings: MembersSettings, now_ms: int) -> Plan:
    """The plan that the data directory states. ``BadSettings``, naming the file, when one is not of its form."""
    directory = settings.members_data_dir
    files = sorted(path for path in directory.glob("*.toml") if path.name != PARTICIPANTS_FILE)
    return Plan(
        name=settings.exchange_name,
        title_zh=TITLE_ZH,
        title_en=TITLE_EN,
        families=load_topics().families,
        participants=participants_from_document(_toml(directory / PARTICIPANTS_FILE), now_ms),
        agreements=[agreement_from_document(_toml(path)) for path in files],
        calendar=load_calendar(settings.members_calendars_dir),
    )


def _log_keys(plan: Plan, signers: Mapping[str, Ed25519Signer]) -> list[PublicKey]:
    """The keys that sign the checkpoints of the logs, where the plan has a ledger."""
    ledger = signers.get(LEDGER)
    origins = (f"{plan.name}/{family}/{number}" for family, count in plan.families.items() for number in range(count))
    return [] if ledger is None else [log_signer(ledger, origin).public for origin in origins]


@contextmanager
def admission_of_our_own(settings: MembersSettings, released: ReleasedSchemas) -> Iterator[None]:
    """While this lasts, a thread of this process admits members' proposals, together with whoever else does."""
    own = AdmissionSettings.load(
        {
            **os.environ,
            "IPX_STATE_DIR": str(settings.state_dir),
            "IPX_ADMISSION_INSTANCE": "members-command",
            "IPX_ADMISSION_STATIC_MEMBER": "false",
            "IPX_ADMISSION_VERIFY_PROCESSES": "0",
            "IPX_ADMISSION_KEY_FILE": str(settings.keys_dir / "exchange.admission.key"),
        }
    )
    metrics = Metrics("admission")
    telling = Telling(metrics, Checks(metrics, *CHECKS), get_logger("members"))
    tables = load_code_tables(SCHEMAS_DIR / "codes")
    admission = Admission(own, released, tables, clock_of(own.clock_file, metrics), telling, families=("members",))
    thread = threading.Thread(target=admission.run, name="admission", daemon=True)
    thread.start()
    try:
        yield
    finally:
        admission.stop()
        thread.join(timeout=30)


def _has_workers(settings: MembersSettings) -> bool:
    admin = AdminClient({**settings.librdkafka(), "log_level": 2})
    group = Groups(settings.exchange_name).admission
    try:
        described = admin.describe_consumer_groups([group], request_timeout=_GROUP_S)[group].result()
    except KafkaException as error:
        raise Transient(f"Kafka does not answer: {error.args[0].name()}") from error
    return bool(described.members)


def _follower(settings: MembersSettings, topics: Topics, released: ReleasedSchemas) -> MembersFollower:
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set; `ipx members init` makes the root key and writes it down")
    return MembersFollower(
        settings.librdkafka(), topics, schema_of=released.with_digest, root=parse_public(settings.root_key)
    )


def _with_root_key(settings: MembersSettings, keyring: Keyring) -> MembersSettings:
    """The root key is that of the operator's key file; it is written down where every command reads it."""
    line = keyring.ensure(OPERATOR).public.line()
    if settings.root_key is None:
        update_env_file(settings.state_dir / ENV_FILE, {"IPX_ROOT_KEY": line})
        return settings.model_copy(update={"root_key": line})
    if settings.root_key != line:
        raise BadSettings(f"IPX_ROOT_KEY is another key than {keyring.path_of(OPERATOR)}")
    return settings


def _digest(released: ReleasedSchemas, proposal: AgreementProposed) -> str:
    return body_digest(released.named(AgreementProposed.TYPE).encode(to_value(proposal)))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path.name}: {error}") from error
