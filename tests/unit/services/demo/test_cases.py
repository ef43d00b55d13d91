"""Expectations of a transfer against what logs hold: each difference is told in words, and nothing else is a difference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.cases.state import Case, Clock
from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.demo.cases import Cases, Look
from services.demo.hand_over import Expected, parse_span, parse_time
from services.demo.tally import Refusal, Tally
from services.events.notice import ClockExpired, ClockVerdict
from services.events.transfer import MoveHadNoEffect, TransferMoved
from services.kernel.calendar import Calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.data import SCHEMAS_DIR
from services.kernel.verdict import Verdict, verdict
from services.runtime.topics import Topics

HEFEI, SHANGHAI = "340100.market_regulator", "310000.market_regulator"
SUBJECT, OWN, NONE = "TR-340100-1", "own", "sha256:" + "0" * 64
ASKED, DUE = (
    parse_time("2024-03-04 09:00"),
    parse_time("2024-03-25 24:00"),
)  # 15 weekdays; no calendar is loaded, so it is provisional and no breach
RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
CLOCK = Clock("A8", None, 1, OWN, OWN, "running")
EXPECTED = Expected(
    case="a",
    fact="is",
    word="running",
    clock="A8/1",
    due_ms=DUE,
    late_by_ms=None,
    breach=False,
    provisional=None,
    advisory=False,
    must_act=(SHANGHAI,),
    to=None,
    outsiders=None,
    zh="",
    en="",
)


def a8(*finished: int, now: str = "2024-03-05 09:00") -> Verdict:
    (rule,) = RULES.versions("A8")
    moments = [Moment("happened", "assistance_requested", ASKED)]
    moments += [Moment("happened", "assistance_finished", at_ms) for at_ms in finished]
    return verdict(rule, moments, Calendar(()), parse_time(now))


@dataclass
class OneCase:
    """A fold that has one case with one clock."""

    found: Verdict
    states: dict[str, Case] = field(
        default_factory=lambda: {SUBJECT: Case(SUBJECT, state="requested", opened_event=OWN)}
    )

    def judged(self, subject: str, now_ms: int) -> tuple[Any, ...]:
        return ((CLOCK, self.found, (SHANGHAI,)),) if subject == SUBJECT else ()


def look(found: Verdict | None = None) -> Look:
    return Look(Tally(Topics("ipx")), OneCase(found or a8()), SUBJECT, OWN, 0)  # type: ignore[arg-type]


def entry(event: str, kind: str, *to: str) -> Entry:
    at = "2024-03-04T01:00:00.000Z"
    said = Statement(event, HEFEI, kind, SUBJECT, at, "a@1", "-", "-", NONE, NONE)
    return Entry(said, "s", at, "ipx.transfers/0", 0, 1, tuple(Delivery(name, 1) for name in sorted(to)))


def fact(name: str, word: str, **more: Any) -> Expected:
    return replace(EXPECTED, fact=name, word=word, **more)


def test_a_state_is_compared_with_the_folded_one() -> None:
    assert look().differs(fact("state", "requested")) is None
    assert look().differs(fact("state", "finished")) == "the state is requested, not finished"
    other = replace(look(), subject="TR-2")
    assert other.differs(fact("state", "requested")) == "the state is no case, not requested"


def test_a_clock_as_expected_is_no_difference() -> None:
    assert look().differs(EXPECTED) is None
    late = look(a8(DUE + parse_span("1 d 10 h") + 1, now="2024-03-29 09:00"))
    assert late.differs(replace(EXPECTED, word="late", late_by_ms=parse_span("1 d 10 h"))) is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"word": "met"}, "is running, not met"),
        ({"due_ms": DUE + 1}, "is due 2024-03-25 23:59:59, not 2024-03-26 00:00:00"),
        ({"breach": True}, "is not a breach"),
        ({"advisory": True}, "is not advisory"),
        ({"provisional": False}, "is provisional"),
        ({"late_by_ms": 60_000}, "is late by None ms, not 60000"),
        ({"must_act": (HEFEI,)}, f"{SHANGHAI} must act"),
        ({"clock": "A8/2"}, "A8/2 has not started"),
    ],
)
def test_each_part_of_a_verdict_is_compared(more: dict[str, Any], says: str) -> None:
    assert says in (look().differs(replace(EXPECTED, **more)) or "")


def test_lateness_is_compared_to_the_minute_and_never_less_than_said() -> None:
    wanted = replace(EXPECTED, word="late", late_by_ms=parse_span("10 h"))
    for minutes, fits in ((0, True), (9, True), (10, False), (-1, False)):
        found = look(a8(DUE + parse_span("10 h") + minutes * 60_000, now="2024-03-29 09:00"))
        assert (found.differs(wanted) is None) is fits, minutes


def test_an_end_is_not_compared_where_the_file_names_none_unless_the_clock_stands_still() -> None:
    assert look().differs(replace(EXPECTED, due_ms=None)) is None
    assert "is due 2024-03-25" in (look().differs(replace(EXPECTED, due_ms=None, word="suspended")) or "")


def test_a_clock_that_must_not_run_is_named_when_it_does() -> None:
    assert look().differs(fact("no_clock", "A1")) is None
    assert look().differs(fact("no_clock", "A8")) == "A8/1 runs"


def test_whoever_has_a_copy_of_the_steps_event_must_be_exactly_who_is_said() -> None:
    it = look()
    wanted = fact("told", "TransferMoved", clock=None, to=(SHANGHAI,))
    assert it.differs(wanted) == "nothing was told, not TransferMoved"
    it.tally.entries[OWN] = entry(OWN, TransferMoved.TYPE, SHANGHAI)
    assert it.differs(wanted) is None
    assert it.differs(replace(wanted, to=())) == f"TransferMoved was told to {SHANGHAI}, not nobody"


def test_the_last_notice_of_a_clock_counts() -> None:
    it, wanted = look(), fact("told", "ClockExpired", to=(HEFEI, SHANGHAI))
    assert it.differs(wanted) == "no ClockExpired of A8/1 was told"
    told = ClockVerdict(
        state="expired", provisional=False, advisory=False, breach=True, explanation_zh="", explanation_en="", source=""
    )
    for to in ((HEFEI,), (HEFEI, SHANGHAI)):
        notice = ClockExpired(
            clock="A8/1", rule="A8", kind="assistance_request", consequence_zh="", consequence_en="", verdict=told
        )
        it.tally.notices.append((entry("n", ClockExpired.TYPE, *to), notice))
    assert it.differs(wanted) is None
    assert it.differs(replace(wanted, clock="A8/2")) == "no ClockExpired of A8/2 was told"


def test_an_answer_and_what_outsiders_hear_are_told_apart() -> None:
    it, wanted = look(), fact("no_effect", "not_party", to=(SHANGHAI,), outsiders="unknown_case")
    assert it.differs(wanted) == "answered by nothing, not not_party, unknown_case"
    for rule, to in (("not_party", SHANGHAI), ("unknown_case", HEFEI)):
        answer = MoveHadNoEffect(
            rule=rule,
            article="",
            kind="assistance_request",
            attempted="finish",
            attempted_event=OWN,
            attempted_by=HEFEI,
            state="requested",
            explanation_zh="",
            explanation_en="",
        )
        it.tally.without_effect_on.setdefault(OWN, []).append((entry("a", MoveHadNoEffect.TYPE, to), answer))
    assert it.differs(wanted) is None
    assert it.differs(replace(wanted, to=(HEFEI,))) == f"not_party was told to {SHANGHAI}, not {HEFEI}"
    assert it.differs(replace(wanted, outsiders=None)) == "answered by not_party, unknown_case, not not_party"


def test_a_refusal_is_compared_by_its_code() -> None:
    it = look()
    assert it.differs(fact("refused", "time-in-future")) == "refused with nothing, not time-in-future"
    it.tally.refusals[OWN] = Refusal(OWN, HEFEI, "time-in-future", None, None, None)
    assert it.differs(fact("refused", "time-in-future")) is None


def test_the_fold_begins_with_the_tables_that_ship() -> None:
    from services.codec.keys import signer_from_seed

    cases = Cases.of("ipx.members/0", signer_from_seed("exchange.operator", b"k" * 32).public)
    cases.follow(Tally(Topics("ipx")))
    assert cases.has_folded(Tally(Topics("ipx")))
    assert cases.judged(SUBJECT, 0) == ()
