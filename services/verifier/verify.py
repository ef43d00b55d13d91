"""Verifies an evidence file with nothing else at hand: numbered steps, the first bad place named, never a foreign exception.

Implements ``services/ledger/FORMAT.md`` section 6.6. Nothing of the content is decoded before it is proved to be in a log whose checkpoint
the policy takes: bytes that nobody answers for are only hashed.

(1) form of the file · (2) entry · (3) inclusion · (4) checkpoint · (5) witnesses · (6) members log · (7) schemas · (8) body · (9) commitment ·
(10) founding · (11) members events · (12) key of the source · (13) signature · (14) agreement · (15) flow and recipients · (16) what an
excerpt cannot prove · (17) times · (18) time stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.codec.checkpoint import log_of_origin, origin_of
from services.codec.content import content_digest, parse_disclosure
from services.codec.entry import Entry, parse_entry
from services.codec.evidence import Evidence, parse_evidence
from services.codec.field_rules import AHEAD_MS
from services.codec.keys import PublicKey
from services.codec.note import Note
from services.codec.schema import EventSchema, Value, compile_schema
from services.codec.signature import RootCache, parse_signature
from services.codec.signature import verify as is_signed_by
from services.codec.statement import format_statement
from services.codec.tlog_policy import NONE, Policy, Standing, judge
from services.codec.tlog_proof import proves
from services.events.member import ExchangeFounded
from services.kernel.errors import IpxError, Refused
from services.kernel.instants import format_instant, parse_instant
from services.members.jurisdiction import Routes
from services.members.registry import Registry
from services.verifier import stamp as stamps
from services.verifier.excerpt import (
    Placed,
    fold_records,
    founding_key,
    member_event,
    place_records,
    recipients_of,
    within,
)
from services.verifier.report import Finding, Report, Said, Step

_MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class Options:
    """What the verifier knows beside the policy: the root key of the exchange, time-stamping authorities, the routing table."""

    root: PublicKey | None = None
    authorities: tuple[Any, ...] = ()
    routes: Routes = ()


@dataclass(slots=True)
class _Case:
    """What the steps have come to so far; a step reads only what an earlier one has set."""

    data: bytes
    policy: Policy
    options: Options
    evidence: Evidence = field(init=False)
    entry: Entry = field(init=False)
    standing: Standing = field(init=False)
    exchange: str = field(init=False)
    placed: tuple[Placed, ...] = field(init=False)
    schemas: dict[str, EventSchema] = field(init=False)
    value: Value = field(init=False)
    parts: list[bytes] = field(init=False)
    registry: Registry = field(init=False)
    public_key: bytes = field(init=False)

    @property
    def is_founding(self) -> bool:
        """Whether the event is the founding itself: then its key is the one that it names."""
        return self.entry.statement.type == ExchangeFounded.TYPE

    @property
    def schema(self) -> EventSchema:
        """The schema of the event."""
        return self.schemas[self.entry.statement.schema]


def verify(data: bytes, policy: Policy, options: Options | None = None) -> Report:
    """The report on a file, whatever its bytes are. Pure; memory stays within a small multiple of the bound on evidence files."""
    case = _Case(data, policy, options or Options())
    steps: list[Step] = []
    failed: int | None = None
    for number, (title_zh, title_en, run) in enumerate(_STEPS, 1):
        if failed is not None:
            zh, en = f"第{failed}步不成立，未检查", f"not looked at, since step {failed} failed"
            steps.append(Step(number, title_zh, title_en, "not-proved", zh, en))
            continue
        try:
            said = run(case)
            steps.append(Step(number, title_zh, title_en, said.finding, said.zh, said.en))
        except IpxError as error:
            failed = number
            place = _printable((error.field if isinstance(error, Refused) else None) or "file")
            steps.append(
                Step(
                    number, title_zh, title_en, "failed", f"不成立：{place}", _printable(str(error)), error.code, place
                )
            )
    return Report(tuple(steps), case.entry.statement.id if _has(case, "entry") else None)


def _printable(text: str) -> str:
    """A sentence may repeat what a stranger wrote: no control characters of it reach a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _has(case: _Case, name: str) -> bool:
    return hasattr(case, name)


def _form(case: _Case) -> Said:
    # (1) form of the file, FORMAT.md section 6.6
    case.evidence = parse_evidence(case.data)
    return Said("文件为唯一规范写法", "the file is written in its one form")


