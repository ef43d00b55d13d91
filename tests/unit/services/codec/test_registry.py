"""The registry client: the Confluent API asked rightly, and answers that are nonsense stood."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.codec.http import HttpClient
from services.codec.registry import SchemaRegistry
from services.kernel.errors import Refused, Transient
from tests.unit.services.codec.samples import SCHEMA

BASE = "http://registry.test/apis/ccompat/v7"


class Fake:
    """Answers in order and keeps what was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.method, request.url.raw_path.decode(), body))
        status, answer = self.answers.pop(0)
        return httpx.Response(status, content=answer if isinstance(answer, bytes) else json.dumps(answer))


def registry(fake: Fake) -> SchemaRegistry:
    return SchemaRegistry(BASE, http=HttpClient(BASE, transport=httpx.MockTransport(fake)))


def test_a_schema_is_registered_under_its_record_name() -> None:
    fake = Fake((200, {"id": 7}))
    assert registry(fake).register("cn.ipx.clue.ThingSeen", "{}") == 7
    path = "/apis/ccompat/v7/subjects/cn.ipx.clue.ThingSeen/versions"
    assert fake.asked == [("POST", path, {"schema": "{}"})]


@pytest.mark.parametrize("status", [409, 422])
def test_an_incompatible_schema_is_refused(status: int) -> None:
    with pytest.raises(Refused) as caught:
        registry(Fake((status, {"message": "READER_FIELD_MISSING"}))).register("x", "{}")
    assert caught.value.code == "incompatible-schema"
    assert "READER_FIELD_MISSING" in caught.value.message


def test_the_id_of_a_schema_is_asked_for_once() -> None:
    fake = Fake((200, {"id": 7, "subject": "x"}))
    asked = registry(fake)
    assert [asked.id_of(SCHEMA), asked.id_of(SCHEMA)] == [7, 7]
    assert fake.asked[0][:2] == ("POST", "/apis/ccompat/v7/subjects/cn.ipx.clue.ThingSeen")
    assert json.loads(fake.asked[0][2]["schema"]) == SCHEMA.json
    assert len(fake.asked) == 1


def test_a_schema_that_is_not_registered_is_refused_and_asked_for_again() -> None:
    asked = registry(Fake((404, {}), (200, {"id": 7})))
    with pytest.raises(Refused) as caught:
        asked.id_of(SCHEMA)
    assert caught.value.code == "unreleased-schema"
    assert asked.id_of(SCHEMA) == 7


def test_the_text_under_an_id_is_asked_for_every_time() -> None:
    fake = Fake((200, {"schema": "{}"}), (404, {}))
    asked = registry(fake)
    assert asked.schema_of(7) == "{}"
    with pytest.raises(Refused) as caught:
        asked.schema_of(7)
    assert caught.value.code == "unknown-schema"
    assert fake.asked[0] == ("GET", "/apis/ccompat/v7/schemas/ids/7", None)


def test_compatibility_is_set_and_read_per_subject() -> None:
    fake = Fake(
        (200, {"compatibility": "FULL_TRANSITIVE"}), (200, {"compatibilityLevel": "FULL_TRANSITIVE"}), (404, {})
    )
    asked = registry(fake)
    asked.set_compatibility("a/b", "FULL_TRANSITIVE")
    assert asked.compatibility("a/b") == "FULL_TRANSITIVE"
    assert asked.compatibility("a/b") is None
    assert [path for _, path, _ in fake.asked] == ["/apis/ccompat/v7/config/a%2Fb"] * 3


ASKS: list[Callable[[SchemaRegistry], Any]] = [
    lambda asked: asked.register("x", "{}"),
    lambda asked: asked.id_of(SCHEMA),
    lambda asked: asked.schema_of(7),
    lambda asked: asked.compatibility("x"),
    lambda asked: asked.subjects(),
]


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (503, b"<html>"),
        (429, {}),
        (200, b"<html>"),
        (200, b""),
        (200, b"[" * 100_000),
        (200, 7),
        (200, {}),
        (200, {"id": "7"}),
    ],
)
def test_a_registry_that_is_away_or_talks_nonsense_is_transient(
    ask: Callable[[SchemaRegistry], Any], answer: tuple[int, Any]
) -> None:
    with pytest.raises(Transient):
        ask(registry(Fake(answer)))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", [302, 400, 401, 403])
def test_a_registry_that_refuses_is_told_so(ask: Callable[[SchemaRegistry], Any], status: int) -> None:
    with pytest.raises(Refused) as caught:
        ask(registry(Fake((status, {"message": "no"}))))
    assert caught.value.code == "bad-request"


def test_the_subjects_are_listed() -> None:
    assert registry(Fake((200, ["a", "b"]))).subjects() == ["a", "b"]
