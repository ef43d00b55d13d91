from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events.member import KeyRevoked, MemberEvent, ParticipantSuspended
from services.kernel.errors import Refused
from services.members.registry import EMPTY, Registry, divisions_above
from tests.unit.services.members.town import (
    HANGZHOU,
    HOUR_MS,
    NANJING,
    NOW_MS,
    OPERATOR,
    POLICE,
    REF,
    STRANGER,
    XIHU,
    Said,
    founded,
    gm_key_added,
    gm_signer,
    key_added,
    notice,
    proposed,
    registered,
    root,
    signed,
    signer,
    story,
    told,
    town,
)

KEY = signer(NANJING).key_id


def _code(registry: Registry, key_id: str, at_ms: int) -> str | None:
    try:
        registry.key(key_id, at_ms)
    except Refused as refused:
        return refused.code
    return None


def _revoked(reason: str, at_ms: int, participant: str = NANJING) -> Said:
    return Said(KeyRevoked(participant=participant, key_id=KEY, revoked_at=at_ms, reason=reason))


def test_the_founding_event_brings_operator_and_root_key() -> None:
    registry = told(EMPTY, Said(founded()))
    assert registry.operator == OPERATOR
    assert registry.key(root().key_id, NOW_MS).public_key == root().data
    assert registry.size == 1


def test_an_exchange_is_founded_once() -> None:
    again = told(EMPTY, Said(founded()), Said(founded(name="other")))
    assert again.founded is not None
    assert (again.founded.name, again.size) == ("t", 2)


def test_a_key_is_good_from_its_first_instant_up_to_its_last() -> None:
    registry = told(town(), Said(key_added(NANJING, 1, valid_from=NOW_MS + 10, valid_until=NOW_MS + 20)))
    key = signer(NANJING, 1).key_id
    assert [_code(registry, key, NOW_MS + at) for at in (9, 10, 19, 20)] == [
        "key-not-yet-valid",
        None,
        None,
        "key-expired",
    ]


def test_a_key_that_nobody_added_is_unknown() -> None:
    assert _code(town(), signer(NANJING, 7).key_id, NOW_MS) == "unknown-key"


def test_a_superseded_key_still_signs_what_is_of_before_its_revocation() -> None:
    registry = told(town(), _revoked("superseded", NOW_MS + 100))
    assert _code(registry, KEY, NOW_MS + 99) is None
    assert _code(registry, KEY, NOW_MS + 100) == "key-revoked"


def test_a_compromised_key_signs_nothing_whatever_time_is_claimed() -> None:
    registry = told(town(), _revoked("compromised", NOW_MS + 100))
    assert _code(registry, KEY, NOW_MS + 1) == "key-revoked"


def test_a_later_revocation_does_not_soften_an_earlier_one() -> None:
    registry = told(town(), _revoked("compromised", NOW_MS + 100), _revoked("superseded", NOW_MS + 500))
    assert registry.keys[KEY].revoked_at == NOW_MS + 100
    assert registry.keys[KEY].compromised


def test_a_key_is_revoked_under_the_name_of_its_owner_only() -> None:
    registry = told(town(), _revoked("compromised", NOW_MS, participant=POLICE))
    assert _code(registry, KEY, NOW_MS) is None


def test_a_key_id_is_added_once() -> None:
    registry = told(town(), Said(key_added(NANJING, valid_from=NOW_MS + HOUR_MS)))
    assert registry.keys[KEY].valid_from == NOW_MS


def test_an_agreement_binds_once_every_signatory_has_signed_this_version() -> None:
    before = told(EMPTY, *story()[:-1])
    assert before.agreements[REF].missing == (HANGZHOU,)
    with pytest.raises(Refused, match="not signed yet by 330100") as refused:
        before.in_force(REF, NOW_MS)
    assert refused.value.code == "agreement-not-in-force"
    assert town().in_force(REF, NOW_MS).ref == REF


def test_a_signature_under_another_digest_does_not_count() -> None:
    registry = told(EMPTY, *story()[:-1], Said(signed(proposed(notes="another text")), HANGZHOU))
    assert not registry.agreements[REF].is_signed


def test_a_signature_of_one_who_is_no_signatory_does_not_count() -> None:
    registry = told(EMPTY, *story()[:-1], Said(signed(proposed()), POLICE))
    assert registry.agreements[REF].signed == {NANJING}


def test_an_agreement_binds_within_its_dates() -> None:
    until = proposed().valid_until
    assert until is not None
    assert town().in_force(REF, until - 1)
    for at_ms in (NOW_MS - 1, until):
        with pytest.raises(Refused) as refused:
            town().in_force(REF, at_ms)
        assert refused.value.code == "agreement-not-in-force"


def test_a_draft_never_binds() -> None:
    draft = proposed(version=2, status="draft")
    registry = told(town(), Said(draft), Said(signed(draft), NANJING), Said(signed(draft), HANGZHOU))
    with pytest.raises(Refused, match="draft"):
        registry.in_force("delta@2", NOW_MS)


