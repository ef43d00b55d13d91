"""The steps over the event and who might say it: schemas, content, members events, key, signature, agreement, recipients.

Implements steps 7 to 16 of ``services/ledger/FORMAT.md`` section 6.6, for bytes that were proved to be in the logs. Pure.
"""

from __future__ import annotations

from services.codec.content import content_digest, parse_disclosure
from services.codec.schema import compile_schema
from services.codec.signature import RootCache, parse_signature
from services.codec.signature import verify as is_signed_by
from services.codec.statement import format_statement
from services.events import EVENT_TYPES
from services.events.member import ExchangeFounded
from services.kernel.errors import Refused
from services.verifier.case import MEMBERS, Case
from services.verifier.excerpt import fold_records, founding_key, member_event, recipients_of, within
from services.verifier.report import Said


def check_schemas(case: Case) -> Said:
    """(7) Digest of every schema that a statement names, and no schema besides."""
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


def check_body(case: Case) -> Said:
    """(8) Body canonical, FORMAT.md section 2.1."""
    with within("event.body"):
        case.value, case.parts = case.schema.decode_parts(case.evidence.body)
    size = len(case.evidence.body)
    return Said(f"{size}字节，唯一规范编码", f"{size} bytes, the one canonical encoding")


def check_commitment(case: Case) -> Said:
    """(9) Commitment, FORMAT.md section 2.2."""
    with within("event.disclosure"):
        disclosure = parse_disclosure(case.schema, case.evidence.disclosure)
        digest = f"sha256:{content_digest(case.schema, case.parts, disclosure).hex()}"
    if digest != case.entry.statement.content:
        raise Refused("statement-mismatch", "the content is not what the source committed to", field="event.body")
    withheld = ", ".join(disclosure.digests) or "-"
    return Said(f"内容与承诺一致；未披露：{withheld}", f"the content is what was committed to; withheld: {withheld}")


def check_founding(case: Case) -> Said:
    """(10) The first record of the members log, and whose key it names."""
    if case.is_founding:
        with within("event.body"):
            event = member_event(case.schema, case.value)
        if case.placed or case.entry.log != f"{case.exchange}.{MEMBERS}/0" or case.entry.seq != 0:
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


def check_members_events(case: Case) -> Said:
    """(11) Each said by a key that was valid, and by one who may say it; folded as admission folds them."""
    case.registry = fold_records(case.placed, case.schemas, case.exchange)
    names = ", ".join(sorted(case.registry.participants)) or "-"
    return Said(f"成员记录签名及权限成立：{names}", f"each is signed and allowed; they speak of {names}")


def check_key(case: Case) -> Said:
    """(12) Key of the source, valid at the time of the statement."""
    statement = case.entry.statement
    signature = parse_signature(case.entry.signature)
    if case.is_founding:
        with within("event.body"):
            event = member_event(case.schema, case.value)
        assert isinstance(event, ExchangeFounded)
        if founding_key(event).key_id != signature.key_id:
            raise Refused("bad-signature", "a founding is signed by the key that it names", field="event.entry")
        case.public_key = founding_key(event).data
    else:
        with within("event.entry"):
            key = case.registry.signing_key(signature.key_id, signature.suite, statement.source, statement.time_ms)
        case.public_key = key.public_key
    at = statement.time
    return Said(f"{signature.key_id}于{at}有效", f"{signature.key_id} was valid at {at}, in the members log")


def check_signature(case: Case) -> Said:
    """(13) Signature, FORMAT.md section 3."""
    signature = parse_signature(case.entry.signature)
    data = format_statement(case.entry.statement)
    if not is_signed_by(data, signature, case.public_key, RootCache()):
        raise Refused("bad-signature", "the signature of the source does not verify", field="event.entry")
    source = case.entry.statement.source
    return Said(f"{source}签署了该声明", f"{source} signed this statement")


def check_agreement(case: Case) -> Said:
    """(14) Agreement in force at the time of the statement, with the signature of every signatory."""
    statement = case.entry.statement
    if statement.agreement == "-":
        return Said("该类事件不依据协议", "it moves under no agreement, by the fixed rules")
    with within("event.entry"):
        agreement = case.registry.in_force(statement.agreement, statement.time_ms)
    names = ", ".join(sorted(agreement.signed))
    return Said(f"{agreement.ref}有效，签署方：{names}", f"{agreement.ref} was in force, signed by {names}")


def check_recipients(case: Case) -> Said:
    """(15) Who might say it, to whom, and what each sees, recomputed."""
    if case.schema.name not in EVENT_TYPES:
        en = f"this verifier does not know {case.schema.name}: a newer one may"
        return Said(f"本工具不认识{case.schema.name}，请使用更新的版本", en, "not-proved")
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


def check_excerpt(case: Case) -> Said:
    """(16) What only the whole members log proves."""
    return Said(
        "节选不能证明其间没有撤销、暂停或者其他主管机关；须对完整成员日志运行verify-log",
        "an excerpt does not prove that nothing between its records was left out (a revocation, a suspension, a nearer competent organ, an organ"
        f" that is to get a copy): run verify-log over all {case.entry.members} records",
        "not-proved",
    )
