"""The REST connector before a real case system: the promises of the port, every trouble, every proof of identity."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.kit.auth import ClientCredentials, HeaderMaker, HmacHeader, NoProof, StaticToken
from connectors.kit.dialect import load_dialect
from connectors.kit.port import Accepted, CityAway, Fault, Message, TryLater
from connectors.rest.city import RestCity
from connectors.rest.system import compile_system
from services.codec.http import AsyncHttpClient
from services.runtime.shell import SystemClock
from tests.broker.node_running import RunningCity, running_city
from tests.unit.connectors.city_suite import CitySuite

SYSTEMS = {
    "flat": compile_system(load_dialect("320100").system, "320100"),
    "nested": compile_system(load_dialect("330100").system, "330100"),
}
_keys = itertools.count(1)


def a_document(dialect: str, title: str = "题") -> Message:
    return Message("jieshou", {"bt": title} if dialect == "flat" else {"xiansuo": {"biaoti": title}})


def rest(city: RunningCity, dialect: str, maker: HeaderMaker | None = None, **more: Any) -> RestCity:
    http = AsyncHttpClient(city.url, timeout_s=more.pop("timeout_s", 5.0), connections=4, **more)
    return RestCity(city.name, SYSTEMS[dialect], http, maker or NoProof())


async def push_once(connector: RestCity, dialect: str, key: str | None = None) -> Any:
    try:
        return await connector.push(a_document(dialect), idempotency_key=key or f"k{next(_keys)}", delivery_number=1)
    finally:
        await connector.close()


@dataclass
class RestSubject:
    """The suite's levers over a real process. A fresh client for each event loop."""

    running: RunningCity
    dialect: str

    @property
    def city(self) -> RestCity:
        made = rest(self.running, self.dialect)
        pull = made.system.pull
        assert pull is not None
        return replace(made, system=replace(made.system, pull=replace(pull, page_size=3)))

    def message(self, title: str) -> Message:
        return a_document(self.dialect, title)

    def happen(self, count: int) -> None:
        self.running.enter(*({"n": n} for n in range(count)))

    def fail(self) -> None:
        self.running.control(mode="down")

    def recover(self) -> None:
        self.running.control(mode="normal")

    def refuse_once(self) -> None:
        code = "1001" if self.dialect == "flat" else "E1001"
        self.running.control(mode="refuse", code=code, times=1)

    def held(self) -> list[tuple[str, str, int]]:
        return [(row["mdj"], row["slbh"], int(row["tdxh"])) for row in self.running.holdings()["clues"]]


class _RestSuite(CitySuite):
    dialect = "flat"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self._folder = tmp_path

    @contextmanager
    def make(self) -> Iterator[RestSubject]:
        with running_city(self._folder / "nj", dialect=self.dialect) as running:
            yield RestSubject(running, self.dialect)


class TestFlatSystem(_RestSuite):
    dialect = "flat"


class TestNestedSystem(_RestSuite):
    dialect = "nested"

    def test_happenings_come_in_order_each_once_over_pages(self, subject: RestSubject) -> None:
        subject.happen(7)

        async def all_pages() -> list[str]:
            city, cursor, found, more = subject.city, "", [], True
            while more:
                page = await city.pull(cursor)
                found += [item["shijianBianhao"] for item in page.items]
                cursor, more = page.cursor, page.more
            return found

        found = asyncio.run(all_pages())
        assert found == sorted(set(found))
        assert len(found) == 7


@pytest.mark.parametrize("dialect", ["flat", "nested"])
def test_every_trouble_is_tried_later_and_nothing_is_taken_for_success(tmp_path: Path, dialect: str) -> None:
    troubles: list[tuple[dict[str, Any], Fault]] = [
        ({"mode": "fail"}, Fault.SERVER_ERROR),
        ({"mode": "fail", "status": 503}, Fault.SERVER_ERROR),
        ({"mode": "down"}, Fault.UNREACHABLE),
        ({"mode": "slow", "seconds": 5}, Fault.TIMEOUT),
        ({"mode": "hollow"}, Fault.NONSENSE),
        *(
            ({"mode": "nonsense", "kind": kind}, Fault.NONSENSE)
            for kind in ("html", "cut", "type", "empty", "deep", "huge")
        ),
    ]
    with running_city(tmp_path / "nj", dialect=dialect) as city:
        for trouble, fault in troubles:
            city.control(**trouble)
            answer = asyncio.run(push_once(rest(city, dialect, timeout_s=0.5), dialect))
            assert isinstance(answer, TryLater), trouble
            assert answer.fault is fault, trouble
        city.control(mode="normal")
        assert city.holdings()["clues"] == []


def test_an_answer_that_was_lost_is_made_good_by_asking_again(tmp_path: Path) -> None:
    with running_city(tmp_path / "nj") as city:
        city.control(mode="lost", times=1)
        lost = asyncio.run(push_once(rest(city, "flat"), "flat", "same"))
        again = asyncio.run(push_once(rest(city, "flat"), "flat", "same"))
        assert isinstance(lost, TryLater)
        assert again == Accepted("NJXS000001")
        assert len(city.holdings()["clues"]) == 1


def test_a_system_that_lies_is_found_out_by_asking_whether_it_holds_the_document(tmp_path: Path) -> None:
    described = {**load_dialect("320100").system, "confirm": {"path": "/jk/xs/chaxun/{key}"}}
    with running_city(tmp_path / "nj") as city:
        connector = replace(rest(city, "flat"), system=compile_system(described, "here"))
        city.control(mode="lie", times=1)
        lied = asyncio.run(push_once(connector, "flat", "k"))
        assert isinstance(lied, TryLater)
        assert lied.fault is Fault.NONSENSE
        honest = replace(rest(city, "flat"), system=compile_system(described, "here"))
        assert asyncio.run(push_once(honest, "flat", "k")) == Accepted("NJXS000001")


