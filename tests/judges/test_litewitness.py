"""litewitness, a witness of another make, judges our asking and, beside it, our own witness: the same requests get the same answers.

    python -m pytest -m judges tests/judges/test_litewitness.py

needs a Go tool chain that takes go 1.27 (an older one fetches it, ``GOTOOLCHAIN`` below) and, the first time, the Go module proxy; it is outside of the
gate. Without Go it fails. The program is ``filippo.io/torchwood/cmd/litewitness``, unchanged, pinned by ``litewitness/go.sum``; building it the
first time takes a minute or two.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.witness import NOTHING, Known, Status, Trusted, add_checkpoint
from services.codec.http import HttpClient
from services.codec.merkle import EMPTY_ROOT
from services.codec.note import COSIGNATURE, NoteKey, cosign_note, cosigned_at, parse_note
from services.codec.tiles import Tree
from services.codec.witness_request import SIZE_TYPE, Request, format_request
from services.kernel.errors import Transient
from services.ledger.witnessing import Asking, Log, Outside, Verdict, ask_witness
from services.platform.ports import any_free
from tests.judges.ssh_agent import running_agent
from tests.unit.connectors.small_exchange import NANJING, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, checkpoint_note, key_of

pytestmark = [pytest.mark.judges, pytest.mark.timeout(900)]
GO = Path(__file__).parent / "litewitness"
TOOL_CHAIN = "go1.27.3"
NAME = "witness.example/litewitness"
SIGNER = signer_of(NANJING)
KEY = NoteKey(NAME, COSIGNATURE, SIGNER.public.data)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """litewitness, built once."""
    go = shutil.which("go")
    assert go, "these tests need a Go tool chain on the PATH: https://go.dev/dl"
    made = tmp_path_factory.mktemp("litewitness") / "litewitness"
    built = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(made), "filippo.io/torchwood/cmd/litewitness"],
        cwd=GO,
        env={**os.environ, "GOTOOLCHAIN": TOOL_CHAIN},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert built.returncode == 0, (
        f"litewitness was not built; its modules come from the Go module proxy:\n{built.stderr}"
    )
    return made


@dataclass
class Litewitness:
    """A running one that knows the log, and a client for it."""

    url: str
    http: HttpClient
    database: Path

    def ask(self, body: bytes) -> tuple[int, str, bytes]:
        reply = self.http.send("POST", f"{self.url}/add-checkpoint", body=body)
        return reply.status, reply.headers.get("content-type", "").partition(";")[0], reply.body

    def known(self) -> int:
        with sqlite3.connect(self.database) as db:
            return int(db.execute("select tree_size from log where origin = ?", (ORIGIN,)).fetchone()[0])


@pytest.fixture
def litewitness(program: Path, tmp_path: Path) -> Iterator[Litewitness]:
    database = tmp_path / "litewitness.db"
    with sqlite3.connect(database) as db:  # what `witnessctl add-log` and `add-key` write
        db.executescript(
            "create table log (origin text primary key, tree_size integer not null, tree_hash text not null);"
            "create table key (origin text not null, key text not null, foreign key(origin) references log(origin));"
        )
        db.execute("insert into log values (?, 0, ?)", (ORIGIN, b64encode(EMPTY_ROOT).decode()))
        db.execute("insert into key values (?, ?)", (ORIGIN, key_of().vkey()))
    port = any_free()
    with tempfile.TemporaryDirectory(prefix="lw") as short, running_agent(Path(short) / "agent", SIGNER) as agent:
        process = subprocess.Popen(
            [
                str(program),
                f"-name={NAME}",
                f"-db={database}",
                f"-ssh-agent={agent}",
                f"-listen=127.0.0.1:{port}",
                f"-key={hashlib.sha256(SIGNER.public.data).hexdigest()}",
            ],
            stderr=(tmp_path / "litewitness.log").open("w"),
        )
        http = HttpClient(timeout_s=5)
        made = Litewitness(f"http://127.0.0.1:{port}", http, database)
        try:
            _wait(made, process, tmp_path / "litewitness.log")
            yield made
        finally:
            http.close()
            process.terminate()
            process.wait(20)


def _wait(made: Litewitness, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            made.http.send("GET", made.url)
            return
        except Transient:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def outside(litewitness: Litewitness) -> Outside:
    return Outside(KEY, litewitness.url)


def test_it_cosigns_what_the_ledger_sends_and_its_line_verifies(litewitness: Litewitness) -> None:
    log, of = SmallLog(), outside(litewitness)
    for size in (1, 2, 3, 255, 256, 257, 300, 513, 70_001):
        log.grow(size - log.size)
        note = parse_note(log.checkpoint())
        asked = ask_witness(litewitness.http, of, note, log.read)
        assert (asked.verdict, asked.size) == (Verdict.COSIGNED, size)
        at_s = cosigned_at(note.add(*asked.lines), KEY)
        assert at_s is not None
        assert abs(time.time() - at_s) < 60
        assert litewitness.known() == size
        of.sizes[ORIGIN] = size


@pytest.mark.parametrize("believed", [0, 100, 299])
def test_the_conflict_that_it_answers_is_followed(litewitness: Litewitness, believed: int) -> None:
    log, of = SmallLog().grow(200), outside(litewitness)
    assert ask_witness(litewitness.http, of, parse_note(log.checkpoint()), log.read).verdict is Verdict.COSIGNED
    of.sizes[ORIGIN] = believed
    log.grow(100)
    assert ask_witness(litewitness.http, of, parse_note(log.checkpoint()), log.read).verdict is Verdict.COSIGNED


def test_what_contradicts_its_history_is_told(litewitness: Litewitness) -> None:
    log, of = SmallLog().grow(200), outside(litewitness)
    assert ask_witness(litewitness.http, of, parse_note(log.checkpoint()), log.read).verdict is Verdict.COSIGNED
    for other in (log.fork(150).grow(50, "other"), log.fork(150).grow(90, "other"), log.fork(150)):
        asked = ask_witness(litewitness.http, outside(litewitness), parse_note(other.checkpoint()), other.read)
        assert asked.verdict is Verdict.CONTRADICTED
    assert litewitness.known() == 200


def test_the_ledgers_round_publishes_its_cosignatures(litewitness: Litewitness) -> None:
    log, published = SmallLog().grow(9), []
    asking = Asking(
        [outside(litewitness)],
        lambda: [Log(ORIGIN, log.checkpoint, log.read)],
        litewitness.http,
        lambda origin, note: published.append((origin, note)),
        lambda *_told: None,
        time.monotonic,
    )
    asking.once()
    log.grow(400)
    asking.once()
    asking.once()
    assert [origin for origin, _ in published] == [ORIGIN, ORIGIN]
    assert cosigned_at(parse_note(published[1][1]), KEY) is not None


class Ours:
    """Our own witness with a memory, asked as litewitness is."""

    def __init__(self) -> None:
        self.known: Known = NOTHING

    def ask(self, body: bytes) -> tuple[int, str, bytes]:
        def trusted(origin: str) -> Trusted | None:
            return Trusted([key_of()], self.known) if origin == ORIGIN else None

        def cosign(text: bytes) -> list[Any]:
            return [cosign_note(text, NAME, SIGNER.public.data, SIGNER.sign, int(time.time()))]

        answer = add_checkpoint(body, trusted, cosign)
        self.known = answer.known or self.known
        return int(answer.status), answer.content_type.partition(";")[0], answer.body


def test_ours_answers_the_same_requests_as_it_does(litewitness: Litewitness) -> None:
    log, elsewhere = SmallLog().grow(20), SmallLog("small/clues/1").grow(20)
    other = log.fork(7).grow(40, "other")

    def proof(of: SmallLog, old: int) -> tuple[bytes, ...]:
        return Tree(of.tiles().get, of.size).consistency(old)

    grown = log.fork(20).grow(30)
    stranger = log.checkpoint().replace(b"\n20\n", b"\n21\n")
    steps: list[tuple[bytes, Status]] = [
        (b"", Status.BAD_REQUEST),
        (b"old 0\n", Status.BAD_REQUEST),
        (b"new 0\n\n" + log.checkpoint(), Status.BAD_REQUEST),
        (b"old x\n\n" + log.checkpoint(), Status.BAD_REQUEST),
        (b"old 0\nx\n\n" + log.checkpoint(), Status.BAD_REQUEST),
        (format_request(Request(0, (b"\0" * 32,) * 64, log.checkpoint())), Status.BAD_REQUEST),
        (format_request(Request(0, (), elsewhere.checkpoint())), Status.UNKNOWN_LOG),
        (format_request(Request(0, (), stranger)), Status.UNTRUSTED),
        (format_request(Request(5, proof(log, 5), log.checkpoint())), Status.CONFLICT),
        (format_request(Request(0, (), log.checkpoint())), Status.COSIGNED),
        (format_request(Request(20, (), log.checkpoint())), Status.COSIGNED),
        (format_request(Request(0, (), log.checkpoint())), Status.CONFLICT),
        (format_request(Request(21, (), log.checkpoint())), Status.BAD_REQUEST),
        (format_request(Request(20, proof(other, 20), other.checkpoint())), Status.INCONSISTENT),
        (format_request(Request(20, proof(grown, 20)[1:], grown.checkpoint())), Status.INCONSISTENT),
        (format_request(Request(20, (), grown.checkpoint())), Status.INCONSISTENT),
        (format_request(Request(20, proof(grown, 20), grown.checkpoint())), Status.COSIGNED),
        (format_request(Request(20, proof(grown, 20), grown.checkpoint())), Status.CONFLICT),
        (format_request(Request(7, proof(other, 7), other.checkpoint())), Status.CONFLICT),
    ]
    ours = Ours()
    for number, (body, expected) in enumerate(steps):
        theirs, own = litewitness.ask(body), ours.ask(body)
        assert (number, theirs[0], own[0]) == (number, expected, expected)
        if expected is Status.CONFLICT:
            assert theirs[1:] == own[1:] == (SIZE_TYPE, own[2])
        if expected is Status.COSIGNED:
            for line in (theirs[2], own[2]):
                assert cosigned_at(parse_note(body.split(b"\n\n", 1)[1] + line), KEY) is not None


def test_where_ours_is_stricter_than_it_the_specification_says_so(litewitness: Litewitness) -> None:
    log, ours = SmallLog().grow(20), Ours()
    with_proof = format_request(Request(0, (b"\0" * 32,), log.checkpoint()))
    assert (litewitness.ask(with_proof)[0], ours.ask(with_proof)[0]) == (
        200,
        422,
    )  # "MUST be empty if the old size is zero"
    ours.ask(format_request(Request(0, (), log.checkpoint())))
    same_size = format_request(Request(20, (), checkpoint_note(20, b"\1" * 32)))
    assert (litewitness.ask(same_size)[0], ours.ask(same_size)[0]) == (422, 409)  # "MUST respond with a 409 Conflict"
