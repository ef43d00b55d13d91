import json

import pytest

from services.gateway.problems import BatchRefused, Problem, RateLimited, RefusalTable, load_refusals, problem_of
from services.kernel.codes import CodeTables, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Corrupt, IpxError, Refused, Transient

TRACE = "a" * 32


@pytest.fixture(scope="module")
def refusals() -> RefusalTable:
    return load_refusals(load_code_tables(SCHEMAS_DIR / "codes"))


def document(refusals: RefusalTable, error: IpxError) -> dict[str, object]:
    return dict(json.loads(refusals.reply(problem_of(error), TRACE).body))


def test_a_refusal_says_code_field_status_and_what_it_means_in_both_languages(refusals: RefusalTable) -> None:
    reply = refusals.reply(problem_of(Refused("bad-field", "expected a USCC", field="uscc")), TRACE)

    assert (reply.status, reply.content_type) == (422, b"application/problem+json")
    assert json.loads(reply.body) == {
        "type": "/v1/codes/refusal_codes#bad-field",
        "title": "a field is not of the form expected",
        "title_zh": "字段格式错误",
        "status": 422,
        "code": "bad-field",
        "field": "uscc",
        "detail": "expected a USCC",
        "instance": f"urn:ipx:trace:{TRACE}",
    }


def test_every_code_of_the_table_has_a_status_of_an_error(refusals: RefusalTable) -> None:
    tables = load_code_tables(SCHEMAS_DIR / "codes")
    for code in {row.code for row in tables["refusal_codes"].rows}:
        assert code in refusals
        assert 400 <= refusals[code].status < 600


@pytest.mark.parametrize("error", [Transient("Kafka at 10.0.0.3 is away"), Corrupt("entry 7 of ipx.clues/3 is wrong")])
def test_a_fault_of_ours_is_unavailable_and_tells_nothing_of_the_inside(
    refusals: RefusalTable, error: IpxError
) -> None:
    told = document(refusals, error)

    assert (told["code"], told["status"]) == ("unavailable", 503)
    assert "10.0.0.3" not in str(told)
    assert "clues" not in str(told)


def test_who_may_try_again_is_told_when(refusals: RefusalTable) -> None:
    limited = refusals.reply(problem_of(RateLimited("too many", 3.2)), TRACE)
    away = refusals.reply(problem_of(Transient("away")), TRACE)

    assert (limited.status, dict(limited.headers)[b"retry-after"]) == (429, b"4")
    assert dict(away.headers)[b"retry-after"] == b"2"
    assert refusals.reply(Problem("not-found", "x"), TRACE).headers == ()


def test_a_caller_without_proof_is_told_how_to_prove_itself(refusals: RefusalTable) -> None:
    reply = refusals.reply(problem_of(Refused("unauthenticated", "x")), TRACE)

    assert (reply.status, dict(reply.headers)[b"www-authenticate"]) == (401, b'Bearer realm="ipx"')


def test_a_batch_that_is_refused_names_each_event_that_is_at_fault(refusals: RefusalTable) -> None:
    items = ({"index": 3, "id": None, "code": "bad-attribute"},)
    told = document(refusals, BatchRefused(Refused("bad-attribute", "line 2", field="id"), items))

    assert (told["code"], told["field"], told["items"]) == ("bad-attribute", "id", [dict(items[0])])


def test_a_code_that_is_not_in_the_table_is_not_shown(refusals: RefusalTable) -> None:
    assert document(refusals, Refused("made-up", "x"))["code"] == "unavailable"


def test_a_table_without_the_fallback_stops_the_start() -> None:
    with pytest.raises(BadSettings):
        RefusalTable([])
    with pytest.raises(BadSettings):
        load_refusals(CodeTables({}))
