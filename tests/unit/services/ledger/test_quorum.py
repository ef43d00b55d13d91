"""The quorum as data: who counts as a witness, what the policy says, and when there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from services.codec.keys import signer_from_seed
from services.codec.note import COSIGNATURE, NoteKey, cosign_note, parse_note
from services.codec.tlog_policy import Policy, format_policy, judge, parse_policy
from services.events.member import KeyAdded, KeyRevoked, ParticipantRegistered, ParticipantSuspended
from services.kernel.errors import BadSettings
from services.ledger.quorum import DEFAULT, MOST_WITNESSES, Quorum, load_quorum, parse_quorum, policy_of
from services.members.registry import EMPTY, Registry, apply
from tests.unit.connectors.small_log import SmallLog, key_of

NOW_MS = 1_790_000_000_000
CITIES = ("310000", "310115", "320100", "320500", "330100", "340100", "360100")
LOG = SmallLog().grow(5)


def organ(division: str) -> str:
    return f"{division}.market_regulator"


def signer(participant: str, number: int = 0) -> Any:
    return signer_from_seed(participant, hashlib.sha256(f"{participant} {number}".encode()).digest())


def added(participant: str, number: int = 0, suite: str = "ed25519") -> KeyAdded:
    public = signer(participant, number).public
    data = public.data if suite == "ed25519" else public.data * 2
    return KeyAdded(
        participant=participant, key_id=f"{participant}#{number}", suite=suite, public_key=data, valid_from=1
    )


def members(*divisions: str, **more: Any) -> Registry:
    registry = EMPTY
    for division in divisions:
        registered = ParticipantRegistered(
            participant=organ(division),
            name_zh="市",
            name_en="city",
            division=division,
            organ_type="market_regulator",
            level="prefecture",
            valid_from=1,
        )
        for event in (registered, added(organ(division), **more)):
            registry = apply(registry, event, source="exchange.operator")
    return registry


def made(registry: Registry, quorum: Quorum | None = None) -> Policy | None:
    return policy_of(quorum or load_quorum(), registry, [key_of()], NOW_MS)


def cosigned(*divisions: str, number: int = 0) -> bytes:
    note = parse_note(LOG.checkpoint())
    for division in divisions:
        key = signer(organ(division), number)
        note = note.add(cosign_note(note.text, organ(division), key.public.data, key.sign, 1_790_000_000))
    return note.text + b"\n" + b"".join(f"{line.line()}\n".encode() for line in note.signatures)


def is_witnessed(policy: Policy | None, *divisions: str, number: int = 0) -> bool:
    assert policy is not None
    return judge(parse_note(cosigned(*divisions, number=number)), policy).is_witnessed


def test_the_shipped_quorum_is_one_city_of_each_of_three_provinces() -> None:
    policy = made(members(*CITIES))
    assert is_witnessed(policy, "320100", "330100", "340100")
    assert is_witnessed(policy, "310115", "320500", "340100")
    assert not is_witnessed(policy, "320100", "320500", "330100")
    assert not is_witnessed(policy, "320100", "330100", "360100")
    assert not is_witnessed(policy)


def test_the_policy_is_written_and_read_as_tlog_policy() -> None:
    policy = made(members("320100", "330100", "340100"))
    assert policy is not None
    text = format_policy(policy)
    assert parse_policy(text) == policy
    assert text.decode().splitlines() == [
        f"log {key_of().vkey()}",
        *(
            f"witness {organ(d)} {NoteKey(organ(d), COSIGNATURE, signer(organ(d)).public.data).vkey()}"
            for d in ("320100", "330100", "340100")
        ),
        "group jiangsu 1 320100.market_regulator",
        "group zhejiang 1 330100.market_regulator",
        "group anhui 1 340100.market_regulator",
        "group quorum 3 jiangsu zhejiang anhui",
        "quorum quorum",
    ]


def test_there_is_no_policy_while_too_few_provinces_have_a_witness() -> None:
    assert made(members("320100", "320500", "330100")) is None
    assert made(EMPTY) is None


def test_a_suspended_participant_and_keys_that_are_revoked_or_of_another_suite_do_not_count() -> None:
    registry = members("320100", "330100", "340100")
    suspended = ParticipantSuspended(participant=organ("340100"), suspended_at=2, reason="test")
    assert made(apply(registry, suspended, source="exchange.operator")) is None
    revoked = KeyRevoked(
        participant=organ("340100"), key_id=f"{organ('340100')}#0", revoked_at=NOW_MS, reason="superseded"
    )
    assert made(apply(registry, revoked, source="exchange.operator")) is None
    assert made(members("320100", "330100", "340100", suite="sm2-sm3")) is None


def test_a_participant_with_two_keys_is_one_witness_met_by_either() -> None:
    registry = apply(members("320100", "330100", "340100"), added(organ("320100"), 1), source="exchange.operator")
    policy = made(registry)
    for number in (0, 1):
        note = parse_note(cosigned("330100", "340100"))
        own = parse_note(cosigned("320100", number=number)).signatures[1]
        assert policy is not None
        assert judge(note.add(own), policy).is_witnessed
    two = parse_quorum(
        DEFAULT.read_text("utf-8")
        .replace("needed = 3", "needed = 1", 1)
        .replace('needed = 1\n\n[[groups]]\nname = "zhejiang', 'needed = 2\n\n[[groups]]\nname = "zhejiang')
    )
    assert [group.needed for group in two.groups] == [1, 2, 1, 1]
    both = made(apply(members("320100", "320500"), added(organ("320100"), 1), source="exchange.operator"), two)
    twice = parse_note(cosigned("320100")).add(parse_note(cosigned("320100", number=1)).signatures[1])
    assert both is not None
    assert not judge(twice, both).is_witnessed
    assert is_witnessed(both, "320100", "320500")


def test_a_foreign_witness_counts_in_its_group_and_one_without_a_group_is_named_only() -> None:
    notary, uni = signer("exchange.notary"), signer("exchange.uni")
    keys = [
        NoteKey(name, COSIGNATURE, key.public.data)
        for name, key in (("notary.example/w", notary), ("uni.example/w", uni))
    ]
    more = (
        f'\n[[foreign]]\nvkey = "{keys[0].vkey()}"\nurl = "https://notary.example/"\ngroup = "shanghai"\n'
        f'\n[[foreign]]\nvkey = "{keys[1].vkey()}"\nurl = "https://uni.example/"\n'
    )
    policy = made(members("320100", "330100"), parse_quorum(DEFAULT.read_text("utf-8") + more))
    note = parse_note(cosigned("320100", "330100"))
    assert policy is not None
    line = cosign_note(note.text, keys[0].name, keys[0].public_key, notary.sign, 5)
    stranger = cosign_note(note.text, keys[1].name, keys[1].public_key, uni.sign, 5)
    assert not judge(note.add(stranger), policy).is_witnessed
    assert judge(note.add(line), policy).is_witnessed
    assert judge(note.add(stranger), policy).strangers == ()


def test_no_more_witnesses_are_named_than_a_note_holds() -> None:
    divisions = [f"32{n:04d}" for n in range(100, 170)]
    quorum = parse_quorum(
        'title_zh = "试"\ntitle_en = "t"\nneeded = 1\n[[groups]]\nname = "all"\ndivisions = ["32"]\nneeded = 60\n'
    )
    policy = made(members(*divisions), quorum)
    assert policy is not None
    assert len(policy.witnesses) == MOST_WITNESSES


def test_all_market_regulators_of_the_delta_have_room() -> None:
    policy = made(members(*(f"{p}{c:02d}00" for p in (31, 32, 33, 34) for c in range(15))))
    assert policy is not None
    assert len(policy.witnesses) == 60
    assert set(policy.groups[-1].members) == {"shanghai", "jiangsu", "zhejiang", "anhui"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("needed = 3", "needed = 5"),
        ("needed = 3", "needed = 0"),
        ('name = "anhui"', 'name = "jiangsu"'),
        ('name = "anhui"', 'name = "quorum"'),
        ('name = "anhui"', 'nam = "anhui"'),
        ('divisions = ["34"]', 'divisions = ["anhui"]'),
        ("title_zh", "title"),
        ("needed = 3", "needed = "),
        ("needed = 3", 'needed = 3\n[[foreign]]\nvkey = "x"\nurl = "https://x/"\n'),
        ("needed = 3", f'needed = 3\n[[foreign]]\nvkey = "{key_of().vkey()}"\nurl = "https://x/"\n'),
    ],
)
def test_data_that_is_wrong_is_refused_at_the_start(tmp_path: Path, old: str, new: str) -> None:
    text = DEFAULT.read_text("utf-8")
    assert old in text
    path = tmp_path / "quorum.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadSettings):
        load_quorum(path)
