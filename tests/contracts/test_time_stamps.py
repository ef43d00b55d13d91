"""Stamps are asked for over HTTP, of an authority of another make; one that is away or talks nonsense stops nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from services.audit.stamping import stamped
from services.codec.evidence import Evidence, format_evidence, parse_evidence
from services.codec.http import HttpClient
from services.verifier.stamp import authorities
from services.verifier.verify import Options, verify
from tests.unit.services.verifier.authority import Authority
from tests.vectors.evidence.exchange import Exchange, routes, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import HANGZHOU, NANJING

Answer = Callable[[bytes], tuple[int, bytes]]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["content-type"] == "application/timestamp-query"
            status, body = answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def proved() -> tuple[Exchange, Evidence]:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    return exchange, exchange.evidence(envelope).evidence


def test_a_stamp_of_openssl_goes_into_the_file_and_openssl_takes_it_back(tmp_path: Path) -> None:
    authority = Authority.made(tmp_path)
    exchange, evidence = proved()
    with served(lambda query: (200, authority.reply(query))) as url, HttpClient() as http:
        found, reason = stamped(evidence, http, url)
    assert reason is None
    read = parse_evidence(format_evidence(found))
    assert authority.judges(read.stamp or b"", evidence.proof.note.text)
    options = Options(exchange.root, tuple(authorities(authority.ca)), routes())
    report = verify(format_evidence(read), exchange.policy(), options)
    assert report.first_bad is None
    assert report.steps[-1].finding == "ok"


def test_an_authority_that_fails_stops_nothing() -> None:
    _, evidence = proved()
    answers: list[Answer] = [
        lambda query: (503, b""),
        lambda query: (200, b"nonsense"),
        lambda query: (200, query),
        lambda query: (200, bytes(1 << 20)),
    ]
    for answer in answers:
        with served(answer) as url, HttpClient() as http:
            found, reason = stamped(evidence, http, url)
        assert found == evidence
        assert reason
    with HttpClient(timeout_s=1) as http:
        found, reason = stamped(evidence, http, url)  # nobody listens there any more
    assert found == evidence
    assert reason
