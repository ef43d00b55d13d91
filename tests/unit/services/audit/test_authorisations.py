"""An answer that is kept is the answer that asking anew gives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.authorisations import Authorisations
from services.audit.log_workers import Ground
from services.codec.entry import Entry
from services.events import to_value
from services.events.member import ParticipantSuspended
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Corrupt, Refused
from services.kernel.instants import format_instant, parse_instant
from services.members.authorise import deliveries
from services.members.history import History
from tests.unit.services.audit.vault import MEMBERS, ROUTES, story
from tests.unit.services.members import town

H = town.HOUR_MS
SUSPENDS = town.Said(ParticipantSuspended(participant=town.HANGZHOU, suspended_at=town.NOW_MS + 5 * H, reason="停"))
STORY = [*story(), SUSPENDS]
SCHEMA = town.released().named("cn.ipx.clue.ClueReported")


def history() -> History:
    made = History(log=MEMBERS, schema_of=town.released().with_digest, root=town.root())
    for seq, said in enumerate(STORY):
        made.append(town.record(said, seq))
    return made


HISTORY = history()


def entry(members: int, admitted_ms: int, time_ms: int, **changes: str) -> Entry:
    statement = town.statement(time=format_instant(time_ms), **changes)
    return Entry(statement, "x", format_instant(admitted_ms), "t.clues/0", 0, members, ())


def answer(asked: Any) -> Any:
    try:
        return asked()
    except (Refused, Corrupt) as error:
        return error.code


ENTRIES = st.builds(
    entry,
    members=st.sampled_from([0, 3, len(STORY) - 6, len(STORY) - 1, len(STORY), len(STORY) + 1]),
    admitted_ms=st.sampled_from([town.NOW_MS - 1, town.NOW_MS, town.NOW_MS + 4 * H, town.NOW_MS + 6 * H]),
    time_ms=st.sampled_from([town.NOW_MS - 1, town.NOW_MS + 1, town.NOW_MS + 2000 * H]),
    source=st.sampled_from([town.NANJING, town.HANGZHOU, town.STRANGER]),
    addressee=st.sampled_from(["-", town.HANGZHOU, town.XIHU, town.STRANGER, f"{town.HANGZHOU_IP},{town.HANGZHOU}"]),
    agreement=st.sampled_from(["-", town.REF, "other@1"]),
)


@settings(max_examples=150, deadline=None)
@given(entries=st.lists(ENTRIES, min_size=1, max_size=12), subtype=st.sampled_from(["online_listing", "public_report"]))
def test_every_answer_is_that_of_the_rule(entries: Sequence[Entry], subtype: str) -> None:
    asked = Authorisations(HISTORY, ROUTES)
    value = to_value(town.clue(subtype=subtype))
    for one in entries:
        time_ms = one.statement.time_ms
        admitted_ms = parse_instant(one.admitted)
        anew = answer(
            lambda one=one, time_ms=time_ms, admitted_ms=admitted_ms: deliveries(
                HISTORY.at(one.members),
                SCHEMA,
                one.statement,
                value,
                time_ms=time_ms,
                admitted_ms=admitted_ms,
                routes=ROUTES,
            )
        )
        kept = answer(lambda one=one, time_ms=time_ms: asked.recipients(one, SCHEMA, value, time_ms))
        assert kept == anew


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("members", [len(STORY) - 1, len(STORY)])
def test_an_answer_is_not_kept_past_what_it_depends_on(members: int, backwards: bool) -> None:
    asked = Authorisations(HISTORY, ROUTES)
    value = to_value(town.clue())
    admitted = (town.NOW_MS + 4 * H, town.NOW_MS - 1, town.NOW_MS + 6 * H)
    times = (town.NOW_MS + 1, town.NOW_MS + 2000 * H)
    entries = [entry(members, at, time_ms, addressee=town.HANGZHOU) for at in admitted for time_ms in times]
    for one in reversed(entries) if backwards else entries:
        assert answer(partial(asked.recipients, one, SCHEMA, value, one.statement.time_ms)) == by_the_rule(one, value)


def by_the_rule(one: Entry, value: dict[str, Any]) -> Any:
    times = {"time_ms": one.statement.time_ms, "admitted_ms": parse_instant(one.admitted)}
    return answer(lambda: deliveries(HISTORY.at(one.members), SCHEMA, one.statement, value, **times, routes=ROUTES))


def test_a_worker_reads_schemas_and_members_by_itself() -> None:
    records = tuple(
        (seq, town.record(said, seq).headers(), b"\x00\x00\x00\x00\x01" + town.record(said, seq).body)
        for seq, said in enumerate(STORY)
    )
    examiner = Ground(MEMBERS, records, town.root(), SCHEMAS_DIR).examiner()
    assert examiner is not None
