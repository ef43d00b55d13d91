from pathlib import Path

import pytest

from services.gateway.settings import GatewaySettings
from services.kernel.errors import BadSettings


def load(tmp_path: Path, **environ: str) -> GatewaySettings:
    return GatewaySettings.load({"IPX_STATE_DIR": str(tmp_path), **environ}).checked()


def test_by_default_it_listens_on_this_machine_alone(tmp_path: Path) -> None:
    assert load(tmp_path).base_url() == "http://127.0.0.1:8480"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_plain_http_is_taken_on_loopback(tmp_path: Path, host: str) -> None:
    assert load(tmp_path, IPX_GATEWAY_HOST=host).gateway_host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example"])
def test_plain_http_to_other_machines_is_refused_at_start(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadSettings):
        load(tmp_path, IPX_GATEWAY_HOST=host)


def test_another_address_is_taken_with_tls_here_or_in_front(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.touch()
    key.touch()

    tls = load(
        tmp_path,
        IPX_GATEWAY_HOST="10.0.0.1",
        IPX_GATEWAY_TLS_CERTFILE=str(certificate),
        IPX_GATEWAY_TLS_KEYFILE=str(key),
    )
    assert tls.base_url() == "https://10.0.0.1:8480"
    assert load(tmp_path, IPX_GATEWAY_HOST="10.0.0.1", IPX_GATEWAY_BEHIND_TLS_PROXY="true").gateway_host == "10.0.0.1"


def test_half_of_a_key_pair_and_a_file_that_is_not_there_are_refused_at_start(tmp_path: Path) -> None:
    certificate = tmp_path / "c.pem"
    certificate.touch()

    with pytest.raises(BadSettings):
        load(tmp_path, IPX_GATEWAY_TLS_CERTFILE=str(certificate))
    with pytest.raises(BadSettings):
        load(tmp_path, IPX_GATEWAY_TLS_CERTFILE=str(certificate), IPX_GATEWAY_TLS_KEYFILE=str(tmp_path / "none"))


def test_a_moved_clock_stays_on_this_machine(tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.touch()
    key.touch()
    moved = {"IPX_CLOCK_FILE": str(tmp_path / "clock")}
    assert load(tmp_path, **moved).clock_file is not None
    away = {
        "IPX_GATEWAY_HOST": "10.0.0.1",
        "IPX_GATEWAY_TLS_CERTFILE": str(certificate),
        "IPX_GATEWAY_TLS_KEYFILE": str(key),
    }
    for reached in (away, {"IPX_GATEWAY_BEHIND_TLS_PROXY": "true"}):
        load(tmp_path, **reached)
        with pytest.raises(BadSettings, match="IPX_CLOCK_FILE"):
            load(tmp_path, **moved, **reached)


def test_a_misspelt_limit_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        load(tmp_path, IPX_GATEWAY_EVENT_MAX_BYTE="5000")
    with pytest.raises(BadSettings):
        load(tmp_path, IPX_GATEWAY_EVENT_MAX_BYTES="-1")