def _entry(case: _Case) -> Said:
    # (2) entry, FORMAT.md section 4; it is of the log and the place that the proof is of
    with within("event.entry"):
        case.entry = parse_entry(case.evidence.entry)
        origin = origin_of(case.entry.log)
    proof = case.evidence.proof
    if proof.checkpoint.origin != origin:
        raise Refused("bad-evidence", f"the entry is of {origin}, the checkpoint is not", field="event.proof")
    if proof.index != case.entry.seq:
        raise Refused("bad-proof", f"the entry has seq {case.entry.seq}, the proof another", field="event.proof")
    case.exchange = origin.partition("/")[0]
    if origin == f"{case.exchange}/{_MEMBERS}/0" and case.entry.members != case.entry.seq:
        sentence = "an event of the members log is judged by all that stands before it"
        raise Refused("bad-evidence", sentence, field="event.entry")
    statement = case.entry.statement
    place = f"{case.entry.log} seq {case.entry.seq}"
    return Said(f"{statement.id}，{place}", f"{statement.type} {statement.id}, {place}")


def _inclusion(case: _Case) -> Said:
    # (3) inclusion, RFC 6962 section 2.1.1
    if not proves(case.evidence.proof, case.evidence.entry):
        sentence = "the path does not lead from the entry to the root of the checkpoint"
        raise Refused("bad-proof", sentence, field="event.proof")
    size = case.evidence.proof.checkpoint.size
    return Said(f"条目在{size}条的日志树中", f"the entry is in the tree of {size} entries")


def _checkpoint(case: _Case) -> Said:
    # (4) checkpoint signed by the log's key, and by nobody whom the policy does not know
    case.standing = _judged(case.evidence.proof.note, case.policy, "event.proof")
    return Said("由策略中的日志密钥签署", "signed by the key that the policy has for this log")


def _judged(note: Note, policy: Policy, place: str) -> Standing:
    with within(place):
        standing = judge(note, policy)
        if standing.strangers:
            sentence = f"a signature by {standing.strangers[0]} is not of the policy, or not good"
            raise Refused("bad-signature", sentence)
    return standing


def _witnesses(case: _Case) -> Said:
    # (5) quorum of the policy
    names = ", ".join(sorted(case.standing.cosigned))
    _require_quorum(case.standing, case.policy, "event.proof")
    if case.policy.quorum == NONE:
        return Said("策略不要求见证", "the policy asks for no witness", "not-proved")
    return Said(f"见证达到策略要求：{names}", f"the quorum of the policy is met: {names}")


def _require_quorum(standing: Standing, policy: Policy, place: str) -> None:
    if not standing.is_witnessed:
        names = ", ".join(sorted(standing.cosigned)) or "nobody"
        sentence = f"the quorum {policy.quorum} of the policy is not met; cosigned by {names}"
        raise Refused("not-witnessed", sentence, field=place)


def _members_log(case: _Case) -> Said:
    # (6) the records stand in the members log, which had them when admission decided
    origin = f"{case.exchange}/{_MEMBERS}/0"
    note = case.evidence.members_checkpoint
    standing = _judged(note, case.policy, "members.checkpoint")
    _require_quorum(standing, case.policy, "members.checkpoint")
    checkpoint = standing.checkpoint
    if checkpoint.origin != origin or checkpoint.size < case.entry.members:
        sentence = f"expected a checkpoint of {origin} of at least {case.entry.members} entries"
        raise Refused("bad-checkpoint", sentence, field="members.checkpoint")
    log = log_of_origin(origin)
    case.placed = place_records(case.evidence.members, log, case.entry.members, checkpoint)
    count = len(case.placed)
    return Said(f"{count}条成员记录均在成员日志中", f"{count} records, each in the members log")


def _schemas(case: _Case) -> Said:
    # (7) digest of every schema that a statement names, and no schema besides
    statements = [("event.entry", case.entry.statement)]
    statements += [(f"{one.place}.entry", one.entry.statement) for one in case.placed]
    given = case.evidence.schemas
    for place, statement in statements:
        if statement.schema not in given:
            raise Refused("unknown-schema", f"the schema {statement.schema} is not in the file", field=place)
    spare = given.keys() - {statement.schema for _, statement in statements}
    if spare:
        raise Refused("bad-evidence", f"no statement names the schema {min(spare)}", field="schemas")
    with within("schemas"):
        case.schemas = {digest: compile_schema(text) for digest, text in given.items()}
    for place, statement in statements:
        name = case.schemas[statement.schema].name
        if name != statement.type:
            raise Refused("statement-mismatch", f"{statement.type} with the schema of {name[:80]}", field=place)
    return Said(
        f"{len(given)}个模式与声明中的摘要一致", f"{len(given)} schemas have the digests that the statements name"
    )


