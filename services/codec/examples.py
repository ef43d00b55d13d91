"""Examples of events in the plain JSON form, `schemas/examples/<full name>/`: each says what the exchange answers to it.

`valid-<what>.json` is the data of an event that is taken. `invalid-<what>.json` is `{"expect": {"code", "field"}, "data"}`: what is
refused, with the refusal code and the field it names. People copy them; the lint proves that they are still true.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.codec.field_rules import compile_field_rules
from services.codec.json_form import json_form
from services.codec.lint import Finding
from services.codec.schema import EventSchema
from services.kernel.codes import CodeTables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Refused
from services.kernel.instants import parse_instant

EXAMPLES_DIR: Final = SCHEMAS_DIR / "examples"
AT_MS: Final = parse_instant("2026-11-24T08:00:00.000Z")
"""When every example is said to have happened: codes and days are judged at this instant."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as an example expects it or as it came: its code and the field it names."""

    code: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """The data of one example, and the answer it expects; None when it is taken."""

    type: str
    name: str
    data: Any
    expects: Answer | None


def read_examples(directory: Path = EXAMPLES_DIR) -> tuple[Example, ...]:
    """Every example in order of type and name; blocks on the disk. BadSettings, naming the file, on another form."""
    return tuple(_read(path) for path in sorted(directory.glob("*/*.json")))


def answer_to(example: Example, schema: EventSchema, tables: CodeTables) -> Answer | None:
    """What the exchange answers to the data: the first refusal of JSON form, encoding or field rules; None when taken."""
    try:
        value = json_form(schema).read(example.data)
        schema.encode(value)
    except Refused as refused:
        return Answer(refused.code, refused.field)
    problems = compile_field_rules(schema.json).check(value, AT_MS, tables)
    return next((Answer(problem.code, problem.field) for problem in problems if not problem.warning), None)


def lint_examples(
    examples: Iterable[Example], schemas: Mapping[str, EventSchema], tables: CodeTables
) -> tuple[Finding, ...]:
    """Findings on examples: an answer that is not the expected one, a type without a valid or an invalid example."""
    found, seen = [], set()
    for example in examples:
        file = f"{example.type}/{example.name}.json"
        if example.type not in schemas:
            found.append(Finding(file, "", "examples", f"there is no event type {example.type}"))
            continue
        seen.add((example.type, example.expects is None))
        answer = answer_to(example, schemas[example.type], tables)
        if answer != example.expects:
            where = answer.field if answer else None
            found.append(
                Finding(file, where or "", "examples", f"expected {_said(example.expects)}, it is {_said(answer)}")
            )
    for event_type in sorted(schemas):
        for valid, word in ((True, "valid"), (False, "invalid")):
            if (event_type, valid) not in seen:
                found.append(Finding(event_type, "", "examples", f"there is no {word} example"))
    return tuple(found)


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "taken"
    return f"refused as {answer.code}" + (f" at {answer.field}" if answer.field else "")


def _read(path: Path) -> Example:
    name = f"{path.parent.name}/{path.name}"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"{name}: {error}") from error
    if path.stem.startswith("valid-"):
        return Example(path.parent.name, path.stem, document, None)
    if not path.stem.startswith("invalid-") or not _is_invalid_form(document):
        raise BadSettings(
            f'{name}: valid-<what>.json is data, invalid-<what>.json {{"expect": {{"code", "field"}}, "data"}}'
        )
    expects = document["expect"]
    return Example(path.parent.name, path.stem, document["data"], Answer(expects["code"], expects.get("field")))


def _is_invalid_form(document: Any) -> bool:
    if not isinstance(document, dict) or set(document) != {"expect", "data"}:
        return False
    expects = document["expect"]
    return isinstance(expects, dict) and "code" in expects and set(expects) <= {"code", "field"}
