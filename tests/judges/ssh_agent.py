"""A key agent with one Ed25519 key, on a Unix socket: litewitness signs through one (draft-ietf-sshm-ssh-agent, two of its messages)."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.codec.keys import Ed25519Signer

_IDENTITIES, _IDENTITIES_ANSWER, _SIGN, _SIGN_ANSWER, _FAILURE = 11, 12, 13, 14, 5
_KIND = b"ssh-ed25519"


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _answer(message: bytes, key: Ed25519Signer) -> bytes:
    blob = _text(_KIND) + _text(key.public.data)
    if message[0] == _IDENTITIES:
        return bytes([_IDENTITIES_ANSWER]) + struct.pack(">I", 1) + _text(blob) + _text(b"witness")
    start = 1 + len(_text(blob))
    if message[0] == _SIGN and message[1:start] == _text(blob)[: start - 1]:
        at = 1 + 4 + len(blob)
        (length,) = struct.unpack_from(">I", message, at)
        signature = key.sign(message[at + 4 : at + 4 + length])
        return bytes([_SIGN_ANSWER]) + _text(_text(_KIND) + _text(signature))
    return bytes([_FAILURE])


@contextmanager
def running_agent(path: Path, key: Ed25519Signer) -> Iterator[Path]:
    """Serves the key on this socket."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(4)) == 4:
                message = self.rfile.read(struct.unpack(">I", head)[0])
                self.wfile.write(_text(_answer(message, key)))

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    server: Any = Server(str(path), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield path
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
