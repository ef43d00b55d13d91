"""Signed notes (C2SP signed-note v1): a text and lines that sign it; the keys that check them.

Two kinds of signature are taken: Ed25519 (0x01), as a log signs, and the timestamped cosignature/v1 (0x04, C2SP tlog-cosignature)
of a witness. Parser and formatter are inverses of one another. Specification: ``services/ledger/FORMAT.md`` section 6.2.
"""

from __future__ import annotations

import hashlib
import re
from binascii import Error as BadBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.codec.signature import verify_ed25519
from services.kernel.errors import Refused

ED25519 = 0x01
COSIGNATURE = 0x04
MAX_NOTE_BYTES = 65_536
MAX_SIGNATURES = 64
MAX_TIME_S = (1 << 63) - 1
_NAME = re.compile(r"[!-*,-~]{1,255}")  # visible ASCII without a plus sign
_LINE = re.compile(r"— ([!-*,-~]{1,255}) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNED_BYTES = 64
_TIMED_BYTES = 8 + _SIGNED_BYTES
_NO_TEXT = b"-\n"

SignBytes = Callable[[bytes], bytes]
"""Ed25519 over these bytes, as ``Signer.sign`` of the kernel's ports."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that notes are checked with: its name, its kind (``ED25519`` or ``COSIGNATURE``) and its 32 bytes."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_hash(self) -> bytes:
        """The four bytes that a signature line names the key by."""
        return hashlib.sha256(f"{self.name}\n".encode() + bytes((self.kind,)) + self.public_key).digest()[:4]

    def vkey(self) -> str:
        """``<name>+<hash>+<base64 of kind and key>``, as C2SP writes a verifier key."""
        return f"{self.name}+{self.key_hash.hex()}+{_base64(bytes((self.kind,)) + self.public_key)}"


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line; ``value`` is what follows the four bytes of the key."""

    name: str
    key_hash: bytes
    value: bytes

    def line(self) -> str:
        """The line without its end."""
        return f"— {self.name} {_base64(self.key_hash + self.value)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, ending in a line end, and the signatures under it in their order, no key twice."""

    text: bytes
    signatures: tuple[NoteSignature, ...]

    def signed_by(self, key: NoteKey) -> NoteSignature | None:
        """The line that names this key, good or bad; None when there is none."""
        wanted = key.key_hash
        return next((s for s in self.signatures if s.name == key.name and s.key_hash == wanted), None)

    def add(self, *signatures: NoteSignature) -> Note:
        """The note with these lines too; those of a key that is there already are left out."""
        held = {(s.name, s.key_hash) for s in self.signatures}
        return replace(
            self, signatures=(*self.signatures, *(s for s in signatures if (s.name, s.key_hash) not in held))
        )


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _refuse(sentence: str) -> Refused:
    return Refused("bad-note", sentence)


def parse_vkey(text: str) -> NoteKey:
    """Reads a verifier key; refuses ``bad-note`` one whose hash does not fit, or of a kind other than the two."""
    parts = text.split("+", 2)
    if len(parts) != 3 or _NAME.fullmatch(parts[0]) is None:
        raise _refuse("a verifier key is <name>+<8 hexadecimal digits>+<base64>")
    data = _bytes_of(parts[2])
    if len(data) != 33 or data[0] not in (ED25519, COSIGNATURE):
        raise _refuse(f"the key of {parts[0]} is neither Ed25519 nor of cosignature/v1")
    key = NoteKey(parts[0], data[0], data[1:])
    if key.vkey() != text:
        raise _refuse(f"the hash in the key of {parts[0]} is not that of the key")
    return key


def _bytes_of(text: str) -> bytes:
    try:
        data = a2b_base64(text, strict_mode=True)
    except (BadBase64, ValueError) as error:
        raise _refuse("a signature or key is not base64") from error
    if _base64(data) != text:
        raise _refuse("a signature or key is not written in its one base64 form")
    return data


def format_note(note: Note) -> bytes:
    """The bytes of a note: its text, an empty line, the signature lines. Refuses ``bad-note`` what the parser would not take."""
    data = note.text + "".join(["\n", *(f"{signature.line()}\n" for signature in note.signatures)]).encode()
    if parse_note(data) != note:
        raise _refuse("the text of a note ends in its one last line end, and has no signature lines in it")
    return data


def parse_note(data: bytes) -> Note:
    """Inverse of :func:`format_note`; refuses ``bad-note`` anything it would not write, and what is over the bounds."""
    if len(data) > MAX_NOTE_BYTES:
        raise _refuse(f"a note has at most {MAX_NOTE_BYTES} bytes")
    cut = data.rfind(b"\n\n")
    if cut < 0 or not data.endswith(b"\n"):
        raise _refuse("a note is a text, an empty line and signature lines, each with its line end")
    try:
        lines = data[cut + 2 : -1].decode().split("\n")
        if _CONTROL.search(data[:cut].decode()):
            raise _refuse("the text of a note has no control characters")
    except UnicodeDecodeError as error:
        raise _refuse("a note is UTF-8") from error
    if len(lines) > MAX_SIGNATURES:
        raise _refuse(f"a note has at most {MAX_SIGNATURES} signatures")
    signatures = tuple(_signature(line) for line in lines)
    if len({(s.name, s.key_hash) for s in signatures}) != len(signatures):
        raise _refuse("a key signs a note once")
    return Note(data[: cut + 1], signatures)


def _signature(line: str) -> NoteSignature:
    match = _LINE.fullmatch(line)
    data = _bytes_of(match[2]) if match else b""
    if match is None or len(data) <= 4:
        raise _refuse("a signature line is an em dash, a name and base64, with single spaces between")
    return NoteSignature(match[1], data[:4], data[4:])


def parse_signature_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """Reads signature lines alone, as a witness answers them; refuses ``bad-note``."""
    note = parse_note(_NO_TEXT + b"\n" + data)
    if note.text != _NO_TEXT:
        raise _refuse("signature lines have nothing before or between them")
    return note.signatures


def sign_note(text: bytes, name: str, public_key: bytes, sign: SignBytes) -> NoteSignature:
    """An Ed25519 signature line over a text that ends in a line end."""
    return NoteSignature(name, NoteKey(name, ED25519, public_key).key_hash, sign(text))


def cosign_note(text: bytes, name: str, public_key: bytes, sign: SignBytes, time_s: int) -> NoteSignature:
    """A cosignature/v1 line: as of ``time_s`` (POSIX) this is the largest consistent tree that the witness has seen.

    Refuses ``bad-note`` a time that its eight bytes may not hold.
    """
    if not 0 <= time_s <= MAX_TIME_S:
        raise _refuse(f"the time of a cosignature is 0 to {MAX_TIME_S}")
    value = time_s.to_bytes(8, "big") + sign(_cosigned(text, time_s))
    return NoteSignature(name, NoteKey(name, COSIGNATURE, public_key).key_hash, value)


def _cosigned(text: bytes, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n".encode() + text


def is_signed(note: Note, key: NoteKey) -> bool:
    """Whether the note bears a good signature of this Ed25519 key."""
    found = note.signed_by(key)
    return (
        found is not None
        and key.kind == ED25519
        and len(found.value) == _SIGNED_BYTES
        and verify_ed25519(key.public_key, note.text, found.value)
    )


def cosigned_at(note: Note, key: NoteKey) -> int | None:
    """When (POSIX seconds) the witness of this key cosigned the note; None when it bears no good cosignature of it."""
    found = note.signed_by(key)
    if found is None or key.kind != COSIGNATURE or len(found.value) != _TIMED_BYTES:
        return None
    time_s = int.from_bytes(found.value[:8], "big")
    if time_s > MAX_TIME_S or not verify_ed25519(key.public_key, _cosigned(note.text, time_s), found.value[8:]):
        return None
    return time_s
