"""The API document against the running gateway: every route in it, every example sent, every reply of the shape it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.app import Handlers, route_table
from tests.broker.gateway_running import Client, Genesis, RunningGateway, SmallAdmission, running_gateway, until
from tests.contracts.test_openapi_examples import HANGZHOU, NANJING, signer_of

VERBS = {"get", "post"}


@pytest.fixture(scope="module")
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        genesis = Genesis(made)
        genesis.found(NANJING, HANGZHOU)
        genesis.add_key(NANJING, signer_of(NANJING))
        yield made


@pytest.fixture(scope="module")
def gateway(exchange) -> Iterator[RunningGateway]:
    with SmallAdmission(exchange), running_gateway(exchange) as running:
        yield running


@pytest.fixture(scope="module")
def document(gateway) -> dict[str, Any]:
    found: dict[str, Any] = gateway.get("/openapi.json").json()
    return found


@pytest.fixture
def nanjing(gateway, exchange) -> Client:
    return Client(gateway, exchange, NANJING)


def faults(value: Any, schema: dict[str, Any], components: dict[str, Any], at: str = "$") -> list[str]:
    """Where a value is not of a schema, for the few keywords that the document uses; an unknown keyword is a fault."""
    known = {"$ref", "type", "description", "pattern", "enum", "minimum", "maximum", "required", "properties"}
    known |= {"additionalProperties", "items", "minItems", "format", "contentEncoding", "default"}
    found = [f"{at}: keyword {word}" for word in set(schema) - known]
    if "$ref" in schema:
        return found + faults(value, components[schema["$ref"].rpartition("/")[2]], components, at)
    if "type" not in schema:
        return found
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if not isinstance(value, kinds[schema["type"]]) or isinstance(value, bool) != (schema["type"] == "boolean"):
        return [*found, f"{at}: expected {schema['type']}, got {type(value).__name__}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        found.append(f"{at}: {value!r} is not of {schema['pattern']}")
    if "minimum" in schema and value < schema["minimum"]:
        found.append(f"{at}: {value} is below {schema['minimum']}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{at}: {name} is not told" for name in value if name not in properties]
        for name in value.keys() & properties.keys():
            found += faults(value[name], properties[name], components, f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            found += faults(item, schema["items"], components, f"{at}[{index}]")
    return found


def answered_as_told(document: dict[str, Any], path: str, verb: str, reply: Any) -> None:
    told = document["paths"][path][verb]["responses"]
    assert str(reply.status) in told, (path, reply.status, reply.body[:300])
    content = told[str(reply.status)]["content"]
    kind = reply.headers["content-type"].partition(";")[0]
    assert kind in content, (path, kind)
    if kind != "text/plain":
        assert faults(reply.json(), content[kind]["schema"], document["components"]["schemas"]) == []


def test_the_document_is_openapi_3_1_and_its_references_and_operations_are_whole(document, gateway) -> None:
    assert document["openapi"].startswith("3.1.")
    text = json.dumps(document)
    components = document["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= set(components)
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert verb in VERBS
            assert operation["summary"]
            assert set(re.findall(r"{(\w+)}", path)) == {
                p["name"] for p in operation["parameters"] if p["in"] == "path"
            }
    assert [server["url"] for server in document["servers"]] == [gateway.url]


def test_the_document_has_every_route_and_no_other(document) -> None:
    names = (
        "publishing",
        "inbox",
        "status",
        "evidence",
        "cases",
        "members",
        "catalogue",
        "logs",
        "cosignatures",
        "probes",
        "pages",
    )
    anything = type("Anything", (SimpleNamespace,), {"__getattr__": lambda self, name: None})()
    routes = route_table(Handlers(**dict.fromkeys(names, anything)))
    served = {(route.path, route.method.lower()) for route in routes}
    told = {(path, verb) for path, operations in document["paths"].items() for verb in operations}

    assert served - told == {("/openapi.json", "get"), ("/docs", "get"), ("/docs/{name}", "get")}
    assert told <= served


def test_every_example_of_a_reply_is_of_the_shape_that_is_told(document) -> None:
    components, checked = document["components"]["schemas"], 0
    for operations in document["paths"].values():
        for operation in operations.values():
            bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in [c for body in bodies for c in body.get("content", {}).values()]:
                for example in content.get("examples", {}).values():
                    assert faults(example["value"], content["schema"], components) == []
                    checked += 1
    assert checked >= 9


def test_every_example_of_a_request_is_taken_by_the_running_gateway(document, nanjing) -> None:
    operation = document["paths"]["/v1/events"]["post"]
    sent = 0
    for kind, content in operation["requestBody"]["content"].items():
        for name, example in content.get("examples", {}).items():
            headers = {}
            if name == "binary":
                headers = {p["name"]: p["example"] for p in operation["parameters"] if p["in"] == "header"}
            body = json.dumps(example["value"]).encode()
            taken = nanjing.post(body, kind, **headers)
            assert taken.status == 202, (kind, taken.body)
            answered_as_told(document, "/v1/events", "post", taken)
            waited = nanjing.post(body, kind, wait=20, **headers)
            assert waited.status == 200
            answered_as_told(document, "/v1/events", "post", waited)
            sent += 1
    assert sent == 3


def test_every_route_answers_as_told_to_who_may_and_to_who_may_not(document, nanjing, gateway, exchange) -> None:
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if verb == "post":
                continue
            examples = {p["name"]: p["example"] for p in operation["parameters"] if p["in"] == "path"}
            url = path.format(**examples)
            answered_as_told(document, path, verb, nanjing.get(url))
            anonymous = gateway.get(url)
            answered_as_told(document, path, verb, anonymous)
            assert (anonymous.status == 401) == bool(operation["security"])
    hangzhou = Client(gateway, exchange, HANGZHOU)
    until(lambda: hangzhou.inbox("start", limit=1000)["items"] != [])
    answered_as_told(document, "/v1/inbox", "get", hangzhou.get("/v1/inbox", {"after": "start", "limit": "5"}))
    answered_as_told(document, "/v1/inbox", "get", hangzhou.get("/v1/inbox", {"after": "?"}))
    answered_as_told(document, "/v1/events/{id}", "get", hangzhou.get("/v1/events/none"))


def test_the_example_whose_status_is_shown_has_one(document, nanjing) -> None:
    event = document["paths"]["/v1/events/{id}"]["get"]["parameters"][0]["example"]
    reply = nanjing.get(f"/v1/events/{event}")

    assert reply.status == 200
    assert reply.json()["outcome"]["outcome"] == "admitted"


def test_the_page_and_all_it_loads_come_from_the_gateway_and_its_policy_allows_no_other_host(gateway) -> None:
    page = gateway.get("/docs")
    assert page.status == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http" not in page.headers["content-security-policy"]
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    assert parts
    for part in parts:
        assert part.startswith("/docs/") or part == "/openapi.json"
        assert gateway.get(part).status == 200
    assert "<script>" not in page.body.decode()
    assert gateway.get("/docs/..%2f__init__.py").status == 404


def test_the_page_shows_the_one_document_there_is_with_its_true_version(document, gateway) -> None:
    assert document["openapi"].startswith("3.1")
    start = gateway.get("/docs/start.js").body.decode()
    assert 'fetch("/openapi.json")' in start
    assert "`OpenAPI ${told.openapi}`" in start
    assert gateway.get("/docs/openapi.json").status == 404