def test_a_system_that_is_not_there_and_comes_back_on_its_port_holds_what_it_held(tmp_path: Path) -> None:
    with running_city(tmp_path / "nj") as city:
        first = asyncio.run(push_once(rest(city, "flat"), "flat", "k"))
        port = int(city.url.rpartition(":")[2])
        city.kill()
        away = asyncio.run(push_once(rest(city, "flat"), "flat", "k"))
        assert isinstance(away, TryLater)
        assert away.fault is Fault.UNREACHABLE
        with running_city(tmp_path / "nj", port=port) as back:
            assert asyncio.run(push_once(rest(back, "flat"), "flat", "k")) == first


def test_a_pull_that_meets_trouble_says_that_the_city_is_away(tmp_path: Path) -> None:
    with running_city(tmp_path / "nj") as city:
        city.enter({"n": 1})
        for trouble in ({"mode": "fail"}, {"mode": "nonsense", "kind": "cut"}, {"mode": "hollow"}, {"mode": "down"}):
            city.control(where="pull", **trouble)
            connector = rest(city, "flat")
            with pytest.raises(CityAway):
                asyncio.run(connector.pull(""))
        city.control(mode="normal")
        assert len(asyncio.run(rest(city, "flat").pull("")).items) == 1


def _tokens(city: RunningCity, secret: str) -> HeaderMaker:
    http = AsyncHttpClient(city.url, timeout_s=5)
    return ClientCredentials(http, "/oauth/token", "ipx", secret, SystemClock())


@pytest.mark.parametrize(
    ("kind", "maker"),
    [
        ("token", lambda _city, secret: StaticToken(secret)),
        ("hmac", lambda _city, secret: HmacHeader("ipx", secret.encode(), SystemClock())),
        ("oauth2", _tokens),
    ],
)
def test_a_proof_lets_in_and_a_wrong_one_does_not(
    tmp_path: Path, kind: str, maker: Callable[[RunningCity, str], HeaderMaker]
) -> None:
    proof = f'[proof]\nkind = "{kind}"\nclient_id = "ipx"\nsecret = "right"\n'
    with running_city(tmp_path / "nj", more=proof) as city:
        assert isinstance(asyncio.run(push_once(rest(city, "flat", maker(city, "right")), "flat")), Accepted)
        for wrong in (maker(city, "wrong"), NoProof()):
            answer = asyncio.run(push_once(rest(city, "flat", wrong), "flat"))
            assert isinstance(answer, TryLater)
            assert answer.fault in (Fault.UNAUTHORISED, Fault.UNREACHABLE)
        assert len(city.holdings()["clues"]) == 1


def test_a_token_that_ended_at_the_system_is_asked_for_again(tmp_path: Path) -> None:
    proof = '[proof]\nkind = "oauth2"\nclient_id = "ipx"\nsecret = "s"\ntoken_life_s = 300\n'
    with running_city(tmp_path / "nj", more=proof) as city:
        port = int(city.url.rpartition(":")[2])
        maker = ClientCredentials(AsyncHttpClient(city.url), "/oauth/token", "ipx", "s", SystemClock())
        asyncio.run(push_once(rest(city, "flat", maker), "flat"))
        city.kill()  # it forgets its tokens
    with running_city(tmp_path / "nj", port=port, more=proof) as city:
        maker.http = AsyncHttpClient(city.url)
        refused = asyncio.run(push_once(rest(city, "flat", maker), "flat", "k"))
        maker.http = AsyncHttpClient(city.url)
        taken = asyncio.run(push_once(rest(city, "flat", maker), "flat", "k"))
        assert isinstance(refused, TryLater)
        assert refused.fault is Fault.UNAUTHORISED
        assert isinstance(taken, Accepted)


def _certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key()), critical=False
        )
    made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key


def test_mutual_tls_lets_in_the_nodes_certificate_and_no_other(tmp_path: Path) -> None:
    authority = _certificate(tmp_path, "authority", None)
    _certificate(tmp_path, "server", authority)
    _certificate(tmp_path, "node", authority)
    _certificate(tmp_path, "stranger", None)
    tls = (
        f'[tls]\ncertificate = "{tmp_path}/server.pem"\nkey = "{tmp_path}/server.key"\n'
        f'client_authorities = "{tmp_path}/authority.pem"\n'
    )
    with running_city(tmp_path / "nj", more=tls) as city:

        def as_(name: str, trusted: str = "authority") -> RestCity:
            return rest(
                city,
                "flat",
                certificate=(str(tmp_path / f"{name}.pem"), str(tmp_path / f"{name}.key")),
                authorities=str(tmp_path / f"{trusted}.pem"),
            )

        assert isinstance(asyncio.run(push_once(as_("node"), "flat")), Accepted)
        for connector in (as_("stranger"), as_("node", trusted="stranger"), rest(city, "flat")):
            answer = asyncio.run(push_once(connector, "flat"))
            assert isinstance(answer, TryLater)
            assert answer.fault is Fault.UNREACHABLE


def test_what_the_city_holds_is_what_was_pushed(tmp_path: Path) -> None:
    with running_city(tmp_path / "nj") as city:
        asyncio.run(push_once(rest(city, "flat"), "flat", "k"))
        (row,) = city.holdings()["clues"]
        assert (row["mdj"], row["tdxh"], row["nr"], row["cs"]) == ("k", "1", {"bt": "题"}, 1)
        assert json.dumps(row["nr"], ensure_ascii=False) == '{"bt": "题"}'
