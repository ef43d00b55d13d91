"""Troubles that this system can be told to have, so that the node's answer to them can be shown.

::

    normal    works
    slow      answers after ``seconds``
    fail      HTTP 500 (``status``)
    refuse    refuses with ``code`` and ``text``
    nonsense  answers ``kind``: html, cut, type, empty, deep, huge
    hollow    says success, keeps nothing, gives no number
    lie       says success with a number, keeps nothing
    down      closes the connection without a word
    lost      keeps the document, then closes the connection before it answers
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MODES = ("normal", "slow", "fail", "refuse", "nonsense", "hollow", "lie", "down", "lost")
DOORS = ("push", "pull", "both")

NONSENSE: dict[str, tuple[int, str, bytes]] = {
    "html": (200, "text/html", "<html><body><h1>系统维护中</h1></body></html>".encode()),
    "cut": (200, "application/json", '{"code":"0","msg":"成功","data":{"slbh":"NJ'.encode()),
    "type": (200, "application/json", b'["0","ok"]'),
    "empty": (200, "application/json", b""),
    "deep": (200, "application/json", b'{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "huge": (200, "application/json", b'{"code":"0","msg":"' + b"a" * (8 << 20) + b'"}'),
}


class BadTrouble(ValueError):
    """Not a trouble that this system can have."""


@dataclass(slots=True)
class Trouble:
    """The trouble of the moment; ``times`` is how many requests it lasts, None until told otherwise."""

    mode: str = "normal"
    where: str = "both"
    seconds: float = 1.0
    status: int = 500
    code: str = "1001"
    text: str = "不属于本机关管辖"
    kind: str = "html"
    times: int | None = None

    def for_request(self, door: str) -> Trouble:
        """The trouble that a request at this door has; counts it."""
        if self.mode == "normal" or self.where not in (door, "both"):
            return Trouble()
        if self.times is not None:
            if self.times <= 0:
                self.mode = "normal"
                return Trouble()
            self.times -= 1
        return self


def read_trouble(document: Any) -> Trouble:
    """A trouble from the body of a control request; ``BadTrouble`` says what is not understood."""
    try:
        trouble = Trouble(**document)
    except TypeError as error:
        raise BadTrouble(str(error)) from error
    if trouble.mode not in MODES or trouble.where not in DOORS or trouble.kind not in NONSENSE:
        raise BadTrouble(f"mode {', '.join(MODES)}; where {', '.join(DOORS)}; kind {', '.join(NONSENSE)}")
    return trouble
