"""Trust policies of C2SP tlog-policy, and what a checkpoint is worth by one."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.note import COSIGNATURE, ED25519, Note, NoteKey, NoteSignature
from services.codec.tlog_policy import (
    MAX_LINES,
    MAX_POLICY_BYTES,
    Group,
    Policy,
    format_policy,
    judge,
    parse_policy,
)
from services.kernel.errors import Refused
from tests.unit.services.codec.logs import (
    CITIES,
    LOG,
    LOG_KEY,
    ORIGIN,
    TIME_S,
    WITNESSES,
    checkpoint_of,
    code_of,
    signed,
    witness_key,
)

PUBLISHED = b"""\
log keyserver.geomys.org+16b31509+ARLJ+pmTj78HzTeBj04V+LVfB+GFAQyrg54CRIju7Nn8
witness TrustFabric transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM https://api.transparency.dev/dev/witness/little-garden/
witness Mullvad witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv https://witness.stagemole.eu/
witness Geomys witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G https://witness.navigli.sunlight.geomys.org/
group public 2 TrustFabric Mullvad Geomys
quorum public
"""
X, Y = ("X1", "X2", "X3"), ("Y1", "Y2", "Y3")


def key_of(name: str, kind: int = COSIGNATURE) -> NoteKey:
    return NoteKey(f"witness.example/{name}", kind, name.encode().ljust(32, b"."))


LINES = [
    f"log {LOG_KEY.vkey()}",
    "",
    *(f"witness {name} {key_of(name).vkey()}" for name in X),
    "group X-witnesses 2 X1 X2 X3",
    "  # and the others; 其他见证方",
    *(f"\twitness  {name}\t{key_of(name).vkey()} https://{name}.example/ " for name in Y),
    "group Y-witnesses any Y1 Y2 Y3",
    "",
    "group X-and-Y all X-witnesses Y-witnesses",
    "quorum X-and-Y",
]
EXAMPLE = "".join(f"{line}\n" for line in LINES).encode()
"""The example of the specification, with keys."""


def changed(line: int, text: str) -> bytes:
    return "".join(f"{text if n == line else old}\n" for n, old in enumerate(LINES)).encode()


def test_the_example_of_tlog_policy_is_met_by_two_of_x_with_one_of_y() -> None:
    policy = parse_policy(EXAMPLE)
    assert policy.logs == {ORIGIN: LOG_KEY}
    assert policy.witnesses == {name: key_of(name) for name in (*X, *Y)}
    for count in range(7):
        for present in combinations((*X, *Y), count):
            enough = len(set(present) & set(X)) >= 2 and len(set(present) & set(Y)) >= 1
            assert policy.is_met(set(present)) == enough
    assert not policy.is_met({"X-and-Y"})
    assert not policy.is_met({"X-witnesses", "Y-witnesses"})


def test_a_policy_in_use_elsewhere_is_read() -> None:
    policy = parse_policy(PUBLISHED)
    assert policy.groups == (Group("public", 2, ("TrustFabric", "Mullvad", "Geomys")),)
    assert policy.is_met({"Geomys", "Mullvad"})
    assert not policy.is_met({"Geomys"})


NAMES = st.text(st.characters(min_codepoint=0x22, max_codepoint=0x7E, exclude_characters="#"), min_size=1, max_size=12)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    names = draw(st.lists(NAMES.filter(lambda name: name != "none"), min_size=1, max_size=8, unique=True))
    cut = draw(st.integers(0, len(names)))
    free, groups = names[:cut], []
    for name in names[cut:]:
        members = tuple(draw(st.lists(st.sampled_from(free), min_size=1, unique=True))) if free else ()
        if members:
            groups.append(Group(name, draw(st.integers(1, len(members))), members))
            free = [*(one for one in free if one not in members), name]
    witnesses = {name: key_of(f"{n}") for n, name in enumerate(names[:cut])}
    logs = {f"log/{n}": NoteKey(f"log/{n}", ED25519, bytes([n]) * 32) for n in range(draw(st.integers(0, 3)))}
    quorum = draw(st.sampled_from(["none", *witnesses, *(group.name for group in groups)]))
    return Policy(logs, witnesses, tuple(groups), quorum)


@given(policies())
def test_a_policy_is_read_back_as_it_was_written(policy: Policy) -> None:
    assert parse_policy(format_policy(policy)) == policy


@given(policies(), st.data())
def test_a_changed_byte_of_a_policy_is_refused_or_makes_another_policy(policy: Policy, data: st.DataObject) -> None:
    written = format_policy(policy)
    at, to = data.draw(st.integers(0, len(written) - 1)), data.draw(st.integers(0, 255))
    changed = written[:at] + bytes([to]) + written[at + 1 :]
    code = code_of(lambda: parse_policy(changed))
    assert code in {None, "bad-policy"}
    same = code is None and parse_policy(changed) == policy
    assert same == (changed.replace(b"\t", b" ") == written)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (changed(0, f"log {NoteKey(ORIGIN, COSIGNATURE, LOG.public.data).vkey()}"), 1),
        (changed(0, LINES[0][:-4] + "AAA="), 1),
        (changed(0, LINES[0] + " https://one.example https://two.example"), 1),
        (changed(0, LINES[0].replace("log", "logs")), 1),
        (changed(1, LINES[0]), 2),
        (changed(1, f"log {NoteKey('other/log/1', ED25519, LOG.public.data).vkey()}"), 2),
        (changed(1, f"log {NoteKey(ORIGIN, ED25519, bytes(32)).vkey()}"), 2),
        (changed(3, LINES[2]), 4),
        (changed(3, f"witness X2 {key_of('X1').vkey()}"), 4),
        (changed(3, f"witness X2 {NoteKey('other', COSIGNATURE, key_of('X1').public_key).vkey()}"), 4),
        (changed(3, f"witness X2 {key_of('X2', ED25519).vkey()}"), 4),
        (changed(3, f"witness none {key_of('X2').vkey()}"), 4),
        (changed(3, f"witness é {key_of('X2').vkey()}"), 4),
        (changed(5, "group X-witnesses 0 X1 X2 X3"), 6),
        (changed(5, "group X-witnesses 4 X1 X2 X3"), 6),
        (changed(5, "group X-witnesses 02 X1 X2 X3"), 6),
        (changed(5, "group X-witnesses -1 X1 X2 X3"), 6),
        (changed(5, "group X-witnesses most X1 X2 X3"), 6),
        (changed(5, "group X-witnesses any"), 6),
        (changed(5, "group X-witnesses 2 X1 X2 X2"), 6),
        (changed(5, "group X-witnesses 2 X1 X2 X3 Y1"), 6),
        (changed(5, "group X-witnesses 2 X1 X2 none"), 6),
        (changed(5, "group X-witnesses 2 X1 X2 X-witnesses"), 6),
        (changed(5, "group X1 2 X1 X2 X3"), 6),
        (changed(5, "group none 2 X1 X2 X3"), 6),
        (changed(10, "group Y-witnesses any Y1 X1"), 11),
        (changed(12, "group X-and-Y all X-witnesses X-witnesses"), 13),
        (changed(13, "quorum"), 14),
        (changed(13, "quorum X-and-Y X1"), 14),
        (changed(13, "quorum nobody"), 14),
        (EXAMPLE + b"quorum none\n", 15),
        (b"quorum X1\n" + EXAMPLE, 1),
        (b"QUORUM none\n", 1),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(data: bytes, line: int) -> None:
    with pytest.raises(Refused) as refusal:
        parse_policy(data)
    assert refusal.value.code == "bad-policy"
    assert refusal.value.message.startswith(f"line {line}: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"quorum none",
        b"# nothing\n",
        changed(13, ""),
        EXAMPLE.replace(b"\n", b"\r\n"),
        EXAMPLE.replace(b" X1", b"\x0bX1"),
        EXAMPLE + b"# \x7f\n",
        EXAMPLE + b"# \x00\n",
        EXAMPLE + b"#\n" * MAX_LINES,
        EXAMPLE + b"#" * MAX_POLICY_BYTES + b"\n",
    ],
)
def test_what_is_no_policy_as_a_whole_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        parse_policy(data)
    assert refusal.value.code == "bad-policy"


def test_a_policy_may_be_nothing_but_a_quorum() -> None:
    policy = parse_policy(b"quorum none\n")
    assert policy.is_met(set())
    assert not policy.logs


def test_a_large_policy_is_read() -> None:
    many = [f"witness w{n} {key_of(f'w{n}').vkey()}" for n in range(400)]
    groups = [f"group g{n} any w{2 * n} w{2 * n + 1}" for n in range(200)]
    whole = f"group whole 101 {' '.join(f'g{n}' for n in range(200))}"
    policy = parse_policy("".join(f"{line}\n" for line in (*many, *groups, whole, "quorum whole")).encode())
    assert policy.is_met({f"w{2 * n}" for n in range(101)})
    assert not policy.is_met({f"w{n}" for n in range(200)})


def three_of_four() -> Policy:
    witnesses = {f"city{n}": witness_key(name) for n, name in enumerate(CITIES)}
    return Policy({ORIGIN: LOG_KEY}, witnesses, (Group("delta", 3, tuple(witnesses)),), "delta")


def test_a_checkpoint_is_witnessed_when_enough_cosigned_it() -> None:
    for count in range(5):
        standing = judge(signed(7, *CITIES[:count]), three_of_four())
        assert standing.checkpoint == checkpoint_of(7)
        assert dict(standing.cosigned) == {f"city{n}": TIME_S for n in range(count)}
        assert standing.is_witnessed == (count >= 3)
        assert standing.strangers == ()


def test_a_line_of_a_stranger_or_that_is_not_good_does_not_count_and_is_named() -> None:
    note = signed(7, *CITIES[:2])
    line = signed(8, CITIES[2]).signatures[1]
    stranger = NoteSignature("witness.example/w1", b"\x01\x02\x03\x04", bytes(72))
    standing = judge(note.add(line, stranger), three_of_four())
    assert not standing.is_witnessed
    assert standing.strangers == (CITIES[2], "witness.example/w1")
    assert set(standing.cosigned) == {"city0", "city1"}


def test_the_keys_of_a_witness_as_a_log_signs_are_no_cosignature() -> None:
    note = signed(7, *CITIES[:2])
    signer = WITNESSES[CITIES[2]]
    key = NoteKey(CITIES[2], ED25519, signer.public.data)
    standing = judge(note.add(NoteSignature(CITIES[2], key.key_hash, signer.sign(note.text))), three_of_four())
    assert not standing.is_witnessed
    assert standing.strangers == (CITIES[2],)


def test_a_checkpoint_of_an_unknown_log_or_without_its_good_signature_is_refused() -> None:
    note = signed(7, *CITIES)
    for policy, other, code in (
        (Policy({}, three_of_four().witnesses, (), "none"), note, "unknown-log"),
        (three_of_four(), Note(note.text, note.signatures[1:]), "bad-signature"),
        (three_of_four(), Note(signed(8).text, note.signatures), "bad-signature"),
        (three_of_four(), signed(7, *CITIES, key=WITNESSES[CITIES[0]]), "bad-signature"),
        (three_of_four(), Note(b"no checkpoint\n", note.signatures), "bad-checkpoint"),
    ):
        with pytest.raises(Refused) as refusal:
            judge(other, policy)
        assert refusal.value.code == code
