from __future__ import annotations

import pytest

from services.admission.batch import Stages, may_be_stale
from services.admission.judgement import Judged
from services.admission.proposal import Proposed, Refusal
from services.admission.sequence import Numbers, Sequencing
from services.admission.verification import Verifiers
from services.kernel.errors import Refused, Transient
from services.members.registry import EMPTY, Registry
from tests.unit.services.admission.desk import CLUES, JUDGE, MEMBERS, FakeSchemas, proposed, sealed
from tests.unit.services.members.town import (
    HANGZHOU,
    NANJING,
    NOW_MS,
    OPERATOR,
    POLICE,
    Said,
    digest_of,
    founded,
    key_added,
    registered,
    root,
    signed,
    signer,
    told,
    town,
)
from tests.unit.services.members.town import (
    proposed as agreement_proposed,
)

AT_MS = NOW_MS + 10


@pytest.fixture
def stages() -> Stages:
    doors = {"t.clues.in": CLUES, "t.members.in": MEMBERS}
    return Stages(doors, FakeSchemas(), JUDGE, Verifiers(0, root()))


def everybody_has(_source: str, _registry: Registry) -> bool:
    return True


def member(event: object, source: str = OPERATOR, number: int = 0) -> Proposed:
    return proposed(
        sealed(event, number=number, source=source, agreement="-", addressee="-"), door=MEMBERS, offset=number
    )


def test_records_are_shared_out_by_partition_in_their_order(stages: Stages) -> None:
    records = [proposed(sealed(number=n), offset=n) for n in range(20)]
    shares = stages.begin(records, town())
    assert sorted(r.offset for s in shares for r in records if r.partition == s.partition) == list(range(20))
    for share in shares:
        offsets = [item.proposed.offset for item in share.items]
        assert offsets == sorted(offsets)
        assert share.next_offset == offsets[-1] + 1


def test_every_proposal_has_its_verdict_in_its_order(stages: Stages) -> None:
    good, forged = proposed(sealed(number=1)), proposed(sealed(number=1, key=signer(NANJING, 9)))
    broken, refused = proposed(sealed(number=1), value=b""), proposed(sealed(number=1, addressee=POLICE))
    (share,) = stages.begin([good, broken, forged, refused, good], town())
    verdicts = stages.judged(share, town(), AT_MS)
    assert [None if isinstance(v, Judged) else (v.step, v.code) for v in verdicts] == [
        None,
        (3, "undecodable"),
        (5, "unknown-key"),
        (6, "flow-not-agreed"),
        None,
    ]
    assert all(isinstance(v, Judged) or v.message_zh for v in verdicts)


def test_a_refusal_may_be_taken_back_by_a_newer_members_log_only_where_it_depends_on_it(stages: Stages) -> None:
    forged, broken = proposed(sealed(number=1, key=signer(NANJING, 9))), proposed(sealed(number=1), value=b"")
    (share,) = stages.begin([forged], town())
    verdicts = stages.judged(share, town(), AT_MS)
    assert may_be_stale(verdicts)
    newer = told(town(), Said(key_added(NANJING, 9)))
    (again,) = stages.judged_again(share, newer, AT_MS)
    assert isinstance(again, Judged)
    (other,) = stages.begin([broken], town())
    assert not may_be_stale(stages.judged(other, town(), AT_MS))


def test_numbers_are_given_by_the_registry_that_judged(stages: Stages) -> None:
    (share,) = stages.begin([proposed(sealed(number=1))], town())
    sequencing = Sequencing("t.clues/0", Numbers(), {})
    stages.number(stages.judged(share, town(), AT_MS), sequencing, town(), AT_MS, everybody_has)
    assert f"members: {town().size}\n".encode() in sequencing.admitted[0].entry


def test_each_member_event_is_judged_by_all_before_it(stages: Stages) -> None:
    agreement = agreement_proposed(members=("320000", "330000"))
    said = [
        (founded(), OPERATOR),
        (registered(NANJING), OPERATOR),
        (signed(agreement), NANJING),  # too early: no key, no agreement
        (key_added(NANJING), OPERATOR),
        (registered(HANGZHOU), OPERATOR),
        (key_added(HANGZHOU), OPERATOR),
        (agreement, OPERATOR),
        (signed(agreement), NANJING),
        (registered(POLICE), NANJING),  # not the operator
        (signed(agreement), HANGZHOU),
    ]
    (share,) = stages.begin([member(event, source, n) for n, (event, source) in enumerate(said)], EMPTY)
    sequencing = Sequencing("t.members/0", Numbers(), {})
    registry = stages.decide_members(share, sequencing, EMPTY, AT_MS, everybody_has)
    outcomes = [answer.item["code"] for answer in sequencing.answers]
    assert outcomes == [None, None, "unknown-key", None, None, None, None, None, "not-authorised", None]
    assert registry.size == len(sequencing.admitted) == 8
    assert registry.in_force("delta@1", AT_MS).digest == digest_of(agreement)
    for event in sequencing.admitted:
        assert f"seq: {event.seq}\nmembers: {event.seq}\n".encode() in event.entry


def test_what_was_said_before_does_not_grow_the_registry_again(stages: Stages) -> None:
    record = member(founded())
    (share,) = stages.begin([record, record], EMPTY)
    sequencing = Sequencing("t.members/0", Numbers(), {})
    assert stages.decide_members(share, sequencing, EMPTY, AT_MS, everybody_has).size == 1
    assert [answer.item["outcome"] for answer in sequencing.answers] == ["admitted", "duplicate"]


def test_a_schema_that_cannot_be_asked_for_stops_the_batch() -> None:
    class Away:
        def with_id(self, _schema_id: int) -> None:
            raise Transient("away")

    stages = Stages({"t.clues.in": CLUES}, Away(), JUDGE, Verifiers(0, root()))  # type: ignore[arg-type]
    with pytest.raises(Transient):
        stages.begin([proposed(sealed())], town())


def test_who_has_no_inbox_is_not_answered(stages: Stages) -> None:
    (share,) = stages.begin([proposed(sealed(number=1), value=b"")], town())
    sequencing = Sequencing("t.clues/0", Numbers(), {})
    verdicts = stages.judged(share, town(), AT_MS)
    assert isinstance(verdicts[0], Refusal)
    stages.number(verdicts, sequencing, town(), AT_MS, lambda source, registry: source in registry.participants)
    assert [answer.source for answer in sequencing.answers] == [NANJING]
    nobody = Sequencing("t.clues/0", Numbers(), {})
    stages.number(verdicts, nobody, EMPTY, AT_MS, lambda source, registry: source in registry.participants)
    assert nobody.answers == []
    assert len(nobody.kept) == 1
    assert Refused("x", "y").code == "x"
