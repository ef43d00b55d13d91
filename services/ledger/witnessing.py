"""Witnesses of another make: the ledger asks each for its cosignature over C2SP tlog-witness, and puts what is good on the topic of checkpoints.

Our own nodes come by themselves (``connectors/node/witness.py``); a witness that is no node is told. For one checkpoint and one witness:

1. ask with the size that the witness is believed to know, and the consistency proof from there;
2. 409 with a size: that is what it knows; ask again from there, at most ``_ASKS`` times in all;
3. 200: each line is checked with the witness's key, strangers' lines are left out;
4. anything else is counted and tried again later, ever more rarely: a witness that is away holds up nobody.

A witness that knows more than the checkpoint says, or that finds it inconsistent (422, or 409 at its own size), holds something that this ledger
does not: that is told as an error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from services.codec.checkpoint import parse_checkpoint
from services.codec.http import Reply
from services.codec.note import (
    Note,
    NoteKey,
    NoteSignature,
    cosigned_at,
    format_note,
    parse_note,
    parse_signature_lines,
)
from services.codec.tiles import Read, Tree
from services.codec.witness_request import SIZE_TYPE, Request, format_request
from services.kernel.errors import Corrupt, Refused, Transient

_ASKS: Final = 3
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 300.0
_MOST_REPLY_BYTES: Final = 65_536
_TIMEOUT_S: Final = 5.0


class Verdict(StrEnum):
    """What a witness said."""

    COSIGNED = "cosigned"
    CONTRADICTED = "contradicted"
    REFUSED = "refused"
    NOT_GOOD = "not-good"
    AWAY = "away"


class Http(Protocol):
    """``services.codec.http.HttpClient``."""

    def send(
        self, method: str, url: str, *, body: bytes, headers: dict[str, str], timeout_s: float, most_bytes: int
    ) -> Reply:
        """One request; ``Transient`` when there is no reply."""
        ...


@dataclass(slots=True)
class Outside:
    """A witness of another make: its key, its submission prefix, what it is believed to know, and when it is asked next."""

    key: NoteKey
    url: str
    sizes: dict[str, int] = field(default_factory=dict)
    has: dict[str, bytes] = field(default_factory=dict)
    failures: int = 0
    next_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: the good lines when it cosigned, and the size it knows now when it said so."""

    verdict: Verdict
    lines: tuple[NoteSignature, ...] = ()
    size: int | None = None


def ask_witness(http: Http, outside: Outside, note: Note, read: Read) -> Asked:
    """Steps 1 to 4 for one checkpoint. Blocks up to the timeout for each ask; raises nothing but ``Corrupt`` for tiles that are missing."""
    checkpoint = parse_checkpoint(note.text)
    tree = Tree(read, checkpoint.size)
    size = min(outside.sizes.get(checkpoint.origin, 0), checkpoint.size)
    for _ in range(_ASKS):
        request = Request(size, tree.consistency(size), format_note(note))
        try:  # (1)
            reply = _post(http, outside.url, format_request(request))
        except Transient:
            return Asked(Verdict.AWAY)
        told = _size_in(reply)
        if told is None:
            return _read(reply, outside.key, note, checkpoint.size)
        if told > checkpoint.size or told == size:
            return Asked(Verdict.CONTRADICTED, size=told)
        size = told  # (2)
    return Asked(Verdict.REFUSED)


def _post(http: Http, url: str, body: bytes) -> Reply:
    return http.send(
        "POST",
        f"{url.rstrip('/')}/add-checkpoint",
        body=body,
        headers={"content-type": "text/plain; charset=utf-8"},
        timeout_s=_TIMEOUT_S,
        most_bytes=_MOST_REPLY_BYTES,
    )


def _size_in(reply: Reply) -> int | None:
    kind = reply.headers.get("content-type", "").partition(";")[0].strip()
    text = reply.body.removesuffix(b"\n")
    if reply.status != 409 or kind != SIZE_TYPE or not text.isdigit() or len(text) > 18:
        return None
    return int(text)


def _read(reply: Reply, key: NoteKey, note: Note, size: int) -> Asked:
    if reply.status in (409, 422):
        return Asked(Verdict.CONTRADICTED)
    if reply.status != 200:
        return Asked(Verdict.REFUSED if 400 <= reply.status < 500 else Verdict.AWAY)
    try:  # (3)
        lines = parse_signature_lines(reply.body)
    except Refused:
        return Asked(Verdict.NOT_GOOD)
    good = tuple(line for line in lines if cosigned_at(Note(note.text, (line,)), key) is not None)
    return Asked(Verdict.COSIGNED if good else Verdict.NOT_GOOD, good, size)


@dataclass(frozen=True, slots=True)
class Log:
    """A log as the asking needs it: where its files are read."""

    origin: str
    candidate: Callable[[], bytes | None]
    read: Read


class Asking:
    """Asks every witness about the candidate of every log, one round after another, in a thread of its own. ``stop`` ends it."""

    def __init__(
        self,
        outside: Sequence[Outside],
        logs: Callable[[], Iterable[Log]],
        http: Http,
        publish: Callable[[str, bytes], None],
        tell: Callable[[str, str, Verdict], None],
        monotonic_s: Callable[[], float],
        *,
        every_s: float = 1.0,
    ) -> None:
        """``publish`` puts a note of an origin on the topic of checkpoints; ``tell`` hears origin, witness and verdict."""
        self._outside = outside
        self._logs = logs
        self._http = http
        self._publish = publish
        self._tell = tell
        self._monotonic_s = monotonic_s
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-witnesses", daemon=True)

    def start(self) -> None:
        """Begins, when there is anybody to ask."""
        if self._outside:
            self._thread.start()

    def stop(self) -> None:
        """Ends after the ask in hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _TIMEOUT_S)

    def once(self) -> None:
        """One round: every witness whose time has come, every log whose candidate it has not cosigned."""
        for log in self._logs():
            data = log.candidate()
            note = None if data is None else parse_note(data)
            for outside in self._outside if note is not None else ():
                is_due = self._monotonic_s() >= outside.next_s
                if note is not None and is_due and outside.has.get(log.origin) != note.text:
                    self._ask(log, outside, note)

    def _ask(self, log: Log, outside: Outside, note: Note) -> None:
        try:
            asked = ask_witness(self._http, outside, note, log.read)
        except Corrupt:  # a tile is missing: the ledger finds that itself, and stops
            asked = Asked(Verdict.AWAY)
        self._tell(log.origin, outside.key.name, asked.verdict)
        if asked.size is not None:
            outside.sizes[log.origin] = asked.size
        if asked.verdict is Verdict.COSIGNED:
            self._publish(log.origin, format_note(Note(note.text, asked.lines)))
            outside.has[log.origin] = note.text
            outside.failures = 0
            return
        outside.failures += 1  # (4)
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(outside.failures - 1, 16))
        outside.next_s = self._monotonic_s() + pause_s

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.once()
            except Transient:
                continue  # Kafka is away: the ledger says so itself; what was not published is asked for again
