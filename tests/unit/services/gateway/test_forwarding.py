from typing import Any

import pytest

from services.codec.released import load_released
from services.gateway.forwarding import MAX_VALUE_BYTES, Sent, forward
from services.gateway.intake import Intake
from services.kernel.errors import Transient
from services.runtime.topics import Topics

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
TOPICS = Topics("ipx")
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
HEADERS: list[tuple[str, Any]] = [
    ("ce_source", NANJING.encode()),
    ("ce_type", b"cn.ipx.clue.ClueReported"),
    ("ce_subject", b"CL-1"),
    ("ce_id", b"x"),
]


class NoIds:
    """A registry that has told nothing."""

    def id_of(self, schema: object) -> int:
        raise Transient("not told yet")


INTAKE = Intake(load_released(), NoIds(), TOPICS)


def sent(headers: list[tuple[str, Any]], value: bytes | None = b"\x00\x00\x00\x00\x07body") -> Sent:
    return Sent(NANJING, "ipx.outbox.320100.market_regulator/0@5", b"anything", value, headers)


def changed(**headers: Any) -> list[tuple[str, Any]]:
    return [(name, headers.get(name, data)) for name, data in HEADERS]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (sent(changed(ce_source=HANGZHOU.encode())), "forbidden"),
        (sent(HEADERS[1:]), "forbidden"),
        (sent([]), "forbidden"),
        (sent([*HEADERS, ("ce_source", HANGZHOU.encode())]), "undecodable"),
        (sent([("ce_source", HANGZHOU.encode()), *HEADERS]), "undecodable"),
        (sent(changed(ce_id=b"\xff")), "undecodable"),
        (sent(changed(ce_id=None)), "undecodable"),
        (sent(changed(ce_type=b"cn.other.Thing")), "unknown-schema"),
        (sent(HEADERS, b"x" * (MAX_VALUE_BYTES + 1)), "too-large"),
        (sent([*HEADERS, ("ce_ipxsalts", b"x" * 70_000)]), "too-large"),
    ],
)
def test_a_record_that_cannot_be_said_to_be_its_owners_is_kept_with_where_it_came_from_and_why(
    record: Sent, code: str
) -> None:
    done = forward(record, INTAKE, TOPICS, TRACE)

    assert done.refused is not None
    assert done.refused.code == code
    assert done.record.topic == TOPICS.quarantine
    assert done.record.value == record.value
    told = dict(done.record.headers[:3])
    assert told["ipx_origin"] == record.origin.encode()
    assert told["ipx_code"] == code.encode()
    assert done.record.headers[3:] == record.headers


@pytest.mark.parametrize("value", [b"\x00\x00\x00\x00\x07body", b"", None, b"garbage"])
def test_what_is_wrong_with_an_owners_own_record_is_left_to_admission_which_can_sign_its_refusal(
    value: bytes | None,
) -> None:
    done = forward(sent([*HEADERS, ("internal", b"x")], value), INTAKE, TOPICS, TRACE)

    assert done.refused is None
    assert (done.record.topic, done.record.key) == ("ipx.clues.in", b"CL-1")
    assert done.record.value == (value or b"")
    assert done.record.headers == HEADERS
