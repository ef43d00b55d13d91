from dataclasses import replace

import pytest

from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.token import issue
from services.gateway.authenticating import Authenticator
from services.gateway.exchange import Incoming, Message, Trace
from services.gateway.problems import RateLimited
from services.gateway.throttle import Throttle
from services.kernel.errors import Refused
from services.kernel.ports import SettableClock
from services.members.registry import Key, Participant, Registry
from services.runtime.metrics import GATEWAY_AUTH_FAILURES, Metrics

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
SIGNER, OTHER = signer_from_seed(NANJING, bytes(32)), signer_from_seed(NANJING, b"1" * 32)


def key_of(signer: Ed25519Signer) -> Key:
    return Key(signer.key_id, signer.public.participant, "ed25519", signer.public.data, 0)


def member(name: str) -> Participant:
    return Participant(name, name, name, name[:6], "market_regulator", "prefecture")


class House:
    """An authenticator, the members log it goes by, and its clocks."""

    def __init__(self) -> None:
        self.registry = Registry(size=3, participants={NANJING: member(NANJING)}, keys={SIGNER.key_id: key_of(SIGNER)})
        self.clock, self.now_s, self.metrics, self.asked = SettableClock(), 0.0, Metrics("gateway"), 0
        self.authenticator = Authenticator(
            self.members, "ipx", self.clock, Throttle(1.0, 3.0), lambda: self.now_s, self.metrics
        )

    def members(self) -> Registry:
        self.asked += 1
        return self.registry

    def ask(self, authorization: str | None, peer: str = "10.0.0.1") -> str:
        headers = {} if authorization is None else {b"authorization": authorization.encode()}
        incoming = Incoming("GET", "/", b"", headers, list(headers.items()), peer, Trace("a" * 32, "h"), _receive)
        found = self.authenticator.participant(incoming)
        assert incoming.principal == found
        return found

    def token(self, signer: Ed25519Signer = SIGNER) -> str:
        return f"Bearer {issue(signer, 'ipx', self.clock.now_ms(), 120)}"


async def _receive() -> Message:
    raise AssertionError


@pytest.fixture
def house() -> House:
    return House()


def test_a_good_token_names_its_participant_as_long_as_it_lives(house: House) -> None:
    token = house.token()

    assert house.ask(token) == NANJING
    house.clock.advance(119_000)
    assert house.ask(token) == NANJING
    house.clock.advance(2_000)
    with pytest.raises(Refused) as refused:
        house.ask(token)
    assert refused.value.code == "unauthenticated"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic eDp5", f"Bearer {'x' * 3_000}", "x"])
def test_whatever_is_no_token_is_refused_without_being_looked_at(house: House, header: str | None) -> None:
    with pytest.raises(Refused) as refused:
        house.ask(header)
    assert (refused.value.code, refused.value.field) == ("unauthenticated", "authorization")
    assert house.asked == 0


def test_a_revocation_counts_from_the_moment_it_is_in_the_members_log(house: House) -> None:
    token = house.token()
    house.ask(token)
    revoked = replace(key_of(SIGNER), revoked_at=0, compromised=True)
    house.registry = replace(house.registry, size=4, keys={SIGNER.key_id: revoked})

    with pytest.raises(Refused) as refused:
        house.ask(token)
    assert refused.value.code == "unauthenticated"


def test_a_suspension_counts_for_tokens_that_were_good(house: House) -> None:
    token = house.token()
    house.ask(token)
    suspended = replace(member(NANJING), suspended_at=0)
    house.registry = replace(house.registry, size=4, participants={NANJING: suspended})

    with pytest.raises(Refused) as refused:
        house.ask(token)
    assert refused.value.code == "member-suspended"


def test_growth_of_the_members_log_alone_ends_no_session(house: House) -> None:
    token = house.token()
    house.ask(token)
    house.registry = replace(house.registry, size=9)

    assert house.ask(token) == NANJING


def test_failures_are_counted_for_the_member_that_was_claimed_and_for_all_others_together(house: House) -> None:
    stranger = signer_from_seed(HANGZHOU, bytes(32))
    for signer in (OTHER, stranger):
        with pytest.raises(Refused):
            house.ask(house.token(signer))

    assert house.metrics.value(GATEWAY_AUTH_FAILURES, participant=NANJING) == 1
    assert house.metrics.value(GATEWAY_AUTH_FAILURES, participant="unknown") == 1


def test_an_address_that_guesses_is_slowed_for_that_participant_and_its_owner_is_not_elsewhere(house: House) -> None:
    for number in range(3):
        with pytest.raises(Refused):
            house.ask(house.token(signer_from_seed(NANJING, bytes([number + 5]) * 32)))
    with pytest.raises(RateLimited):
        house.ask(house.token(OTHER))
    with pytest.raises(RateLimited):
        house.ask(house.token())

    assert house.ask(house.token(), peer="10.0.0.2") == NANJING
    house.now_s += 10
    assert house.ask(house.token()) == NANJING


def test_a_token_in_use_is_not_slowed_by_those_who_guess(house: House) -> None:
    token = house.token()
    house.ask(token)
    for _ in range(5):
        with pytest.raises(Refused):
            house.ask(house.token(OTHER))

    assert house.ask(token) == NANJING


def test_only_so_many_requests_are_taken_where_they_are_limited(house: House) -> None:
    limited = house.authenticator.limited(Throttle(1.0, 2.0))
    headers = {b"authorization": house.token().encode()}

    def ask() -> str:
        return limited(Incoming("GET", "/", b"", headers, list(headers.items()), "p", Trace("a" * 32, "h"), _receive))

    assert [ask(), ask()] == [NANJING, NANJING]
    with pytest.raises(RateLimited):
        ask()
