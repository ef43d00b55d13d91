"""An auditor computes the clocks of a case from what organs said, as each party's node does, and names what was told otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.node import case_report
from connectors.node.config import NodeConfig
from services.audit.verdicts import VerdictsReport, compute
from services.codec.envelope import frame
from services.events.notice import ClockExpired, ClockStarted
from services.events.transfer import MoveHadNoEffect
from services.kernel.errors import Refused
from services.runtime.fold import Emission
from services.runtime.records import RawRecord
from tests.unit.connectors.node.test_casebook import DAY_MS, opened
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node_rig import Rig
from tests.unit.connectors.small_exchange import HANGZHOU, NAME, NANJING, OPERATOR, SmallExchange, signer_of
from tests.unit.connectors.small_transfers import SUBJECT, SmallRoom, answer, move, request
from tests.unit.services.audit.vault import Vault

Bend = Callable[[Emission], Emission | None]


def source_of(exchange: SmallExchange) -> Vault:
    """The logs of the small exchange, as an auditor reads them."""
    made = Vault(exchange=NAME, root=signer_of(OPERATOR).public, horizon_ms=exchange.clock.now_ms())
    for log, envelopes in (("members", exchange.members), *exchange.by_log().items()):
        topic, _, partition = f"{NAME}.{log}".partition("/")
        place = (topic, int(partition or 0))
        made.logged[f"{place[0]}/{place[1]}"] = [
            RawRecord(*place, offset, envelope.headers(), frame(1, envelope.body))
            for offset, envelope in enumerate(envelopes)
        ]
    return made


def case(tmp_path: Path, bend: Bend | None = None) -> tuple[Vault, list[dict[str, Any]]]:
    """A case of assistance that is opened twice, warned of, late, finished after all; and what both nodes show of it."""
    shown: list[dict[str, Any]] = []

    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange, bend)
        await opened(rig, room)
        rig.seats[NANJING].city.happenings.append(request(lsh="again", fssj="2026-09-21 10:00:01"))
        await rig.turn(2)
        room.work()
        rig.clock.advance(30 * DAY_MS)
        room.work()
        await rig.turn(2)
        rig.seats[HANGZHOU].city.happenings = [answer("WANCHENGXIEZHU", "1", "2026-10-20T10:00:00+08:00")]
        await rig.turn(3)
        room.work()
        await rig.turn(2)
        rig.clock.advance(DAY_MS)
        members = [{"id": NANJING, "key_file": "a"}, {"id": HANGZHOU, "key_file": "b"}]
        config = NodeConfig(node={"name": "both"}, participants=members)  # type: ignore[arg-type]
        now_ms = rig.clock.now_ms()
        shown.extend(
            await rig.journal.change(
                lambda change: case_report.cases(config, change.db, rig.book, case=SUBJECT, at_ms=now_ms)
            )
        )

    exchange = play(tmp_path, work, NANJING, HANGZHOU)
    return source_of(exchange), shown


def report(made: Vault, only: str | None = None) -> VerdictsReport:
    return compute(made, only, made.horizon_ms)


def codes(found: VerdictsReport) -> list[str]:
    return [finding.code for finding in found.findings]


def test_auditor_and_both_nodes_give_the_same_bytes_and_the_exchange_told_the_same(tmp_path: Path) -> None:
    made, shown = case(tmp_path)
    found = report(made, SUBJECT)
    assert codes(found) == []
    assert found.compared == 5  # four of the clock, and that the second opening had no effect
    (one,) = found.cases
    assert [row["digest"] for row in shown] == [one.digest, one.digest]
    assert [row["participant"] for row in shown] == [NANJING, HANGZHOU]
    assert [row["verdicts"] for row in shown] == [one.document, one.document]
    assert [(clock["clock"], clock["state"]) for clock in one.document["clocks"]] == [("A8/1", "late")]
    assert all(row["whole"] and row["party"] and not row["differs"] and row["told"] == 4 for row in shown)
    assert json.dumps(report(made).cases[0].document) == json.dumps(one.document)


def later(emission: Emission) -> Emission:
    event = emission.event
    if not isinstance(event, ClockExpired):
        return emission
    return replace(emission, event=replace(event, verdict=replace(event.verdict, state="running")))


def elsewhere(emission: Emission) -> Emission:
    return replace(emission, ordinal=99) if isinstance(emission.event, ClockStarted) else emission


def silent(emission: Emission) -> Emission | None:
    return None if isinstance(emission.event, ClockExpired) else emission


def mute(emission: Emission) -> Emission | None:
    return None if isinstance(emission.event, MoveHadNoEffect) else emission


def misjudged(emission: Emission) -> Emission:
    event = emission.event
    if not isinstance(event, MoveHadNoEffect):
        return emission
    return replace(emission, event=replace(event, rule="case_closed"))


@pytest.mark.parametrize(
    ("bend", "expected", "words"),
    [
        (later, ["verdict-differs"], "A8/1 of TR-320100-2026-000041: state was told 'running', it is 'expired'"),
        (elsewhere, ["verdict-missing", "verdict-invented"], "A8/1 of TR-320100-2026-000041"),
        (silent, ["verdict-missing"], "follows and is in no log"),
        (mute, ["verdict-missing"], "has no effect, and no log says so"),
        (misjudged, ["verdict-differs"], "is said to be forbidden by case_closed"),
    ],
)
def test_what_the_exchange_told_otherwise_is_named(tmp_path: Path, bend: Bend, expected: list[str], words: str) -> None:
    made, shown = case(tmp_path, bend)
    found = report(made)
    assert sorted(codes(found)) == sorted(expected)
    assert words in " ".join(finding.sentence for finding in found.findings)
    assert found.cases[0].digest == shown[0]["digest"]
    of_clocks = bend in (later, elsewhere)
    assert [bool(row["differs"]) for row in shown] == [of_clocks, of_clocks]


def test_the_verdict_is_as_of_the_time_asked_for(tmp_path: Path) -> None:
    made, _ = case(tmp_path)
    documents = [compute(made, SUBJECT, at_ms).cases[0].document for at_ms in (made.horizon_ms, made.horizon_ms + 1)]
    assert documents[0]["at"] != documents[1]["at"]
    assert documents[0]["clocks"] == documents[1]["clocks"]


def test_what_is_not_there_or_does_not_begin_at_the_founding_is_refused(tmp_path: Path) -> None:
    made, _ = case(tmp_path)
    with pytest.raises(Refused) as absent:
        report(made, "TR-320100-2026-999999")
    assert absent.value.code == "not-found"
    made.firsts[next(log for log in made.logged if "transfers" in log)] = 1
    with pytest.raises(Refused) as later_on:
        report(made)
    assert later_on.value.code == "not-in-log"


def test_an_entry_that_cannot_be_read_is_one_finding(tmp_path: Path) -> None:
    made, _ = case(tmp_path)
    log = next(log for log, held in made.logged.items() if "transfers" in log and held)
    made.logged[log][0] = replace(made.logged[log][0], value=b"?")
    assert codes(report(made)).count("not-foldable") == 1


def test_a_withdrawn_case_is_computed_alike(tmp_path: Path) -> None:
    shown: list[dict[str, Any]] = []

    async def work(rig: Rig) -> None:
        room = SmallRoom(rig.exchange)
        await opened(rig, room)
        rig.clock.advance(7_200_000)
        rig.seats[NANJING].city.happenings.append(move("CH", "2"))
        await rig.turn(3)
        room.work()
        await rig.turn(2)
        config = NodeConfig(node={"name": "b"}, participants=[{"id": HANGZHOU, "key_file": "b"}])  # type: ignore[arg-type]
        now_ms = rig.clock.now_ms()
        shown.extend(
            await rig.journal.change(
                lambda change: case_report.cases(config, change.db, rig.book, case=None, at_ms=now_ms)
            )
        )

    found = report(source_of(play(tmp_path, work, NANJING, HANGZHOU)))
    assert codes(found) == []
    assert [row["digest"] for row in shown] == [found.cases[0].digest]
    assert [clock["state"] for clock in found.cases[0].document["clocks"]] == ["ended"]
