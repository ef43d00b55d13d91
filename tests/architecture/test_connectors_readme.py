"""``connectors/README.md`` describes every key of ``node.toml`` with its default, and its example is one that is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from connectors.node.config import Basics, City, Member, Witnessing, load_config

README = (Path(__file__).resolve().parents[2] / "connectors" / "README.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([a-z_.0-9]+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", README, re.MULTILINE))
PARTS: dict[str, type[BaseModel]] = {
    "node": Basics,
    "witness": Witnessing,
    "participants": Member,
    "participants.city": City,
}


def told(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.default
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, int | float) else f'`"{default}"`'


def described(name: str, model: type[BaseModel]) -> dict[str, str]:
    """Key and default of each value of a table of the file, and of the tables inside it."""
    found: dict[str, str] = {}
    for key, field in model.model_fields.items():
        inner = type(field.default)
        if f"{name}.{key}" in PARTS:
            continue
        if issubclass(inner, BaseModel):
            found |= described(f"{name}.{key}", inner)
        else:
            found[f"{name}.{key}"] = told(field)
    return found


def test_every_key_of_the_file_stands_in_the_readme_with_its_default():
    expected: dict[str, str] = {}
    for name, model in PARTS.items():
        expected |= described(name, model)
    assert {key: ROWS.get(key) for key in expected} == expected
    assert len(expected) > 35


def test_the_example_is_read(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "node.toml"
    path.write_text(example, "utf-8")
    config = load_config(path)
    (member,) = config.participants
    assert member.city is not None
    assert (member.city.auth.kind, member.city.retry.attempts, member.city.breaker.failures) == ("oauth2", 2000, 10)
