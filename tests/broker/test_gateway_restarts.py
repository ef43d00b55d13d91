"""What was answered with 202 is in Kafka, however the gateway ended; and TLS, when it is the gateway that speaks it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.codec.http import HttpClient
from services.kernel.errors import Transient
from services.platform.ports import any_free
from tests.broker.gateway_running import (
    HANGZHOU,
    NANJING,
    Client,
    Genesis,
    RunningGateway,
    SmallAdmission,
    running_gateway,
    until,
)


@pytest.fixture
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        Genesis(made).found(NANJING, HANGZHOU)
        yield made


class Load:
    """Threads that publish without pause until the gateway is gone; the ids that were answered with 202."""

    def __init__(self, gateway: RunningGateway, exchange: Any, threads: int = 6) -> None:
        self.taken: list[str] = []
        self.odd: list[int] = []
        self._client = Client(gateway, exchange, NANJING)
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        for count in range(100_000):
            event = self._client.event(f"CL-load-{number}-{count}")
            try:
                status = self._client.publish(event).status
            except Transient:
                return
            if status == 202:
                self.taken.append(event.statement.id)
            elif status != 503:
                self.odd.append(status)

    def join(self) -> None:
        for thread in self._threads:
            thread.join(60)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_every_event_that_was_answered_is_with_admission_when_the_gateway_ends_under_load(exchange, how) -> None:
    with SmallAdmission(exchange) as admission:
        with running_gateway(exchange) as gateway:
            load = Load(gateway, exchange)
            until(lambda: len(load.taken) > 100, 30)
            gateway.process.send_signal(how)
            code = gateway.process.wait(30)
            load.join()
        assert code == (0 if how is signal.SIGTERM else -9)
        assert load.odd == []
        until(lambda: set(load.taken) <= {e.statement.id for e in admission.read}, 30)


def test_a_restart_at_the_same_port_serves_those_who_come_back(exchange) -> None:
    port = any_free()
    with SmallAdmission(exchange):
        for name in ("one", "two"):
            with running_gateway(exchange, port=port) as gateway:
                nanjing = Client(gateway, exchange, NANJING)
                began_s = time.monotonic()
                assert nanjing.publish(nanjing.event(f"CL-{name}"), wait=20).status == 200
                assert time.monotonic() - began_s < 10
                assert gateway.stop() == 0


def test_tls_is_spoken_with_the_certificate_that_is_set(exchange) -> None:
    certificate, key = _certificate(exchange.state_dir)
    tls = {"IPX_GATEWAY_TLS_CERTFILE": str(certificate), "IPX_GATEWAY_TLS_KEYFILE": str(key)}
    port = any_free()
    with _https_gateway(exchange, port, tls) as client:
        assert client.send("GET", "/livez").status == 200
        servers = client.send("GET", "/openapi.json").json()["servers"]
        assert servers == [{"url": f"https://127.0.0.1:{port}"}]
        with HttpClient(f"https://127.0.0.1:{port}", timeout_s=5) as stranger, pytest.raises(Transient):
            stranger.send("GET", "/livez")


@contextmanager
def _https_gateway(exchange: Any, port: int, tls: dict[str, str]) -> Iterator[HttpClient]:
    authorities = tls["IPX_GATEWAY_TLS_CERTFILE"]
    with HttpClient(f"https://127.0.0.1:{port}", timeout_s=5, authorities=authorities) as client:

        def answers() -> bool:
            try:
                return client.send("GET", "/livez").status == 200
            except Transient:
                return False

        with running_gateway(exchange, port=port, answers=answers, **tls):
            yield client


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate of its own authority for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "gateway.pem", directory / "gateway.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
    return paths
