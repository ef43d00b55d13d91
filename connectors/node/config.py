"""``node.toml``: which participants the node hosts, with which keys, at which cities' systems. Read once, at start.

::

    [node]
    name = "nanjing"
    gateway = "https://…"                # exchange, root_key: here, or from IPX_EXCHANGE_NAME and IPX_ROOT_KEY
    database = "node.db"                 # paths are relative to this file
    [witness]                            # the node cosigns the checkpoints of the exchange, for each of its participants
    enabled = true
    every_s = 5
    [[participants]]
    id = "320100.market_regulator"
    key_file = "keys/320100.market_regulator.key"   # Ed25519: proves the node to the gateway, and signs
    sm2_key_file = "keys/320100.sm2.key" # left out unless it signs with SM2 (国密); needs the extra gm
    [participants.city]                  # left out for a participant without a system
    dialect = "320100"                   # folder in connectors/cities
    url = "https://…"
    [participants.city.auth]
    kind = "oauth2"                      # none, token, hmac, oauth2
    client_id = "ipx"
    secret_file = "secrets/nanjing"

Unknown names are refused with ``BadSettings``, and so is a key or secret file that others than its owner may read.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from connectors.kit.breaker import BreakerRule
from connectors.kit.retry import Backoff, Limits
from connectors.node.site import Pace
from services.codec.keys import (
    Ed25519Signer,
    ParticipantSigner,
    PublicKey,
    Sm2Signer,
    parse_participant_private,
    parse_private,
    parse_public,
)
from services.kernel.complaint import complaint
from services.kernel.errors import BadSettings
from services.kernel.parties import check_participant

_Kind = TypeVar("_Kind", Ed25519Signer, Sm2Signer)
_Positive = Annotated[float, Field(gt=0, le=1e6)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Auth(_Part):
    """How the node proves itself to the city's system."""

    kind: Literal["none", "token", "hmac", "oauth2"] = "none"
    client_id: str = ""
    secret_file: Path | None = None
    token_url: str = "/oauth/token"  # noqa: S105 (an address, not a token)
    scope: str | None = None
    header: str = "Authorization"
    prefix: str = "Bearer "

    @model_validator(mode="after")
    def _needs_a_secret(self) -> Self:
        if self.kind != "none" and self.secret_file is None:
            raise ValueError(f"auth of kind {self.kind} needs secret_file")
        return self


class Tls(_Part):
    """Certificate of the node (mutual TLS) and the authorities that the city's certificate is checked by."""

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None


class Retry(_Part):
    """Backoff, and when trying ends."""

    first_s: _Positive = 0.5
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    most_s: _Positive = 60.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.5
    attempts: Annotated[int, Field(ge=1)] = 50
    age_s: _Positive = 86_400.0


class Breaking(_Part):
    """When the circuit breaker opens, and for how long."""

    failures: Annotated[int, Field(ge=1)] = 5
    rest_s: _Positive = 2.0
    most_rest_s: _Positive = 60.0


class City(_Part):
    """The city's system of a participant."""

    dialect: str
    url: str
    name: str | None = None
    kind: Literal["rest"] = "rest"
    timeout_s: _Positive = 10.0
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    poll_s: _Positive = 2.0
    hold_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    committed_within_s: Annotated[int, Field(ge=1)] = 86_400
    auth: Auth = Auth()
    tls: Tls = Tls()
    retry: Retry = Retry()
    breaker: Breaking = Breaking()

    def pace(self) -> Pace:
        """The part that the loops of the node use."""
        retry, breaker = self.retry, self.breaker
        return Pace(
            poll_s=self.poll_s,
            concurrency=self.concurrency,
            backoff=Backoff(retry.first_s, retry.factor, retry.most_s, retry.jitter),
            limits=Limits(retry.attempts, retry.age_s),
            breaker=BreakerRule(breaker.failures, breaker.rest_s, breaker.most_rest_s),
            hold_s=self.hold_s,
            committed_within_s=self.committed_within_s,
        )


