"""The officers' desk: what is typed in here, and what is done with what came in, by hand or by the rules of the configuration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from .clock import machine_ms
from .config import OF, Config, Rule, Step, read_step
from .dialects import FORMS, KINDS, Dialect, at_text, day_text
from .store import Store


class Unknown(LookupError):
    """No such clue or case here."""


class Desk:
    """Handles clues and cases step by step; each step is a happening that a pull will read.

    ``ahead_ms`` is by how much this system's clock is wrong: ahead of the time that it should go by (clock.py).
    """

    def __init__(self, config: Config, dialect: Dialect, store: Store, clock: Callable[[], int] = machine_ms) -> None:
        self._config = config
        self._dialect = dialect
        self._store = store
        self._machine = clock
        self.ahead_ms = 0
        self._wake = asyncio.Event()

    def clock(self) -> int:
        """The time by this system's clock."""
        return self._machine() + self.ahead_ms

    def set_ahead(self, ahead_ms: int) -> None:
        """Sets the clock; what has come due by it is done at once."""
        self.ahead_ms = ahead_ms
        self._wake.set()

    def received(self, table: str, slbh: str, document: dict[str, Any]) -> None:
        """A new clue or case is on the desk: the first rule that fits says what will be done with it."""
        own = (rule for rule in self._config.rules if OF[rule.of] == table)
        rule = next((rule for rule in own if fits(rule, document)), None)
        due, steps = self.clock(), []
        for step in rule.steps if rule else ():
            due += round(step.after_s * 1000)
            steps.append((json.dumps({"do": step.do, **step.values}, ensure_ascii=False), due))
        if steps:
            self._store.schedule(slbh, steps)
            self._wake.set()

    def act(self, slbh: str, step: Step, step_id: int | None = None) -> dict[str, Any]:
        """Does one step now; the happening. ``Unknown`` when there is no such clue (for a move: no such case)."""
        held = self._store.held(slbh)
        if held is None or (held["bm"] == "aj") != (step.do == "move"):
            raise Unknown(slbh)
        at = self.clock()
        if step.do == "move":
            happening = self._dialect.moved(at, held, step.values)
            state = str(step.values.get("czlx") or step.values.get("leixing") or KINDS["move"])
            self._store.handle(step_id, slbh, state, None, json.dumps(happening, ensure_ascii=False))
            return happening
        case_number = step.values.get("case_number") or (self._case_number(at) if step.do == "file" else None)
        facts = self._facts(step, at, case_number)
        happening = self._dialect.handled(step.do, at, held, facts)
        self._store.handle(step_id, slbh, KINDS[step.do], case_number, json.dumps(happening, ensure_ascii=False))
        return happening

    def enter(self, form: str, documents: list[dict[str, Any]]) -> int:
        """What this city's own officers typed in, in the order given; the last serial number. ``Unknown`` for a form it has not."""
        if form not in FORMS:
            raise Unknown(form)
        at = self.clock()
        return self._store.enter(
            [json.dumps(self._dialect.typed(form, at, document), ensure_ascii=False) for document in documents]
        )

    async def work(self) -> None:
        """Does what is due, for ever; sleeps until the next step is."""
        while True:
            for step_id, slbh, text in self._store.due(self.clock()):
                self.act(slbh, read_step(json.loads(text)), step_id)
            due = self._store.next_due_ms()
            self._wake.clear()
            wait_s = None if due is None else max(0.0, (due - self.clock()) / 1000)
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
