"""Settings: one frozen, typed object per process, read once from ``IPX_…`` and from the state directory's ``env`` file.

The order is: the environment, then ``<state directory>/env`` (``ipx up`` writes it), then the default in the class. Every
name begins with ``IPX_``; a name that no process knows is refused at start, because a misspelt limit that is silently
ignored is found only when it is needed (style: settings are ``IPX_<ROOM>_<WHAT>_<UNIT>``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from services.kernel.errors import BadSettings
from services.runtime.loopback import bootstrap_hosts, dsn_hosts, is_loopback

PREFIX = "IPX_"
ENV_FILE = "env"
DEFAULT_STATE_DIR = ".ipx"

ROOMS = (
    "admission",
    "audit",
    "bench",
    "city",
    "clues",
    "console",
    "demo",
    "fault",
    "gateway",
    "ledger",
    "members",
    "node",
    "platform",
    "receipts",
    "relay",
    "room",
    "schemas",
    "test",
)
"""Second words that belong to a room: ``IPX_GATEWAY_…`` is checked by the process that has loaded the gateway's class."""

_classes: dict[str, type[CommonSettings]] = {}


class CommonSettings(BaseSettings):
    """What every process reads. A room adds its own names in a subclass: ``class GatewaySettings(CommonSettings)`` with
    ``room = "gateway"`` and fields that begin with ``gateway_``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, env_ignore_empty=True)
    room: ClassVar[str] = ""

    exchange_name: str = Field(default="ipx", pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """First word of every topic and group of this exchange."""
    kafka_bootstrap: str = Field(default="127.0.0.1:19092", min_length=1)
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = None
    kafka_ssl_certfile: Path | None = None
    kafka_ssl_keyfile: Path | None = None
    kafka_replication: int | None = Field(default=None, ge=1, le=9)
    """Overrides the replication of ``deploy/kafka/topics.toml`` for a cluster of several brokers."""
    registry_url: str = "http://127.0.0.1:18081/apis/ccompat/v7"
    postgres_dsn: SecretStr = SecretStr("postgresql://ipx@127.0.0.1:15432/ipx")
    state_dir: Path = Path(DEFAULT_STATE_DIR)
    cache_dir: Path | None = None
    """Where checked artifacts are kept; by default the user's cache directory."""
    root_key: str | None = None
    """Public key line of ``exchange.operator``, who signs the founding event of the members log."""
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    """Loopback port of ``/metrics``, ``/livez`` and ``/readyz``; 0 is off."""
    clock_file: Path | None = None
    """A file that moves the clock of every process here (moved_clock.py): trials on one machine, refused where a part is elsewhere."""
    fault_at: str | None = None
    """Where a crash test makes this process die; read by ``faults.py``, never set outside tests."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        own = [name for name in cls.model_fields if name not in CommonSettings.model_fields]
        if cls.room not in ROOMS:
            raise TypeError(f"{cls.__name__}.room is {cls.room!r}; rooms are {', '.join(ROOMS)}")
        stray = [name for name in own if not name.startswith(f"{cls.room}_")]
        if stray:
            raise TypeError(f"{cls.__name__}: settings of room {cls.room} begin with {cls.room}_: {', '.join(stray)}")
        _classes[f"{cls.__module__}.{cls.__qualname__}"] = cls

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load`` gathered counts; nothing is read from the environment behind its back."""
        return (init_settings,)

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, *, state_dir: Path | None = None) -> Self:
        """The settings of this process; raises ``BadSettings`` with every name that is unknown or out of range.

        Reads the environment (or ``environ``) and the state directory's ``env`` file, blocks for that one small file.
        """
        given = {name: value for name, value in (os.environ if environ is None else environ).items() if value}
        if state_dir is not None:
            given["IPX_STATE_DIR"] = str(state_dir)
        directory = Path(given.get("IPX_STATE_DIR", DEFAULT_STATE_DIR))
        merged = {**read_env_file(directory / ENV_FILE), **given, "IPX_STATE_DIR": str(directory.resolve())}
        refuse_unknown(merged, loaded=(cls,))
        source = EnvSettingsSource(cls)
        source.env_vars = {name.lower(): value for name, value in merged.items()}
        try:
            return cls(**source())
        except ValidationError as error:
            raise BadSettings(_complaint(error)) from error

    @model_validator(mode="after")
    def _moves_the_clock_of_one_machine(self) -> Self:
        parts = {
            "IPX_KAFKA_BOOTSTRAP": bootstrap_hosts(self.kafka_bootstrap),
            "IPX_REGISTRY_URL": (urlsplit(self.registry_url).hostname,),
            "IPX_POSTGRES_DSN": dsn_hosts(self.postgres_dsn.get_secret_value()),
        }
        away = [name for name, hosts in parts.items() if not all(is_loopback(host) for host in hosts)]
        if self.clock_file is not None and away:
            raise ValueError(f"IPX_CLOCK_FILE moves the clock of one machine alone, and {away[0]} is not at loopback")
        return self

    def kafka_python(self) -> dict[str, Any]:
        """Connection arguments for a client of kafka-python; holds the password in clear, do not log it."""
        chosen = {
            "bootstrap_servers": self.kafka_bootstrap,
            "security_protocol": self.kafka_security_protocol,
            "sasl_mechanism": self.kafka_sasl_mechanism,
            "sasl_plain_username": self.kafka_sasl_username,
            "sasl_plain_password": _clear(self.kafka_sasl_password),
            "ssl_cafile": _text(self.kafka_ssl_cafile),
            "ssl_certfile": _text(self.kafka_ssl_certfile),
            "ssl_keyfile": _text(self.kafka_ssl_keyfile),
        }
        return {name: value for name, value in chosen.items() if value is not None}

    def librdkafka(self) -> dict[str, Any]:
        """The same for a client of confluent-kafka."""
        chosen = {
            "bootstrap.servers": self.kafka_bootstrap,
            "security.protocol": self.kafka_security_protocol,
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": _clear(self.kafka_sasl_password),
            "ssl.ca.location": _text(self.kafka_ssl_cafile),
            "ssl.certificate.location": _text(self.kafka_ssl_certfile),
            "ssl.key.location": _text(self.kafka_ssl_keyfile),
        }
        return {name: value for name, value in chosen.items() if value is not None}


