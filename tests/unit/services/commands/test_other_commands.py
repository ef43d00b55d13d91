"""Another command is run to its end: what it says goes to stderr, and its failure is told with its words."""

from __future__ import annotations

import pytest

from services.commands.other_commands import run_ipx
from services.kernel.errors import Transient


def test_what_another_command_says_is_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    run_ipx("clocks", "explain", "A1", "--from", "2026-02-09")
    said = capfd.readouterr()
    assert said.out == ""
    assert "A1" in said.err


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(Transient, match="`ipx clocks explain ZZ"):
        run_ipx("clocks", "explain", "ZZ", "--from", "2026-02-09")