def test_an_agreement_without_signatories_never_binds() -> None:
    registry = told(town(), Said(proposed(version=2, signatories=())))
    with pytest.raises(Refused, match="no signatory"):
        registry.in_force("delta@2", NOW_MS)


def test_an_agreement_that_nobody_proposed_is_unknown() -> None:
    with pytest.raises(Refused) as refused:
        town().in_force("delta@9", NOW_MS)
    assert refused.value.code == "agreement-unknown"


def test_a_version_that_is_proposed_again_stays_as_it_was() -> None:
    registry = told(town(), Said(proposed(members=("440000",))))
    assert registry.agreements[REF].members == {"320000", "330000"}


def test_a_division_is_a_member_with_all_below_it() -> None:
    agreement = town().agreements[REF]
    members = [town().participants[name] for name in (NANJING, HANGZHOU, XIHU, STRANGER)]
    assert [agreement.includes(one) for one in members] == [True, True, True, False]


def test_one_participant_alone_can_be_a_member() -> None:
    registry = told(town(), Said(proposed(version=2, members=(STRANGER,))))
    agreement = registry.agreements["delta@2"]
    assert [agreement.includes(registry.participants[name]) for name in (STRANGER, NANJING)] == [True, False]


def test_suspension_ends_at_its_time_or_with_a_new_registration() -> None:
    until = ParticipantSuspended(participant=NANJING, suspended_at=NOW_MS, until=NOW_MS + 5, reason="试验")
    registry = told(town(), Said(until))
    assert [registry.participants[NANJING].is_suspended(NOW_MS + at) for at in (-1, 0, 4, 5)] == [
        False,
        True,
        True,
        False,
    ]
    endless = told(town(), Said(replace(until, until=None)))
    assert endless.participants[NANJING].is_suspended(NOW_MS + 10**12)
    again = told(endless, Said(registered(NANJING)))
    assert not again.participants[NANJING].is_suspended(NOW_MS + 10**12)


def test_a_new_registration_moves_an_organ_to_its_new_division() -> None:
    registry = told(town(), Said(registered("customs.2300", organ_type="customs", division="320100")))
    registry = told(registry, Said(registered("customs.2300", organ_type="customs", division="320500")))
    assert registry.organs_in("customs", "320100") == ()
    assert [one.id for one in registry.organs_in("customs", "320500")] == ["customs.2300"]


def test_an_organ_is_found_by_type_and_division() -> None:
    assert [one.id for one in town().organs_in("market_regulator", "330106")] == [XIHU]
    assert town().organs_in("market_regulator", "330000") == ()


def test_the_divisions_above_go_from_county_to_nation() -> None:
    assert divisions_above("330106") == ("330106", "330100", "330000", "100000")
    assert divisions_above("320000") == ("320000", "100000")


EVENTS = [said.event for said in story()] + [
    ParticipantSuspended(participant="999999.police", suspended_at=NOW_MS, reason="x"),
    KeyRevoked(participant=NANJING, key_id="nobody#0123456789abcdef", revoked_at=NOW_MS, reason="lost"),
    KeyRevoked(participant=NANJING, key_id=KEY, revoked_at=NOW_MS, reason="lost"),
    proposed(version=3, status="draft"),
    notice(),
    notice("试2号", year=2030),
    notice("试3号", issued_on=1),
]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from((OPERATOR, NANJING, STRANGER))), max_size=40))
def test_any_order_of_events_folds_and_is_counted(said: list[tuple[MemberEvent, str]]) -> None:
    registry = EMPTY
    for event, source in said:
        before = registry
        registry = told(registry, Said(event, source))
        assert registry.size == before.size + 1
        assert before == told(before)  # what was there before is not touched
    assert registry == told(EMPTY, *(Said(event, source) for event, source in said))
    for (organ_type, division), names in registry.organs.items():
        for name in names:
            organ = registry.participants[name]
            assert (organ.organ_type, organ.division) == (organ_type, division)


@pytest.mark.parametrize(
    ("key_id", "suite", "source", "code"),
    [
        (KEY, "ed25519", NANJING, None),
        (KEY, "sm2-sm3", NANJING, "bad-signature"),
        (KEY, "", NANJING, "bad-signature"),
        (KEY, "ed25519", HANGZHOU, "key-not-of-source"),
        (gm_signer(NANJING).key_id, "sm2-sm3", NANJING, None),
        (gm_signer(NANJING).key_id, "ed25519", NANJING, "bad-signature"),
        (gm_signer(HANGZHOU).key_id, "sm2-sm3", HANGZHOU, "unknown-key"),
    ],
)
def test_a_key_signs_for_its_owner_and_in_its_suite(key_id: str, suite: str, source: str, code: str | None) -> None:
    registry = told(town(), Said(gm_key_added(NANJING)))
    if code is None:
        found = registry.signing_key(key_id, suite, source, NOW_MS)
        assert (found.id, found.suite) == (key_id, suite)
        return
    with pytest.raises(Refused) as refused:
        registry.signing_key(key_id, suite, source, NOW_MS)
    assert (refused.value.code, refused.value.field) == (code, "ipxsignature")
