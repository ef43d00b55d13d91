"""A participant that signs with SM2 over SM3, through the real Kafka: admitted, refused, verified by the recipient's node; and without the extra."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.node.verify import Unverified, Verified, Verifier
from services.codec import sm2
from services.codec.content import new_disclosure
from services.codec.envelope import prepare, seal_batch
from services.codec.keys import PublicKey, Sm2Signer, parse_participant_private, parse_public, sm2_signer
from services.codec.signature import key_id_of
from services.events.member import KeyAdded
from services.members.follower import MembersFollower
from services.runtime.settings import CommonSettings
from tests.broker.admission_checks import verify_logs
from tests.broker.admission_rig import (
    CLOCK,
    CLUE,
    ENTROPY,
    HANGZHOU,
    NANJING,
    RELEASED,
    Record,
    Rig,
    clue_value,
    founded,
    ids_of,
    resent,
)
from tests.broker.test_members import said
from tests.unit.services.codec import gm_judge

WAIT_S = 60.0


@pytest.fixture(scope="module")
def rig(make_exchange: Callable[[], Any]) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        made.start().wait_ready()
        yield made


@pytest.fixture(scope="module")
def gm(rig: Rig) -> Sm2Signer:
    """The SM2 key of Nanjing, made and added as an operator does it."""
    added = said(rig, "add-key", NANJING, "--suite", "sm2-sm3")
    assert said(rig, "show", added["added"])["suite"] == "sm2-sm3"
    signer = parse_participant_private(Path(added["private_key"]).read_text())
    assert isinstance(signer, Sm2Signer)
    return signer


def copy_of(rig: Rig, event: str, participant: str = HANGZHOU) -> Record:
    """The copy in the recipient's inbox."""
    return next(
        record
        for record in rig.inbox(participant)
        if "ce_ipxdelivery" in record.headers and record.envelope.statement.id == event
    )


def found_by_node(rig: Rig, *records: Record, participant: str = HANGZHOU) -> list[Verified | Unverified]:
    """What the node of the recipient makes of copies, by the members log as it reads it from Kafka."""
    settings = CommonSettings.load(rig.exchange.environ)
    assert settings.root_key is not None
    root = parse_public(settings.root_key)
    follower = MembersFollower(settings.librdkafka(), rig.exchange.topics, schema_of=RELEASED.with_digest, root=root)
    follower.start()
    try:
        follower.wait_caught_up(WAIT_S)
        history = follower.wait_current(WAIT_S)
        verifier = Verifier(participant, RELEASED.with_digest, history.at)
        return [verifier.verify(record.envelope) for record in records]
    finally:
        follower.stop()


def test_a_clue_signed_with_sm2_is_admitted_and_the_recipients_node_proves_it(rig: Rig, gm: Sm2Signer) -> None:
    clue = rig.clue(1, by=gm)
    assert clue.signature.startswith("sm2-sm3:")
    assert rig.outcome_of(clue)["outcome"] == "admitted"
    copy = copy_of(rig, clue.statement.id)
    assert copy.entry.signature == clue.signature
    (found,) = found_by_node(rig, copy)
    assert isinstance(found, Verified)
    assert found.value["reporter"] == "张某"


def test_a_bulk_load_under_one_sm2_signature_is_admitted_beside_events_of_the_other_suite(
    rig: Rig, gm: Sm2Signer
) -> None:
    schema = RELEASED.named(CLUE)
    batch = seal_batch([(schema, clue_value(), rig.draft(100 + n)) for n in range(7)], gm, ENTROPY)
    before = len(rig.outcomes())
    rig.propose([batch[0], rig.clue(200), *batch[1:4], rig.clue(201), *batch[4:]])
    assert [one["outcome"] for one in rig.wait_outcomes(before + 9)[before:]] == ["admitted"] * 9
    found = found_by_node(rig, *(copy_of(rig, each.statement.id) for each in batch))
    assert all(isinstance(one, Verified) for one in found)
    verify_logs(rig)


