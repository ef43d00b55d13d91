"""The officers' desk: what is done with a clue that came in, by hand or by the rules of the configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from .clock import machine_ms
from .config import Config, Rule, Step, read_step
from .dialects import KINDS, Dialect, at_text, day_text
from .store import Store


class Unknown(LookupError):
    """No such clue here."""


class Desk:
    """Handles clues step by step; each step is a happening that a pull will read."""

    def __init__(self, config: Config, dialect: Dialect, store: Store, clock: Callable[[], int] = machine_ms) -> None:
        self._config = config
        self._dialect = dialect
        self._store = store
        self._clock = clock
        self._wake = asyncio.Event()

    def received(self, slbh: str, document: dict[str, Any]) -> None:
        """A new clue is on the desk: the first rule that fits says what will be done with it."""
        rule = next((rule for rule in self._config.rules if fits(rule, document)), None)
        due, steps = self._clock(), []
        for step in rule.steps if rule else ():
            due += round(step.after_s * 1000)
            steps.append((json.dumps({"do": step.do, **step.values}, ensure_ascii=False), due))
        if steps:
            self._store.schedule(slbh, steps)
            self._wake.set()

    def act(self, slbh: str, step: Step, step_id: int | None = None) -> dict[str, Any]:
        """Does one step now; the happening. ``Unknown`` when there is no such clue."""
        clue = self._store.clue(slbh)
        if clue is None:
            raise Unknown(slbh)
        at = self._clock()
        case_number = step.values.get("case_number") or (self._case_number(at) if step.do == "file" else None)
        facts = self._facts(step, at, case_number)
        happening = self._dialect.handled(step.do, at, clue, facts)
        self._store.handle(step_id, slbh, KINDS[step.do], case_number, json.dumps(happening, ensure_ascii=False))
        return happening

    def enter(self, documents: list[dict[str, Any]]) -> int:
        """Clues found by this city's own officers, in the order given; the last serial number."""
        at = self._clock()
        return self._store.enter(
            [json.dumps(self._dialect.own_clue(at, document), ensure_ascii=False) for document in documents]
        )

    async def work(self) -> None:
        """Does what is due, for ever; sleeps until the next step is."""
        while True:
            for step_id, slbh, text in self._store.due(self._clock()):
                self.act(slbh, read_step(json.loads(text)), step_id)
            due = self._store.next_due_ms()
            self._wake.clear()
            wait_s = None if due is None else max(0.0, (due - self._clock()) / 1000)
            try:
                await asyncio.wait_for(self._wake.wait(), wait_s)
            except TimeoutError:
                continue

    def _case_number(self, at: int) -> str:
        year = day_text(at)[:4]
        return f"{self._config.short}市监案〔{year}〕{self._store.number('AH'):06d}号"

    def _facts(self, step: Step, at: int, case_number: str | None) -> dict[str, Any]:
        config, given = self._config, step.values
        officer = {"cbr": config.officer, "cbrdh": config.officer_phone}
        match step.do:
            case "accept":
                return {"slsj": at_text(at), "cbbm": config.section, **officer}
            case "return":
                facts = {"thsj": at_text(at), "thyy": given.get("reason", "99"), "thsm": given.get("text", "退回")}
                optional = {"gxqh": given.get("competent"), "qscl": given.get("missing")}
                return facts | {name: value for name, value in optional.items() if value} | officer
            case "verify":
                facts = {"hcsj": at_text(at), "hcjl": given.get("outcome", "1"), "hcqk": given.get("text", "已核查")}
                return facts | ({"ssje": given["amount"]} if "amount" in given else {})
            case "file":
                cause = given.get("cause", "涉嫌侵犯知识产权")
                return {"larq": day_text(at), "ah": case_number, "ay": cause, **officer}
            case _:
                return {
                    "jdrq": day_text(at),
                    "bly": given.get("ground", "1"),
                    "sm": given.get("text", "不予立案"),
                    **officer,
                }


def fits(rule: Rule, document: dict[str, Any]) -> bool:
    """Whether every line of ``when`` is true of the document: equal, or one of a list."""
    for path, wanted in rule.when.items():
        found: Any = document
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if (found not in wanted) if isinstance(wanted, list) else (found != wanted):
            return False
    return True
