"""The README's commands exist, and every command explains itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest

from services.__main__ import COMMANDS, ipx

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


def _paths(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = [path]
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        found += _paths(child, (*path, name))
    return found


def test_the_readme_names_the_two_commands() -> None:
    assert "make demo" in LINES
    assert "make test" in LINES


def test_every_ipx_line_of_the_readme_names_a_command_and_options_that_exist() -> None:
    for line in LINES:
        words = line.split()
        if not words[0].endswith("/ipx"):
            continue
        command: click.Command = ipx
        context = click.Context(ipx)
        rest = words[1:]
        while rest and isinstance(command, click.Group):
            child = command.get_command(context, rest.pop(0))
            assert child is not None, line
            command = child
        options = {name for parameter in command.params for name in parameter.opts}
        assert [word for word in rest if word.startswith("--") and word not in options] == [], line


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {line.split()[1] for line in LINES if line.startswith("make ")} <= targets


def test_every_command_is_listed_and_prints_its_help() -> None:
    run = subprocess.run(
        [ROOT / ".venv/bin/ipx", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert [name for name in COMMANDS if name not in run.stdout] == []


@pytest.mark.parametrize("path", _paths(ipx, ()), ids=" ".join)
def test_the_help_of_a_command_says_what_it_does(path: tuple[str, ...]) -> None:
    command: click.Command = ipx
    for name in path:
        assert isinstance(command, click.Group)
        child = command.get_command(click.Context(command), name)
        assert child is not None
        command = child
    assert command.help, " ".join(path)
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == [], " ".join(path)
