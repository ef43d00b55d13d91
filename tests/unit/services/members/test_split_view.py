"""Who may report a split view: a report that its own bytes do not prove is refused, whoever sends it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from connectors.node import receipts
from services.codec.checkpoint import parse_checkpoint
from services.codec.cloudevents import envelope_to_structured
from services.codec.envelope import Draft, seal
from services.codec.note import parse_note
from services.codec.split_view import find_fork
from services.codec.tiles import Tree
from services.events import to_value
from services.events.member import KeyRevoked
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from services.members.split_view import keys_of_log
from tests.unit.connectors.small_exchange import FOUNDED_MS, NANJING, RELEASED, SmallExchange, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, join_ledger, key_of, signer_of_log

TRUE = SmallLog().grow(300)
FORGED = TRUE.fork(200).grow(250, "forged")


def exchange() -> SmallExchange:
    made = SmallExchange()
    join_ledger(made)
    return made


def report(first: SmallLog = TRUE, second: SmallLog = FORGED, **changes: Any) -> dict[str, Any]:
    heads = [parse_checkpoint(parse_note(log.checkpoint()).text) for log in (first, second)]
    larger = max((first, second), key=lambda log: log.size)
    fork = find_fork(heads[0], heads[1], Tree(larger.tiles().get, larger.size))
    assert fork is not None
    receipt = receipts.split_view_found(
        NANJING, heads[0], first.checkpoint(), heads[1], second.checkpoint(), fork, FOUNDED_MS, node="n"
    )
    return {**to_value(receipt.event), **changes}


def told(made: SmallExchange, value: dict[str, Any], **changes: Any) -> tuple[str, str | None]:
    given = {"subject": ORIGIN, "addressee": "exchange.operator", "agreement": "-", "cause": "-", **changes}
    draft = Draft(
        id="0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52", source=NANJING, time=format_instant(made.clock.now_ms()), **given
    )
    schema = RELEASED.named("cn.ipx.receipt.SplitViewFound")
    envelope = seal(schema, value, draft, signer_of(NANJING), CountedEntropy())
    word = made.propose(json.loads(json.dumps(envelope_to_structured(envelope))))
    if word == "admitted":
        return word, None
    body = made.inboxes[NANJING][-1]["data_base64"]
    value = RELEASED.named("cn.ipx.receipt.OutcomesRecorded").decode(base64.b64decode(body))
    return value["outcomes"][0]["code"], value["outcomes"][0]["field"]


def test_a_report_that_proves_itself_is_admitted_and_goes_to_the_operator() -> None:
    made = exchange()
    assert told(made, report()) == ("admitted", None)
    assert len(made.inboxes["exchange.operator"]) == 1


@pytest.mark.parametrize(("first", "second"), [(FORGED, TRUE), (TRUE, TRUE.fork(10).grow(290, "x"))])
def test_the_order_of_the_two_and_equal_sizes_make_no_difference(first: SmallLog, second: SmallLog) -> None:
    assert told(exchange(), report(first, second)) == ("admitted", None)


def test_a_key_of_the_log_that_was_revoked_still_proves() -> None:
    made = exchange()
    key = signer_of_log().public
    made.say(KeyRevoked(participant=key.participant, key_id=key.key_id, revoked_at=FOUNDED_MS, reason="compromised"))
    assert told(made, report()) == ("admitted", None)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"seen_size": 299}, "bad-field", "seen_note"),
        ({"seen_root": "sha256:" + "0" * 64}, "bad-field", "seen_root"),
        ({"offered_root": "sha256:" + "0" * 64}, "bad-field", "offered_root"),
        ({"seen_note": FORGED.checkpoint()}, "bad-field", "seen_note"),
        ({"seen_note": b"nonsense"}, "bad-field", "seen_note"),
        ({"offered_note": TRUE.checkpoint().replace(b"\n300\n", b"\n301\n")}, "bad-field", "offered_note"),
        ({"prefix_root": None}, "bad-field", "proof"),
        ({"prefix_root": f"sha256:{TRUE.root().hex()}"}, "bad-field", "proof"),
        ({"proof": b""}, "bad-field", "proof"),
        ({"proof": b"\0" * 33}, "bad-field", "proof"),
    ],
)
def test_a_report_that_does_not_prove_itself_is_refused(changes: dict[str, Any], code: str, field: str) -> None:
    assert told(exchange(), report(**changes)) == (code, field)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"addressee": NANJING}, "addressee-not-agreed"),
        ({"addressee": "-"}, "addressee-not-agreed"),
        ({"agreement": "yrd-enforcement@1"}, "flow-not-agreed"),
        ({"subject": "small/clues/1"}, "bad-field"),
        ({"cause": "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f53"}, "bad-field"),
    ],
)
def test_it_moves_under_no_agreement_to_the_operator_alone(changes: dict[str, Any], code: str) -> None:
    assert told(exchange(), report(), **changes)[0] == code


def test_the_origin_is_that_of_a_log_of_this_exchange() -> None:
    for origin in ("other/clues/0", "small/clues", "small.clues/0"):
        code, field = told(exchange(), report(origin=origin), subject=origin)
        assert (code, field) == ("bad-field", "origin")


def test_the_keys_of_a_log_are_those_of_the_ledger_that_may_sign_then() -> None:
    registry = exchange().history.latest
    assert key_of() in keys_of_log(registry, ORIGIN)
    assert key_of() in keys_of_log(registry, ORIGIN, FOUNDED_MS)
    assert keys_of_log(registry, ORIGIN, FOUNDED_MS - 1) == []
    with pytest.raises(Refused):
        keys_of_log(registry, "other/clues/0")
