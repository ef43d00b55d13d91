"""SM2 over SM3 against OpenSSL both ways, what a lax verifier would take, and life without the extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec import sm2
from tests.unit.services.codec import gm_judge
from tests.unit.services.codec.samples import mutated

ROOT = Path(__file__).resolve().parents[4]
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
PUBLISHED = json.loads((ROOT / "tests/vectors/sm2.json").read_text("utf-8"))["published"]
SECRET, KEY = bytes.fromhex(PUBLISHED["secret"]), bytes.fromhex(PUBLISHED["public_key"])
MESSAGE = PUBLISHED["message"].encode()
VALUE = bytes.fromhex(PUBLISHED["r"] + PUBLISHED["s"])


def number(value: int) -> bytes:
    return value.to_bytes(32, "big")


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 500, 8192])
def test_digests_are_those_of_openssl(size: int) -> None:
    data = bytes(n * 7 % 256 for n in range(size))
    assert sm2.sm3(data) == gm_judge.sm3(data)


@pytest.mark.parametrize("secret", [number(1), number(2), number(3), SECRET, number(N - 2), number(2**255)])
def test_the_public_part_is_the_one_that_openssl_derives(secret: bytes) -> None:
    public = sm2.public_key_of(secret)
    assert public == gm_judge.public_of(secret)
    assert sm2.is_public_key(public)


@pytest.mark.parametrize("secret", [b"", bytes(32), number(N - 1), number(N), b"\xff" * 32, bytes(31) + b"\x01\x01"])
def test_what_is_no_private_key_has_no_public_part(secret: bytes) -> None:
    assert sm2.public_key_of(secret) is None


@pytest.mark.parametrize("message", [b"", b"x", MESSAGE, MESSAGE * 400])
def test_openssl_takes_what_is_signed_here_and_the_reverse(message: bytes) -> None:
    ours = sm2.sign(SECRET, KEY, message)
    assert len(ours) == 64
    assert gm_judge.is_good(KEY, message, ours)
    assert not gm_judge.is_good(KEY, message + b"\n", ours)
    theirs = gm_judge.sign(SECRET, KEY, message)
    assert sm2.verify(KEY, message, theirs)
    assert not sm2.verify(KEY, message + b"\n", theirs)


def test_every_signature_fits_its_64_bytes_whatever_the_numbers() -> None:
    short = 0
    for _ in range(20_000):  # a number is short once in 128 signatures
        value = sm2.sign(SECRET, KEY, MESSAGE)
        assert len(value) == 64
        if value[0] == 0 or value[32] == 0:
            assert sm2.verify(KEY, MESSAGE, value)
            short += 1
        if short:
            break
    assert short, "no number of 20,000 signatures was short"


def test_two_signatures_of_one_message_share_no_random_number() -> None:
    assert len({sm2.sign(SECRET, KEY, MESSAGE)[:32] for _ in range(20)}) == 20


def test_another_key_is_not_good() -> None:
    assert sm2.verify(KEY, MESSAGE, VALUE)
    assert not sm2.verify(sm2.public_key_of(number(7)) or b"", MESSAGE, VALUE)


R, S = int.from_bytes(VALUE[:32], "big"), int.from_bytes(VALUE[32:], "big")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes(64),
        VALUE[:-1],
        VALUE + b"\x00",
        VALUE[32:] + VALUE[:32],
        VALUE[:32] + bytes(32),
        bytes(32) + VALUE[32:],
        VALUE[:32] + number(N),
        number(N) + VALUE[32:],
        VALUE[:32] + number(N - S),  # the other half of an ECDSA pair
        number(N - R) + VALUE[32:],
        VALUE[:32] + number(N - R),  # r + s = n
        b"\xff" * 64,
        gm_judge.der(VALUE)[:64],
    ],
    ids=range(14),
)
def test_signatures_that_a_lax_verifier_might_take_are_not_taken(value: bytes) -> None:
    assert not sm2.verify(KEY, MESSAGE, value)


OFF_CURVE: list[bytes] = [
    b"",
    bytes(64),
    KEY[:-1],
    KEY + b"\x00",
    b"\x04" + KEY,
    KEY[32:] + KEY[:32],
    KEY[:-1] + bytes([KEY[-1] ^ 1]),
    bytes([KEY[0] ^ 1]) + KEY[1:],
    number(P) + bytes(32),
    b"\xff" * 64,
    KEY[:32] + number(P),
]


@pytest.mark.parametrize("key", OFF_CURVE, ids=range(len(OFF_CURVE)))
def test_a_key_that_is_no_point_of_the_curve_verifies_nothing(key: bytes) -> None:
    assert not sm2.is_public_key(key)
    assert not sm2.verify(key, MESSAGE, VALUE)


class LaxLibrary:
    """A library that takes everything, or fails at everything."""

    GmsslInnerError = ArithmeticError

    def __init__(self, fails: bool = False) -> None:
        self._fails = fails

    def sm2_verify(self, *_args: object) -> bool:
        if self._fails:
            raise ArithmeticError
        return True


OUT_OF_RANGE = [
    b"",
    bytes(64),
    VALUE[:-1],
    VALUE + b"\x00",
    VALUE[:32] + bytes(32),
    bytes(32) + VALUE[32:],
    VALUE[:32] + number(N),
    number(N) + VALUE[32:],
    VALUE[:32] + number(N - R),
]


def test_ranges_and_points_are_checked_here_whatever_the_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm2, "_found", LaxLibrary)
    assert sm2.verify(KEY, MESSAGE, number(1) + number(N - 2))
    assert not any(sm2.verify(KEY, MESSAGE, value) for value in OUT_OF_RANGE)
    assert not any(sm2.verify(key, MESSAGE, VALUE) for key in OFF_CURVE)
    monkeypatch.setattr(sm2, "_found", lambda: LaxLibrary(fails=True))
    assert not sm2.verify(KEY, MESSAGE, VALUE)


def test_a_coordinate_has_one_spelling() -> None:
    """x + p is the same number in the field, and fits 32 bytes for the points whose x is small."""
    x, y = next((x, y) for x in range(1, 99) if (y := root(x * x * x - 3 * x + B)) is not None)
    assert sm2.is_public_key(number(x) + number(y))
    assert not sm2.is_public_key(number(x + P) + number(y))


def root(square: int) -> int | None:
    """A square root modulo p, where there is one."""
    found = pow(square, (P + 1) // 4, P)
    return found if found * found % P == square % P else None


@given(mutated(VALUE) | mutated(KEY) | st.binary(max_size=130))
@settings(max_examples=120, deadline=None)
def test_hostile_bytes_are_answered_with_no(data: bytes) -> None:
    assert data == VALUE or not sm2.verify(KEY, MESSAGE, data)
    assert data == KEY or not sm2.verify(data, MESSAGE, VALUE)


def test_a_private_key_is_drawn_without_preference_and_never_out_of_range() -> None:
    assert sm2.secret_of(bytes(40)) == number(1)
    assert sm2.secret_of(b"\xff" * 40) == number((2**320 - 1) % (N - 2) + 1)
    for drawn in (N - 3, N - 2, N - 1):
        assert 1 <= int.from_bytes(sm2.secret_of(drawn.to_bytes(40, "big")), "big") <= N - 2
    with pytest.raises(ValueError, match="40 random bytes"):
        sm2.secret_of(bytes(32))


ABSENT = """
import json, sys
sys.modules["gmssl_pyx"] = None  # an import of it fails from here on
import connectors.node.verify, services.__main__
from services.admission.verification import verify_one
from services.admission.verify_worker import is_good
from services.codec import sm2, sm3_tree
from services.codec.keys import parse_participant_private, parse_participant_public
from services.codec.signature import RootCache, parse_signature, verify
from services.kernel.errors import BadSettings, Refused
from services.kernel.ports import CountedEntropy
from services.members.authorise import deliveries
from services.members.keyring import Keyring
from tests.unit.services.admission.desk import checked, sealed
from services.events import to_value
from services.members.jurisdiction import routes_of
from tests.unit.services.members import town as at
from tests.unit.services.members.town import NANJING, NOW_MS, Said, key_added, root, told, town

