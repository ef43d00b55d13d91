from __future__ import annotations

import io
import struct

from hypothesis import given
from hypothesis import strategies as st

from services.admission.verify_worker import is_good, pack, serve, unpack
from services.codec.signature import RootCache, sign, sign_batch
from tests.unit.services.members.town import NANJING, gm_signer, signer

KEY = signer(NANJING).public.data
TEXTS = [f"statement {n}".encode() for n in range(5)]
GOOD = [(KEY, text, sign(text, signer(NANJING)).encode()) for text in TEXTS]
BATCH = [(KEY, text, line.encode()) for text, line in zip(TEXTS, sign_batch(TEXTS, signer(NANJING)), strict=True)]


def answered(*requests: bytes) -> bytes:
    answers = io.BytesIO()
    serve(io.BytesIO(b"".join(requests)), answers)
    return answers.getvalue()


@given(st.lists(st.tuples(st.binary(max_size=64), st.binary(max_size=300), st.binary(max_size=300))))
def test_a_request_is_read_as_it_was_written(questions: list[tuple[bytes, bytes, bytes]]) -> None:
    packed = pack(questions)
    size, count = struct.unpack_from("<II", packed)
    assert size == len(packed) - 8
    assert list(unpack(packed[8:], count)) == questions


def test_every_question_has_its_answer_over_many_requests() -> None:
    swapped = (KEY, TEXTS[0], GOOD[1][2])
    nonsense = (KEY, TEXTS[0], b"\xff\xfe")
    assert answered(pack([*GOOD, swapped]), pack([]), pack([nonsense, *BATCH])) == bytes(
        [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1]
    )


def test_a_request_that_was_cut_off_is_not_answered() -> None:
    assert answered(pack(GOOD)[:5]) == b""


def test_another_key_is_not_good() -> None:
    other = signer(NANJING, 1).public.data
    assert not is_good((other, GOOD[0][1], GOOD[0][2]), RootCache())
    assert is_good(GOOD[0], RootCache())


def test_questions_of_both_suites_are_answered_beside_one_another() -> None:
    gm = gm_signer(NANJING)
    single = [(gm.public.data, text, sign(text, gm).encode()) for text in TEXTS]
    batch = [(gm.public.data, text, line.encode()) for text, line in zip(TEXTS, sign_batch(TEXTS, gm), strict=True)]
    wrong = [
        (KEY, TEXTS[0], single[0][2]),
        (gm.public.data, TEXTS[0], GOOD[0][2]),
        (gm.public.data[:32], *single[0][1:]),
    ]
    assert answered(pack([*single, *GOOD, *wrong, *batch])) == bytes([1] * 10 + [0] * 3 + [1] * 5)
