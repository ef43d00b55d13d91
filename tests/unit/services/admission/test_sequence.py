from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.judgement import Judged
from services.admission.proposal import Refusal, refusal
from services.admission.sequence import Numbers, Seen, Sequencing
from services.codec.entry import parse_entry
from services.codec.merkle import leaf_hash, levels_of
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.recipients import Recipient
from tests.unit.services.admission.desk import checked, proposed, sealed
from tests.unit.services.members.town import HANGZHOU, NANJING, NOW_MS, XIHU, clue

LOG = "t.clues/0"
ADMITTED = format_instant(NOW_MS)
FIRST, OTHER = checked(sealed()), checked(sealed(clue(title="另一内容")))
assert FIRST.statement.id == OTHER.statement.id


def judged(said: object = FIRST, *recipients: Recipient) -> Judged:
    return Judged(said, recipients or (Recipient(HANGZHOU),))  # type: ignore[arg-type]


def take(sequencing: Sequencing, verdict: Judged) -> None:
    sequencing.take(verdict, ADMITTED, NOW_MS, 7)


def refused(step: int = 6, code: str = "flow-not-agreed", said: object = FIRST) -> Refusal:
    return refusal(said, Refused(code, "no"), step, "不")  # type: ignore[arg-type]


def outcomes(sequencing: Sequencing) -> list[str]:
    return [answer.item["outcome"] for answer in sequencing.answers]


def test_an_admitted_event_gets_the_next_numbers_and_an_entry_that_says_them() -> None:
    sequencing = Sequencing(LOG, Numbers(next_seq=5, deliveries={HANGZHOU: 3}), {})
    take(sequencing, judged(FIRST, Recipient(HANGZHOU, ("reporter",)), Recipient(XIHU)))
    entry = parse_entry(sequencing.admitted[0].entry)
    assert (entry.log, entry.seq, entry.members, entry.admitted) == (LOG, 5, 7, ADMITTED)
    assert entry.statement == FIRST.statement
    assert [(d.recipient, d.number, d.withheld) for d in entry.deliveries] == [
        (HANGZHOU, 3, ("reporter",)),
        (XIHU, 0, ()),
    ]
    numbers = sequencing.numbers()
    assert numbers.next_seq == 6
    assert numbers.deliveries == {HANGZHOU: 4, XIHU: 1}
    assert numbers.edge.root() == leaf_hash(sequencing.admitted[0].entry)
    item = sequencing.answers[0].item
    assert (item["outcome"], item["log"], item["seq"]) == ("admitted", LOG, 5)
    assert item["statement"] == f"sha256:{FIRST.digest.hex()}"


def test_the_same_statement_is_answered_with_the_first_outcome_within_a_batch_and_later() -> None:
    within = Sequencing(LOG, Numbers(), {})
    take(within, judged())
    take(within, judged())
    later = Sequencing(LOG, Numbers(next_seq=1), {FIRST.statement.id: Seen(FIRST.digest, 0)})
    take(later, judged())
    assert outcomes(within) == ["admitted", "duplicate"]
    assert outcomes(later) == ["duplicate"]
    assert later.admitted == []
    for item in (within.answers[1].item, later.answers[0].item):
        assert (item["log"], item["seq"], item["statement"]) == (LOG, 0, f"sha256:{FIRST.digest.hex()}")


def test_the_same_id_with_another_statement_is_a_conflict_and_changes_nothing() -> None:
    sequencing = Sequencing(LOG, Numbers(next_seq=1), {FIRST.statement.id: Seen(FIRST.digest, 0)})
    take(sequencing, judged(OTHER))
    assert outcomes(sequencing) == ["conflict"]
    item = sequencing.answers[0].item
    assert (item["code"], item["field"], item["seq"]) == ("conflict", "id", 0)
    assert item["message_zh"]
    assert item["message_en"]
    assert sequencing.numbers() == Numbers(next_seq=1)


def test_a_refusal_is_told_and_not_remembered() -> None:
    sequencing = Sequencing(LOG, Numbers(), {})
    sequencing.turn_away(refused(), has_inbox=True)
    take(sequencing, judged())
    assert outcomes(sequencing) == ["refused", "admitted"]
    item = sequencing.answers[0].item
    assert (item["code"], item["message_zh"], item["message_en"], item["log"]) == ("flow-not-agreed", "不", "no", None)
    assert sequencing.kept == []