def known_names() -> frozenset[str]:
    """Every setting that this process knows: the shared ones and those of the rooms it has loaded."""
    classes: tuple[type[CommonSettings], ...] = (CommonSettings, *_classes.values())
    return frozenset(name for cls in classes for name in _names(cls))


def refuse_unknown(names: Iterable[str], *, loaded: Iterable[type[CommonSettings]] = ()) -> None:
    """Raises ``BadSettings`` for a name with our prefix that is neither known here nor of a room not loaded here."""
    known = known_names() | {name for cls in loaded for name in _names(cls)}
    rooms_here = {cls.room for cls in (*_classes.values(), *loaded)}
    elsewhere = tuple(f"{PREFIX}{room.upper()}_" for room in ROOMS if room not in rooms_here)
    unknown = sorted(
        name for name in names if name.startswith(PREFIX) and name not in known and not name.startswith(elsewhere)
    )
    if unknown:
        raise BadSettings(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def read_env_file(path: Path) -> dict[str, str]:
    """The ``KEY=VALUE`` lines of a state directory's env file; a missing file is empty, a broken line ``BadSettings``."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.startswith(PREFIX):
            raise BadSettings(f"{path}:{number}: expected {PREFIX}NAME=VALUE, found {name[:60]!r}")
        values[name] = value
    return values


def update_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Sets these names in the env file and keeps the others; replaced as a whole, readable by its owner alone."""
    merged = {**read_env_file(path), **values}
    broken = [name for name, value in merged.items() if "\n" in value or not name.startswith(PREFIX)]
    if broken:
        raise BadSettings(f"not a setting of one line: {', '.join(broken)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"{name}={value}\n" for name, value in sorted(merged.items())))
    fresh.replace(path)


def _names(cls: type[CommonSettings]) -> Iterable[str]:
    return (f"{PREFIX}{field.upper()}" for field in cls.model_fields)


def _complaint(error: ValidationError) -> str:
    return "; ".join(
        f"{PREFIX}{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_input=False, include_url=False)
    )


def _clear(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
