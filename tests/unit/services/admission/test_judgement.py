from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.judgement import Judge, Judged
from services.admission.proposal import Refusal
from services.events.clue import ClueReported, Party
from services.events.member import ParticipantSuspended
from services.kernel.instants import format_instant
from services.members.registry import Registry
from tests.unit.services.admission.desk import JUDGE, checked, sealed
from tests.unit.services.members.town import (
    HANGZHOU,
    HANGZHOU_IP,
    HOUR_MS,
    NANJING,
    NOW_MS,
    POLICE,
    STRANGER,
    XIHU,
    Said,
    clue,
    tables,
    told,
    town,
)

ADMITTED_MS = NOW_MS + 1000


def refused(event: ClueReported | None = None, **changes: str) -> Refusal:
    found = JUDGE.judge(checked(sealed(event, **changes)), town(), ADMITTED_MS)
    assert isinstance(found, Refusal), found
    return found


def test_what_may_be_said_goes_to_its_recipients() -> None:
    found = JUDGE.judge(checked(sealed()), town(), ADMITTED_MS)
    assert isinstance(found, Judged)
    assert [recipient.id for recipient in found.recipients] == [HANGZHOU_IP, HANGZHOU]
    assert (found.warning_zh, found.warning_en) == (None, None)


def test_what_may_not_be_said_is_refused_at_step_six_with_its_sentence() -> None:
    found = refused(addressee=POLICE)
    assert (found.step, found.code, found.field) == (6, "flow-not-agreed", "addressee")
    assert found.message_zh == (
        f"协议没有约定该流转（addressee：{POLICE}，delta@1，cn.ipx.clue.ClueReported，market_regulator → police）"
    )
    for name in (POLICE, "delta@1", "cn.ipx.clue.ClueReported", "market_regulator"):
        assert name in found.message_en
    assert found.digest is not None


@pytest.mark.parametrize("addressee", [STRANGER, "330199.market_regulator"])
def test_the_chinese_sentence_names_the_addressee_as_the_english_one_does(addressee: str) -> None:
    found = refused(addressee=addressee)
    assert found.message_zh is not None
    for sentence in (found.message_zh, found.message_en):
        assert addressee in sentence
        assert "delta@1" in sentence


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (clue(suspects=(Party(name="甲", uscc="91320100MA1QXT001A"),)), "bad-field", "suspects[0].uscc"),
        (clue(subtype="hearsay"), "bad-code", "subtype"),
        (clue(place_division="339999"), "bad-code", "place_division"),
        (clue(discovered_at=NOW_MS + HOUR_MS), "time-in-future", "discovered_at"),
    ],
)
def test_a_field_that_breaks_its_rule_is_refused_at_step_seven_and_named(
    event: ClueReported, code: str, field: str
) -> None:
    found = refused(event)
    assert (found.step, found.code, found.field) == (7, code, field)
    assert field in found.message_en
    assert found.message_zh is not None
    assert field in found.message_zh
    assert "91320100MA1QXT001A" not in found.message_en  # the value may be personal


def test_a_statement_may_be_five_minutes_ahead_and_no_more() -> None:
    at_limit = format_instant(ADMITTED_MS + 300_000)
    assert isinstance(JUDGE.judge(checked(sealed(time=at_limit)), town(), ADMITTED_MS), Judged)
    found = refused(time=format_instant(ADMITTED_MS + 300_001))
    assert (found.code, found.field, found.step) == ("time-in-future", "time", 7)


def test_a_statement_of_too_long_ago_is_refused() -> None:
    strict = Judge(tables(), oldest_days=1)
    day_ms = 24 * HOUR_MS
    said = checked(sealed())
    assert isinstance(strict.judge(said, town(), said.time_ms + day_ms), Judged)
    found = strict.judge(said, town(), said.time_ms + day_ms + 1)
    assert isinstance(found, Refusal)
    assert (found.code, found.field) == ("time-too-old", "time")


def test_a_warning_does_not_refuse_and_is_told() -> None:
    found = JUDGE.judge(checked(sealed(clue(transfer_letter="no such form"))), town(), ADMITTED_MS)
    assert isinstance(found, Judged)
    assert found.warning_en is not None
    assert "transfer_letter" in found.warning_en
    assert found.warning_zh is not None


def suspended(name: str) -> Registry:
    return told(town(), Said(ParticipantSuspended(participant=name, suspended_at=NOW_MS, reason="试验")))


REGISTRIES = (town(), suspended(HANGZHOU), suspended(NANJING), suspended(HANGZHOU_IP))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((HANGZHOU, XIHU, POLICE, STRANGER, "-", f"{HANGZHOU},{XIHU}")),
            st.sampled_from(("delta@1", "delta@2", "-")),
            st.sampled_from(("online_listing", "public_report")),
            st.sampled_from((1, 1001 * HOUR_MS)),
            st.sampled_from(REGISTRIES),
            st.sampled_from((ADMITTED_MS, ADMITTED_MS + 1001 * HOUR_MS)),
        ),
        max_size=12,
    )
)
def test_what_a_judge_remembers_of_a_batch_is_what_it_would_find_anew(
    asked: list[tuple[str, str, str, int, Registry, int]],
) -> None:
    one = Judge(tables())
    for number, (addressee, agreement, subtype, offset_ms, registry, admitted_ms) in enumerate(asked):
        said = sealed(
            clue(subtype=subtype),
            number=number,
            addressee=addressee,
            agreement=agreement,
            time=format_instant(NOW_MS + offset_ms),
        )
        found = one.judge(checked(said), registry, admitted_ms)
        anew = Judge(tables()).judge(checked(said), registry, admitted_ms)
        if isinstance(found, Judged) and isinstance(anew, Judged):
            assert found.recipients == anew.recipients
        else:
            assert isinstance(found, Refusal)
            assert isinstance(anew, Refusal)
            assert replace(found, proposed=anew.proposed) == anew
