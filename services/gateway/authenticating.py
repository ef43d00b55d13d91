"""Who asks: a short-lived token signed by the participant's own key, checked against the members log.

RFC 6750 (bearer), RFC 7519 and RFC 8037 (JWT with EdDSA) as ``services/codec/token.py`` takes them. A token that verified
is remembered until it expires; its key and its participant are looked up again whenever the members log has grown, so a
revocation counts from the moment the gateway has read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from services.codec.token import claimed_participant, verify
from services.gateway.exchange import Incoming
from services.gateway.problems import RateLimited
from services.gateway.throttle import Throttle
from services.kernel.errors import Refused
from services.kernel.ports import Clock
from services.members.registry import Registry
from services.runtime.logging import get_logger
from services.runtime.metrics import GATEWAY_AUTH_FAILURES, Metrics

_MAX_TOKEN_BYTES = 2_048
_REMEMBERED = 20_000
_UNKNOWN = "unknown"
_log = get_logger("gateway")


class Members(Protocol):
    """The members log as it stands."""

    def __call__(self) -> Registry:
        """The registry; raises ``Transient`` before the log was read, ``Corrupt`` when it is not what it must be."""
        ...


@dataclass(slots=True)
class _Session:
    participant: str
    key_id: str
    expires_ms: int
    members: int


class Authenticator:
    """Turns the Authorization header of a request into the participant it proves."""

    def __init__(
        self,
        members: Members,
        audience: str,
        clock: Clock,
        failures: Throttle,
        monotonic_s: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._members = members
        self._audience = audience
        self._clock = clock
        self._failures = failures
        self._monotonic_s = monotonic_s
        self._metrics = metrics
        self._sessions: dict[bytes, _Session] = {}

    def participant(self, incoming: Incoming) -> str:
        """The participant, also written into ``incoming.principal``.

        Refuses ``unauthenticated`` (401) whatever does not prove one, ``member-suspended`` (403), and ``rate-limited``
        an address that failed too often in the name of the same participant.
        """
        header = incoming.headers.get(b"authorization", b"")
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"bearer" or not token or len(token) > _MAX_TOKEN_BYTES:
            raise Refused("unauthenticated", "expected the header Authorization: Bearer <token>", field="authorization")
        now_ms = self._clock.now_ms()
        registry = self._members()
        session = self._sessions.get(token)
        if session is None or session.expires_ms <= now_ms:
            session = self._verify(incoming, token, registry, now_ms)
        elif session.members != registry.size:
            self._look_up_again(session, registry, now_ms)
        incoming.principal = session.participant
        _refuse_suspended(registry, session.participant, now_ms)
        return session.participant

    def limited(self, throttle: Throttle) -> Callable[[Incoming], str]:
        """The same, for requests of which a participant may make only so many: refuses ``rate-limited`` the others."""

        def participant(incoming: Incoming) -> str:
            found = self.participant(incoming)
            wait_s = throttle.take(found, 1.0, self._monotonic_s())
            if wait_s > 0:
                raise RateLimited(f"{found} asks more often than it may", wait_s)
            return found

        return participant

    def _verify(self, incoming: Incoming, token: bytes, registry: Registry, now_ms: int) -> _Session:
        text = token.decode("latin-1")
        claimed = claimed_participant(text)
        named = claimed if claimed is not None and claimed in registry.participants else _UNKNOWN
        place = f"{incoming.peer} {named}"
        wait_s = self._failures.wait_s(place, self._monotonic_s())
        if wait_s > 0:
            raise RateLimited("too many failed proofs of identity from this address", wait_s)
        try:
            proof = verify(text, registry.key, self._audience, now_ms)
        except Refused as error:
            self._failures.charge(place, 1.0, self._monotonic_s())
            self._metrics.add(GATEWAY_AUTH_FAILURES, participant=named)
            _log.warning("a token proves nothing", participant=named, code=error.code, trace_id=incoming.trace.trace_id)
            raise
        session = _Session(proof.participant, proof.key_id, proof.expires_ms, registry.size)
        self._remember(token, session, now_ms)
        return session

    def _look_up_again(self, session: _Session, registry: Registry, now_ms: int) -> None:
        try:
            registry.key(session.key_id, now_ms)
        except Refused as error:
            raise Refused("unauthenticated", error.message, field="authorization") from error
        session.members = registry.size

    def _remember(self, token: bytes, session: _Session, now_ms: int) -> None:
        if len(self._sessions) >= _REMEMBERED:
            self._sessions = {t: s for t, s in self._sessions.items() if s.expires_ms > now_ms}
        while len(self._sessions) >= _REMEMBERED:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[token] = session


def _refuse_suspended(registry: Registry, participant: str, now_ms: int) -> None:
    member = registry.participant(participant)
    if member is None:
        raise Refused("not-a-member", f"{participant} is not registered in this exchange")
    if not member.is_active(now_ms):
        raise Refused("member-suspended", f"{participant} may neither publish nor receive now")
