"""The request of ``add-checkpoint``: what the formatter writes is read back, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.witness_request import MAX_PROOF, MAX_REQUEST_BYTES, Request, format_request, parse_request
from services.kernel.errors import Refused

NODE = b"\7" * 32
EXAMPLE = (
    b"old 20852014\n"
    b"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    b"jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    b"\n"
    b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
)
"""Of the specification, shortened."""


@given(
    st.builds(
        Request,
        st.integers(0, 10**18 - 1),
        st.lists(st.binary(min_size=32, max_size=32), max_size=MAX_PROOF).map(tuple),
        st.binary(max_size=200).map(lambda rest: b"text\n" + rest),
    )
)
def test_what_is_written_is_read_back(request: Request) -> None:
    assert parse_request(format_request(request)) == request


def test_the_example_of_the_specification_is_read() -> None:
    read = parse_request(EXAMPLE)
    assert (read.old_size, len(read.proof)) == (20_852_014, 2)
    assert read.note.startswith(b"example.com/behind-the-sofa\n")
    assert format_request(read) == EXAMPLE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 5",
        b"old 5\n",
        b"old 05\n\nx\n",
        b"old +5\n\nx\n",
        b"old  5\n\nx\n",
        b"Old 5\n\nx\n",
        b"old 1000000000000000000\n\nx\n",
        b"old 5\r\n\r\nx\n",
        EXAMPLE.replace(b"pkaw=", b"pkax="),
        EXAMPLE.replace(b"pkaw=", b"pkaw"),
        format_request(Request(5, (NODE,) * (MAX_PROOF + 1), b"x\n")),
        b"old 5\n\n" + b"x" * MAX_REQUEST_BYTES,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parse_request(data)
    assert refused.value.code == "bad-request"
