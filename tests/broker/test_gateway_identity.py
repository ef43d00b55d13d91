"""Who may do what at the gateway: tokens, revocation, suspension, rates, and the counting of failed attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest

from services.codec.cloudevents import envelope_to_structured
from services.codec.token import issue
from services.runtime.shell import SystemClock
from tests.broker.gateway_running import (
    HANGZHOU,
    NANJING,
    SUZHOU,
    Client,
    Genesis,
    RunningGateway,
    figure,
    running_gateway,
    signer_of,
    until,
)

STRANGER = "340100.market_regulator"


@pytest.fixture(scope="module")
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        made_genesis = Genesis(made)
        made_genesis.found(NANJING, HANGZHOU, SUZHOU)
        GENESIS[made.name] = made_genesis
        yield made


GENESIS: dict[str, Genesis] = {}


@pytest.fixture(scope="module")
def gateway(exchange) -> Iterator[RunningGateway]:
    with running_gateway(exchange, IPX_GATEWAY_FAILED_BURST="15", IPX_GATEWAY_FAILED_RATE_PER_S="0.01") as running:
        yield running


def ask(gateway: RunningGateway, token: str) -> tuple[int, str]:
    reply = gateway.get("/v1/inbox", authorization=f"Bearer {token}")
    return reply.status, reply.json().get("code", "")


def test_only_a_fresh_token_by_the_participants_own_key_for_this_exchange_proves_it(gateway, exchange) -> None:
    client, now_ms = Client(gateway, exchange, NANJING), SystemClock().now_ms()
    other_key = signer_of(NANJING, "another")
    seconds = now_ms // 1000
    claims = {"iss": NANJING, "aud": exchange.name, "iat": seconds, "exp": seconds + 60}

    assert ask(gateway, client.token()) == (200, "")
    for token in (
        client.token(now_ms=now_ms - 400_000),  # expired
        client.token(now_ms=now_ms + 400_000),  # of the future
        issue(client.signer, "another-exchange", now_ms),
        issue(other_key, exchange.name, now_ms),  # a key that the members log has not
        client.token()[:-4] + "AAAA",
        jwt.encode(claims, "secret" * 8, "HS256", {"kid": client.signer.key_id}),
        jwt.encode(claims, None, "none", {"kid": client.signer.key_id}),
        "x.y.z",
        "x" * 5_000,
    ):
        assert ask(gateway, token) == (401, "unauthenticated"), token


def test_failed_attempts_are_counted_by_the_member_that_was_claimed_and_strangers_together(gateway, exchange) -> None:
    named = f'ipx_gateway_failed_authentications_total{{participant="{HANGZHOU}"}}'
    unknown = 'ipx_gateway_failed_authentications_total{participant="unknown"}'
    before = figure(gateway, named), figure(gateway, unknown)
    now_ms = SystemClock().now_ms()
    ask(gateway, issue(signer_of(HANGZHOU, "thief"), exchange.name, now_ms))
    ask(gateway, issue(signer_of(STRANGER), exchange.name, now_ms))

    assert (figure(gateway, named), figure(gateway, unknown)) == (before[0] + 1, before[1] + 1)
    assert STRANGER not in gateway.get("/metrics").body.decode()


def test_who_guesses_too_often_is_slowed_down_and_the_participant_itself_is_not_shut_out_elsewhere(
    gateway, exchange
) -> None:
    now_ms = SystemClock().now_ms()
    answers = [ask(gateway, issue(signer_of(SUZHOU, f"guess{n}"), exchange.name, now_ms))[0] for n in range(20)]

    assert answers.count(401) <= 16
    assert answers[-1] == 429
    assert ask(gateway, Client(gateway, exchange, NANJING).token()) == (200, "")


def test_a_participant_publishes_for_itself_alone(gateway, exchange) -> None:
    nanjing = Client(gateway, exchange, NANJING)
    theirs = Client(gateway, exchange, HANGZHOU).event()

    reply = nanjing.publish(theirs)
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (403, "forbidden", "source")


def test_a_revoked_key_proves_nothing_more_even_with_a_token_that_was_good_before(gateway, exchange) -> None:
    genesis = GENESIS[exchange.name]
    genesis.join("330500.market_regulator")
    client = Client(gateway, exchange, "330500.market_regulator")
    token = client.token(life_s=300)
    until(lambda: ask(gateway, token)[0] == 200)
    newer = signer_of("330500.market_regulator", "2")
    genesis.add_key("330500.market_regulator", newer)
    genesis.revoke_key("330500.market_regulator")

    until(lambda: ask(gateway, token) == (401, "unauthenticated"))
    assert ask(gateway, Client(gateway, exchange, "330500.market_regulator", "2").token()) == (200, "")


def test_a_suspended_participant_is_told_so(gateway, exchange) -> None:
    genesis = GENESIS[exchange.name]
    genesis.join("330600.market_regulator")
    token = Client(gateway, exchange, "330600.market_regulator").token()
    until(lambda: ask(gateway, token)[0] == 200)
    genesis.suspend("330600.market_regulator")

    until(lambda: ask(gateway, token) == (403, "member-suspended"))


def test_a_participant_that_publishes_too_fast_is_told_when_to_come_again_and_others_are_not_slowed(exchange) -> None:
    more = {"IPX_GATEWAY_PUBLISH_RATE_PER_S": "0.5", "IPX_GATEWAY_PUBLISH_BURST_EVENTS": "3"}
    with running_gateway(exchange, **more) as slow:
        nanjing, hangzhou = Client(slow, exchange, NANJING), Client(slow, exchange, HANGZHOU)
        replies = [nanjing.publish(nanjing.event(f"CL-fast-{n}")) for n in range(5)]
        late = replies[-1]

        assert [reply.status for reply in replies] == [202, 202, 202, 429, 429]
        assert late.json()["code"] == "rate-limited"
        # one token in two seconds, less what passed while the five were sent: more than that, and the fourth is taken
        assert late.headers["retry-after"] in ("1", "2")
        assert hangzhou.publish(hangzhou.event("CL-slow", addressee=NANJING)).status == 202
        assert figure(slow, f'ipx_gateway_rate_limited_requests_total{{participant="{NANJING}"}}') == 2


def test_a_participant_that_reads_too_often_is_slowed(exchange) -> None:
    with running_gateway(exchange, IPX_GATEWAY_READ_RATE_PER_S="0.1", IPX_GATEWAY_READ_BURST_REQUESTS="2") as slow:
        client = Client(slow, exchange, NANJING)

        assert [client.get("/v1/members").status for _ in range(4)] == [200, 200, 429, 429]


def test_the_figures_and_reasons_of_a_gateway_behind_a_proxy_are_not_shown_to_whom_the_proxy_names(exchange) -> None:
    with running_gateway(exchange, IPX_GATEWAY_BEHIND_TLS_PROXY="true") as proxied:
        headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}

        assert proxied.get("/metrics", **headers).status == 403
        assert all(set(check) == {"ok"} for check in proxied.get("/readyz", **headers).json()["checks"].values())


def test_an_event_is_written_by_its_source_in_a_structured_body_as_well(gateway, exchange) -> None:
    """The source stands in the body, not in the token: what counts is that they agree."""
    nanjing = Client(gateway, exchange, NANJING)
    document = {**envelope_to_structured(nanjing.event()), "source": HANGZHOU}

    assert nanjing.post(json.dumps(document).encode()).json()["code"] == "forbidden"
