"""Evidence at the gateway: for the source and the recipients, each with its own fields; for nobody else."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from services.audit.evidence import Made, compose
from services.codec.content import parse_disclosure
from services.gateway.evidence import EvidenceOfEvents
from services.gateway.exchange import Incoming, Reply, Trace
from services.kernel.errors import Refused
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import Exchange, routes, schema_of, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import HANGZHOU, NANJING, SUZHOU, first_release


def standing() -> tuple[Exchange, str]:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    return exchange, envelope.statement.id


def asked(exchange: Exchange, event: str, viewer: str, query: bytes = b"") -> Reply:
    def make(event_id: str, withheld: Any) -> Made:
        if event_id != exchange.clues.envelopes[0].statement.id:
            raise Refused("not-found", "there is no event of that id that you sent or received", field="id")
        return compose(
            exchange.clues.envelopes[0],
            exchange.clues,
            exchange.members,
            exchange.history.since(0),
            schema_of=schema_of,
            withheld=withheld,
        )

    async def nothing() -> Any:
        raise AssertionError("a GET has no body")

    incoming = Incoming("GET", f"/v1/events/{event}/evidence", query, {}, (), "-", Trace("0" * 32, "-"), nothing)
    incoming.path_values = {"id": event}
    return asyncio.run(EvidenceOfEvents(make, lambda _: viewer).get(incoming))


@pytest.mark.parametrize(("viewer", "shown"), [(HANGZHOU, {"officer", "officer_phone"}), (NANJING, set())])
def test_the_source_and_a_recipient_get_a_file_that_verifies_with_their_own_fields(
    viewer: str, shown: set[str]
) -> None:
    exchange, event = standing()
    reply = asked(exchange, event, viewer)
    assert reply.status == 200
    assert reply.content_type == b"application/json"
    assert dict(reply.headers)[b"ipx-witnessed"] == b"yes"
    assert verify(reply.body, exchange.policy(), Options(exchange.root, (), routes())).holds
    line = json.loads(reply.body)["event"]["disclosure"]
    assert set(parse_disclosure(first_release(ACCEPTED), line).salts) == shown


def test_anybody_else_is_told_the_same_as_when_there_is_no_such_event() -> None:
    exchange, event = standing()
    told = []
    for viewer, wanted in ((SUZHOU, event), (SUZHOU, "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"), (SUZHOU, "../x")):
        with pytest.raises(Refused) as caught:
            asked(exchange, wanted, viewer)
        told.append((caught.value.code, caught.value.message, caught.value.field))
    assert len(set(told)) == 1
    assert told[0][0] == "not-found"


def test_query_parameters_are_refused() -> None:
    exchange, event = standing()
    with pytest.raises(Refused) as caught:
        asked(exchange, event, NANJING, b"as=320100.market_regulator")
    assert caught.value.code == "bad-request"
