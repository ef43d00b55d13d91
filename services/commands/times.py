"""A time in words as an option of a command; how one is read and shown is said in ``clock_question.py``."""

from __future__ import annotations

from typing import Any

import click

from services.commands.clock_question import Unanswerable, read_time


class Time(click.ParamType):
    """A time in words, as milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Reads it; a usage error on any other form."""
        try:
            return read_time(value)
        except Unanswerable as why:
            self.fail(f"{why.zh} {why.en}", param, ctx)
