"""What the moves of the kinds that ship do to their clocks, where a wrong table would find a breach that is none, or miss one."""

from __future__ import annotations

from itertools import count
from typing import Any

from services.cases.clocks import verdicts
from services.cases.fold import Said, Step, step
from services.cases.possibilities import parties
from services.cases.state import Case
from services.events.transfer import Document, EarlierStep, TransferMoved, TransferOpened
from services.kernel.instants import parse_instant
from services.kernel.verdict import Verdict
from tests.contracts.test_schemas_transfers_walked import AROUND, CASTS

NANJING, NANJING_POLICE, ZHENJIANG_POLICE = "320100.market_regulator", "320100.police", "321100.police"
NANJING_PROCURATORATE = "320100.procuratorate"
HOUR, DAY = 3_600_000, 86_400_000


def at(text: str) -> int:
    return parse_instant(f"{text}:00.000Z") - 8 * HOUR


BEGUN = at("2024-02-26T09:30")  # a Monday


class Tale:
    """One case of a kind that ships, moved by the organs of its cast; ``now`` is the time of the next entry."""

    def __init__(
        self, kind: str, *earlier: EarlierStep, opener: str = "", addressee: str = "", begun: int = BEGUN
    ) -> None:
        self.kind, self.now, self._seq = kind, begun, count()
        self.opener, self.addressee = opener or CASTS[kind].opener, addressee or CASTS[kind].addressee
        body = TransferOpened(
            kind=kind,
            title="案由",
            facts="事实",
            right_type="trademark",
            requests="请求",
            place_division="330200",
            agreement_matters=("payment",),
            earlier=earlier,
        )
        self.case: Case | None = None
        self.opened = self._say(self.opener, (self.addressee,), body, self.now)

    def move(self, move: str, by: str, *joining: str, happened: int | None = None, **fields: Any) -> Step:
        """A move an hour after the last entry; it happened then, unless said."""
        assert self.case is not None
        self.now += HOUR
        body = TransferMoved(kind=self.kind, move=move, happened_at=happened or self.now, text="说明", **fields)
        return self._say(by, sorted({*parties(self.case), *joining} - {by}), body, self.now)

    def clock(self, key: str, now: int | None = None) -> Verdict:
        assert self.case is not None
        found = verdicts(self.case, AROUND, now or self.now)
        return next(verdict for clock, verdict, _ in found if clock.key == key)

    def _say(self, source: str, told: Any, body: TransferOpened | TransferMoved, at_ms: int) -> Step:
        seq = next(self._seq)
        said = Said(f"e-{seq}", source, tuple(told), (), seq, at_ms, at_ms + 1, 1, "TR-320100-2024-000001", body)
        done = step(self.case, said, AROUND)
        self.case = done.case
        return done


def refused(done: Step) -> str | None:
    return None if done.refused is None else done.refused.rule


def referral(*earlier: EarlierStep) -> Tale:
    return Tale("criminal_referral", *earlier)


def refused_referral() -> Tale:
    tale = referral()
    tale.move("accept", NANJING_POLICE)
    tale.move("refuse_filing", NANJING_POLICE, document_number="1", reason="no_criminal_facts")
    return tale


def test_a_request_that_was_withdrawn_is_owed_by_nobody() -> None:
    for kind, rule in (
        ("police_cooperation", "C17/1"),
        ("police_cooperation_remote", "C17-remote/1"),
        ("penalty_consultation", "D5/1"),
    ):
        tale = Tale(kind)
        tale.move("withdraw", tale.opener)
        assert (tale.clock(rule, tale.now + 60 * DAY).state, tale.clock(rule).breach) == ("ended", False)
    tale = Tale("notarial_link")
    tale.move("accept", tale.addressee)
    tale.move("withdraw", tale.opener)
    assert tale.clock("F8/1", tale.now + 60 * DAY).state == "ended"


def test_a_request_that_was_withdrawn_before_it_was_admitted_is_owed_by_nobody() -> None:
    tale = Tale("police_cooperation")
    tale.move("withdraw", tale.opener, happened=BEGUN)  # the request itself was admitted a moment after
    assert tale.clock("C17/1", tale.now + 60 * DAY).state == "ended"