class Member(_Part):
    """One participant and its key; with an SM2 key that one signs, while the other still proves the node to the gateway."""

    id: str
    key_file: Path
    sm2_key_file: Path | None = None
    city: City | None = None


class Basics(_Part):
    """The node itself."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    gateway: str | None = None
    exchange: str | None = None
    root_key: str | None = None
    database: Path = Path("node.db")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    page_size: Annotated[int, Field(ge=1, le=1000)] = 500
    inbox_wait_s: Annotated[int, Field(ge=1, le=60)] = 20
    resend_after_s: _Positive = 60.0
    members_poll_s: _Positive = 5.0
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 30


class Witnessing(_Part):
    """Whether the node cosigns checkpoints, and how often it looks."""

    enabled: bool = True
    every_s: Annotated[float, Field(ge=0.1, le=3600)] = 5.0


class NodeConfig(_Part):
    """The whole file. ``where`` is its folder."""

    node: Basics
    witness: Witnessing = Witnessing()
    participants: Annotated[tuple[Member, ...], Field(min_length=1)]
    where: Path = Path()

    @model_validator(mode="after")
    def _names_are_clear(self) -> Self:
        ids = [member.id for member in self.participants]
        if any(check_participant(name) is not None for name in ids) or len(set(ids)) != len(ids):
            raise ValueError("participants: each id stands once and is of the form 320100.market_regulator")
        names = [self.connector_name(member) for member in self.participants if member.city is not None]
        if len(set(names)) != len(names):
            raise ValueError("participants: two cities have the same name")
        return self

    def connector_name(self, member: Member) -> str:
        """Name of the connector of a participant: what was given, else its id."""
        return (member.city.name if member.city else None) or member.id

    def path(self, given: Path) -> Path:
        """A path of the file."""
        return given if given.is_absolute() else self.where / given

    @property
    def database(self) -> Path:
        """Where the node's database lies."""
        return self.path(self.node.database)


def load_config(path: Path) -> NodeConfig:
    """Reads the file; ``BadSettings`` with every line that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return NodeConfig(**document, where=path.resolve().parent)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    except (ValidationError, TypeError) as error:
        raise BadSettings(f"{path}: {_complaint(error)}") from error


def read_signer(config: NodeConfig, member: Member) -> Ed25519Signer:
    """The key of a participant; ``BadSettings`` when it is another's, or others than its owner may read the file."""
    return _own(parse_private(read_secret(config.path(member.key_file))), member, member.key_file)


def read_sealing_signer(config: NodeConfig, member: Member) -> ParticipantSigner:
    """The key that signs what the participant says: the one of SM2 where it has one. ``BadSettings`` too where the extra is not installed."""
    if member.sm2_key_file is None:
        return read_signer(config, member)
    signer = parse_participant_private(read_secret(config.path(member.sm2_key_file)))
    if not isinstance(signer, Sm2Signer):
        raise BadSettings(f"{member.sm2_key_file}: this is no SM2 key")
    return _own(signer, member, member.sm2_key_file)


def _own(signer: _Kind, member: Member, path: Path) -> _Kind:
    if signer.public.participant != member.id:
        raise BadSettings(f"{path}: this is the key of {signer.public.participant}, not of {member.id}")
    return signer


def read_root_key(line: str | None) -> PublicKey:
    """The root key of the exchange; ``BadSettings`` without one: a node that believes any exchange believes nobody."""
    if not line:
        raise BadSettings("node.root_key or IPX_ROOT_KEY: the public key line of exchange.operator is needed")
    return parse_public(line)


def read_secret(path: Path) -> str:
    """The one line of a secret file that its owner alone may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise BadSettings(f"{path}: others may read this file; chmod 600 it")
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error


def _complaint(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    return complaint(error.errors(include_input=False, include_url=False))
