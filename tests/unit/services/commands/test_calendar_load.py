"""What ``ipx calendar load`` says it did, and what it refuses before anything is asked of the exchange."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from services.commands.calendar_applying import Applied
from services.commands.calendar_desk import Published
from services.commands.calendar_load import command, document
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_instant
from services.transfers.calendar_effects import Shift, Standing

DUE = parse_instant("2027-01-18T15:59:59.999Z")


def test_the_document_tells_moved_from_settled() -> None:
    shifts = (
        Shift("TR-1", "A8/1", Standing(DUE, "running", True), Standing(DUE + 86_400_000, "running", False)),
        Shift("TR-2", "A8/1", Standing(DUE, "running", True), Standing(DUE, "running", False)),
        Shift("TR-3", "A8/1", Standing(None, "suspended", False), Standing(None, "suspended", False)),
    )
    told = document(2027, Published(("试1号",), ()), Applied(3, shifts))
    assert (told["year"], told["published"], told["known"], told["cases"]) == (2027, ["试1号"], [], 3)
    assert [one["change"] for one in told["moved"]] == ["moved", "settled", "settled"]
    assert told["moved"][0]["before"] == {"due_at": "2027-01-18T15:59:59.999Z", "state": "running", "provisional": True}
    assert told["moved"][0]["after"]["due_at"] == "2027-01-19T15:59:59.999Z"
    assert told["moved"][2]["after"]["due_at"] is None


def test_a_file_that_states_no_calendar_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "2027.toml"
    path.write_text("year = 2027\n", "utf-8")
    done = CliRunner().invoke(command, [str(path), "--yes"])
    assert isinstance(done.exception, BadSettings)
    assert CliRunner().invoke(command, [str(tmp_path / "gone.toml")]).exit_code == 2