def test_the_agency_has_its_three_days_from_when_it_was_told() -> None:
    tale = referral()
    told = at("2024-02-26T23:30")
    tale.now = at("2024-02-27T08:00") - HOUR  # what was sent in the evening came in the morning
    tale.move("tell_incomplete", NANJING_POLICE, happened=told, missing=("鉴定意见",))
    assert tale.clock("C5-tell/1").ended_at == told
    assert tale.clock("C5/1").due_at == at("2024-03-02T00:00") - 1  # 28, 29 February, 1 March


def test_what_is_not_theirs_is_forwarded_in_a_day_and_what_is_theirs_is_owed_nothing() -> None:
    late, kept = referral(), referral()
    late.now += 2 * DAY
    late.move("forward", NANJING_POLICE, ZHENJIANG_POLICE)
    assert (late.clock("C4/1").state, late.clock("C4/1").breach) == ("late", True)
    assert late.clock("C5-tell/1").breach is False
    kept.now += 2 * DAY
    kept.move("accept", NANJING_POLICE)
    for key in ("C4/1", "C5-tell/1"):
        assert (kept.clock(key).state, kept.clock(key).breach) == ("expired", False)
        assert "不构成逾期" in kept.clock(key).explanation.zh


def test_police_that_told_late_what_is_missing_are_late_with_it_and_with_nothing_else() -> None:
    tale = referral()
    tale.now += 2 * DAY
    tale.move("tell_incomplete", NANJING_POLICE, missing=("鉴定意见",))
    assert (tale.clock("C5-tell/1").state, tale.clock("C5-tell/1").breach) == ("late", True)
    assert tale.clock("C4/1").breach is False


def test_a_forwarded_case_has_its_terms_anew() -> None:
    tale = referral()
    tale.move("tell_incomplete", NANJING_POLICE, missing=("鉴定意见",))
    tale.move("forward", NANJING_POLICE, ZHENJIANG_POLICE)
    assert tale.clock("C5/1").state == "ended"
    tale.move("tell_incomplete", ZHENJIANG_POLICE, missing=("鉴定意见",))
    assert tale.clock("C5/2").state == "running"
    other = referral()
    other.move("forward", NANJING_POLICE, ZHENJIANG_POLICE)
    other.move("tell_incomplete", ZHENJIANG_POLICE, missing=("鉴定意见",))
    other.move("accept", ZHENJIANG_POLICE)
    assert [other.clock(key).state for key in ("C5/1", "C6/1")] == ["running", "running"]


def test_a_case_that_was_transferred_back_may_be_asked_about_again() -> None:
    for move, joining, state in (
        ("ask_reconsideration", (), "reconsideration"),
        ("suggest_supervision", (NANJING_PROCURATORATE,), "supervision"),
    ):
        tale = refused_referral()
        tale.move("back_transfer", NANJING_POLICE)
        assert refused(tale.move(move, NANJING, *joining)) is None
        assert tale.case is not None
        assert tale.case.state == state


def test_a_reconsideration_is_owed_by_nobody_once_the_police_file_or_the_procuratorate_is_asked() -> None:
    for by, move, joining in (
        (NANJING_POLICE, "file", ()),
        (NANJING, "suggest_supervision", (NANJING_PROCURATORATE,)),
    ):
        tale = refused_referral()
        tale.move("ask_reconsideration", NANJING)
        tale.move(move, by, *joining, document_number="2")
        assert tale.clock("C8/1").state == "ended"


def test_a_reconsideration_is_owed_though_supervision_was_asked_for_before_it() -> None:
    tale = referral()
    tale.move("suggest_supervision", NANJING, NANJING_PROCURATORATE)
    tale.move("refuse_filing", NANJING_POLICE, document_number="1", reason="no_criminal_facts")
    tale.move("ask_reconsideration", NANJING)
    assert tale.clock("C8/1").state == "running"


def test_reasons_are_owed_by_nobody_once_the_case_is_filed_ordered_refused_or_the_supervision_over() -> None:
    for by, move in (
        (NANJING_POLICE, "file"),
        (NANJING_PROCURATORATE, "order_filing"),
        (NANJING_POLICE, "refuse_filing"),
        (NANJING_PROCURATORATE, "end_supervision"),
    ):
        tale = referral()
        tale.move("suggest_supervision", NANJING, NANJING_PROCURATORATE)
        tale.move("ask_reasons", NANJING_PROCURATORATE)
        assert tale.clock("C10/1").state == "running"
        tale.move(move, by, document_number="3", reason="no_criminal_facts")
        assert tale.clock("C10/1").state == "ended"


