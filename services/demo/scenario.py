"""Scenario files: what officers enter in their own systems, step by step, and how it must end. Read and checked, nothing done.

A file is TOML that a case officer can read: who does what in which system, in that system's own field names, and the ends
that must come. ``{…}`` in a text is filled in when the step is made: ``number`` and ``subject`` of the clue, ``report`` (the
event id of its last report), ``run``. Source of the cases: domain section 6; parties are anonymised, numbers made up.
"""

from __future__ import annotations

import copy
import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from services.kernel import document_fields as fields
from services.kernel.data import DEPLOY_DIR
from services.kernel.errors import BadSettings
from services.kernel.parties import check_participant

SCENARIOS_DIR: Final = DEPLOY_DIR / "local" / "scenarios"
REPORT, TROUBLE = "report", "trouble"
MOVES: Final = ("accept", "return", "verify", "file", "decline")
ENDS: Final = (
    "held",
    "accepted",
    "filed",
    "not_filed",
    "returned",
    "referred",
    "refused",
    "declined_by_city",
    "no_effect",
    "one_batch",
    "shown",
    "hidden",
)
_SCENARIO_KEYS: Final = frozenset({"title_zh", "title_en", "source", "story_zh", "story_en", "alone", "step", "expect"})
_STEP_KEYS: Final = frozenset({"at", "do", "clue", "zh", "en", "form", "rows", "after", "times"})
_EXPECT_KEYS: Final = frozenset({"clue", "end", "by", "code", "count", "text", "zh", "en"})

Form = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expectation:
    """An end that must come, for each clue of the group or for ``count`` of them.

    ``by`` is the organ that decides or holds, ``code`` the ground, reason, rule or refusal, ``text`` what must (not) be seen.
    """

    clue: str
    end: str
    by: str | None
    code: str | None
    count: int | None
    text: str | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an officer does. ``forms`` has one form for each clue of the group (a list that is handed over)."""

    at: str
    do: str
    clue: str
    zh: str
    en: str
    forms: tuple[Form, ...]
    after: Expectation | None = None

    @property
    def is_report(self) -> bool:
        """Whether it brings a clue into the exchange."""
        return self.do == REPORT


@dataclass(frozen=True, slots=True)
class Scenario:
    """One case from beginning to end."""

    name: str
    title_zh: str
    title_en: str
    source: str
    story_zh: str
    story_en: str
    alone: bool
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...]

    @property
    def participants(self) -> tuple[str, ...]:
        """Whoever takes part at a system of its own."""
        return tuple(dict.fromkeys(step.at for step in self.steps))

    def clues(self) -> dict[str, int]:
        """Each clue of the scenario and how many it stands for."""
        found: dict[str, int] = {}
        for step in self.steps:
            if step.is_report:
                found[step.clue] = max(found.get(step.clue, 0), len(step.forms))
        return found


def load_scenarios(directory: Path = SCENARIOS_DIR, names: Iterable[str] = ()) -> tuple[Scenario, ...]:
    """Every scenario of a directory in order of its file name, or those named; ``BadSettings`` says what is wrong.

    Blocks on the disk.
    """
    return tuple(read_scenario(name, path) for name, path in named_files(directory, names).items())


def named_files(directory: Path, names: Iterable[str]) -> dict[str, Path]:
    """The files of a directory by their names without the number before it: those named, else all in their order.

    ``BadSettings`` for a name that no file has, and for a directory without files.
    """
    known = {path.stem.partition("-")[2] or path.stem: path for path in sorted(directory.glob("*.toml"))}
    wanted = tuple(names) or tuple(known)
    strange = [name for name in wanted if name not in known]
    if strange or not known:
        raise BadSettings(f"no case {', '.join(strange)} in {directory.name}; there are {', '.join(known)}")
    return {name: known[name] for name in wanted}


def read_scenario(name: str, path: Path) -> Scenario:
    """One file, checked: every step and end is of a known kind and speaks of a clue that was reported before."""
    where = path.name
    document = fields.read_document(path)
    fields.only(document, _SCENARIO_KEYS, where)
    scenario = Scenario(
        name=name,
        title_zh=fields.text(document, "title_zh", where),
        title_en=fields.text(document, "title_en", where),
        source=fields.text(document, "source", where),
        story_zh=fields.text(document, "story_zh", where).strip(),
        story_en=fields.text(document, "story_en", where).strip(),
        alone=document.get("alone", False) is True,
        steps=tuple(
            _step(row, path.parent, f"{where}, step {number}")
            for number, row in enumerate(document.get("step", ()), start=1)
        ),
        expectations=tuple(_expectation(row, f"{where}, an end") for row in document.get("expect", ())),
    )
    _check(scenario, where)
    return scenario


def _step(row: Mapping[str, Any], directory: Path, where: str) -> Step:
    fields.only(row, _STEP_KEYS, where)
    do = fields.one_of(row, "do", (REPORT, TROUBLE, *MOVES), where)
    at = participant(row.get("at"), f"{where}, at")
    clue = "" if do == TROUBLE else fields.text(row, "clue", where)
    after = row.get("after")
    form = dict(row.get("form", {}))
    return Step(
        at=at,
        do=do,
        clue=clue,
        zh=fields.text(row, "zh", where),
        en=fields.text(row, "en", where),
        forms=_rows(directory / row["rows"], form, where) if "rows" in row else (form,),
        after=None if after is None else _expectation({"clue": clue, "zh": "", "en": "", **after}, f"{where}, after"),
    )


def _rows(path: Path, form: Form, where: str) -> tuple[Form, ...]:
    """One form for each line of a table (CSV) that officers hand over; the step's own form is what all share."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_laid_in(form, row) for row in csv.DictReader(file)]
    except OSError as error:
        raise BadSettings(f"{where}: {error}") from error
    if not rows:
        raise BadSettings(f"{where}: {path.name} has no line")
    return tuple(rows)


