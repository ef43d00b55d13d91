import asyncio

import pytest

from services.events.receipt import OutcomeItem
from services.gateway.waits import Awaited, Waits, supersedes

NANJING = "320100.market_regulator"
ID = "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"
ONE, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def outcome(kind: str, statement: str | None = ONE) -> OutcomeItem:
    return OutcomeItem(event=ID, outcome=kind, statement=statement)  # type: ignore[arg-type]


def test_who_waits_gets_the_outcome_of_its_own_statement_and_not_that_of_another_with_the_same_id() -> None:
    async def run() -> tuple[OutcomeItem, OutcomeItem]:
        waits = Waits()
        mine, theirs = waits.expect(Awaited(NANJING, ID, ONE)), waits.expect(Awaited(NANJING, ID, OTHER))
        waits.resolve(NANJING, [outcome("admitted", ONE)])
        assert not theirs.done()
        waits.resolve(NANJING, [outcome("conflict", OTHER)])
        return await mine, await theirs

    mine, theirs = asyncio.run(run())
    assert (mine.outcome, theirs.outcome) == ("admitted", "conflict")


def test_an_outcome_without_a_statement_answers_everyone_who_waits_for_that_id() -> None:
    async def run() -> str:
        waits = Waits()
        future = waits.expect(Awaited(NANJING, ID, ONE))
        waits.resolve(NANJING, [outcome("refused", None)])
        return (await future).outcome

    assert asyncio.run(run()) == "refused"


def test_an_outcome_told_to_another_source_answers_nobody() -> None:
    async def run() -> bool:
        waits = Waits()
        future = waits.expect(Awaited(NANJING, ID, ONE))
        waits.resolve("330100.police", [outcome("admitted")])
        return future.done()

    assert asyncio.run(run()) is False


def test_a_wait_that_ended_leaves_nothing_behind() -> None:
    async def run() -> int:
        waits = Waits()
        awaited = Awaited(NANJING, ID, ONE)
        first, second = waits.expect(awaited), waits.expect(awaited)
        waits.forget(awaited, first)
        assert len(waits) == 1
        waits.forget(awaited, second)
        waits.forget(awaited, second)
        return len(waits)

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        (["admitted", "duplicate"], "admitted"),
        (["admitted", "conflict"], "admitted"),
        (["refused", "admitted"], "admitted"),
        (["refused", "conflict"], "refused"),
        (["duplicate", "admitted"], "admitted"),
        (["admitted", "refused"], "admitted"),
    ],
)
def test_the_outcome_that_is_remembered_is_the_one_that_says_what_became_of_the_event(
    kinds: list[str], kept: str
) -> None:
    waits = Waits()
    waits.resolve(NANJING, [outcome(kind) for kind in kinds])

    found = waits.recent(NANJING, ID)
    assert found is not None
    assert found.outcome == kept
    assert supersedes("admitted", "refused")


def test_only_so_many_outcomes_are_remembered() -> None:
    waits = Waits(recent_limit=2)
    waits.resolve(NANJING, [OutcomeItem(event=str(n), outcome="admitted") for n in range(5)])

    assert waits.recent(NANJING, "2") is None
    assert waits.recent(NANJING, "4") is not None
