"""Asking witnesses of another make: what is sent, what is believed of the answer, and that nobody waits for one that is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.kit.witness import NOTHING, Known, Trusted, add_checkpoint
from services.codec.http import Reply
from services.codec.note import COSIGNATURE, NoteKey, NoteSignature, cosign_note, cosigned_at, parse_note
from services.codec.witness_request import SIZE_TYPE, parse_request
from services.kernel.errors import Transient
from services.ledger.witnessing import Asking, Log, Outside, Verdict, ask_witness
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, key_of

NAME = "witness.example/w1"
KEY = NoteKey(NAME, COSIGNATURE, signer_of(NANJING).public.data)


def line(text: bytes, participant: str = NANJING, name: str = NAME) -> NoteSignature:
    key = signer_of(participant)
    return cosign_note(text, name, key.public.data, key.sign, 1_790_000_000)


@dataclass
class FakeWitness:
    """A witness behind HTTP: the core of our own, its memory, and answers that can be forced."""

    known: Known = NOTHING
    away: bool = False
    forced: Reply | None = None
    more: Callable[[bytes], list[NoteSignature]] = lambda _text: []
    asked: list[tuple[str, int]] = field(default_factory=list)

    def send(self, method: str, url: str, *, body: bytes, **_more: Any) -> Reply:
        self.asked.append((f"{method} {url}", parse_request(body).old_size))
        if self.away:
            raise Transient("away")
        if self.forced is not None:
            return self.forced
        answer = add_checkpoint(
            body, lambda _origin: Trusted([key_of()], self.known), lambda text: [line(text), *self.more(text)]
        )
        self.known = answer.known or self.known
        return Reply(int(answer.status), {"content-type": answer.content_type}, answer.body)


def outside() -> Outside:
    return Outside(KEY, "https://witness.example/")


def ask(witness: FakeWitness, log: SmallLog, of: Outside | None = None) -> Any:
    return ask_witness(witness, of or outside(), parse_note(log.checkpoint()), log.read)


def test_a_witness_that_knows_nothing_is_asked_once_and_its_line_verifies() -> None:
    witness, log = FakeWitness(), SmallLog().grow(300)
    asked = ask(witness, log)
    assert witness.asked == [("POST https://witness.example/add-checkpoint", 0)]
    assert (asked.verdict, asked.size) == (Verdict.COSIGNED, 300)
    assert cosigned_at(parse_note(log.checkpoint()).add(*asked.lines), KEY) == 1_790_000_000


@pytest.mark.parametrize("believed", [0, 7, 120, 299])
def test_a_conflict_says_from_where_to_ask_again(believed: int) -> None:
    log = SmallLog().grow(300)
    witness, of = FakeWitness(Known(100, log.root(100))), outside()
    of.sizes[ORIGIN] = believed
    assert ask(witness, log, of).verdict is Verdict.COSIGNED
    assert [size for _, size in witness.asked] == [believed, 100]


def test_a_witness_that_knows_more_or_another_tree_contradicts() -> None:
    log = SmallLog().grow(300)
    assert ask(FakeWitness(Known(301, b"\1" * 32)), log).verdict is Verdict.CONTRADICTED
    assert ask(FakeWitness(Known(100, b"\1" * 32)), log).verdict is Verdict.CONTRADICTED
    assert ask(FakeWitness(Known(300, b"\1" * 32)), log).verdict is Verdict.CONTRADICTED


def test_a_witness_that_says_another_size_each_time_is_given_up() -> None:
    log = SmallLog().grow(300)

    class Wandering(FakeWitness):
        def send(self, method: str, url: str, *, body: bytes, **more: Any) -> Reply:
            super().send(method, url, body=body, **more)
            return Reply(409, {"content-type": SIZE_TYPE}, f"{len(self.asked)}\n".encode())

    witness = Wandering()
    assert ask(witness, log).verdict is Verdict.REFUSED
    assert len(witness.asked) == 3


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(404, {}, b""), Verdict.REFUSED),
        (Reply(403, {}, b""), Verdict.REFUSED),
        (Reply(422, {}, b""), Verdict.CONTRADICTED),
        (Reply(409, {}, b"5\n"), Verdict.CONTRADICTED),
        (Reply(503, {}, b""), Verdict.AWAY),
        (Reply(301, {"location": "https://elsewhere.example/"}, b""), Verdict.AWAY),
        (Reply(200, {}, b"no line"), Verdict.NOT_GOOD),
        (Reply(200, {}, b""), Verdict.NOT_GOOD),
    ],
)
def test_every_other_answer_is_named(reply: Reply, verdict: Verdict) -> None:
    assert ask(FakeWitness(forced=reply), SmallLog().grow(5)).verdict is verdict


def test_lines_of_other_keys_and_over_other_texts_are_left_out() -> None:
    log = SmallLog().grow(5)
    asked = ask(FakeWitness(more=lambda text: [line(text, HANGZHOU), line(text, HANGZHOU, "other")]), log)
    assert [one.name for one in asked.lines] == [NAME]
    forged = Reply(200, {}, f"{line(b'another text' + bytes([10])).line()}\n".encode())
    assert ask(FakeWitness(forced=forged), log).verdict is Verdict.NOT_GOOD


@dataclass
class Round:
    """An asking turned by hand."""

    witness: FakeWitness
    log: SmallLog
    now_s: float = 0.0
    published: list[tuple[str, bytes]] = field(default_factory=list)
    told: list[Verdict] = field(default_factory=list)
    publishing_fails: bool = False

    def __post_init__(self) -> None:
        files = Log(ORIGIN, lambda: self.log.checkpoint() if self.log.size else None, self.log.read)
        self.asking = Asking(
            [outside()],
            lambda: [files],
            self.witness,
            self.publish,
            lambda _o, _w, v: self.told.append(v),
            lambda: self.now_s,
        )

    def publish(self, origin: str, note: bytes) -> None:
        if self.publishing_fails:
            raise Transient("Kafka is away")
        self.published.append((origin, note))


def test_each_candidate_is_asked_for_once_and_published_with_the_good_lines_alone() -> None:
    made = Round(FakeWitness(), SmallLog())
    made.asking.once()
    assert made.witness.asked == []
    made.log.grow(20)
    made.asking.once()
    made.asking.once()
    made.log.grow(5)
    made.asking.once()
    assert [size for _, size in made.witness.asked] == [0, 20]
    assert [origin for origin, _ in made.published] == [ORIGIN, ORIGIN]
    note = parse_note(made.published[1][1])
    assert note.text == parse_note(made.log.checkpoint()).text
    assert [one.name for one in note.signatures] == [NAME]


def test_a_witness_that_is_away_is_asked_ever_more_rarely_and_comes_back() -> None:
    made = Round(FakeWitness(away=True), SmallLog().grow(9))
    for _ in range(600):
        made.asking.once()
        made.now_s += 1
    assert 5 <= len(made.witness.asked) <= 12
    made.witness.away = False
    made.now_s += 300
    made.asking.once()
    assert len(made.published) == 1
    assert made.told[-1] is Verdict.COSIGNED


def test_what_kafka_did_not_take_is_asked_for_again() -> None:
    made = Round(FakeWitness(), SmallLog().grow(9), publishing_fails=True)
    with pytest.raises(Transient):
        made.asking.once()
    made.publishing_fails = False
    made.asking.once()
    assert len(made.published) == 1


def test_missing_tiles_are_not_the_fault_of_the_witness() -> None:
    made = Round(FakeWitness(Known(3, SmallLog().grow(3).root())), SmallLog().grow(9))
    made.log.tiles = dict  # type: ignore[method-assign,assignment]
    made.asking.once()
    assert made.told == [Verdict.AWAY]
    assert made.published == []
