"""What the gateway says is brought into form or kept with the reason; nothing of it raises anything but Transient."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.node.wire import MOST_LOGS, Fault, LogLine, read_faults, read_inbox, read_logs, read_members
from services.codec.envelope import Envelope
from services.kernel.errors import Refused, Transient
from tests.unit.connectors.small_exchange import HANGZHOU, SmallExchange


def test_a_page_has_its_copies_in_order_and_its_cursor() -> None:
    page = read_inbox(json.dumps({"items": [{}, "x"], "cursor": "c"}).encode())
    assert page.cursor == "c"
    assert [copy.document for copy in page.copies] == [b"{}", b'"x"']
    assert all(isinstance(copy.envelope, Refused) for copy in page.copies)


def test_members_are_envelopes() -> None:
    exchange = SmallExchange()
    page = read_members(exchange.members_page(3))
    assert page.next == exchange.history.size
    assert page.envelopes[0] == exchange.members[3]
    assert read_inbox(exchange.inbox_page(HANGZHOU, "", 5)).copies == ()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"items": {}, "cursor": "c"}', b'{"items": [], "cursor": 7}', b"[" * 100_000],
)
def test_what_is_no_page_is_transient(body: bytes) -> None:
    with pytest.raises(Transient):
        read_inbox(body)
    with pytest.raises(Transient):
        read_members(body)


def test_a_members_item_that_is_no_envelope_is_transient() -> None:
    with pytest.raises(Transient):
        read_members(b'{"items": [{}], "next": 1}')


def test_faults_of_a_batch_are_read_one_by_one() -> None:
    body = json.dumps({"code": "bad-field", "items": [{"index": 3, "id": "e", "code": "too-large", "field": "data"}]})
    assert read_faults(body.encode()) == (Fault("e", "too-large", "data", ""),)


def test_a_problem_without_items_is_the_fault_itself() -> None:
    body = json.dumps({"code": "bad-json", "detail": "no"}).encode()
    assert read_faults(body) == (Fault(None, "bad-json", None, "no"),)
    assert read_faults(b"<html>") == ()


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["items", "cursor", "next", "id", "code", "field"]), inner)
        ),
        max_leaves=6,
    )
)
def test_no_document_makes_it_raise_anything_else(document: Any) -> None:
    body = json.dumps(document).encode()
    read_faults(body)
    for read in (read_inbox, read_members):
        try:
            found = read(body)
        except Transient:
            continue
        assert not any(isinstance(copy, Envelope) for copy in getattr(found, "copies", ()))


def test_the_list_of_logs_is_read_and_what_is_none_is_transient() -> None:
    body = (
        b'{"logs": [{"origin": "ipx/clues/0", "size": 5, "root": "sha256:ab"}, {"origin": "ipx/clues/1", "size": "x"}]}'
    )
    assert read_logs(body) == (LogLine("ipx/clues/0", 5, "sha256:ab"), LogLine("ipx/clues/1", -1, ""))
    many = b'{"logs": [' + b",".join([b'{"origin": "ipx/clues/0"}'] * (MOST_LOGS + 1)) + b"]}"
    for bad in (b"", b"[]", b"{}", b'{"logs": {}}', b'{"logs": [5]}', b'{"logs": [{"origin": "../x"}]}', many):
        with pytest.raises(Transient):
            read_logs(bad)