def _body(case: _Case) -> Said:
    # (8) body canonical, FORMAT.md section 2.1
    with within("event.body"):
        case.value, case.parts = case.schema.decode_parts(case.evidence.body)
    size = len(case.evidence.body)
    return Said(f"{size}字节，唯一规范编码", f"{size} bytes, the one canonical encoding")


def _commitment(case: _Case) -> Said:
    # (9) commitment, FORMAT.md section 2.2
    with within("event.disclosure"):
        disclosure = parse_disclosure(case.schema, case.evidence.disclosure)
        digest = f"sha256:{content_digest(case.schema, case.parts, disclosure).hex()}"
    if digest != case.entry.statement.content:
        raise Refused("statement-mismatch", "the content is not what the source committed to", field="event.body")
    withheld = ", ".join(disclosure.digests) or "-"
    return Said(f"内容与承诺一致；未披露：{withheld}", f"the content is what was committed to; withheld: {withheld}")


def _founding(case: _Case) -> Said:
    # (10) the first record of the members log, and whose key it names
    if case.is_founding:
        with within("event.body"):
            event = member_event(case.schema, case.value)
        if case.placed or case.entry.log != f"{case.exchange}.{_MEMBERS}/0" or case.entry.seq != 0:
            raise Refused("bad-evidence", "a founding is the first entry of the members log", field="event.entry")
    else:
        if not case.placed or case.placed[0].entry.seq != 0:
            raise Refused("bad-evidence", "the founding of the exchange is not in the file", field="members.records")
        first = case.placed[0]
        with within(f"{first.place}.body"):
            schema = case.schemas[first.entry.statement.schema]
            event = member_event(schema, schema.decode(first.record.body))
    if not isinstance(event, ExchangeFounded):
        raise Refused("bad-evidence", "the members log does not begin with a founding", field="members.records")
    if event.name != case.exchange:
        sentence = f"the log is of exchange {case.exchange}, the founding is not"
        raise Refused("bad-evidence", sentence, field="members.records[0]")
    key = founding_key(event)
    if case.options.root is None:
        en = f"the founding names {key.key_id}; no root key was given to compare it with"
        return Said(f"根密钥为{key.key_id}，未提供用于比对的根密钥", en, "not-proved")
    if case.options.root != key:
        sentence = f"the founding names {key.key_id}, the root key given is {case.options.root.key_id}"
        raise Refused("bad-signature", sentence, field="members.records[0]")
    return Said(f"根密钥{key.key_id}与提供的一致", f"the root key {key.key_id} is the one that was given")


def _members_events(case: _Case) -> Said:
    # (11) each said by a key that was valid, and by one who may say it; folded as admission folds them
    case.registry = fold_records(case.placed, case.schemas, case.exchange)
    names = ", ".join(sorted(case.registry.participants)) or "-"
    return Said(f"成员记录签名及权限成立：{names}", f"each is signed and allowed; they speak of {names}")


def _key(case: _Case) -> Said:
    # (12) key of the source, valid at the time of the statement
    statement = case.entry.statement
    signature = parse_signature(case.entry.signature)
    if case.is_founding:
        with within("event.body"):
            event = member_event(case.schema, case.value)
        assert isinstance(event, ExchangeFounded)
        if founding_key(event).key_id != signature.key_id:
            raise Refused("bad-signature", "a founding is signed by the key that it names", field="event.entry")
        case.public_key = event.public_key
    else:
        with within("event.entry"):
            key = case.registry.signing_key(signature.key_id, signature.suite, statement.source, statement.time_ms)
        case.public_key = key.public_key
    at = statement.time
    return Said(f"{signature.key_id}于{at}有效", f"{signature.key_id} was valid at {at}, in the members log")


def _signature(case: _Case) -> Said:
    # (13) signature, FORMAT.md section 3
    signature = parse_signature(case.entry.signature)
    data = format_statement(case.entry.statement)
    if not is_signed_by(data, signature, case.public_key, RootCache()):
        raise Refused("bad-signature", "the signature of the source does not verify", field="event.entry")
    source = case.entry.statement.source
    return Said(f"{source}签署了该声明", f"{source} signed this statement")


def _agreement(case: _Case) -> Said:
    # (14) agreement in force at the time of the statement, with the signature of every signatory
    statement = case.entry.statement
    if statement.agreement == "-":
        return Said("该类事件不依据协议", "it moves under no agreement, by the fixed rules")
    with within("event.entry"):
        agreement = case.registry.in_force(statement.agreement, statement.time_ms)
    names = ", ".join(sorted(agreement.signed))
    return Said(f"{agreement.ref}有效，签署方：{names}", f"{agreement.ref} was in force, signed by {names}")


