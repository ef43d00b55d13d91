"""Time stamps that openssl made are read and verified; openssl takes the same tokens; not a bit of one can be changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from services.codec.evidence import Evidence, format_evidence
from services.kernel.errors import BadSettings, Refused
from services.verifier import stamp
from services.verifier.report import Step
from services.verifier.verify import Options, verify
from tests.unit.services.verifier.authority import Authority
from tests.vectors.evidence.exchange import Exchange, routes, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import HANGZHOU, NANJING

TEXT = b"t/clues/0\n1\n" + b"A" * 43 + b"=\n"


@pytest.fixture(scope="module", params=["ec", "rsa"])
def authority(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp(request.param), request.param)


def token_of(authority: Authority, text: bytes = TEXT) -> bytes:
    query = stamp.request_for(text)
    return stamp.token_in(authority.reply(bytes(query.as_bytes())), query)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code


def test_a_token_is_taken_here_and_by_openssl(authority: Authority) -> None:
    token = token_of(authority)
    read = stamp.read_stamp(token)
    assert read.digest == stamp.imprint_of(TEXT)
    stamp.check_stamp(read, stamp.authorities(authority.ca))
    assert authority.judges(token, TEXT)
    assert not authority.judges(token, TEXT + b"x")


def test_no_bit_of_a_token_can_be_changed(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    token, roots = token_of(authority), stamp.authorities(authority.ca)
    taken = []
    for at in range(len(token)):
        for other in (
            *(token[:at] + bytes((token[at] ^ 1 << bit,)) + token[at + 1 :] for bit in range(8)),
            token[:at] + token[at + 1 :],
            token[:at] + b"\x00" + token[at:],
        ):
            try:
                read = stamp.read_stamp(other)
                stamp.check_stamp(read, roots)
            except Refused:
                continue
            if read.digest == stamp.imprint_of(TEXT):
                taken.append(at)
    assert taken == []


def test_a_token_of_an_authority_that_is_not_named_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority.made(tmp_path)
    read = stamp.read_stamp(token_of(authority))
    assert refused(lambda: stamp.check_stamp(read, stamp.authorities(other.ca))) == "bad-stamp"


def test_a_certificate_that_is_not_for_time_stamping_is_refused(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
    good = Authority.made(tmp_path / "good")
    bad = Authority.made(tmp_path / "bad", usage="server")
    query = stamp.request_for(TEXT)
    with pytest.raises(AssertionError):  # openssl makes no stamp with it at all
        bad.reply(bytes(query.as_bytes()))
    assert stamp.read_stamp(token_of(good)).digest == stamp.imprint_of(TEXT)


def test_an_answer_to_another_query_is_refused(authority: Authority) -> None:
    first, second = stamp.request_for(TEXT), stamp.request_for(TEXT)
    reply = authority.reply(bytes(first.as_bytes()))
    assert refused(lambda: stamp.token_in(reply, second)) == "bad-stamp"
    assert stamp.token_in(reply, first)


@pytest.mark.parametrize("reply", [b"", b"\x30\x05\x30\x03\x02\x01\x02", b"<html>", b"\x30\x84\xff\xff\xff\xff"])
def test_an_answer_that_is_no_stamp_is_refused(reply: bytes) -> None:
    assert refused(lambda: stamp.token_in(reply, stamp.request_for(TEXT))) == "bad-stamp"
    assert refused(lambda: stamp.read_stamp(reply)) == "bad-stamp"


def test_a_file_without_certificates_is_named_at_once() -> None:
    with pytest.raises(BadSettings):
        stamp.authorities(b"no certificate")


def evidence_of(exchange: Exchange) -> Evidence:
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    return exchange.evidence(envelope).evidence


def last_step(exchange: Exchange, evidence: Evidence, *authorities: object) -> Step:
    options = Options(exchange.root, authorities, routes())
    report = verify(format_evidence(evidence), exchange.policy(), options)
    assert report.steps[-1].title_en == "time stamp"
    return report.steps[-1]


def test_evidence_with_a_stamp_says_when_the_checkpoint_existed(authority: Authority, tmp_path: Path) -> None:
    exchange = town()
    evidence = evidence_of(exchange)
    text = evidence.proof.note.text
    stamped = replace(evidence, stamp=token_of(authority, text))
    assert authority.judges(stamped.stamp or b"", text)
    roots = stamp.authorities(authority.ca)
    assert last_step(exchange, stamped, *roots).finding == "ok"
    assert last_step(exchange, stamped).finding == "not-proved"
    elsewhere = stamp.authorities(Authority.made(tmp_path).ca)
    assert last_step(exchange, stamped, *elsewhere).code == "bad-stamp"


def test_a_stamp_over_another_checkpoint_is_refused_whoever_is_named(authority: Authority) -> None:
    exchange = town()
    wrong = replace(evidence_of(exchange), stamp=token_of(authority, TEXT))
    assert last_step(exchange, wrong).code == "bad-stamp"
    assert last_step(exchange, wrong, *stamp.authorities(authority.ca)).code == "bad-stamp"


def test_a_stamp_from_before_the_event_was_admitted_is_refused(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    exchange = town()
    exchange.said = 4_000_000_000_000  # more than a century later
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.members.sign()
    exchange.clues.sign(at_s=(1_790_000_000_000 + exchange.said) // 1000 + 60)
    evidence = exchange.evidence(envelope).evidence
    early = replace(evidence, stamp=token_of(authority, evidence.proof.note.text))
    assert last_step(exchange, early, *stamp.authorities(authority.ca)).code == "time-in-future"


def test_without_the_extra_a_stamp_is_said_not_to_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = town()
    evidence = replace(evidence_of(exchange), stamp=b"x")
    monkeypatch.setattr(stamp, "rfc3161_client", None)
    found = last_step(exchange, evidence)
    assert (found.finding, found.code) == ("not-proved", None)
    with pytest.raises(BadSettings):
        stamp.request_for(TEXT)
    with pytest.raises(BadSettings):
        stamp.authorities(b"")
