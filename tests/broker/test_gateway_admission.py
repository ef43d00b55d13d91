"""The gateway before the real admission: what a participant is told of its events, and what a recipient is shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.codec.cloudevents import envelope_from_structured, envelope_to_structured
from services.codec.envelope import Envelope
from services.codec.numbering import parse_numbering
from services.events.receipt import Committed, Delivered
from tests.broker.admission_rig import CLOCK, HANGZHOU, HANGZHOU_IP, NANJING, POLICE, RELEASED, STRANGER, Rig, founded
from tests.broker.gateway_running import Client, RunningGateway, running_gateway, until
from tests.broker.room_rig import Worker

SECRETS = ("13900000000", "张某")
"""The reporter's phone, which the agreement discloses to nobody, and name, which it discloses to the market regulator."""


@pytest.fixture(scope="module")
def rig(make_exchange) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        made.start().wait_ready()
        yield made


@pytest.fixture(scope="module")
def gateway(rig: Rig) -> Iterator[RunningGateway]:
    with running_gateway(rig.exchange, IPX_ROOT_KEY="") as running:
        yield running


@pytest.fixture
def receipts_room(rig: Rig) -> Iterator[Worker]:
    worker = Worker(rig.exchange, ("-m", "services", "room", "run", "receipts"), IPX_ROOM_TICK_S="0.3")
    yield worker
    worker.stop()


def client(gateway: RunningGateway, rig: Rig, participant: str) -> Client:
    made = Client(gateway, rig.exchange, participant)
    made.signer = rig.signer(participant)
    return made


def outcome(reply: Any) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    (told,) = reply.json()["outcomes"]
    return dict(told)


def test_an_event_is_admitted_and_sent_again_answered_with_its_place(gateway, rig) -> None:
    nanjing, event = client(gateway, rig, NANJING), rig.clue(1)
    first = outcome(nanjing.publish(event, wait=20))
    again = outcome(nanjing.publish(event, wait=20))

    assert (first["outcome"], first["log"].startswith(f"{rig.exchange.name}.clues/")) == ("admitted", True)
    assert again == {**first, "outcome": "duplicate"}
    until(lambda: nanjing.get(f"/v1/events/{event.statement.id}").status == 200)
    assert nanjing.get(f"/v1/events/{event.statement.id}").json()["outcome"]["outcome"] == "admitted"


def test_two_who_wait_with_one_id_and_different_statements_are_each_told_their_own_outcome(gateway, rig) -> None:
    nanjing, event = client(gateway, rig, NANJING), rig.clue(2)
    other = rig.clue(2, id=event.statement.id, value_title="另一内容")

    reply = nanjing.publish(event, other, wait=20)
    assert [told["outcome"] for told in reply.json()["outcomes"]] == ["admitted", "conflict"]


def test_a_refusal_of_admission_names_code_field_and_reason_in_both_languages(gateway, rig) -> None:
    nanjing = client(gateway, rig, NANJING)
    told = outcome(nanjing.publish(rig.clue(3, addressee=POLICE), wait=20))
    foreign = outcome(nanjing.publish(rig.clue(4, addressee=STRANGER), wait=20))
    wrong = outcome(nanjing.publish(rig.clue(5, value_place_division="999999"), wait=20))
    forged = rig.clue(6, by=rig.signer(HANGZHOU))
    unsigned = outcome(nanjing.publish(forged, wait=20))

    assert {t["outcome"] for t in (told, foreign, wrong, unsigned)} == {"refused"}
    assert told["code"] in ("flow-not-agreed", "addressee-not-agreed")
    assert foreign["code"] in ("addressee-not-agreed", "flow-not-agreed")
    assert (wrong["code"], wrong["field"]) == ("bad-code", "place_division")
    assert unsigned["code"] == "key-not-of-source"
    for refused in (told, foreign, wrong, unsigned):
        assert refused["message_zh"]
        assert refused["message_en"]


