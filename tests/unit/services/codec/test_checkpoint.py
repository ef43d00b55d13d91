"""Checkpoints: the text of C2SP tlog-checkpoint, and which origin belongs to which log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.checkpoint import (
    SM3,
    Checkpoint,
    format_checkpoint,
    log_of_origin,
    open_checkpoint,
    origin_of,
    parse_checkpoint,
)
from services.codec.note import ED25519, Note, NoteKey, format_note, sign_note
from services.kernel.errors import Refused
from tests.unit.services.codec.logs import CITIES, LOG, LOG_KEY, ORIGIN, checkpoint_of, code_of, signed

EXAMPLE = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="+"), min_size=1, max_size=255)
EXTENSIONS = st.text(VISIBLE, min_size=1, max_size=60).filter(lambda text: text == text.strip(" "))
CHECKPOINTS = st.builds(
    Checkpoint,
    NAMES,
    st.integers(0, 10**18 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(EXTENSIONS, max_size=3).map(tuple),
)


def refused(text: bytes) -> bool:
    code = code_of(lambda: parse_checkpoint(text))
    assert code in {None, "bad-checkpoint"}
    return code is not None


def test_the_example_of_tlog_checkpoint_is_read() -> None:
    root = bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
    assert parse_checkpoint(EXAMPLE) == Checkpoint("example.com/behind-the-sofa", 20_852_163, root)
    assert format_checkpoint(parse_checkpoint(EXAMPLE)) == EXAMPLE


@given(CHECKPOINTS)
def test_a_checkpoint_is_read_back_as_it_was_written(checkpoint: Checkpoint) -> None:
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint


@given(CHECKPOINTS, st.data())
def test_a_changed_byte_of_a_checkpoint_is_refused_or_makes_another(
    checkpoint: Checkpoint, data: st.DataObject
) -> None:
    text = format_checkpoint(checkpoint)
    at, by = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(1, 255))
    changed = text[:at] + bytes([text[at] ^ by]) + text[at + 1 :]
    if not refused(changed):
        assert parse_checkpoint(changed) != checkpoint
        assert format_checkpoint(parse_checkpoint(changed)) == changed


@given(st.binary(max_size=100))
def test_whatever_follows_a_checkpoint_is_an_extension_or_refused(more: bytes) -> None:
    if not refused(EXAMPLE + more):
        assert format_checkpoint(parse_checkpoint(EXAMPLE + more)) == EXAMPLE + more


@pytest.mark.parametrize(
    "text",
    [
        b"",
        EXAMPLE[:-1],
        EXAMPLE + b"\n",
        b"\n" + EXAMPLE,
        EXAMPLE.replace(b"20852163", b"020852163"),
        EXAMPLE.replace(b"20852163", b"-1"),
        EXAMPLE.replace(b"20852163", b"+1"),
        EXAMPLE.replace(b"20852163", b" 1"),
        EXAMPLE.replace(b"20852163", b"1" + b"0" * 18),
        EXAMPLE.replace(b"20852163", "２".encode()),
        EXAMPLE.replace(b"q2I=", b"q2J="),
        EXAMPLE.replace(b"q2I=", b"q2I"),
        EXAMPLE.replace(b"CsUY", b"Cs Y"),
        EXAMPLE.replace(b"CsUY", b""),
        EXAMPLE.replace(b"\n", b"\r\n"),
        EXAMPLE.replace(b"sofa\n", b"so fa\n"),
        EXAMPLE.replace(b"sofa\n", b"so+fa\n"),
        EXAMPLE.replace(b"example.com/behind-the-sofa", b""),
        EXAMPLE.replace(b"example", b"e" * 256),
        EXAMPLE + b" leading\n",
        EXAMPLE + b"trailing \n",
        EXAMPLE + b"\x7f\n",
        EXAMPLE + "é\n".encode(),
        EXAMPLE + b"a\n\nb\n",
        EXAMPLE + b"x" * 4096 + b"\n",
    ],
)
def test_what_no_formatter_writes_is_refused(text: bytes) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 1, bytes(32)),
        Checkpoint("a b", 1, bytes(32)),
        Checkpoint("a", -1, bytes(32)),
        Checkpoint("a", 10**18, bytes(32)),
        Checkpoint("a", 1, bytes(31)),
        Checkpoint("a", 1, bytes(33)),
        Checkpoint("a", 1, bytes(32), ("",)),
        Checkpoint("a", 1, bytes(32), ("two\nlines ",)),
    ],
)
def test_a_checkpoint_that_no_parser_would_take_is_not_written(checkpoint: Checkpoint) -> None:
    with pytest.raises(Refused) as refusal:
        format_checkpoint(checkpoint)
    assert refusal.value.code == "bad-checkpoint"


def test_a_line_of_another_hash_is_kept_and_signed_with_the_rest() -> None:
    line = f"{SM3} {'A' * 43}="
    checkpoint = Checkpoint(ORIGIN, 1, bytes(32), (line,))
    text = format_checkpoint(checkpoint)
    assert text.endswith(f"\n{line}\n".encode())
    data = format_note(Note(text, (sign_note(text, ORIGIN, LOG.public.data, LOG.sign),)))
    assert open_checkpoint(data, LOG_KEY)[0] == checkpoint
    with pytest.raises(Refused) as refusal:
        open_checkpoint(data.replace(b"sm3 A", b"sm3 B"), LOG_KEY)
    assert refusal.value.code == "bad-signature"


def test_a_checkpoint_opens_with_the_key_of_its_origin_alone() -> None:
    data = format_note(signed(7, CITIES[0]))
    checkpoint, note = open_checkpoint(data, LOG_KEY)
    assert checkpoint == checkpoint_of(7)
    assert len(note.signatures) == 2
    for key in (
        NoteKey(ORIGIN, ED25519, bytes(32)),
        NoteKey("ipx/clues/1", ED25519, LOG.public.data),
        NoteKey(ORIGIN, 4, LOG.public.data),
    ):
        with pytest.raises(Refused) as refusal:
            open_checkpoint(data, key)
        assert refusal.value.code == "bad-signature"


def test_a_key_signs_no_checkpoint_of_another_origin() -> None:
    text = format_checkpoint(Checkpoint("ipx/clues/1", 1, bytes(32)))
    data = format_note(Note(text, (sign_note(text, ORIGIN, LOG.public.data, LOG.sign),)))
    with pytest.raises(Refused) as refusal:
        open_checkpoint(data, LOG_KEY)
    assert refusal.value.code == "bad-signature"


@pytest.mark.parametrize(
    ("log", "origin"), [("ipx.clues/0", "ipx/clues/0"), ("bench-0a1b.members/99999", "bench-0a1b/members/99999")]
)
def test_an_origin_is_the_log_with_slashes_and_back(log: str, origin: str) -> None:
    assert origin_of(log) == origin
    assert log_of_origin(origin) == log


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ipx",
        "ipx.clues",
        "ipx.clues/",
        "ipx.clues/00",
        "ipx.clues/100000",
        "ipx.clues.in/0",
        "Ipx.clues/0",
        "ipx.clues/0\n",
        "ipx.clues/-1",
        "../clues/0",
        "ipx.clues/0/1",
        "ipx..clues/0",
        "ipx/clues/0",
        "i" * 41 + ".c/0",
    ],
)
def test_what_names_no_log_has_no_origin(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        origin_of(text)
    assert refusal.value.code == "bad-checkpoint"
    with pytest.raises(Refused):
        log_of_origin(text.replace(".", "/", 1) if text != "ipx/clues/0" else "ipx.clues/0")
