"""Every way of being refused, through the real Kafka: the code that the source is told, and that nothing enters the log."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import fastavro
import pytest

from services.admission.partitioning import partition_of
from services.codec.envelope import frame
from services.codec.keys import signer_from_seed
from services.codec.registry import SchemaRegistry
from services.events.clue import ClueResultReturned
from services.events.member import ExchangeFounded, KeyAdded, KeyRevoked, ParticipantRegistered, ParticipantSuspended
from services.events.receipt import Delivered
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from tests.broker.admission_rig import (
    CLOCK,
    CLUE,
    ENTROPY,
    HANGZHOU,
    NANJING,
    NANJING_IP,
    POLICE,
    RELEASED,
    STRANGER,
    Rig,
    clue_value,
    founded,
    ids_of,
    resent,
)

OPERATOR = "exchange.operator"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def rig(make_exchange: Callable[[], Any]) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        made.start().wait_ready()
        yield made


def now(offset_ms: int = 0) -> str:
    return format_instant(CLOCK.now_ms() + offset_ms)


def _statement(rig: Rig, **changes: Any) -> Any:
    """A clue whose statement was changed after it was signed."""
    envelope = rig.clue(10)
    return resent(envelope, statement=replace(envelope.statement, **changes))


def _unsalted(rig: Rig) -> Any:
    envelope = rig.clue(10)
    return resent(envelope, salts="-")


def _clues_made_wrong() -> dict[str, tuple[Callable[[Rig], Any], str]]:
    return {
        "an id that is none": (lambda rig: _statement(rig, id="not-an-id"), "bad-attribute"),
        "a time that is no moment": (lambda rig: _statement(rig, time="2026-02-31T00:00:00.000Z"), "bad-attribute"),
        "addressees out of order": (lambda rig: _statement(rig, addressee=f"{HANGZHOU},{NANJING}"), "bad-attribute"),
        "another type than the body": (
            lambda rig: _statement(rig, type="cn.ipx.clue.ClueFiled"),
            "statement-mismatch",
        ),
        "another schema": (lambda rig: _statement(rig, schema="sha256:" + "0" * 64), "statement-mismatch"),
        "another content": (lambda rig: _statement(rig, content="sha256:" + "0" * 64), "statement-mismatch"),
        "a changed open field": (
            lambda rig: resent(rig.clue(10), body=rig.clue(10, value_title="改过的标题").body),
            "statement-mismatch",
        ),
        "no salts": (_unsalted, "bad-disclosure"),
        "bytes after the body": (lambda rig: _with_body(rig, lambda body: body + b"\x00"), "not-canonical"),
        "an entry of its own": (lambda rig: resent(rig.clue(10), entry="x"), "bad-attribute"),
        "a delivery of its own": (lambda rig: resent(rig.clue(10), delivery="x y 0"), "bad-attribute"),
        "no key like that": (lambda rig: rig.clue(10, by=_other_key(rig)), "unknown-key"),
        "the key of somebody else": (lambda rig: rig.clue(10, by=rig.signer(HANGZHOU)), "key-not-of-source"),
        "a key that is not valid yet": (lambda rig: rig.clue(10, time=now(-HOUR_MS)), "key-not-yet-valid"),
        "a suite that nobody knows": (
            lambda rig: resent(rig.clue(10), signature=rig.clue(10).signature.replace("ed25519:", "rot13:")),
            "unknown-suite",
        ),
        "a signature of another statement": (
            lambda rig: resent(rig.clue(10), signature=rig.clue(11).signature),
            "bad-signature",
        ),
        "a changed addressee": (lambda rig: _statement(rig, addressee=f"{HANGZHOU}"[:-1] + "s"), "bad-signature"),
        "no agreement": (lambda rig: rig.clue(10, agreement="-"), "agreement-unknown"),
        "an agreement that nobody proposed": (lambda rig: rig.clue(10, agreement="other@1"), "agreement-unknown"),
        "a flow that is not agreed": (
            lambda rig: rig.clue(10, source=NANJING_IP, by=rig.signer(NANJING_IP)),
            "flow-not-agreed",
        ),
        "an organ type that is not agreed": (lambda rig: rig.clue(10, addressee=POLICE), "flow-not-agreed"),
        "an addressee that is no member": (
            lambda rig: rig.clue(10, addressee="510100.market_regulator"),
            "addressee-not-a-member",
        ),
        "an addressee outside the agreement": (lambda rig: rig.clue(10, addressee=STRANGER), "addressee-not-agreed"),
        "a source outside the agreement": (lambda rig: rig.clue(10, source=STRANGER), "not-a-member"),
        "no competent organ": (
            lambda rig: rig.clue(10, addressee="-", value_place_division="340104"),
            "no-competent-organ",
        ),
        "a part of the exchange that reports a clue": (
            lambda rig: rig.clue(10, source="exchange.clues"),
            "not-authorised",
        ),
        "a credit code with a wrong check": (
            lambda rig: rig.clue(10, value_suspects=[_party(uscc="91320100MA1QXT001A")]),
            "bad-field",
        ),
        "a code that is in no table": (lambda rig: rig.clue(10, value_subtype="hearsay"), "bad-code"),
        "a division that does not exist": (lambda rig: rig.clue(10, value_place_division="339999"), "bad-code"),
        "a time ten minutes ahead": (lambda rig: rig.clue(10, time=now(600_000)), "time-in-future"),
        "a find that is still to come": (
            lambda rig: rig.clue(10, value_discovered_at=CLOCK.now_ms() + HOUR_MS),
            "time-in-future",
        ),
    }


def _party(**changes: Any) -> dict[str, Any]:
    return {"name": "某公司", "uscc": None, "division": None, "address": None, **changes}


def _with_body(rig: Rig, change: Callable[[bytes], bytes]) -> Any:
    envelope = rig.clue(10)
    return resent(envelope, body=change(envelope.body))


def _other_key(rig: Rig) -> Any:
    return signer_from_seed(NANJING, b"\x07" * 32)


CASES = _clues_made_wrong()


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_refused_with_its_code_and_stays_out_of_the_log(rig: Rig, name: str) -> None:
    make, code = CASES[name]
    envelope = make(rig)
    outcome = rig.outcome_of(envelope)
    assert (outcome["outcome"], outcome["code"]) == ("refused", code)
    assert outcome["message_zh"]
    assert outcome["message_en"]
    assert (outcome["log"], outcome["seq"]) == (None, None)
    assert envelope.statement.id not in ids_of(rig.log())


def test_a_refusal_names_the_agreement_and_the_flow_that_is_missing(rig: Rig) -> None:
    message = rig.outcome_of(rig.clue(10, addressee=POLICE))["message_en"]
    for word in ("delta@1", CLUE, "market_regulator", "police"):
        assert word in message


def test_a_refused_event_is_judged_again_when_it_is_sent_again(rig: Rig) -> None:
    envelope = rig.clue(10, time=now(300_000 + 4_000))
    assert rig.outcome_of(envelope)["code"] == "time-in-future"
    rig.wait(lambda: format_instant(CLOCK.now_ms() + 300_000) > envelope.statement.time, 30)
    assert rig.outcome_of(envelope)["outcome"] == "admitted"


@pytest.mark.parametrize(
    ("put", "code"),
    [
        ({"key": b"another-key"}, "bad-attribute"),
        ({"partition": None}, "bad-attribute"),
        ({"topic": "receipts"}, "bad-attribute"),
    ],
)
def test_a_record_that_does_not_lie_where_its_subject_does_is_refused(rig: Rig, put: dict[str, Any], code: str) -> None:
    envelope = rig.clue(10)
    if "topic" in put:
        put = {"topic": rig.exchange.topics.proposals("receipts")}
    if "partition" in put:
        put = {"partition": 3 - _partition(envelope.statement.subject)}
    outcome = rig.outcome_of(envelope, **put)
    assert (outcome["outcome"], outcome["code"]) == ("refused", code)


def _partition(subject: str) -> int:
    return partition_of(subject.encode(), 4)


def test_a_missing_attribute_is_named(rig: Rig) -> None:
    envelope = rig.clue(10)
    headers = [header for header in envelope.headers() if header[0] != "ce_ipxcontent"]
    outcome = rig.outcome_of(envelope, headers=headers)
    assert (outcome["code"], outcome["field"]) == ("missing-attribute", "ipxcontent")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "undecodable"),
        (b"\x01\x00\x00\x00\x01rest", "undecodable"),
        (None, "undecodable"),
        (frame(999_999, b"\x00\x01"), "unknown-schema"),
    ],
)
def test_what_cannot_be_read_is_kept_whole_and_told(rig: Rig, value: bytes | None, code: str) -> None:
    before = len(rig.quarantine())
    envelope = rig.clue(10)
    outcome = rig.outcome_of(envelope, value=value)
    assert (outcome["outcome"], outcome["code"]) == ("refused", code)
    kept = rig.quarantine()[before]
    assert (kept.value, kept.headers["ipx_code"].decode()) == (value, code)
    topic, _, rest = kept.headers["ipx_origin"].decode().partition("/")
    assert topic == rig.exchange.topics.proposals("clues")
    assert int(rest.partition("@")[2]) > 0
    assert kept.headers["ipx_reason"]
    assert rig.outcome_of(rig.clue(10))["outcome"] == "admitted"  # the flow goes on


def test_a_body_that_is_not_avro_is_kept_whole(rig: Rig) -> None:
    before = len(rig.quarantine())
    outcome = rig.outcome_of(rig.clue(10), value=frame(rig.ids[CLUE], b"\xff" * 40))
    assert outcome["code"] in ("undecodable", "not-canonical")
    assert len(rig.quarantine()) == before + (outcome["code"] == "undecodable")


def test_a_record_without_any_attribute_is_kept_and_nobody_is_told(rig: Rig) -> None:
    before, told = len(rig.quarantine()), len(rig.outcomes())
    rig.put(rig.clue(10), headers=[], value=b"nonsense")
    rig.put(rig.clue(10), headers=[("ce_id", b"\xff\xfe")])
    rig.propose([rig.clue(10)])
    rig.wait_outcomes(told + 1)
    assert len(rig.quarantine()) == before + 2


def test_a_source_that_nobody_registered_cannot_be_told_so_its_record_is_kept(rig: Rig) -> None:
    before, told = len(rig.quarantine()), len(rig.outcomes())
    rig.propose(
        [rig.clue(10, source="510100.police", by=signer_from_seed("510100.police", b"\x09" * 32)), rig.clue(10)]
    )
    rig.wait_outcomes(told + 1)
    assert rig.quarantine()[before].headers["ipx_code"] == b"unknown-key"


def test_a_schema_of_the_registry_that_was_never_released_is_refused(rig: Rig) -> None:
    name = f"cn.ipx.clue.Unreleased{rig.exchange.name}"
    schema = f'{{"type": "record", "name": "{name}", "fields": [{{"name": "a", "type": "string"}}]}}'
    registry = SchemaRegistry(rig.exchange.settings.registry_url)
    schema_id = registry.register(name, schema)
    registry.close()
    outcome = rig.outcome_of(rig.clue(10), value=frame(schema_id, b"\x02a"))
    assert outcome["code"] == "unreleased-schema"


def test_too_large_a_body_is_refused(rig: Rig) -> None:
    envelope = rig.clue(10)
    outcome = rig.outcome_of(envelope, value=frame(rig.ids[CLUE], envelope.body + b"\x00" * 262_144))
    assert outcome["code"] == "too-large"


def test_too_many_items_are_refused(rig: Rig) -> None:
    schema = RELEASED.named(CLUE)
    listing = dict.fromkeys(("platform_uscc", "url", "shop_id", "shop_name", "item_id", "price_fen"))
    value = clue_value(listings=[{"platform": "a", "sold_quantity": None, "seen_at": None, **listing}] * 10_001)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema.parsed, value)
    outcome = rig.outcome_of(rig.clue(10), value=frame(rig.ids[CLUE], out.getvalue()))
    assert outcome["code"] == "too-many-items"


def test_a_receipt_that_is_not_ones_own_and_a_derived_event_of_somebody_else_are_refused(rig: Rig) -> None:
    cause = uuid7(CLOCK.now_ms(), ENTROPY.draw(10))
    receipt = Delivered(event=cause, recipient=HANGZHOU, log="x.clues/0", number=0, delivered_at=CLOCK.now_ms())
    good = rig.event(receipt, HANGZHOU, "R-1", addressee=NANJING, cause=cause)
    forged = rig.event(receipt, NANJING_IP, "R-1", addressee=NANJING, cause=cause)
    assert rig.outcome_of(good)["outcome"] == "admitted"
    assert rig.outcome_of(forged)["code"] == "not-authorised"
    result = ClueResultReturned(
        result="filed",
        origin=NANJING,
        handled_by=HANGZHOU,
        report_event=cause,
        result_event=cause,
        reported_at=CLOCK.now_ms(),
        decided_at=CLOCK.now_ms(),
    )
    assert (
        rig.outcome_of(rig.event(result, NANJING, "CL-1", addressee=NANJING, cause=cause))["code"] == "not-authorised"
    )
    ours = rig.event(result, "exchange.clues", "CL-1", addressee=NANJING, cause=cause)
    assert rig.outcome_of(ours)["outcome"] == "admitted"


def test_a_key_that_is_added_works_at_once_and_one_that_is_revoked_no_more(rig: Rig) -> None:
    fresh = signer_from_seed(HANGZHOU, ENTROPY.draw(32))
    added = KeyAdded(
        participant=HANGZHOU,
        key_id=fresh.key_id,
        suite="ed25519",
        public_key=fresh.public.data,
        valid_from=CLOCK.now_ms() - 1000,
        valid_until=CLOCK.now_ms() + HOUR_MS,
    )
    assert rig.outcome_of(rig.event(added, HANGZHOU, HANGZHOU))["outcome"] == "admitted"
    assert rig.outcome_of(rig.clue(20, source=HANGZHOU, addressee=NANJING, by=fresh))["outcome"] == "admitted"
    expired = rig.clue(20, source=HANGZHOU, addressee=NANJING, by=fresh, time=now(2 * HOUR_MS))
    assert rig.outcome_of(expired)["code"] == "key-expired"
    revoked = KeyRevoked(participant=HANGZHOU, key_id=fresh.key_id, revoked_at=CLOCK.now_ms(), reason="compromised")
    assert rig.outcome_of(rig.event(revoked, OPERATOR, HANGZHOU))["outcome"] == "admitted"
    rig.wait(
        lambda: rig.outcome_of(rig.clue(20, source=HANGZHOU, addressee=NANJING, by=fresh))["outcome"] == "refused", 10
    )
    outcome = rig.outcome_of(rig.clue(20, source=HANGZHOU, addressee=NANJING, by=fresh))
    assert outcome["code"] == "key-revoked"


def test_a_new_organ_has_its_inbox_at_once_and_a_suspended_one_is_refused(rig: Rig) -> None:
    name = "330200.market_regulator"
    key = signer_from_seed(name, ENTROPY.draw(32))
    at_ms = CLOCK.now_ms() - 1000
    registered = ParticipantRegistered(
        participant=name,
        name_zh="宁波市市场监督管理局",
        name_en="Ningbo Market Regulator",
        division="330200",
        organ_type="market_regulator",
        level="prefecture",
        valid_from=at_ms,
    )
    added = KeyAdded(participant=name, key_id=key.key_id, suite="ed25519", public_key=key.public.data, valid_from=at_ms)
    rig.propose([rig.event(registered, OPERATOR, name)])
    assert rig.outcome_of(rig.event(added, OPERATOR, name))["outcome"] == "admitted"
    rig.propose([rig.clue(30, source=name, addressee=NANJING, by=key)])
    rig.wait(lambda: [o["outcome"] for o in rig.outcomes(name)] == ["admitted"], 30)
    suspended = ParticipantSuspended(participant=name, suspended_at=at_ms, reason="试验")
    assert rig.outcome_of(rig.event(suspended, OPERATOR, name))["outcome"] == "admitted"
    rig.propose([rig.clue(30, source=name, addressee=NANJING, by=key), rig.clue(31, addressee=name)])
    rig.wait(lambda: rig.outcomes(name)[-1]["code"] == "member-suspended", 30)
    assert rig.outcomes()[-1]["code"] == "addressee-not-agreed"


def test_the_exchange_is_not_founded_a_second_time(rig: Rig) -> None:
    root = rig.signer(OPERATOR).public
    again = ExchangeFounded(
        name=rig.exchange.name,
        operator=OPERATOR,
        key_id=root.key_id,
        suite="ed25519",
        public_key=root.data,
        founded_at=CLOCK.now_ms(),
        title_zh="再次成立",
        title_en="Founded again",
    )
    assert rig.outcome_of(rig.event(again, OPERATOR, "t"))["code"] == "already-founded"


def test_no_restricted_value_is_in_metrics_or_logs(rig: Rig) -> None:
    process = rig.processes[0]
    rig.outcome_of(rig.clue(10, value_reporter="王五秘", value_reporter_phone="13999999999", addressee=POLICE))
    text = process.metrics() + process.log.read_text()
    for secret in ("王五秘", "13999999999", "张某", "13900000000"):
        assert secret not in text
    assert 'ipx_admission_refused_events_total{code="flow-not-agreed"}' in text
    assert f'ipx_admission_failed_signatures_total{{participant="{NANJING}"}}' in text
