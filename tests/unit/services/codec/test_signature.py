"""Signatures, single and batch: what verifies, what does not, and lines that no signer writes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec import merkle, sm3_tree
from services.codec.keys import sm2_signer
from services.codec.merkle import Climb
from services.codec.signature import (
    MAX_BATCH,
    SUITE_OF,
    RootCache,
    Signature,
    batch_message,
    key_id_of,
    parse_signature,
    sign,
    sign_batch,
    verify,
    verify_ed25519,
)
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import SOURCE, mutated, signer, taken

SIGNER = signer()
KEY = SIGNER.public.data
SM2_SIGNER = sm2_signer(SOURCE, bytes(range(1, 33)))
STATEMENT = b"ipx-event/v1\nid: x\n"
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def statements(size: int) -> list[bytes]:
    return [b"statement %d\n" % number for number in range(size)]


def line_of(signature: Signature) -> str:
    """The line that a parsed signature was read from, spelt independently of the parser."""
    value = base64.b64encode(signature.value).decode()
    if signature.path is None:
        return f"{signature.suite}:{signature.key_id}:{value}"
    path = base64.b64encode(b"".join(signature.path)).decode() or "-"
    return f"{signature.suite}-batch:{signature.key_id}:{signature.index}/{signature.size}:{path}:{value}"


def is_good(statement: bytes, line: str, key: bytes = KEY) -> bool:
    return verify(statement, parse_signature(line), key, RootCache())


def test_a_single_signature_verifies_over_its_statement_alone() -> None:
    line = sign(STATEMENT, SIGNER)
    assert is_good(STATEMENT, line)
    assert not is_good(STATEMENT + b"\n", line)
    assert not is_good(STATEMENT, line, signer(seed=2).public.data)


def test_the_key_id_is_the_participant_and_a_digest_of_the_key() -> None:
    assert parse_signature(sign(STATEMENT, SIGNER)).key_id == key_id_of(SOURCE, KEY) == SIGNER.key_id
    assert SIGNER.key_id.startswith(f"{SOURCE}#")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 64, 100, 255, 256, 257, 300])
def test_every_signature_of_a_batch_verifies_with_one_check(size: int) -> None:
    checks = []

    def check(key: bytes, message: bytes, value: bytes) -> bool:
        checks.append(message)
        return verify_ed25519(key, message, value)

    batch = statements(size)
    roots = RootCache()
    lines = sign_batch(batch, SIGNER)
    assert all(verify(s, parse_signature(line), KEY, roots, check) for s, line in zip(batch, lines, strict=True))
    assert checks == [batch_message(size, merkle.levels_of([merkle.leaf_hash(s) for s in batch])[-1][0])]
    assert [line_of(parse_signature(line)) for line in lines] == lines


@given(st.integers(1, 300), st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_path_index_size_or_statement_fails(size: int, data: st.DataObject) -> None:
    batch = statements(size)
    index = data.draw(st.integers(0, size - 1))
    signature = parse_signature(sign_batch(batch, SIGNER)[index])
    roots = RootCache()
    assert verify(batch[index], signature, KEY, roots)
    assert signature.path is not None
    changed = [replace(signature, size=size + 1), replace(signature, value=bytes(64))]
    changed += [replace(signature, index=other) for other in (index ^ 1, index + 1, -1) if other != index]
    if signature.path:
        position = data.draw(st.integers(0, len(signature.path) - 1))
        path = list(signature.path)
        path[position] = bytes([path[position][0] ^ 1]) + path[position][1:]
        changed += [replace(signature, path=tuple(path)), replace(signature, path=signature.path[:-1])]
    changed.append(replace(signature, path=(*signature.path, bytes(32))))
    assert not any(verify(batch[index], each, KEY, roots) for each in changed)
    assert not verify(batch[index] + b"x", signature, KEY, roots)
    assert not verify(batch[index], signature, signer(seed=2).public.data, roots)
    assert verify(batch[index], signature, KEY, roots)


def test_a_good_root_does_not_vouch_for_another_key_or_signature() -> None:
    roots = RootCache()
    signature = parse_signature(sign_batch(statements(3), SIGNER)[0])
    assert verify(statements(3)[0], signature, KEY, roots)
    assert not verify(statements(3)[0], signature, signer(seed=2).public.data, roots)
    assert not verify(statements(3)[0], replace(signature, value=bytes(64)), KEY, roots)


def test_a_bad_root_is_not_remembered_as_good() -> None:
    roots = RootCache()
    signature = replace(parse_signature(sign_batch(statements(3), SIGNER)[0]), value=bytes(64))
    assert not verify(statements(3)[0], signature, KEY, roots)
    assert not verify(statements(3)[0], signature, KEY, roots)


def test_the_memory_of_good_roots_is_bounded() -> None:
    roots = RootCache(limit=2)
    way = Climb(((0, 0, b"root"),), ())
    batches = [(b"key", 1, bytes([n])) for n in range(3)]
    for batch in batches:
        roots.add(batch, way)
    assert [roots.known(batch) for batch in batches] == [None, way, way]


def test_a_signature_over_a_batch_root_is_none_over_a_statement_and_the_reverse() -> None:
    batch = parse_signature(sign_batch([STATEMENT], SIGNER)[0])
    single = parse_signature(sign(STATEMENT, SIGNER))
    assert batch.path == ()
    assert not verify(STATEMENT, replace(batch, path=None), KEY, RootCache())
    assert not verify(STATEMENT, replace(single, path=()), KEY, RootCache())


@pytest.mark.parametrize("size", [0, MAX_BATCH + 1])
def test_a_batch_has_a_least_and_a_most(size: int) -> None:
    with pytest.raises(Refused) as caught:
        sign_batch([b"x"] * size if size else [], SIGNER)
    assert caught.value.code == "bad-request"


SINGLE = sign(STATEMENT, SIGNER)
BATCH = sign_batch(statements(11), SIGNER)[9]
ALONE = sign_batch([STATEMENT], SIGNER)[0]


SM2_SINGLE = sign(STATEMENT, SM2_SIGNER)
SM2_BATCH = sign_batch(statements(11), SM2_SIGNER)[9]


@given(
    st.sampled_from([SINGLE, BATCH, ALONE, SM2_SINGLE, SM2_BATCH]).flatmap(lambda line: mutated(line.encode()))
    | st.binary(max_size=300)
)
@settings(max_examples=150)
def test_a_line_is_read_only_if_it_is_what_a_signer_writes(data: bytes) -> None:
    line = data.decode("utf-8", "surrogateescape")
    read = taken(parse_signature, line, "bad-signature", "unknown-suite")
    if read is None:
        return
    assert line_of(read) == line
    assert len(read.value) == 64
    assert read.path is None or len(read.path) == merkle.path_length(read.index, read.size)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("", "bad-signature"),
        ("ed25519", "bad-signature"),
        (SINGLE.replace("ed25519", "ed448", 1), "unknown-suite"),
        (SINGLE.replace("ed25519", "sm2", 1), "unknown-suite"),
        (SINGLE.replace("ed25519", "sm2-sm3-batch", 1), "bad-signature"),
        ("sm2-sm3", "bad-signature"),
        ("none:" + SINGLE.partition(":")[2], "unknown-suite"),
        (SINGLE.replace("ed25519", "Ed25519", 1), "bad-signature"),
        (SINGLE.replace("#", "", 1), "bad-signature"),
        (SINGLE.replace("320100", "nanjing", 1), "bad-signature"),
        (SINGLE[:-1], "bad-signature"),
        (SINGLE + "=", "bad-signature"),
        (SINGLE + "\n", "bad-signature"),
        (SINGLE[:-4] + "AAAAA===", "bad-signature"),
        (SINGLE.rpartition(":")[0] + ":", "bad-signature"),
        (SINGLE.rpartition(":")[0] + ":" + base64.b64encode(bytes(63)).decode(), "bad-signature"),
        (SINGLE.rpartition(":")[0] + ":" + base64.b64encode(bytes(65)).decode(), "bad-signature"),
        (BATCH.replace(":9/11:", ":11/11:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":09/11:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":9/011:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":-1/11:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":9/1048577:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":0/0:"), "bad-signature"),
        (BATCH.replace(":9/11:", ":0/11:"), "bad-signature"),
        (ALONE.replace(":-:", "::"), "bad-signature"),
        (ALONE.replace(":-:", f":{base64.b64encode(bytes(32)).decode()}:"), "bad-signature"),
        (BATCH.replace(BATCH.split(":")[3], "-"), "bad-signature"),
        ("x" * 5000, "bad-signature"),
        ("ed25519-batch:" * 400, "bad-signature"),
        ("\ud800" * 10, "bad-signature"),
    ],
)
def test_lines_that_nearly_fit_are_refused_with_their_code(line: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_signature(line)
    assert (caught.value.code, caught.value.field) == (code, "ipxsignature")


def test_a_line_with_trailing_bits_set_is_refused() -> None:
    head, _, value = SINGLE.rpartition(":")
    twin = value[:-3] + chr(ord(value[-3]) + 1) + "=="
    assert base64.b64decode(twin) == base64.b64decode(value)
    with pytest.raises(Refused):
        parse_signature(f"{head}:{twin}")


def line_with(path: str, index: int = 9, size: int = 11) -> str:
    """A batch line with another path."""
    head, _, value = BATCH.rpartition(":")
    return f"{head.rpartition(':')[0].rpartition(':')[0]}:{index}/{size}:{path}:{value}"


def test_a_path_has_one_spelling_and_whole_hashes() -> None:
    good = sign_batch(statements(11), SIGNER)[3]
    path = good.split(":")[3]
    assert line_with(path, index=3) == good
    assert path.endswith("=")
    length = merkle.path_length(3, 11)
    twin = path[:-2] + chr(ord(path[-2]) + 1) + "="
    assert base64.b64decode(twin) == base64.b64decode(path)
    longer = base64.b64encode(bytes(32 * length + 1)).decode()
    assert len(longer) == len(path)
    for other in (twin, longer, path.rstrip("="), base64.b64encode(bytes(32 * (length - 1))).decode()):
        with pytest.raises(Refused) as caught:
            parse_signature(line_with(other, index=3))
        assert caught.value.code == "bad-signature"


def test_a_batch_past_the_limit_is_refused_however_well_it_is_spelt() -> None:
    path = base64.b64encode(bytes(32 * merkle.path_length(9, MAX_BATCH + 1))).decode()
    with pytest.raises(Refused):
        parse_signature(line_with(path, size=MAX_BATCH + 1))
    path = base64.b64encode(bytes(32 * merkle.path_length(9, MAX_BATCH))).decode()
    assert parse_signature(line_with(path, size=MAX_BATCH)).size == MAX_BATCH


def malleable(value: bytes) -> bytes:
    """The same signature with S + L, which a lax verifier takes too."""
    scalar = int.from_bytes(value[32:], "little") + GROUP_ORDER
    return value[:32] + scalar.to_bytes(32, "little")


SMALL_ORDER = [
    bytes([1]) + bytes(31),
    bytes(32),
    bytes([0xEC]) + b"\xff" * 30 + b"\x7f",
    bytes([0xED]) + b"\xff" * 30 + b"\x7f",
    bytes([0xEE]) + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


@pytest.mark.parametrize("key", SMALL_ORDER)
def test_small_order_keys_verify_nothing(key: bytes) -> None:
    identity = bytes([1]) + bytes(63)
    assert not verify_ed25519(key, STATEMENT, identity)
    assert not verify_ed25519(key, STATEMENT, bytes(64))


@pytest.mark.parametrize(
    "change",
    [
        malleable,
        lambda value: bytes(64),
        lambda value: value[32:] + value[:32],
        lambda value: bytes([1]) + bytes(31) + value[32:],
    ],
)
def test_signatures_that_a_lax_verifier_takes_are_not_taken(change: Callable[[bytes], bytes]) -> None:
    value = SIGNER.sign(STATEMENT)
    assert verify_ed25519(KEY, STATEMENT, value)
    assert not verify_ed25519(KEY, STATEMENT, change(value))


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_length_verifies_nothing(key: bytes) -> None:
    assert not verify_ed25519(key, STATEMENT, SIGNER.sign(STATEMENT))


def test_a_signature_by_sm2_is_good_for_its_statement_and_key_alone() -> None:
    signature = parse_signature(SM2_SINGLE)
    key = SM2_SIGNER.public.data
    assert (signature.suite, signature.path, signature.key_id) == ("sm2-sm3", None, SM2_SIGNER.key_id)
    assert line_of(signature) == SM2_SINGLE
    assert is_good(STATEMENT, SM2_SINGLE, key)
    assert not is_good(STATEMENT + b"\n", SM2_SINGLE, key)
    assert not is_good(STATEMENT, SM2_SINGLE, sm2_signer(SOURCE, bytes(31) + b"\x07").public.data)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_a_batch_by_sm2_rests_on_one_check_and_a_tree_over_sm3(size: int) -> None:
    checks = []

    def check(key: bytes, message: bytes, value: bytes) -> bool:
        checks.append((key, message, value))
        return True

    batch = statements(size)
    lines = sign_batch(batch, SM2_SIGNER)
    root = sm3_tree.levels_of([sm3_tree.leaf_hash(s) for s in batch])[-1][0]
    roots, key = RootCache(), SM2_SIGNER.public.data
    assert all(verify(s, parse_signature(line), key, roots, check) for s, line in zip(batch, lines, strict=True))
    message = f"ipx-batch/v1\nsize: {size}\nroot: sm3:{root.hex()}\n".encode()
    assert checks == [(key, message, parse_signature(lines[0]).value)]
    assert [line_of(parse_signature(line)) for line in lines] == lines
    assert all(is_good(s, line, key) for s, line in zip(batch[:3], lines, strict=False))
    assert not is_good(batch[0] + b"x", lines[0], key)
    assert not is_good(batch[0], lines[-1], key) or size == 1


@pytest.mark.parametrize("line", [SINGLE, BATCH, ALONE, SM2_SINGLE, SM2_BATCH], ids=range(5))
def test_a_signature_of_one_suite_is_none_of_the_other(line: str) -> None:
    signature = parse_signature(line)
    other = "ed25519" if signature.suite == "sm2-sm3" else "sm2-sm3"
    statement = statements(11)[9] if line in (BATCH, SM2_BATCH) else STATEMENT
    own, foreign = (KEY, SM2_SIGNER.public.data) if other == "sm2-sm3" else (SM2_SIGNER.public.data, KEY)
    assert verify(statement, signature, own, RootCache())
    for key in (own, foreign):
        assert not verify(statement, replace(signature, suite=other), key, RootCache())
    assert not verify(statement, signature, foreign, RootCache())


def test_every_form_of_line_belongs_to_the_suite_of_its_key() -> None:
    lines = (SINGLE, BATCH, SM2_SINGLE, SM2_BATCH)
    assert [SUITE_OF[line.partition(":")[0]] for line in lines] == [parse_signature(line).suite for line in lines]
