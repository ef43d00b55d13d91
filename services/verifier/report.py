"""What a verification found: numbered steps, each with its finding and a sentence in Chinese and English. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Finding = Literal["ok", "failed", "not-proved"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a step has to say when it does not fail."""

    zh: str
    en: str
    finding: Finding = "ok"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``code`` and ``place`` say what is wrong and where in the file, when it failed."""

    number: int
    title_zh: str
    title_en: str
    finding: Finding
    zh: str
    en: str
    code: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All steps in their order; after one that failed nothing more is looked at."""

    steps: tuple[Step, ...]
    event: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing failed. What is not proved is said in its step, and is no failure."""
        return self.first_bad is None

    @property
    def first_bad(self) -> Step | None:
        """The step that failed."""
        return next((step for step in self.steps if step.finding == "failed"), None)

    def document(self) -> dict[str, Any]:
        """The report as ``--json`` prints it."""
        steps = [
            {
                "number": step.number,
                "title_zh": step.title_zh,
                "title_en": step.title_en,
                "finding": step.finding,
                "zh": step.zh,
                "en": step.en,
                **({} if step.code is None else {"code": step.code, "place": step.place}),
            }
            for step in self.steps
        ]
        bad = self.first_bad
        return {"holds": self.holds, "event": self.event, "first_bad": bad and bad.number, "steps": steps}
