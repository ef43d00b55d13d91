"""The officers' desks: each city's own system over its own HTTP interface, as the people there use it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.codec.http import HttpClient
from services.kernel.errors import Refused, Transient

_OK = 200
Holdings = dict[str, Any]


class Desk(Protocol):
    """One organ's desk. Every call may raise ``Transient`` while the system is away."""

    def enter(self, forms: Sequence[Mapping[str, Any]]) -> None:
        """Enters clues that this organ found; the system tells them to its node when it is asked."""
        ...

    def type_in(self, form: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Fills in forms of a kind: ``transfer`` (a case handed over) or ``move`` (a move on one)."""
        ...

    def act(self, number: str, do: str, values: Mapping[str, Any]) -> None:
        """Does one step with a clue that is held here under that number."""
        ...

    def set_ahead(self, ahead_ms: int) -> None:
        """Sets this system's clock so far ahead of what it should say."""
        ...

    def trouble(self, form: Mapping[str, Any]) -> None:
        """Tells the system to misbehave."""
        ...

    def holdings(self) -> Holdings:
        """All that the system holds: ``clues`` received, ``answers`` received, ``happenings`` entered."""
        ...


@dataclass(frozen=True, slots=True)
class HttpDesk:
    """The desk of a reference city system."""

    url: str
    http: HttpClient

    def enter(self, forms: Sequence[Mapping[str, Any]]) -> None:
        """One list, as it is handed over."""
        self._ask("POST", "/desk/clues", list(forms))

    def type_in(self, form: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """One list of forms."""
        self._ask("POST", f"/desk/forms/{form}", list(documents))

    def set_ahead(self, ahead_ms: int) -> None:
        """Its door for trials."""
        self._ask("POST", "/control/clock", {"ahead_ms": ahead_ms})

    def act(self, number: str, do: str, values: Mapping[str, Any]) -> None:
        """One step."""
        self._ask("POST", "/desk/actions", {"number": number, "do": do, **values})

    def trouble(self, form: Mapping[str, Any]) -> None:
        """Its door for trials."""
        self._ask("POST", "/control", dict(form))

    def holdings(self) -> Holdings:
        """Everything; a few hundred documents."""
        found: Holdings = self._ask("GET", "/desk/holdings", None)
        return found

    def is_up(self) -> bool:
        """Whether the system answers now."""
        try:
            return self.http.send("GET", f"{self.url}/health", timeout_s=2).status == _OK
        except Transient:
            return False

    def _ask(self, method: str, path: str, document: object) -> Any:
        body = None if document is None else json.dumps(document, ensure_ascii=False).encode()
        reply = self.http.send(method, f"{self.url}{path}", body=body, headers={"content-type": "application/json"})
        if reply.status != _OK:
            said = reply.body[:200].decode("utf-8", "replace")
            raise Refused("bad-request", f"{self.url}{path} answers {reply.status}: {said}")
        return reply.json()


def number_of(holdings: Holdings, event: str) -> str | None:
    """The city's own number of the clue that came with that event; None when it is not there yet."""
    return next((str(row["slbh"]) for row in holdings["clues"] if event_of(row) == event), None)


def event_of(row: Mapping[str, Any]) -> str | None:
    """The exchange's event id in a document of either dialect."""
    document = row["nr"]
    found = document.get("sjbh") or document.get("jiaohuanXinxi", {}).get("shijianBianhao")
    return None if found is None else str(found)


def text_about(holdings: Holdings, events: frozenset[str]) -> str:
    """What the system shows of the clues that came with these events, as text to be searched."""
    return json.dumps([row["nr"] for row in holdings["clues"] if event_of(row) in events], ensure_ascii=False)
