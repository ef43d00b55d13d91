"""Proofs of one entry in the form of C2SP tlog-proof: nothing in one can be changed and still prove."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.note import NoteSignature, format_note
from services.codec.tlog_policy import Group, Policy, judge
from services.codec.tlog_proof import MAX_PATH, TlogProof, format_proof, parse_proof, proves
from services.kernel.errors import Refused
from tests.unit.services.codec.logs import CITIES, LOG_KEY, ORIGIN, RFC, code_of, entry, signed, witness_key

TWO = CITIES[:2]
POLICY = Policy({ORIGIN: LOG_KEY}, {name: witness_key(name) for name in TWO}, (Group("both", 2, TWO),), "both")


def proof_of(index: int, size: int) -> TlogProof:
    return TlogProof(index, tuple(RFC.path(index, 0, size)), signed(size, *TWO))


def stands(data: bytes, of: bytes) -> bool:
    """What a verifier asks of a proof: read, the entry in the tree, the checkpoint witnessed, and no line that is not good."""
    code = code_of(lambda: judge(parse_proof(data).note, POLICY))
    if code is not None:
        assert code in {"bad-proof", "bad-note", "bad-checkpoint", "bad-signature", "unknown-log"}
        return False
    proof = parse_proof(data)
    standing = judge(proof.note, POLICY)
    return proves(proof, of) and standing.is_witnessed and not standing.strangers


def refused(data: bytes) -> bool:
    return code_of(lambda: parse_proof(data)) is not None


@given(st.integers(1, 70), st.data())
def test_a_proof_is_read_back_as_it_was_written_and_proves_its_entry_alone(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    proof = proof_of(index, size)
    written = format_proof(proof)
    assert parse_proof(written) == proof
    assert stands(written, entry(index))
    assert proves(proof, entry(other)) == (other == index)
    assert not stands(written, entry(index) + b" ")


def test_a_proof_has_the_lines_that_c2sp_writes_down() -> None:
    lines = format_proof(proof_of(2, 3)).decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 2"]
    assert len(lines[2]) == 44
    assert lines[3:6] == ["", ORIGIN, "3"]


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (5, 7), (6, 7), (40, 64)])
def test_no_byte_of_a_proof_can_be_changed_and_still_prove(index: int, size: int) -> None:
    whole = format_proof(proof_of(index, size))
    assert stands(whole, entry(index))
    for at in range(len(whole)):
        for by in (1, 2, 0x20, 0x80):
            changed = whole[:at] + bytes([whole[at] ^ by]) + whole[at + 1 :]
            assert not stands(changed, entry(index))
            if not refused(changed):
                assert parse_proof(changed) != parse_proof(whole)
                assert format_proof(parse_proof(changed)) == changed
        assert not stands(whole[:at] + whole[at + 1 :], entry(index))
        assert not stands(whole[:at], entry(index))


@pytest.mark.parametrize(("index", "size"), [(0, 1), (3, 7), (6, 7)])
def test_a_path_of_another_length_or_order_is_refused_or_proves_nothing(index: int, size: int) -> None:
    good = proof_of(index, size)
    for path in (good.path[:-1], good.path[1:], (*good.path, bytes(32)), (bytes(32), *good.path)):
        if path != good.path:
            with pytest.raises(Refused) as refusal:
                parse_proof(format_proof(replace(good, path=path)))
            assert refusal.value.code == "bad-proof"
            assert not proves(replace(good, path=path), entry(index))
    if len(good.path) > 1:
        assert not proves(replace(good, path=good.path[::-1]), entry(index))


def test_an_index_outside_of_the_tree_is_refused() -> None:
    for index in (7, 8, 10**17):
        with pytest.raises(Refused) as refusal:
            parse_proof(format_proof(replace(proof_of(6, 7), index=index)))
        assert refusal.value.code == "bad-proof"
    for index, size, length in ((1, 1, 1), (3, 3, 2), (2, 2, 1), (2, 2, 2), (0, 0, 0), (0, 0, 1)):
        with pytest.raises(Refused) as refusal:
            parse_proof(format_proof(TlogProof(index, (bytes(32),) * length, signed(size, *TWO))))
        assert refusal.value.code == "bad-proof"


def test_a_proof_under_the_checkpoint_of_another_tree_proves_nothing() -> None:
    assert not proves(replace(proof_of(3, 8), note=signed(7, *TWO)), entry(3))
    changed = replace(proof_of(3, 7), path=proof_of(3, 8).path)
    assert not proves(changed, entry(3))


def test_a_cosignature_that_is_taken_out_or_of_a_stranger_is_seen() -> None:
    good = proof_of(3, 7)
    assert not stands(
        format_proof(replace(good, note=replace(good.note, signatures=good.note.signatures[:2]))), entry(3)
    )
    stranger = good.note.add(*signed(7, CITIES[2]).signatures)
    assert not stands(format_proof(replace(good, note=stranger)), entry(3))
    forged = good.note.add(NoteSignature(CITIES[3], b"\x00\x01\x02\x03", bytes(72)))
    assert not stands(format_proof(replace(good, note=forged)), entry(3))


WHOLE = format_proof(proof_of(5, 7))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        WHOLE.partition(b"\n\n")[0] + b"\n\n",
        format_note(signed(7, *TWO)),
        WHOLE.replace(b"@v1", b"@v2"),
        WHOLE.replace(b"\nindex 5", b"\nextra aGVsbG8=\nindex 5"),
        WHOLE.replace(b"index 5", b"index 05"),
        WHOLE.replace(b"index 5", b"index +5"),
        WHOLE.replace(b"index 5", b"index  5"),
        WHOLE.replace(b"index 5", b"index -1"),
        WHOLE.replace(b"index 5", b"index 1" + b"0" * 18),
        WHOLE.replace(b"index 5\n", b""),
        WHOLE.replace(b"\n", b"\r\n"),
        WHOLE.replace(b"=\n", b"\n", 1),
        WHOLE.replace(b"=\n", b"=\n\n", 1),
        WHOLE.replace(b"index 5\n", b"index 5\n" + b"A" * 43 + b"=\n"),
        WHOLE.replace(b"index 5\n", b"index 5\n" + (b"A" * 43 + b"=\n") * (MAX_PATH + 1)),
        WHOLE.replace(b"index 5\n", b"index 5\n" + b"A" * 5000 + b"\n"),
        WHOLE + b"\n",
        WHOLE + b"x" * 70_000,
    ],
)
def test_what_no_formatter_writes_is_refused(data: bytes) -> None:
    assert refused(data)
    assert not stands(data, entry(5))


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda more: WHOLE[:60] + more + WHOLE[80:]))
def test_whatever_is_read_is_what_would_be_written(data: bytes) -> None:
    if not refused(data):
        assert format_proof(parse_proof(data)) == data