known = json.load(open("tests/vectors/sm2.json"))["lines"]
public = parse_participant_public(known["public_line"])
added = key_added(NANJING, key_id=public.key_id, suite="sm2-sm3", public_key=public.data)
text = known["statement"].encode()
said = []

def tell(act):
    try:
        said.append(repr(act()))
    except (Refused, BadSettings) as error:
        said.append([error.code, getattr(error, 'message', str(error))])

tell(sm2.available)
tell(lambda: verify(text, parse_signature(known["single"]), public.data, RootCache()))
tell(lambda: verify(known["statements"][0].encode(), parse_signature(known["batch"][0]), public.data, RootCache()))
tell(lambda: sm3_tree.leaf_hash(b""))
tell(lambda: sm3_tree.Sm3Edge().extend([bytes(32)] * 2))
tell(lambda: parse_participant_private(known["private_line"]))
tell(lambda: Keyring(__import__("pathlib").Path("/nowhere"), CountedEntropy()).make_another(NANJING, "sm2-sm3"))
schema = at.released().named(added.TYPE)
statement = at.statement(added.TYPE, source=at.OPERATOR, agreement="-")
routes = routes_of(at.tables())
tell(lambda: deliveries(town(), schema, statement, to_value(added), time_ms=NOW_MS, admitted_ms=NOW_MS, routes=routes))
refused = verify_one(checked(sealed())._replace(signature=known["single"]), told(town(), Said(added)), root(), RootCache())
said.append([refused.code, refused.message])
tell(lambda: is_good((public.data, text, known["single"].encode()), RootCache()))
print(json.dumps(said))
"""


def test_without_the_extra_the_suite_is_refused_with_what_to_do_and_all_else_goes_on() -> None:
    done = subprocess.run([sys.executable, "-c", ABSENT], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    available, *refused, worker = json.loads(done.stdout)
    assert (available, worker) == ("False", "False")
    assert [code for code, _ in refused] == ["unknown-suite"] * 4 + ["bad-settings"] * 2 + ["unknown-suite"] * 2
    assert {message for _, message in refused} == {sm2.MISSING}
    assert "pip install 'ipx[gm]'" in sm2.MISSING


def test_the_library_is_imported_by_one_module_alone_and_not_before_it_is_needed() -> None:
    sources = [path for folder in ("services", "connectors") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in sources if "gmssl" in path.read_text("utf-8")] == ["sm2.py"]
    code = "import sys, services.__main__, connectors.node.process; print('gmssl_pyx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "False\n", done.stderr