def _recipients(case: _Case) -> Said:
    # (15) who might say it, to whom, and what each sees, recomputed
    with within("event.entry"):
        found = recipients_of(case.registry, case.schema, case.entry, case.value, case.options.routes)
    expected = tuple((one.id, one.withheld) for one in found)
    stated = tuple((one.recipient, one.withheld) for one in case.entry.deliveries)
    if expected != stated:
        sentence = f"the entry delivers to {_named(stated)}; by the members log it would be {_named(expected)}"
        raise Refused("not-authorised", sentence, field="event.entry")
    return Said(f"接收方与规则一致：{_named(stated)}", f"by the rules it goes to: {_named(stated)}")


def _named(recipients: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    return ", ".join(name if not withheld else f"{name} -{',-'.join(withheld)}" for name, withheld in recipients) or "-"


def _excerpt(case: _Case) -> Said:
    # (16) what only the whole members log proves
    return Said(
        "节选不能证明其间没有撤销、暂停或者其他主管机关；须对完整成员日志运行verify-log",
        "an excerpt does not prove that nothing between its records was left out (a revocation, a suspension, a nearer competent organ, an organ"
        f" that is to get a copy): run verify-log over all {case.entry.members} records",
        "not-proved",
    )


def _times(case: _Case) -> Said:
    # (17) the three times that are stated: of the source, of admission, of the witnesses
    admitted_ms = parse_instant(case.entry.admitted)
    if case.entry.statement.time_ms > admitted_ms + AHEAD_MS:
        raise Refused("time-in-future", "the statement is later than its admission", field="event.entry")
    by_ms = _witnessed_by_ms(case)
    if by_ms is None:
        return Said(
            f"准入时间{case.entry.admitted}，无见证时间",
            f"admitted {case.entry.admitted}, says admission alone",
            "not-proved",
        )
    if admitted_ms > by_ms + AHEAD_MS:
        sentence = f"admitted {case.entry.admitted}, but witnesses had it at {format_instant(by_ms)}"
        raise Refused("time-in-future", sentence, field="event.entry")
    at = format_instant(by_ms)
    return Said(
        f"最迟于{at}已在日志中（见证）", f"it was in the log by {at}, say so many witnesses as the policy asks for"
    )


def _witnessed_by_ms(case: _Case) -> int | None:
    """When the quorum was met, by the times of the cosignatures; None when there is no quorum to meet."""
    present: set[str] = set()
    if case.policy.quorum == NONE:
        return None
    for name, time_s in sorted(case.standing.cosigned.items(), key=lambda item: item[1]):
        present.add(name)
        if case.policy.is_met(present):
            return time_s * 1000
    return None


def _stamp(case: _Case) -> Said:
    # (18) RFC 3161 over the checkpoint
    token = case.evidence.stamp
    if token is None:
        return Said("文件中没有时间戳", "the file has no time stamp", "not-proved")
    if not stamps.is_available():
        return Said("未安装时间戳组件，未检查", "not looked at: the extra `stamp` is not installed", "not-proved")
    read = stamps.read_stamp(token)
    if read.digest != stamps.imprint_of(case.evidence.proof.note.text):
        raise Refused("bad-stamp", "the time stamp is over other bytes than this checkpoint", field="stamp")
    at = read.at.isoformat()
    if not case.options.authorities:
        en = f"it says {at}; no time-stamping authority was named to check it by"
        return Said(f"时间戳为{at}，未指定时间戳机构", en, "not-proved")
    stamps.check_stamp(read, list(case.options.authorities))
    return Said(
        f"检查点最迟于{at}存在（时间戳机构）", f"the checkpoint existed at {at}, by the time-stamping authority"
    )


_STEPS: tuple[tuple[str, str, Callable[[_Case], Said]], ...] = (
    ("文件格式", "form of the file", _form),
    ("日志条目", "entry", _entry),
    ("收录证明", "inclusion in the log", _inclusion),
    ("检查点签名", "checkpoint", _checkpoint),
    ("见证", "witnesses", _witnesses),
    ("成员日志", "members log", _members_log),
    ("模式摘要", "schemas", _schemas),
    ("内容编码", "body", _body),
    ("内容承诺", "commitment", _commitment),
    ("交换成立", "founding of the exchange", _founding),
    ("成员记录", "members events", _members_events),
    ("来源密钥", "key of the source", _key),
    ("来源签名", "signature of the source", _signature),
    ("协议", "agreement", _agreement),
    ("流转与接收方", "flow and recipients", _recipients),
    ("节选的界限", "limits of an excerpt", _excerpt),
    ("时间", "times", _times),
    ("时间戳", "time stamp", _stamp),
)

__all__ = ["Finding", "Options", "Report", "verify"]
