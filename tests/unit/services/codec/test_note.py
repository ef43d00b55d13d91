"""Signed notes: one form, two kinds of keys, and the published examples of C2SP and of Go's note package."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    MAX_TIME_S,
    Note,
    NoteKey,
    NoteSignature,
    cosign_note,
    cosigned_at,
    format_note,
    is_signed,
    parse_note,
    parse_signature_lines,
    parse_vkey,
    sign_note,
)
from services.kernel.errors import Refused
from tests.unit.services.codec.logs import CITIES, LOG, LOG_KEY, ORIGIN, TIME_S, WITNESSES, code_of, signed, witness_key

CRYPTOGRAPHY = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
PUBLISHED_KEYS = (
    PETER,
    ENOCH,
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    "keyserver.geomys.org+16b31509+ARLJ+pmTj78HzTeBj04V+LVfB+GFAQyrg54CRIju7Nn8",
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
)
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
SOFA = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZ"
    "qhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="+"), min_size=1, max_size=40)
SIGNATURES = st.builds(NoteSignature, NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
TEXTS = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]) | st.just("\n"), max_size=120).map(
    lambda text: f"{text}\n".encode()
)
NOTES = st.builds(
    Note, TEXTS, st.lists(SIGNATURES, min_size=1, max_size=5, unique_by=lambda s: (s.name, s.key_hash)).map(tuple)
)


def refused(data: bytes) -> bool:
    code = code_of(lambda: parse_note(data))
    assert code in {None, "bad-note"}
    return code is not None


def test_the_note_that_go_publishes_is_read_and_checked_with_its_keys() -> None:
    data = (CRYPTOGRAPHY + "\n" + PETER_LINE + ENOCH_LINE).encode()
    note = parse_note(data)
    assert note.text == CRYPTOGRAPHY.encode()
    assert is_signed(note, parse_vkey(PETER))
    assert is_signed(note, parse_vkey(ENOCH))
    assert format_note(note) == data
    swapped = parse_note((CRYPTOGRAPHY + "\n" + PETER_LINE.replace("PeterNeumann", "EnochRoot")).encode())
    assert not is_signed(swapped, parse_vkey(ENOCH))
    assert not is_signed(parse_note(data.replace(b"cryptography", b"cryptogralhy")), parse_vkey(PETER))


@pytest.mark.parametrize("vkey", PUBLISHED_KEYS)
def test_a_published_key_has_the_hash_that_was_published_with_it(vkey: str) -> None:
    key = parse_vkey(vkey)
    assert key.vkey() == vkey
    assert key.key_hash.hex() == vkey.split("+")[1]
    assert key.kind == (COSIGNATURE if "itness" in vkey else ED25519)


def test_the_example_of_signed_note_keeps_the_empty_line_in_its_text() -> None:
    note = parse_note(POEM.encode())
    assert note.text.decode().endswith("raggio di sole:\n\ned è subito sera.\n")
    assert note.signatures[0].name == "quasimodo.example/salvatore"
    assert note.signatures[0].key_hash.hex() == "367ba04b"
    assert len(note.signatures[0].value) == 64
    assert format_note(note) == POEM.encode()


def test_the_example_of_tlog_cosignature_has_the_time_that_it_tells() -> None:
    note = parse_note(SOFA.encode())
    assert [s.name for s in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].value[:8], "big") == 1_679_315_147
    assert len(note.signatures[1].value) == 72
    assert format_note(note) == SOFA.encode()


@given(NOTES)
def test_a_note_is_read_back_as_it_was_written(note: Note) -> None:
    assert parse_note(format_note(note)) == note


@given(NOTES, st.data())
def test_a_changed_byte_of_a_note_is_refused_or_makes_another_note(note: Note, data: st.DataObject) -> None:
    whole = format_note(note)
    at, by = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(1, 255))
    changed = whole[:at] + bytes([whole[at] ^ by]) + whole[at + 1 :]
    if not refused(changed):
        assert parse_note(changed) != note
        assert format_note(parse_note(changed)) == changed


@given(st.binary(max_size=200) | st.text(max_size=120).map(lambda text: f"{text}\n\n{PETER_LINE}".encode()))
def test_whatever_is_read_is_what_would_be_written(data: bytes) -> None:
    if not refused(data):
        assert format_note(parse_note(data)) == data


def test_no_byte_of_a_signed_checkpoint_can_change_and_every_signature_stay_good() -> None:
    whole = format_note(signed(7, CITIES[0]))
    witness = witness_key(CITIES[0])
    for at in range(len(whole)):
        for by in (1, 4, 0x20, 0x80):
            changed = whole[:at] + bytes([whole[at] ^ by]) + whole[at + 1 :]
            if not refused(changed):
                note = parse_note(changed)
                assert not (is_signed(note, LOG_KEY) and cosigned_at(note, witness) == TIME_S)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        (CRYPTOGRAPHY + PETER_LINE).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE).encode()[:-1],
        (CRYPTOGRAPHY + "\n" + PETER_LINE + "\n").encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE + PETER_LINE).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("— ", "- ")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("— ", "—  ")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("Neumann ", "Neumann  ")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("Neumann", "+Neumann")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("Neumann", "\u00a0Neumann")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("AM=\n", "AN=\n")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("AM=\n", "AM==\n")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("\n", " \n")).encode(),
        (CRYPTOGRAPHY + "\n" + PETER_LINE.replace("\n", "\r\n")).encode(),
        (CRYPTOGRAPHY.replace("then", "\tthen") + "\n" + PETER_LINE).encode(),
        (CRYPTOGRAPHY.replace("\n", "\r\n") + "\n" + PETER_LINE).encode(),
        CRYPTOGRAPHY.encode() + b"\xff\n\n" + PETER_LINE.encode(),
        CRYPTOGRAPHY.encode() + b"\n" + "— A AAAAAA==\n".encode(),
        ("x" * MAX_NOTE_BYTES + "\n\n" + PETER_LINE).encode(),
        ("text\n\n" + "".join(f"— n{n} AAAAAAA=\n" for n in range(MAX_SIGNATURES + 1))).encode(),
    ],
)
def test_what_no_formatter_writes_is_refused(data: bytes) -> None:
    assert refused(data)


def test_a_note_bears_as_many_signatures_as_it_may_and_of_any_length() -> None:
    lines = tuple(NoteSignature(f"n{n}", bytes(4), bytes([n + 1]) * (1 + 37 * n)) for n in range(16))
    assert parse_note(format_note(Note(b"text\n", lines))).signatures == lines
    most = tuple(NoteSignature(f"n{n}", bytes(4), b"s") for n in range(MAX_SIGNATURES))
    assert parse_note(format_note(Note(b"text\n", most))).signatures == most


@pytest.mark.parametrize(
    "note",
    [
        Note(b"text\n", ()),
        Note(b"text", (NoteSignature("a", bytes(4), b"s"),)),
        Note(b"", (NoteSignature("a", bytes(4), b"s"),)),
        Note(b"a\tb\n", (NoteSignature("a", bytes(4), b"s"),)),
        Note(b"text\n", (NoteSignature("a b", bytes(4), b"s"),)),
        Note(b"text\n", (NoteSignature("a+b", bytes(4), b"s"),)),
        Note(b"text\n", (NoteSignature("a", bytes(4), b""),)),
        Note(b"text\n", (NoteSignature("a", bytes(3), b"ss"),)),
        Note(b"text\n", (NoteSignature("a", bytes(4), b"s"), NoteSignature("a", bytes(4), b"t"))),
        Note(b"text\n", (NoteSignature("a\n\n— b", bytes(4), b"s"),)),
    ],
)
def test_a_note_that_no_parser_would_take_is_not_written(note: Note) -> None:
    with pytest.raises(Refused) as refusal:
        format_note(note)
    assert refusal.value.code == "bad-note"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("PeterNeumann", ""),
        PETER.removesuffix("W") + "X",
        PETER + "=",
        PETER + "\n",
        PETER.replace("+AR", "+BR"),
        NoteKey("ecdsa", 2, bytes(32)).vkey(),
        NoteKey("short", ED25519, bytes(31)).vkey(),
        NoteKey("long", ED25519, bytes(33)).vkey(),
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
    ],
)
def test_a_verifier_key_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        parse_vkey(text)
    assert refusal.value.code == "bad-note"


@given(NAMES, st.sampled_from([ED25519, COSIGNATURE]), st.binary(min_size=32, max_size=32))
def test_a_verifier_key_is_read_back_as_it_was_written(name: str, kind: int, data: bytes) -> None:
    key = NoteKey(name, kind, data)
    assert parse_vkey(key.vkey()) == key
    assert key.key_hash != NoteKey(name, 5 - kind, data).key_hash


def test_a_signature_counts_for_its_own_key_kind_and_text_alone() -> None:
    note = signed(7, CITIES[0])
    name, other = CITIES[0], CITIES[1]
    assert is_signed(note, LOG_KEY)
    assert cosigned_at(note, witness_key(name)) == TIME_S
    assert cosigned_at(note, witness_key(other)) is None
    assert not is_signed(note, witness_key(name))
    assert cosigned_at(note, NoteKey(ORIGIN, COSIGNATURE, LOG.public.data)) is None
    assert not is_signed(note, NoteKey("ipx/clues/1", ED25519, LOG.public.data))
    longer = Note(note.text + b"more\n", note.signatures)
    assert not is_signed(longer, LOG_KEY)
    assert cosigned_at(longer, witness_key(name)) is None


def test_a_cosignature_of_another_time_kind_or_length_is_none() -> None:
    note = signed(7, CITIES[0])
    key, line = witness_key(CITIES[0]), note.signatures[1]
    for value in (
        (TIME_S + 1).to_bytes(8, "big") + line.value[8:],
        line.value[:-1],
        line.value + b"\x00",
        line.value[8:],
        (MAX_TIME_S + 1).to_bytes(8, "big") + line.value[8:],
    ):
        assert cosigned_at(Note(note.text, (NoteSignature(line.name, line.key_hash, value),)), key) is None
    signer = WITNESSES[CITIES[0]]
    plain = NoteSignature(CITIES[0], key.key_hash, TIME_S.to_bytes(8, "big") + signer.sign(note.text))
    assert cosigned_at(Note(note.text, (plain,)), key) is None
    late = MAX_TIME_S + 1
    value = late.to_bytes(8, "big") + signer.sign(b"cosignature/v1\ntime %d\n%s" % (late, note.text))
    assert cosigned_at(Note(note.text, (NoteSignature(CITIES[0], key.key_hash, value),)), key) is None
    assert not is_signed(Note(note.text, (NoteSignature(ORIGIN, LOG_KEY.key_hash, b"s" * 63),)), LOG_KEY)


def test_a_key_of_one_kind_is_not_taken_for_the_other_by_what_it_signed() -> None:
    note = signed(7)
    for kind in (ED25519, COSIGNATURE):
        key = NoteKey(CITIES[0], kind, WITNESSES[CITIES[0]].public.data)
        plain = NoteSignature(CITIES[0], key.key_hash, WITNESSES[CITIES[0]].sign(note.text))
        timed = replace(signed(7, CITIES[0]).signatures[1], key_hash=key.key_hash)
        assert is_signed(note.add(plain), key) == (kind == ED25519)
        assert cosigned_at(note.add(timed), key) == (TIME_S if kind == COSIGNATURE else None)


def test_a_cosignature_signs_the_message_that_c2sp_writes_down() -> None:
    said: list[bytes] = []

    def sign(message: bytes) -> bytes:
        said.append(message)
        return bytes(64)

    text = SOFA.split("\n\n")[0].encode() + b"\n"
    line = cosign_note(text, "witness.example.com/w1", bytes(32), sign, 1_679_315_147)
    assert said == [b"cosignature/v1\ntime 1679315147\n" + text]
    assert line.value == bytes.fromhex("00000000641850cb") + bytes(64)


@pytest.mark.parametrize("time_s", [-1, MAX_TIME_S + 1, 1 << 64])
def test_a_time_that_may_not_stand_in_a_cosignature_is_not_signed(time_s: int) -> None:
    with pytest.raises(Refused) as refusal:
        cosign_note(b"text\n", "w", bytes(32), lambda _: bytes(64), time_s)
    assert refusal.value.code == "bad-note"


def test_a_line_of_a_key_that_is_there_is_not_added_again() -> None:
    note = signed(7, CITIES[0])
    later = cosign_note(note.text, CITIES[0], WITNESSES[CITIES[0]].public.data, WITNESSES[CITIES[0]].sign, TIME_S + 9)
    assert note.add(later) == note
    assert note.add(*signed(7, CITIES[1]).signatures).signatures[-1].name == CITIES[1]


def test_a_key_of_the_same_name_is_told_apart_by_its_hash() -> None:
    note = signed(7)
    other = sign_note(note.text, ORIGIN, WITNESSES[CITIES[0]].public.data, WITNESSES[CITIES[0]].sign)
    assert is_signed(note.add(other), LOG_KEY)
    assert is_signed(note.add(other), NoteKey(ORIGIN, ED25519, WITNESSES[CITIES[0]].public.data))
    assert note.signed_by(NoteKey(ORIGIN, ED25519, bytes(32))) is None


def test_signature_lines_alone_are_read_and_nothing_beside_them() -> None:
    lines = (PETER_LINE + ENOCH_LINE).encode()
    assert [s.name for s in parse_signature_lines(lines)] == ["PeterNeumann", "EnochRoot"]
    for data in (
        b"",
        b"\n" + lines,
        lines + b"\n",
        b"text\n\n" + lines,
        lines[:-1],
        PETER_LINE.encode() + b"\n" + lines,
    ):
        with pytest.raises(Refused) as refusal:
            parse_signature_lines(data)
        assert refusal.value.code == "bad-note"