def test_an_event_that_openssl_signed_with_a_key_that_openssl_made_is_admitted(rig: Rig) -> None:
    secret = gm_judge.run("rand", "32").stdout
    public = PublicKey(NANJING, gm_judge.public_of(secret))
    assert said(rig, "add-key", NANJING, "--public-key", public.line())["added"] == public.key_id
    salts = new_disclosure(RELEASED.named(CLUE), ENTROPY)
    text, envelope = prepare(RELEASED.named(CLUE), clue_value(), rig.draft(2), salts)
    value = gm_judge.sign(secret, public.data, text)
    signed = resent(envelope, signature=f"sm2-sm3:{public.key_id}:{b64encode(value).decode()}")
    assert rig.outcome_of(signed)["outcome"] == "admitted"
    (found,) = found_by_node(rig, copy_of(rig, signed.statement.id))
    assert isinstance(found, Verified)


def test_a_signature_by_sm2_that_does_not_hold_is_refused_and_enters_no_log(rig: Rig, gm: Sm2Signer) -> None:
    before = ids_of(rig.log())
    clue, other = rig.clue(3, by=gm), rig.clue(4, by=gm)
    stranger = sm2_signer(NANJING, b"s" * 32)
    ed25519 = rig.signer(NANJING)
    wrong = {
        "of another statement": (resent(clue, signature=other.signature), "bad-signature"),
        "of zeros": (resent(clue, signature=f"sm2-sm3:{gm.key_id}:{b64encode(bytes(64)).decode()}"), "bad-signature"),
        "by the other suite": (resent(clue, signature=clue.signature.replace("sm2-sm3", "ed25519")), "bad-signature"),
        "by the other key": (
            resent(clue, signature=clue.signature.replace(gm.key_id, ed25519.key_id)),
            "bad-signature",
        ),
        "by a key that is not added": (rig.clue(5, by=stranger), "unknown-key"),
        "by the key of somebody else": (rig.clue(6, source=HANGZHOU, addressee=NANJING, by=gm), "key-not-of-source"),
        "of a suite that nobody knows": (
            resent(clue, signature=clue.signature.replace("sm2-sm3", "sm2")),
            "unknown-suite",
        ),
    }
    assert {what: rig.outcome_of(event)["code"] for what, (event, _) in wrong.items()} == {
        what: code for what, (_, code) in wrong.items()
    }
    assert ids_of(rig.log()) == before


def key_added(participant: str, public_key: bytes, **changes: Any) -> KeyAdded:
    given = {"key_id": key_id_of(participant, public_key), "suite": "sm2-sm3", "valid_from": CLOCK.now_ms() - 1000}
    return KeyAdded(participant=participant, public_key=public_key, **{**given, **changes})


def test_a_key_that_is_no_point_of_the_curve_is_not_added_and_neither_is_one_of_the_exchange(rig: Rig) -> None:
    good = sm2_signer(HANGZHOU, b"h" * 32).public.data
    off = good[:-1] + bytes([good[-1] ^ 1])
    own = sm2_signer("exchange.clues", b"c" * 32).public.data
    for event in (
        key_added(HANGZHOU, off),
        key_added(HANGZHOU, good[:32]),
        key_added(HANGZHOU, good, suite="ed25519"),
        key_added("exchange.clues", own),
    ):
        outcome = rig.outcome_of(rig.event(event, "exchange.operator", event.participant))
        assert outcome["code"] == "bad-field", event
    done = rig.exchange.ipx("members", "add-key", HANGZHOU, "--public-key", PublicKey(HANGZHOU, off).line())
    assert done.returncode == 1
    assert "not a point of the curve" in done.stderr


def test_without_the_extra_admission_refuses_the_suite_with_what_to_do_and_goes_on(
    rig: Rig, gm: Sm2Signer, tmp_path: Path
) -> None:
    hidden = tmp_path / "gmssl_pyx"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('hidden')\n")
    rig.processes[-1].stop()
    rig.start(PYTHONPATH=str(tmp_path)).wait_ready()
    outcome = rig.outcome_of(rig.clue(10, by=gm))
    assert (outcome["outcome"], outcome["code"]) == ("refused", "unknown-suite")
    assert outcome["message_en"] == sm2.MISSING
    assert rig.outcome_of(rig.clue(11))["outcome"] == "admitted"
    public = sm2_signer(HANGZHOU, b"k" * 32).public
    added = rig.event(key_added(HANGZHOU, public.data), HANGZHOU, HANGZHOU)
    assert rig.outcome_of(added)["code"] == "unknown-suite"
    rig.processes[-1].stop()
    rig.start().wait_ready()
    assert rig.outcome_of(rig.clue(12, by=gm))["outcome"] == "admitted"