def test_goods_are_owed_to_nobody_once_the_case_is_transferred_back() -> None:
    tale = referral()
    tale.move("accept", NANJING_POLICE)
    tale.move("file", NANJING_POLICE, document_number="1")
    assert tale.clock("C12/1").state == "running"
    tale.move("back_transfer", NANJING_POLICE)
    assert tale.clock("C12/1").state == "ended"


def test_the_day_of_the_opening_is_that_of_its_approval_unless_it_is_stated() -> None:
    approved = EarlierStep(moment="referral_approved", at=BEGUN - 2 * DAY)
    assert referral().clock("C3/1").started_at == BEGUN
    assert referral(approved).clock("C3/1").started_at == BEGUN - 2 * DAY
    assert (referral().clock("C3/1").state, referral(approved).clock("C3/1").state) == ("met", "late")


def test_customs_farming_and_forestry_refer_a_suspected_crime_too() -> None:
    for opener, police in (
        ("customs.3100", "330200.police"),
        ("320000.agriculture", "320000.police"),
    ):
        tale = Tale("criminal_referral", opener=opener, addressee=police)
        assert tale.opened.refused is None
        tale.move("tell_incomplete", police, missing=("鉴定意见",))
        assert (
            tale.move("complete", opener, documents=(Document(name="鉴定意见", kind="appraisal_opinion"),)).refused
            is None
        )
        assert tale.clock("C5/1").state == "met"


def test_a_superior_assigns_to_who_is_below_it_and_to_no_other() -> None:
    assert Tale("superior_assignment", opener="100000.market_regulator", addressee=NANJING).opened.refused is None
    for opener, addressee in ((NANJING, "320000.market_regulator"), (NANJING, "320500.market_regulator")):
        done = Tale("superior_assignment", opener=opener, addressee=addressee).opened
        assert refused(done) == "superior_of"
        assert done.refused is not None
        assert addressee in done.refused.zh
        assert addressee in done.refused.en


def test_a_receiver_that_holds_a_case_not_its_own_asks_the_superior_even_after_filing() -> None:
    receiver, nation = "330200.market_regulator", "100000.market_regulator"
    tale = Tale("city_to_city")
    assert refused(tale.move("not_file", receiver, reason="not_competent")) == "no_retransfer"
    tale.move("file", receiver, document_number="1")
    assert refused(tale.move("ask_superior", receiver, nation)) is None
    tale.move("designate_other", nation, document_number="2", designated="320500.market_regulator")
    assert tale.clock("A9/1").state == "ended"
    other = Tale("city_to_city")
    assert refused(other.move("not_file", receiver, reason="no_penalty_due")) is None


def test_the_court_has_its_three_days_without_the_time_that_papers_were_missing() -> None:
    tale = Tale("judicial_confirmation")
    mediator, court = tale.opener, tale.addressee
    tale.move("tell_incomplete", court, missing=("身份证明",))
    assert tale.clock("E3/1", tale.now + 60 * DAY).state == "suspended"
    tale.now += 10 * DAY
    tale.move("complete", mediator, documents=(Document(name="身份证明", kind="other"),))
    assert tale.clock("E3/1").state == "running"
    tale.move("accept", court, document_number="1")
    assert tale.clock("E3/1").state == "met"
    assert "不生效" not in tale.clock("E4/1").explanation.zh


def test_who_has_no_power_to_assist_owes_no_assistance() -> None:
    tale = Tale("assistance_request")
    tale.move("say_outside_power", tale.addressee)
    assert tale.clock("A8/1", tale.now + 60 * DAY).state == "ended"


def test_goods_are_not_released_for_want_of_a_court_notice_where_an_infringement_is_established() -> None:
    detained = EarlierStep(moment="detained_ex_officio", at=BEGUN - HOUR)
    for result, state in (("infringing", "ended"), ("not_established", "running")):
        tale = Tale("customs_assistance", detained)
        tale.move("determine", tale.opener, result=result)
        assert (tale.clock("F6/1").state, tale.clock("F7-exofficio/1").state) == ("met", state)
    for move in ("record_court_notice", "release_goods"):
        tale = Tale("customs_assistance", detained)
        tale.move(move, tale.opener, document_number="1")
        assert tale.clock("F6/1").state == "ended"