def test_what_is_in_the_log_keeps_its_outcome_when_it_would_be_refused_today() -> None:
    for step, said, expected in (
        (6, FIRST, "duplicate"),
        (7, FIRST, "duplicate"),
        (6, OTHER, "refused"),
        (5, FIRST, "refused"),
    ):
        sequencing = Sequencing(LOG, Numbers(next_seq=1), {FIRST.statement.id: Seen(FIRST.digest, 0)})
        sequencing.turn_away(refused(step, said=said), has_inbox=True)
        assert outcomes(sequencing) == [expected]


def test_what_could_not_be_read_is_kept_and_told_if_somebody_can_be() -> None:
    record = proposed(sealed())
    unreadable = refusal(record, Refused("undecodable", "no"), 3)
    told, untold = Sequencing(LOG, Numbers(), {}), Sequencing(LOG, Numbers(), {})
    told.turn_away(unreadable, has_inbox=True)
    untold.turn_away(unreadable, has_inbox=False)
    assert outcomes(told) == ["refused"]
    assert outcomes(untold) == []
    assert [kept.proposed for kept in (*told.kept, *untold.kept)] == [record, record]


def test_a_refusal_that_nobody_can_be_told_is_kept() -> None:
    sequencing = Sequencing(LOG, Numbers(), {})
    sequencing.turn_away(refused(code="unknown-key"), has_inbox=False)
    assert [(kept.code, kept.proposed) for kept in sequencing.kept] == [("unknown-key", FIRST.proposed)]
    assert sequencing.answers == []


def test_more_recipients_than_an_entry_holds_are_refused() -> None:
    many = tuple(Recipient(f"{100000 + n}.market_regulator", ("f" * 60,) * 4) for n in range(200))
    sequencing = Sequencing(LOG, Numbers(), {})
    take(sequencing, judged(FIRST, *many))
    assert [answer.item["code"] for answer in sequencing.answers] == ["too-large"]
    assert sequencing.numbers() == Numbers()


def test_a_warning_is_told_with_the_admission() -> None:
    sequencing = Sequencing(LOG, Numbers(), {})
    take(sequencing, Judged(FIRST, (), "提示", "hint"))
    item = sequencing.answers[0].item
    assert (item["outcome"], item["message_zh"], item["message_en"]) == ("admitted", "提示", "hint")


def test_a_clock_that_steps_back_does_not_take_the_admission_time_back() -> None:
    sequencing = Sequencing(LOG, Numbers(admitted_ms=NOW_MS + 5), {})
    take(sequencing, judged())
    assert sequencing.numbers().admitted_ms == NOW_MS + 5


EVENTS = [checked(sealed(clue(title=title), number=number)) for number in range(6) for title in ("甲", "乙")]
NAMES = (HANGZHOU, XIHU, NANJING)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.sets(st.sampled_from(NAMES)), st.booleans()), max_size=30),
    st.integers(0, 30),
)
def test_numbers_are_contiguous_and_every_proposal_is_answered_however_it_is_cut_into_batches(
    said: list[tuple[object, set[str], bool]], cut: int
) -> None:
    numbers, seen = Numbers(), {}
    admitted, answers = [], []
    for batch in (said[:cut], said[cut:]):
        sequencing = Sequencing(LOG, numbers, seen)
        for event, names, is_refused in batch:
            if is_refused:
                sequencing.turn_away(refused(said=event), has_inbox=True)
            else:
                take(sequencing, judged(event, *(Recipient(name) for name in sorted(names))))
        numbers = sequencing.numbers()
        admitted += sequencing.admitted
        answers += sequencing.answers
        seen |= {e.checked.statement.id: Seen(e.checked.digest, e.seq) for e in sequencing.admitted}
    assert len(answers) == len(said)
    assert [event.seq for event in admitted] == list(range(len(admitted))) == list(range(numbers.next_seq))
    ids = [event.checked.statement.id for event in admitted]
    assert len(ids) == len(set(ids))
    counted: dict[str, list[int]] = defaultdict(list)
    for event in admitted:
        for delivery in event.deliveries:
            counted[delivery.recipient].append(delivery.number)
    assert {name: list(range(len(found))) for name, found in counted.items()} == counted
    if admitted:
        assert numbers.edge.root() == levels_of([leaf_hash(event.entry) for event in admitted])[-1][0]
    by_id = {event.checked.statement.id: event for event in admitted}
    for (event, _, is_refused), answer in zip(said, answers, strict=True):
        known = by_id.get(event.statement.id)  # type: ignore[attr-defined]
        if not is_refused:
            assert answer.item["outcome"] in ("admitted", "duplicate", "conflict")
        if answer.item["outcome"] in ("admitted", "duplicate"):
            assert known is not None
            assert known.checked.digest == event.digest  # type: ignore[attr-defined]
            assert answer.item["seq"] == known.seq
