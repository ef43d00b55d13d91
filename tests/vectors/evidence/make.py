"""Makes the example evidence files and their policy: ``python -m tests.vectors.evidence.make`` writes them, a test makes them again and compares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.codec.evidence import format_evidence
from services.codec.json_form import json_form
from services.kernel.data import SCHEMAS_DIR
from tests.vectors.evidence.exchange import Exchange, town
from tests.vectors.evidence.members import HANGZHOU, HANGZHOU_IP, NANJING, NOW_MS, first_release

HERE = Path(__file__).parent
ACCEPTED = "cn.ipx.clue.ClueAccepted"
REPORTED = "cn.ipx.clue.ClueReported"


def accepted() -> dict[str, Any]:
    """A small event with two restricted fields."""
    value: dict[str, Any] = dict.fromkeys(first_release(ACCEPTED).fields)
    return value | {"accepted_at": NOW_MS, "officer": "李某", "officer_phone": "13800000000"}


def reported() -> dict[str, Any]:
    """A clue as a city sends it."""
    example = json.loads((SCHEMAS_DIR / "examples" / REPORTED / "valid-online.json").read_text(encoding="utf-8"))
    return json_form(first_release(REPORTED)).read(example.get("value", example))


def made() -> dict[str, bytes]:
    """Every file by name."""
    exchange: Exchange = town()
    clue = exchange.publish(REPORTED, reported(), NANJING, addressee=HANGZHOU, batch=True)
    taken = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    founding, key = exchange.members.envelopes[0], exchange.members.envelopes[5]
    files = {
        "clue-for-its-recipient.json": exchange.evidence(clue, viewer=HANGZHOU),
        "clue-for-a-copy.json": exchange.evidence(clue, viewer=HANGZHOU_IP),
        "acceptance-for-its-source.json": exchange.evidence(taken, viewer=HANGZHOU),
        "acceptance-redacted.json": exchange.evidence(taken),
        "key-added.json": exchange.evidence(key),
        "founding.json": exchange.evidence(founding),
    }
    return {
        **{name: format_evidence(one.evidence) for name, one in files.items()},
        "policy": exchange.policy_text().encode(),
        "root.pub": f"{exchange.root.line()}\n".encode(),
    }


if __name__ == "__main__":
    for file_name, data in made().items():
        (HERE / file_name).write_bytes(data)
