"""What replies mean: success only with a reference, business refusals by table, and everything else is tried again."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.dialect import load_dialect
from connectors.kit.port import Accepted, Declined, Fault, TryLater
from connectors.rest.replies import ReplyRules, compile_replies, judge, read_object, retry_after_s
from connectors.rest.system import business_codes, compile_system
from services.codec.http import Reply
from services.kernel.errors import BadSettings

FLAT = compile_system(load_dialect("320100").system, "320100").reply
NESTED = compile_system(load_dialect("330100").system, "330100").reply
PLAIN = ReplyRules(reference="id", reason="why", refused_codes={"422": "bad-value", "*": "other"})


def said(document: Any, status: int = 200, **headers: str) -> Reply:
    body = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return Reply(status, headers, body)


def flat(code: Any, data: Any = None, msg: str = "x") -> Reply:
    return said({"code": code, "msg": msg, "data": data})


def test_success_with_a_reference_is_accepted() -> None:
    assert judge(FLAT, flat("0", {"slbh": "NJ-1"})) == Accepted("NJ-1")
    assert judge(FLAT, flat(0, {"slbh": 17})) == Accepted("17")
    assert judge(NESTED, said({"jieguo": {"zhuangtai": "CHENGGONG"}, "shouliBianhao": "HZ-1"}, 201)) == Accepted("HZ-1")
    assert judge(PLAIN, said({"id": "1"}, 201)) == Accepted("1")


@pytest.mark.parametrize(
    "reply",
    [
        flat("0"),
        flat("0", {}),
        flat("0", {"slbh": ""}),
        flat("0", {"slbh": None}),
        flat("0", {"slbh": {"a": 1}}),
        flat("0", {"slbh": True}),
        flat("0", {"slbh": "x" * 129}),
        flat("0", {"slbh": "a\nb"}),
        flat("0", "NJ-1"),
        flat(None, {"slbh": "NJ-1"}),
        said({"data": {"slbh": "NJ-1"}}),
        said(b""),
        said(b"<html>"),
        said(b'{"code":"0","data":{"slbh":"NJ'),
        said(["0"]),
        said(b'{"code":"0","data":{"slbh":NaN}}'),
        said(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
        said({"code": "0", "data": {"slbh": "NJ-1"}}, 204),
        said({"code": "0", "data": {"slbh": "NJ-1"}}, 302),
        said({"code": "0", "data": {"slbh": "NJ-1"}}, 404),
        said({"code": "0", "data": {"slbh": "NJ-1"}}, 400),
    ],
)
def test_nonsense_is_never_taken_for_success(reply: Reply) -> None:
    answer = judge(FLAT, reply)
    assert isinstance(answer, TryLater)
    assert answer.fault is Fault.NONSENSE


def test_a_business_refusal_is_declined_with_the_words_of_the_system() -> None:
    assert judge(FLAT, flat("1001", {"zdm": "fsdqh"}, "不属于本机关管辖")) == Declined(
        "not-our-jurisdiction", "1001", "不属于本机关管辖", "fsdqh"
    )
    refused = {"jieguo": {"zhuangtai": "JUJUE", "daima": "E1002", "shuoming": "标题不能为空", "ziduan": "biaoti"}}
    assert judge(NESTED, said(refused, 422)) == Declined("incomplete", "E1002", "标题不能为空", "biaoti")
    assert judge(PLAIN, said({"why": "no"}, 422)) == Declined("bad-value", None, "no")
    assert judge(PLAIN, said({}, 404)) == Declined("other", None, "HTTP 404")


def test_a_code_without_a_line_is_other_where_the_table_says_so_and_nonsense_where_not() -> None:
    assert judge(FLAT, flat("7777")) == Declined("other", "7777", "x")
    strict = compile_replies({"code": "c", "success_codes": ["0"], "reference": "r"}, business_codes(), "here")
    assert isinstance(judge(strict, said({"c": "5"})), TryLater)


def test_a_refusal_without_a_code_is_nonsense() -> None:
    assert isinstance(judge(NESTED, said({"jieguo": {"zhuangtai": "JUJUE"}}, 422)), TryLater)


def test_not_now_is_not_a_refusal() -> None:
    for reply in (flat("9999"), said({}, 500), said(b"<html>", 503), said({}, 408)):
        answer = judge(FLAT, reply)
        assert isinstance(answer, TryLater)
        assert answer.fault is Fault.SERVER_ERROR


def test_a_system_that_says_how_long_to_wait_is_heeded_within_reason() -> None:
    answer = judge(FLAT, said({}, 429, **{"retry-after": "7"}))
    assert answer == TryLater(Fault.THROTTLED, "429", 7.0)
    assert retry_after_s({"retry-after": "999999"}) == 3600
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}) is None
    assert retry_after_s({}) is None


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_refused_proof_is_not_a_refused_document(status: int) -> None:
    answer = judge(FLAT, said({"code": "1001"}, status))
    assert isinstance(answer, TryLater)
    assert answer.fault is Fault.UNAUTHORISED


def test_a_reason_is_cut_and_long_numbers_are_masked() -> None:
    answer = judge(FLAT, flat("1002", None, f"举报人\n电话13800000000，证件32010619900307123X {'长' * 300}"))
    assert isinstance(answer, Declined)
    assert answer.reason.startswith("举报人 电话***，证件*** 长")
    assert len(answer.reason) == 200


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(100, 599))
def test_no_reply_makes_it_raise_and_bytes_that_say_nothing_are_no_success(body: bytes, status: int) -> None:
    assert not isinstance(judge(FLAT, Reply(status, {}, body)), Accepted)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "data", "msg"]), inner),
        max_leaves=8,
    )
)
def test_only_code_zero_and_a_reference_make_success(document: Any) -> None:
    assert not isinstance(judge(FLAT, said(document)), Accepted)


def test_only_objects_are_read() -> None:
    assert read_object(b'{"a":1}') == {"a": 1}
    assert read_object(b"[1]") is None
    assert read_object(b"\xff") is None


@pytest.mark.parametrize(
    "rows",
    [
        {"succes_status": [200]},
        {"code": "c"},
        {"code": "c", "success_codes": ["0"], "refused_codes": {"1": "no-such-code"}},
    ],
)
def test_a_table_that_is_wrong_is_a_bad_setting(rows: dict[str, Any]) -> None:
    with pytest.raises(BadSettings, match="here"):
        compile_replies(rows, business_codes(), "here")
