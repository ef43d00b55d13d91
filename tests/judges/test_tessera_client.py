"""tessera's own client asks our witness: a log of another make publishes nothing that our core has not cosigned.

    python -m pytest -m judges tests/judges/test_tessera_client.py

The program is ``github.com/transparency-dev/tessera/cmd/examples/posix-oneshot``, unchanged, pinned by ``go/go.sum`` (as ``test_go.py`` says); it writes a
log to a directory, and asks the witnesses of a policy before it publishes a checkpoint.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.kit.witness import NOTHING, Known, Status, Trusted, add_checkpoint
from services.codec.checkpoint import open_checkpoint
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.note import COSIGNATURE, ED25519, NoteKey, cosign_note, cosigned_at
from services.codec.witness_request import parse_request
from tests.unit.connectors.small_exchange import NANJING, signer_of

pytestmark = [pytest.mark.judges, pytest.mark.timeout(300)]
GO = Path(__file__).parent / "go"
ORIGIN = "log.example/another-make"
LOG: Ed25519Signer = signer_from_seed("exchange.ledger", hashlib.sha256(b"another make").digest())
LOG_KEY = NoteKey(ORIGIN, ED25519, LOG.public.data)
WITNESS = NoteKey("witness.example/ours", COSIGNATURE, signer_of(NANJING).public.data)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of another make, built once."""
    go = shutil.which("go")
    assert go, "these tests need a Go tool chain on the PATH: https://go.dev/dl"
    made = tmp_path_factory.mktemp("tessera") / "oneshot"
    package = "github.com/transparency-dev/tessera/cmd/examples/posix-oneshot"
    built = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(made), package], cwd=GO, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, f"it was not built; its modules come from the Go module proxy:\n{built.stderr}"
    return made


@dataclass
class Ours:
    """Our core behind HTTP, with its memory."""

    known: Known = NOTHING
    asked: list[tuple[int, Status]] = field(default_factory=list)
    url: str = ""

    def answer(self, body: bytes) -> tuple[int, str, bytes]:
        signer = signer_of(NANJING)
        answer = add_checkpoint(
            body,
            lambda origin: Trusted([LOG_KEY], self.known) if origin == ORIGIN else None,
            lambda text: [cosign_note(text, WITNESS.name, WITNESS.public_key, signer.sign, 1_790_000_000)],
        )
        self.known = answer.known or self.known
        self.asked.append((parse_request(body).old_size, answer.status))
        return int(answer.status), answer.content_type, answer.body


@contextmanager
def served(ours: Ours) -> Iterator[Ours]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/add-checkpoint"
            status, kind, body = ours.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_said: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ours.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def append(program: Path, folder: Path, ours: Ours, words: list[str]) -> subprocess.CompletedProcess[str]:
    """The log takes these entries, and publishes a checkpoint when the policy is met."""
    entries = folder / "entries"
    shutil.rmtree(entries, ignore_errors=True)
    entries.mkdir()
    for word in words:
        (entries / word).write_text(word)
    policy = folder / "policy"
    policy.write_text(f"witness ours {WITNESS.vkey()} {ours.url}\nquorum ours\n")
    key = folder / "key"
    secret = b64encode(bytes([ED25519]) + LOG.secret[:32]).decode()
    key.write_text(f"PRIVATE+KEY+{ORIGIN}+{LOG_KEY.key_hash.hex()}+{secret}")
    return subprocess.run(
        [
            str(program),
            f"--storage_dir={folder / 'log'}",
            f"--entries={entries}/*",
            f"--private_key={key}",
            f"--witness_policy_file={policy}",
            "--witness_timeout=3s",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**os.environ},
    )


def published(folder: Path) -> tuple[int, int | None]:
    """Size of the published checkpoint, and when we cosigned it."""
    checkpoint, note = open_checkpoint((folder / "log" / "checkpoint").read_bytes(), LOG_KEY)
    return checkpoint.size, cosigned_at(note, WITNESS)


def test_its_checkpoints_bear_our_cosignature_and_a_conflict_sets_it_right(program: Path, tmp_path: Path) -> None:
    with served(Ours()) as ours:
        for size in (1, 4, 9, 300):
            have = ours.known.size
            done = append(program, tmp_path, ours, [f"entry-{n:04d}" for n in range(have, size)])
            assert done.returncode == 0, done.stderr
            assert published(tmp_path) == (size, 1_790_000_000)
            assert ours.known.size == size
    assert {status for _, status in ours.asked} == {Status.COSIGNED}
    assert {old for old, _ in ours.asked} >= {0, 1, 4, 9}
    with served(Ours()) as forgetful:
        assert append(program, tmp_path, forgetful, ["one-more"]).returncode == 0
        assert published(tmp_path) == (301, 1_790_000_000)
    assert forgetful.asked[:2] == [(300, Status.CONFLICT), (0, Status.COSIGNED)]


def test_a_log_that_begins_anew_is_not_cosigned_and_publishes_nothing(program: Path, tmp_path: Path) -> None:
    with served(Ours()) as ours:
        assert append(program, tmp_path, ours, ["a", "b", "c"]).returncode == 0
        shutil.rmtree(tmp_path / "log")
        with suppress(subprocess.TimeoutExpired):  # it waits for a checkpoint that nobody cosigns
            append(program, tmp_path, ours, ["a", "x", "y", "z"])
        assert ours.known.size == 3
        assert ours.asked[-1][1] in (Status.CONFLICT, Status.INCONSISTENT)
        text = (tmp_path / "log" / "checkpoint").read_text() if (tmp_path / "log" / "checkpoint").exists() else ""
        assert text.split("\n")[1:2] in ([], ["0"])
