"""Dead letters are listed with their reason, driven again by name, and die again with a new one."""

import sqlite3
from dataclasses import replace

from connectors.kit import dead_letters
from connectors.kit.dead_letters import FROM_CITY, TO_CITY, Letter

LETTER = Letter("nj", FROM_CITY, "17", "t", "cannot-map", "facts", "nothing there", b"{}", 1)


def opened() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(dead_letters.TABLE)
    return db


def test_a_letter_is_listed_as_it_was_put() -> None:
    db = opened()
    dead_letters.put(db, LETTER)
    assert dead_letters.listed(db) == [LETTER]
    assert dead_letters.listed(db, "other") == []
    assert dead_letters.count(db) == 1


def test_a_redrive_takes_what_fits_and_leaves_the_rest() -> None:
    db = opened()
    for letter in (
        LETTER,
        replace(LETTER, item="18"),
        replace(LETTER, way=TO_CITY, item="e"),
        replace(LETTER, connector="hz"),
    ):
        dead_letters.put(db, letter)
    assert dead_letters.mark_redrive(db, connector="nj", item="17") == [("nj", FROM_CITY, "17")]
    assert [letter.item for letter in dead_letters.to_redrive(db, "nj")] == ["17"]
    assert dead_letters.count(db) == 3
    assert len(dead_letters.mark_redrive(db, connector=None, item=None)) == 3
    assert [letter.item for letter in dead_letters.to_redrive(db, "nj")] == ["17", "18"]


def test_a_letter_that_came_through_is_settled_and_its_content_gone() -> None:
    db = opened()
    dead_letters.put(db, LETTER)
    dead_letters.mark_redrive(db, connector=None, item=None)
    dead_letters.settle(db, "nj", FROM_CITY, "17")
    assert dead_letters.to_redrive(db, "nj") == []
    assert dead_letters.listed(db) == []
    assert db.execute("select payload from dead_letters").fetchall() == [(None,)]


def test_a_letter_that_fails_again_is_dead_with_its_new_reason() -> None:
    db = opened()
    dead_letters.put(db, LETTER)
    dead_letters.mark_redrive(db, connector=None, item=None)
    again = replace(LETTER, code="no-mapping", at_ms=2)
    dead_letters.put(db, again)
    assert dead_letters.listed(db) == [again]


def test_a_new_reference_wakes_only_the_happenings_that_waited_for_one() -> None:
    db = opened()
    dead_letters.put(db, LETTER)
    dead_letters.put(db, replace(LETTER, item="19", code="unknown-reference"))
    dead_letters.wake_unknown(db, "nj")
    assert [letter.item for letter in dead_letters.to_redrive(db, "nj")] == ["19"]
