from __future__ import annotations

import pytest

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.note import Note, NoteSignature, cosign_note, format_note
from services.gateway.log_cosignatures import AHEAD_S, own_lines
from services.kernel.errors import Refused
from services.members.registry import Registry
from tests.unit.services.members.town import HANGZHOU, NANJING, NOW_MS, signer, town

ORIGIN = "ipx/clues/0"
TEXT = format_checkpoint(Checkpoint(ORIGIN, 7, bytes(32)))


def line(name: str, *, time_s: int = NOW_MS // 1000, text: bytes = TEXT) -> NoteSignature:
    own = signer(name)
    return cosign_note(text, name, own.public.data, own.sign, time_s)


def own(*lines: NoteSignature, text: bytes = TEXT, origin: str = ORIGIN, registry: Registry | None = None) -> Note:
    return own_lines(format_note(Note(text, lines)), origin, NANJING, registry or town(), NOW_MS)


def code_of(call) -> str:
    with pytest.raises(Refused) as raised:
        call()
    return raised.value.code


def test_the_callers_own_good_line_alone_is_taken() -> None:
    assert own(line(HANGZHOU), line(NANJING)) == Note(TEXT, (line(NANJING),))


def test_a_note_without_one_is_refused() -> None:
    assert code_of(lambda: own(line(HANGZHOU))) == "bad-signature"
    assert code_of(lambda: own(line(NANJING, text=b"another\n"))) == "bad-signature"


def test_a_time_ahead_of_the_clock_is_refused_beyond_a_little() -> None:
    ahead_s = NOW_MS // 1000 + AHEAD_S
    assert own(line(NANJING, time_s=ahead_s)).signatures
    assert code_of(lambda: own(line(NANJING, time_s=ahead_s + 1))) == "bad-signature"


def test_a_checkpoint_of_another_log_is_refused() -> None:
    assert code_of(lambda: own(line(NANJING), origin="ipx/clues/1")) == "bad-checkpoint"


def test_bytes_that_are_no_note_are_refused() -> None:
    assert code_of(lambda: own_lines(b"x", ORIGIN, NANJING, town(), NOW_MS)) == "bad-note"