def _laid_in(form: Form, cells: Mapping[str, str]) -> Form:
    """The form with each cell at its path: ``xiansuo.quanli.0.mingcheng`` is a name in the first object of a list.

    A heading may say in words what the column is; its last word is the path. An empty cell is not filled in.
    """
    filled: Form = copy.deepcopy(form)
    for heading, text in cells.items():
        if not text:
            continue
        *way, last = heading.split()[-1].split(".")
        place: Any = filled
        for part, following in pairwise((*way, last)):
            place = _opened(place, part, [] if following.isdigit() else {})
        place[last] = text
    return filled


def _opened(place: Any, part: str, fresh: Any) -> Any:
    if isinstance(place, list):
        while len(place) <= int(part):
            place.append(copy.deepcopy(fresh))
        return place[int(part)]
    return place.setdefault(part, fresh)


def _expectation(row: Mapping[str, Any], where: str) -> Expectation:
    fields.only(row, _EXPECT_KEYS, where)
    end = fields.one_of(row, "end", ENDS, where)
    return Expectation(
        clue=fields.text(row, "clue", where),
        end=end,
        by=participant(row["by"], f"{where}, by") if "by" in row else None,
        code=row.get("code"),
        count=row.get("count"),
        text=row.get("text"),
        zh=str(row.get("zh", "")),
        en=str(row.get("en", "")),
    )


def _check(scenario: Scenario, where: str) -> None:
    reported = set(scenario.clues())
    spoken = {step.clue for step in scenario.steps if step.clue} | {e.clue for e in scenario.expectations}
    if spoken - reported:
        raise BadSettings(f"{where}: nobody reports clue {', '.join(sorted(spoken - reported))}")
    if not scenario.expectations:
        raise BadSettings(f"{where}: says no end that must come")
    blind = [e.end for e in scenario.expectations if e.end in ("shown", "hidden") and not (e.text and e.by)]
    if blind:
        raise BadSettings(f"{where}: {blind[0]} needs by (whose system) and text (what is looked for)")


def participant(value: object, where: str) -> str:
    """The id of a participant. ``BadSettings``, naming the place, when it is of another form."""
    problem = check_participant(str(value))
    if problem is not None:
        raise BadSettings(f"{where}: expected {problem.expected}, not {value!r}")
    return str(value)
