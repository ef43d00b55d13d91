from typing import Any

from services.events.receipt import OutcomeItem
from services.gateway.outcomes import Outcome, strongest
from services.gateway.status import status_of
from services.receipts.state import Answer, Copy, Entry, Receipt, Tracked, encode

NANJING, HANGZHOU, SUZHOU = "320100.market_regulator", "330100.market_regulator", "320500.police"
ID = "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"
ADMITTED_MS = 1_790_000_000_000


def outcome(kind: str, source: str = NANJING, **more: Any) -> Outcome:
    return Outcome(source, OutcomeItem(event=ID, outcome=kind, **more), ADMITTED_MS)  # type: ignore[arg-type]


def tracked() -> list[dict[str, Any]]:
    receipt = Receipt(ADMITTED_MS + 5, "0192f3c1-8000-7000-8000-000000000001", ADMITTED_MS + 4)
    state = Tracked(
        ID,
        "ipx.clues/3",
        Entry("cn.ipx.clue.ClueReported", NANJING, "CL-1", 7, ADMITTED_MS, "delta@1"),
        (Copy(HANGZHOU, 1, (), 3600), Copy(SUZHOU, 2, ("reporter",))),
        (Answer(HANGZHOU, 1, "delivered", receipt, receipt),),
    )
    return [encode(state)]


def recipients(document: dict[str, Any] | None) -> list[str]:
    assert document is not None
    return [one["recipient"] for one in document["recipients"]]


def test_the_source_sees_its_outcome_and_every_recipient() -> None:
    document = status_of(ID, NANJING, [outcome("admitted", log="ipx.clues/3", seq=7)], None, tracked())

    assert recipients(document) == [HANGZHOU, SUZHOU]
    assert document is not None
    assert document["outcome"] == {"id": ID, "outcome": "admitted", "log": "ipx.clues/3", "seq": 7}


def test_a_recipient_sees_its_own_steps_and_neither_the_outcome_nor_the_others() -> None:
    document = status_of(ID, SUZHOU, [outcome("admitted")], None, tracked())

    assert recipients(document) == [SUZHOU]
    assert "outcome" not in str(document)
    assert HANGZHOU not in str(document)


def test_whoever_is_neither_sees_nothing() -> None:
    assert status_of(ID, "310000.court", [outcome("admitted")], None, tracked()) is None
    assert status_of(ID, "310000.court", [], None, []) is None


def test_a_refused_event_has_a_status_though_it_is_in_no_log() -> None:
    document = status_of(ID, NANJING, [outcome("refused", code="bad-field", field="uscc")], None, [])

    assert document == {
        "id": ID,
        "source": NANJING,
        "recipients": [],
        "outcome": {"id": ID, "outcome": "refused", "code": "bad-field", "field": "uscc"},
    }


def test_an_outcome_that_was_just_told_counts_before_it_is_stored_and_never_weakens_what_is() -> None:
    recent = OutcomeItem(event=ID, outcome="admitted")
    fresh = status_of(ID, NANJING, [outcome("refused")], recent, [])
    assert fresh is not None
    assert fresh["outcome"]["outcome"] == "admitted"
    kept = status_of(ID, NANJING, [outcome("admitted")], OutcomeItem(event=ID, outcome="conflict"), [])
    assert kept is not None
    assert kept["outcome"]["outcome"] == "admitted"


def test_who_used_the_same_id_sees_its_own_outcome_and_nothing_of_the_others_event() -> None:
    kept = [outcome("admitted"), outcome("conflict", source=SUZHOU)]
    theirs = status_of(ID, "440100.police", [*kept, outcome("refused", source="440100.police")], None, tracked())

    assert theirs is not None
    assert (theirs["outcome"]["outcome"], theirs["recipients"]) == ("refused", [])
    assert "CL-1" not in str(theirs)


def test_of_several_outcomes_the_one_that_says_what_became_of_the_event_is_kept() -> None:
    kept = strongest([outcome("refused"), outcome("admitted"), outcome("duplicate"), outcome("refused", SUZHOU)])

    assert [(one.source, one.item.outcome) for one in kept] == [(NANJING, "admitted"), (SUZHOU, "refused")]
