"""What every connector promises: one suite, run on the fake in memory and on the real REST connector before a real system.

A ``Subject`` is a connector and the levers of the system behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from connectors.kit.port import Accepted, CityAway, CitySystem, Declined, Message, TryLater


class Subject(Protocol):
    """A connector under test and its system."""

    city: CitySystem

    def message(self, title: str) -> Message:
        """A document that the system takes."""

    def happen(self, count: int) -> None:
        """So many new things happen in the system."""

    def fail(self) -> None:
        """The system is away from now on."""

    def recover(self) -> None:
        """It is back."""

    def refuse_once(self) -> None:
        """It refuses the next document for a business reason."""

    def held(self) -> list[tuple[str, str, int]]:
        """Key, reference and delivery number of every document that it holds."""


Make = Callable[[], AbstractContextManager[Subject]]
_ids: list[int] = [0]


def _key() -> str:
    _ids[0] += 1
    return f"01923c00-0000-7000-8000-{_ids[0]:012d}"


class CitySuite:
    """Inherit and give ``make``."""

    @pytest.fixture
    def subject(self) -> Any:
        """A fresh connector."""
        with self.make() as made:  # type: ignore[attr-defined]
            yield made

    def run(self, coroutine: Any) -> Any:
        """Turns the event loop of the subject."""
        return asyncio.run(coroutine)

    def test_a_document_is_taken_and_named(self, subject: Subject) -> None:
        key = _key()
        answer = self.run(subject.city.push(subject.message("甲"), idempotency_key=key, delivery_number=7))
        assert isinstance(answer, Accepted)
        assert (key, answer.reference, 7) in subject.held()

    def test_the_same_key_is_taken_once_and_gets_the_same_name(self, subject: Subject) -> None:
        key = _key()

        async def twice() -> list[Any]:
            return [
                await subject.city.push(subject.message("甲"), idempotency_key=key, delivery_number=1) for _ in range(3)
            ]

        answers = self.run(twice())
        assert len(set(answers)) == 1
        assert isinstance(answers[0], Accepted)
        assert [held for held, _, _ in subject.held()].count(key) == 1

    def test_different_keys_are_different_documents(self, subject: Subject) -> None:
        async def two() -> list[Any]:
            return [
                await subject.city.push(subject.message("乙"), idempotency_key=_key(), delivery_number=n)
                for n in (1, 2)
            ]

        first, second = self.run(two())
        assert first.reference != second.reference

    def test_a_business_refusal_is_declined_with_both_codes_and_holds_nothing(self, subject: Subject) -> None:
        subject.refuse_once()
        answer = self.run(subject.city.push(subject.message("丙"), idempotency_key=_key(), delivery_number=1))
        assert isinstance(answer, Declined)
        assert answer.code == "not-our-jurisdiction"
        assert answer.city_code
        assert answer.reason
        assert subject.held() == []

    def test_a_system_that_is_away_is_tried_later_and_never_raises(self, subject: Subject) -> None:
        subject.fail()
        answer = self.run(subject.city.push(subject.message("丁"), idempotency_key=_key(), delivery_number=1))
        assert isinstance(answer, TryLater)
        subject.recover()
        assert subject.held() == []

    def test_a_pull_of_a_system_that_is_away_says_so(self, subject: Subject) -> None:
        subject.fail()
        with pytest.raises(CityAway):
            self.run(subject.city.pull(""))

    def test_happenings_come_in_order_each_once_over_pages(self, subject: Subject) -> None:
        subject.happen(7)

        async def all_pages() -> list[Any]:
            cursor, found, more = "", [], True
            while more:
                page = await subject.city.pull(cursor)
                assert len(page.items) <= 3
                found += page.items
                cursor, more = page.cursor, page.more
            assert (await subject.city.pull(cursor)).items == ()
            await subject.city.ack(cursor)
            return found

        found = self.run(all_pages())
        assert len(found) == 7
        keys = [item["lsh"] for item in found]
        assert len(set(keys)) == 7
        assert keys == sorted(keys, key=int)

    def test_the_same_cursor_gives_the_same_happenings(self, subject: Subject) -> None:
        subject.happen(2)

        async def again() -> tuple[Any, Any]:
            return await subject.city.pull(""), await subject.city.pull("")

        first, second = self.run(again())
        assert first.items == second.items
        assert first.cursor == second.cursor

    def test_nothing_new_leaves_the_cursor_where_it_is(self, subject: Subject) -> None:
        page = self.run(subject.city.pull("5"))
        assert page.items == ()
        assert page.cursor == "5"

    def test_health_tells_a_system_that_is_there_from_one_that_is_not(self, subject: Subject) -> None:
        assert self.run(subject.city.health()).reachable is True
