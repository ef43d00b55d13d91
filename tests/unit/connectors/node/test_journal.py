"""Changes are committed in groups, each undone alone when it fails, and receipts with them or not at all."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connectors.node import receipts
from connectors.node.journal import Change, DatabaseAway, Journal, open_database
from connectors.node.receipts import Receipt, Reported
from services.kernel.errors import BadSettings, Corrupt, Refused

ABOUT = Reported("p", "e", "s", "x", "l", 0, None)


def put(name: str, value: str) -> Callable[[Change], str]:
    def change(change: Change) -> str:
        change.db.execute("insert into cursors values (?, ?)", (name, value))
        return value

    return change


def run(path: Path, work: Callable[[Journal], Awaitable[None]], store: object = None) -> None:
    async def go() -> None:
        journal = Journal(path, store or (lambda _db, _receipts: None))  # type: ignore[arg-type]
        try:
            await work(journal)
        finally:
            await journal.close()

    asyncio.run(go())


def rows(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as db:
        return db.execute("select name, value from cursors order by name").fetchall()


def test_a_change_is_on_the_disk_when_it_is_answered(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        assert await journal.change(put("a", "1")) == "1"
        assert rows(tmp_path / "n.db") == [("a", "1")]

    run(tmp_path / "n.db", work)


def test_many_changes_at_once_are_all_made(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        done = await asyncio.gather(*(journal.change(put(f"{n:03d}", str(n))) for n in range(300)))
        assert done == [str(n) for n in range(300)]

    run(tmp_path / "n.db", work)
    assert len(rows(tmp_path / "n.db")) == 300


def test_a_change_that_refuses_is_undone_and_its_neighbours_stand(tmp_path: Path) -> None:
    stored: list[Receipt] = []

    def refusing(change: Change) -> None:
        change.db.execute("insert into cursors values ('bad', '1')")
        change.receipts.append(receipts.committed(ABOUT, 1, reference="r", connector="c", attempts=1))
        raise Refused("cannot-map", "no")

    def good(change: Change) -> None:
        change.db.execute("insert into cursors values ('good', '1')")
        change.receipts.append(receipts.delivered(ABOUT, 1, node="n", withheld=()))

    async def work(journal: Journal) -> None:
        found = await asyncio.gather(journal.change(good), journal.change(refusing), return_exceptions=True)
        assert found[0] is None
        assert isinstance(found[1], Refused)

    run(tmp_path / "n.db", work, lambda _db, made: stored.extend(made))
    assert rows(tmp_path / "n.db") == [("good", "1")]
    assert [type(receipt.event).__name__ for receipt in stored] == ["Delivered"]


def test_receipts_that_cannot_be_stored_undo_what_they_report(tmp_path: Path) -> None:
    def failing(_db: sqlite3.Connection, _made: list[Receipt]) -> None:
        raise sqlite3.OperationalError("disk full")

    def reporting(change: Change) -> None:
        change.db.execute("insert into cursors values ('a', '1')")
        change.receipts.append(receipts.delivered(ABOUT, 1, node="n", withheld=()))

    async def work(journal: Journal) -> None:
        with pytest.raises(DatabaseAway):
            await journal.change(reporting)
        assert await journal.change(put("b", "2")) == "2"

    run(tmp_path / "n.db", work, failing)
    assert rows(tmp_path / "n.db") == [("b", "2")]


def test_a_database_error_of_one_change_is_transient_for_its_group(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        with pytest.raises(DatabaseAway):
            await journal.change(lambda change: change.db.execute("insert into nowhere values (1)"))
        assert await journal.change(put("b", "2")) == "2"

    run(tmp_path / "n.db", work)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_change_stops_the_journal_and_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def work(journal: Journal) -> None:
        with pytest.raises(Corrupt):
            await journal.change(lambda _change: {}["nothing"])
        with pytest.raises(Corrupt):
            await journal.change(put("a", "1"))

    run(tmp_path / "n.db", work)
    assert rows(tmp_path / "n.db") == []


def test_what_was_handed_in_before_the_end_is_done(tmp_path: Path) -> None:
    async def go() -> None:
        journal = Journal(tmp_path / "n.db", lambda _db, _receipts: None)
        asked = asyncio.ensure_future(journal.change(put("a", "1")))
        await asyncio.sleep(0)
        await journal.close()
        assert await asked == "1"

    asyncio.run(go())
    assert rows(tmp_path / "n.db") == [("a", "1")]


def test_a_file_that_is_not_of_a_node_or_of_another_version_is_a_bad_setting(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 50)
    with pytest.raises(BadSettings):
        open_database(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as db:
        db.execute("pragma application_id = 7")
    with pytest.raises(BadSettings):
        open_database(tmp_path / "other")
    open_database(tmp_path / "own").close()
    with sqlite3.connect(tmp_path / "own") as db:
        db.execute("update about set value = '9' where name = 'version'")
    with pytest.raises(BadSettings):
        open_database(tmp_path / "own")
