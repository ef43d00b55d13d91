"""OpenSSL as judge over SM2 and SM3: the ``openssl`` command, which shares nothing with the library that signs here. A test fails without it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

SIGNED_WITH = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
_PUBLIC = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
_PRIVATE = bytes.fromhex("30770201010420"), bytes.fromhex("a00a06082a811ccf5501822da14403420004")


def run(*argv: str, given: bytes = b"", may_fail: bool = False) -> subprocess.CompletedProcess[bytes]:
    """One ``openssl`` command."""
    done = subprocess.run(["openssl", *argv], input=given, capture_output=True, timeout=30)
    assert may_fail or done.returncode == 0, done.stderr.decode()
    return done


def sm3(data: bytes) -> bytes:
    """``openssl dgst -sm3``."""
    return run("dgst", "-sm3", "-binary", given=data).stdout


def public_of(secret: bytes) -> bytes:
    """x ‖ y as OpenSSL derives it; what is said of it in the key file is not looked at."""
    sec1 = bytes.fromhex("30310201010420") + secret + bytes.fromhex("a00a06082a811ccf5501822d")
    return run("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=sec1).stdout[-64:]


def sign(secret: bytes, public_key: bytes, message: bytes) -> bytes:
    """r ‖ s by ``openssl pkeyutl -sign``."""
    with tempfile.TemporaryDirectory() as folder:
        key, text = Path(folder, "key"), Path(folder, "text")
        key.write_bytes(_PRIVATE[0] + secret + _PRIVATE[1] + public_key)
        text.write_bytes(message)
        done = run("pkeyutl", "-sign", "-keyform", "DER", "-inkey", str(key), "-in", str(text), *SIGNED_WITH)
    return raw(done.stdout)


def is_good(public_key: bytes, message: bytes, value: bytes) -> bool:
    """What ``openssl pkeyutl -verify`` says."""
    with tempfile.TemporaryDirectory() as folder:
        key, text, signed = Path(folder, "key"), Path(folder, "text"), Path(folder, "signed")
        key.write_bytes(_PUBLIC + public_key)
        text.write_bytes(message)
        signed.write_bytes(der(value))
        argv = ["-verify", "-pubin", "-keyform", "DER", "-inkey", str(key), "-in", str(text), "-sigfile", str(signed)]
        done = run("pkeyutl", *argv, *SIGNED_WITH, may_fail=True)
    return done.returncode == 0 and b"Successfully" in done.stdout


def der(value: bytes) -> bytes:
    """SEQUENCE of the two numbers of r ‖ s."""
    parts = []
    for number in (int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")):
        digits = number.to_bytes(number.bit_length() // 8 + 1, "big")
        parts.append(bytes([2, len(digits)]) + digits)
    body = b"".join(parts)
    return bytes([0x30, len(body)]) + body


def raw(signed: bytes) -> bytes:
    """r ‖ s of a SEQUENCE of two numbers."""
    assert signed[0] == 0x30
    size = signed[3]
    r, s = signed[4 : 4 + size], signed[6 + size :]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (r, s))