def test_a_recipient_sees_what_the_agreement_discloses_and_nothing_else_anywhere(gateway, rig) -> None:
    nanjing = client(gateway, rig, NANJING)
    event = rig.clue(7)
    assert outcome(nanjing.publish(event, wait=20))["outcome"] == "admitted"

    seen = {}
    for participant in (HANGZHOU, HANGZHOU_IP):
        reader = client(gateway, rig, participant)
        until(lambda reader=reader: _copy(reader, event) is not None)
        copy = _copy(reader, event)
        assert copy is not None
        seen[participant] = RELEASED.named(copy.statement.type).decode(copy.body)
    assert (seen[HANGZHOU]["reporter"], seen[HANGZHOU]["reporter_phone"]) == ("张某", None)
    assert (seen[HANGZHOU_IP]["reporter"], seen[HANGZHOU_IP]["reporter_phone"]) == (None, None)

    raw = client(gateway, rig, HANGZHOU_IP).get("/v1/inbox", {"after": "start", "limit": "1000"}).body.decode()
    status = client(gateway, rig, HANGZHOU_IP).get(f"/v1/events/{event.statement.id}").body.decode()
    bodies = b"".join(base64.b64decode(item["data_base64"]) for item in json.loads(raw)["items"]).decode(
        "utf-8", "replace"
    )
    logs = "\n".join(json.dumps(line, ensure_ascii=False) for line in gateway.lines())
    for place in (raw, status, bodies, logs, gateway.get("/metrics").body.decode()):
        assert not any(secret in place for secret in SECRETS)


def test_the_status_of_an_event_follows_the_receipts_as_the_room_folds_them_each_party_its_own(
    gateway, rig, receipts_room
) -> None:
    nanjing, hangzhou = client(gateway, rig, NANJING), client(gateway, rig, HANGZHOU)
    event = rig.clue(9)
    place = outcome(nanjing.publish(event, wait=20))

    def status(viewer: Client) -> dict[str, Any]:
        reply = viewer.get(f"/v1/events/{event.statement.id}")
        return dict(reply.json()) if reply.status == 200 else {"recipients": []}

    def of(recipient: str) -> dict[str, Any]:
        return next((row for row in status(nanjing)["recipients"] if row["recipient"] == recipient), {"status": None})

    until(lambda: of(HANGZHOU)["status"] == "admitted", 60)
    admitted = status(nanjing)
    assert (admitted["log"], admitted["seq"]) == (place["log"], place["seq"])
    assert admitted["outcome"]["outcome"] == "admitted"
    assert {row["recipient"] for row in admitted["recipients"]} == {HANGZHOU, HANGZHOU_IP}

    until(lambda: _copy(hangzhou, event) is not None)
    numbered = parse_numbering(_copy(hangzhou, event).delivery)
    told = {"event": event.statement.id, "recipient": HANGZHOU, "log": numbered.log, "number": numbered.number}
    about = {"subject": event.statement.subject, "addressee": NANJING, "cause": event.statement.id}
    delivered = rig.event(Delivered(**told, delivered_at=CLOCK.now_ms()), HANGZHOU, **about)
    assert outcome(hangzhou.publish(delivered, wait=20))["outcome"] == "admitted"
    until(lambda: of(HANGZHOU)["status"] == "delivered", 30)

    taken = Committed(**told, committed_at=CLOCK.now_ms(), reference="杭市监2026-9")
    assert outcome(hangzhou.publish(rig.event(taken, HANGZHOU, **about), wait=20))["outcome"] == "admitted"
    until(lambda: of(HANGZHOU)["status"] == "committed", 30)
    steps = of(HANGZHOU)["steps"]
    assert [(step["step"], step.get("reference")) for step in steps] == [
        ("delivered", None),
        ("committed", "杭市监2026-9"),
    ]
    assert of(HANGZHOU)["number"] == numbered.number
    assert of(HANGZHOU_IP)["status"] == "admitted"

    own = status(hangzhou)
    assert [row["recipient"] for row in own["recipients"]] == [HANGZHOU]  # not how far others have come
    assert "outcome" not in own
    assert client(gateway, rig, POLICE).get(f"/v1/events/{event.statement.id}").status == 404


def test_an_error_does_not_repeat_what_the_event_holds(gateway, rig) -> None:
    nanjing = client(gateway, rig, NANJING)
    event = rig.clue(8)
    document = {**envelope_to_structured(event), "ipxcontent": f"sha256:{'0' * 64}"}

    reply = nanjing.post(json.dumps(document).encode())
    assert reply.json()["code"] == "statement-mismatch"
    assert not any(secret in reply.body.decode() for secret in SECRETS)


def _copy(reader: Client, event: Envelope) -> Envelope | None:
    items = reader.inbox("start", limit=1000)["items"]
    return next((envelope_from_structured(i) for i in items if i["id"] == event.statement.id), None)
