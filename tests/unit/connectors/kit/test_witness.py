"""The core of the witness: each of the six answers at its step, and never a cosignature over what does not continue what it knows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.witness import (
    NOTHING,
    Answer,
    Known,
    Status,
    Trusted,
    add_checkpoint,
)
from services.codec.merkle import is_consistent
from services.codec.note import COSIGNATURE, NoteKey, NoteSignature, cosign_note, cosigned_at, parse_note
from services.codec.tiles import Tree
from services.codec.witness_request import MAX_PROOF, SIZE_TYPE, Request, format_request, parse_request
from services.kernel.errors import Refused
from tests.unit.connectors.small_exchange import NANJING, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, checkpoint_note, key_of

AT_S = 1_790_000_000
WITNESS = NoteKey(NANJING, COSIGNATURE, signer_of(NANJING).public.data)


def cosign(text: bytes) -> list[NoteSignature]:
    signer = signer_of(NANJING)
    return [cosign_note(text, NANJING, signer.public.data, signer.sign, AT_S)]


def ask(request: Request | bytes, known: Known = NOTHING, keys: tuple[NoteKey, ...] = (key_of(),)) -> Answer:
    body = request if isinstance(request, bytes) else format_request(request)
    return add_checkpoint(body, lambda origin: Trusted(keys, known) if origin == ORIGIN else None, cosign)


def known(log: SmallLog, size: int) -> Known:
    return Known(size, log.root(size))


def proof(log: SmallLog, old_size: int) -> tuple[bytes, ...]:
    return Tree(log.tiles().get, log.size).consistency(old_size)


LOG = SmallLog().grow(300)


def test_the_first_checkpoint_of_a_log_is_cosigned_without_a_proof() -> None:
    answer = ask(Request(0, (), LOG.checkpoint()))
    assert answer.status is Status.COSIGNED
    assert answer.known == known(LOG, 300)
    assert cosigned_at(parse_note(LOG.checkpoint() + answer.body), WITNESS) == AT_S


def test_a_checkpoint_that_continues_the_last_one_is_cosigned() -> None:
    answer = ask(Request(7, proof(LOG, 7), LOG.checkpoint()), known(LOG, 7))
    assert (answer.status, answer.known) == (Status.COSIGNED, known(LOG, 300))


def test_the_same_checkpoint_again_is_cosigned_again() -> None:
    assert ask(Request(300, (), LOG.checkpoint()), known(LOG, 300)).status is Status.COSIGNED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n" + LOG.checkpoint(),
        b"old 7\r\n\n" + LOG.checkpoint(),
        b"old -1\n\n" + LOG.checkpoint(),
        b"old 0\nnot base64\n\n" + LOG.checkpoint(),
        b"old 0\n\n" + LOG.checkpoint()[:-1],
        b"old 0\n\nsmall/clues/0\nfive\n" + LOG.checkpoint(),
        format_request(Request(7, (b"\0" * 32,) * (MAX_PROOF + 1), LOG.checkpoint())),
        format_request(Request(0, (), LOG.checkpoint())) + b"x" * 70_000,
    ],
)
def test_what_is_no_request_is_a_bad_request(body: bytes) -> None:
    answer = ask(body)
    assert (answer.status, answer.known, answer.signatures) == (Status.BAD_REQUEST, None, ())


def test_a_log_that_is_not_known_is_not_found() -> None:
    other = SmallLog("small/clues/1").grow(3)
    assert ask(Request(0, (), other.checkpoint())).status is Status.UNKNOWN_LOG


def test_a_checkpoint_that_no_trusted_key_signed_is_forbidden() -> None:
    assert ask(Request(0, (), LOG.checkpoint()), keys=(key_of("small/clues/1"),)).status is Status.UNTRUSTED
    assert ask(Request(0, (), LOG.checkpoint()), keys=()).status is Status.UNTRUSTED
    altered = LOG.checkpoint().replace(b"\n300\n", b"\n301\n")
    assert ask(Request(0, (), altered)).status is Status.UNTRUSTED


def test_lines_of_unknown_keys_are_not_looked_at() -> None:
    text = LOG.checkpoint()
    with_stranger = text + cosign(parse_note(text).text)[0].line().encode() + b"\n"
    assert ask(Request(0, (), with_stranger)).status is Status.COSIGNED


def test_an_old_size_above_the_checkpoint_is_a_bad_request() -> None:
    assert ask(Request(301, (), LOG.checkpoint()), known(SmallLog().grow(301), 301)).status is Status.BAD_REQUEST


@pytest.mark.parametrize("old_size", [0, 6, 8, 300])
def test_another_old_size_than_the_known_one_is_a_conflict_that_says_it(old_size: int) -> None:
    answer = ask(Request(old_size, (), LOG.checkpoint()), known(LOG, 7))
    assert (answer.status, answer.body, answer.content_type) == (Status.CONFLICT, b"7\n", SIZE_TYPE)


def test_the_same_size_with_another_root_is_a_conflict() -> None:
    other = LOG.fork(299).grow(1, "another")
    answer = ask(Request(300, (), other.checkpoint()), known(LOG, 300))
    assert (answer.status, answer.known, answer.signatures) == (Status.CONFLICT, None, ())


def test_a_proof_that_does_not_verify_is_unprocessable() -> None:
    good = proof(LOG, 7)
    wrong = [(), good[:-1], (*good, good[-1]), (b"\0" * 32, *good[1:])]
    for path in wrong:
        assert ask(Request(7, path, LOG.checkpoint()), known(LOG, 7)).status is Status.INCONSISTENT
    assert ask(Request(0, good, LOG.checkpoint())).status is Status.INCONSISTENT
    assert ask(Request(300, good, LOG.checkpoint()), known(LOG, 300)).status is Status.INCONSISTENT


def test_an_empty_log_is_cosigned_by_its_one_root_only() -> None:
    assert ask(Request(0, (), checkpoint_note(0, NOTHING.root))).status is Status.COSIGNED
    assert ask(Request(0, (), checkpoint_note(0, b"\1" * 32))).status is Status.CONFLICT


def test_a_request_is_read_as_it_was_written() -> None:
    for request in (Request(0, (), LOG.checkpoint()), Request(7, proof(LOG, 7), LOG.checkpoint())):
        assert parse_request(format_request(request)) == request
    with pytest.raises(Refused) as refused:
        parse_request(b"old 1\n")
    assert refused.value.code == "bad-request"


@given(st.data())
def test_it_never_cosigns_what_does_not_continue_what_it_knows(data: st.DataObject) -> None:
    common = data.draw(st.integers(0, 40))
    trunk = SmallLog().grow(common)
    ours = trunk.fork(common).grow(data.draw(st.integers(0, 20)), "ours")
    theirs = trunk.fork(common).grow(data.draw(st.integers(0, 20)), data.draw(st.sampled_from(["ours", "theirs"])))
    old_size = data.draw(st.sampled_from([ours.size, theirs.size, common]))
    path = data.draw(
        st.sampled_from(
            [(), *(proof(log, old_size) for log in (ours, theirs) if old_size <= log.size)],
        )
    )
    answer = ask(Request(old_size, path, theirs.checkpoint()), known(ours, ours.size))
    continues = ours.entries == theirs.entries[: ours.size]
    if answer.status is Status.COSIGNED:
        assert continues
        assert is_consistent(ours.size, ours.root(), theirs.size, theirs.root(), path)
    else:
        assert answer.known is None
        assert answer.signatures == ()
    if continues and old_size == ours.size and path == proof(theirs, ours.size):
        assert answer.status is Status.COSIGNED


@given(st.data())
def test_one_changed_byte_of_a_request_is_never_cosigned_as_something_else(data: st.DataObject) -> None:
    body = bytearray(format_request(Request(7, proof(LOG, 7), LOG.checkpoint())))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    answer = ask(bytes(body), known(LOG, 7))
    assert answer.known in (None, known(LOG, 300))
    if answer.status is Status.COSIGNED:  # the name on a line that is not looked at may differ, the text may not
        assert parse_note(parse_request(bytes(body)).note).text == parse_note(LOG.checkpoint()).text


def test_all_keys_of_the_witness_sign() -> None:
    two = add_checkpoint(
        format_request(Request(0, (), LOG.checkpoint())),
        lambda _origin: Trusted((key_of(),), NOTHING),
        lambda text: [*cosign(text), *(replace(line, name="other") for line in cosign(text))],
    )
    assert len(two.signatures) == 2
    assert two.body.count(b"\n") == 2
