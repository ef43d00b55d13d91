"""Files of transfer cases: read as officers write them, and refused with the place where they say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.demo.hand_over import (
    TRANSFERS_DIR,
    format_time,
    load_hand_overs,
    parse_span,
    parse_time,
    read_hand_over,
)
from services.kernel.errors import BadSettings

TEXT = """
title_zh = "标题"
title_en = "title"
source = "domain 6"
story_zh = "故事"
story_en = "story"

[[step]]
at = "2023-10-30 09:00"
do = "open"
case = "a"
by = "340100.market_regulator"
kind = "assistance_request"
to = ["310000.market_regulator"]
zh = "请求"
en = "ask"
[step.says]
title = "t"
[[step.expect]]
clock = "A8/1"
is = "running"
due = "2023-11-20 24:00"
must_act = ["310000.market_regulator"]

[[step]]
at = "2023-11-21 10:00"
do = "clock"
case = "a"
zh = "届满"
en = "over"
[[step.expect]]
told = "ClockExpired"
clock = "A8/1"
to = ["310000.market_regulator", "340100.market_regulator"]
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "01-case.toml"
    path.write_text(text, encoding="utf-8")
    return read_hand_over("case", path)


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    story = read(tmp_path, TEXT)
    opening, look = story.turns
    assert (opening.do, opening.kind, opening.to, opening.says) == (
        "open",
        "assistance_request",
        ("310000.market_regulator",),
        {"title": "t"},
    )
    assert story.begins_ms == opening.at_ms == parse_time("2023-10-30 09:00")
    (expected,) = opening.expected
    assert (expected.fact, expected.word, expected.clock) == ("is", "running", "A8/1")
    assert (expected.due_ms, expected.breach, expected.must_act) == (
        parse_time("2023-11-20 24:00"),
        False,
        ("310000.market_regulator",),
    )
    assert (look.do, look.by, look.expected[0].to) == (
        "clock",
        "",
        ("310000.market_regulator", "340100.market_regulator"),
    )
    assert story.participants == ("340100.market_regulator",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('do = "open"', 'do = "shut"', "step 1: do is one of"),
        ('case = "a"\nby', 'case = "b"\nby', "nobody opens case a"),
        ('at = "2023-11-21 10:00"', 'at = "2023-10-29 10:00"', "is before the step before it"),
        ('at = "2023-10-30 09:00"\n', "", "its first step says when"),
        ('at = "2023-10-30 09:00"', 'at = "30 October"', "expected a Beijing time"),
        ('at = "2023-10-30 09:00"', 'at = "2023-10-30 25:00"', "there is no 25:0"),
        ('is = "running"', 'state = "requested"', "a clock is said to be something"),
        ('is = "running"\n', "", "says one of"),
        ('is = "running"', 'is = "running"\nstate = "requested"', "says one of"),
        ('by = "340100.market_regulator"', 'by = "Hefei"', "expected"),
        ('zh = "请求"', 'colour = "red"', "unknown key colour"),
        ('story_en = "story"', 'story_en = "story"\nreal_time = true', "names no time"),
        ('title_zh = "标题"', "title_zh = 1", "title_zh must be a text"),
    ],
)
def test_what_does_not_hang_together_is_refused_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(BadSettings, match=says):
        read(tmp_path, TEXT.replace(old, new, 1))


def test_a_file_without_anything_that_must_be_true_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="says nothing that must be true"):
        read(tmp_path, TEXT.partition("[[step.expect]]")[0])


def test_beijing_time_is_eight_hours_ahead_and_a_day_ends_with_its_last_millisecond() -> None:
    assert parse_time("1970-01-01 08:00") == 0
    assert parse_time("2024-02-29 24:00") == parse_time("2024-03-01 00:00") - 1
    assert format_time(parse_time("2023-10-27 09:30")) == "2023-10-27 09:30:00"


@pytest.mark.parametrize(
    ("text", "minutes"), [("2 d 10 h", 3480), ("10 h", 600), ("30 min", 30), ("-1 h", -60), ("1 d 1 h 1 min", 1501)]
)
def test_spans_are_read_in_days_hours_and_minutes(text: str, minutes: int) -> None:
    assert parse_span(text) == minutes * 60_000


@pytest.mark.parametrize("text", ["", "-", "soon", "1 week", "1.5 h"])
def test_another_span_is_not_understood(text: str) -> None:
    with pytest.raises(ValueError, match="expected a span"):
        parse_span(text)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(BadSettings, match="no case nothing in transfers; there are battery-assistance"):
        load_hand_overs(names=["nothing"])


def test_every_case_that_ships_is_read_and_says_where_it_is_from() -> None:
    stories = load_hand_overs()
    assert len(stories) >= 18
    assert all("domain" in story.source or story.source[0] in "ACDEFm" for story in stories)
    assert len(list(TRANSFERS_DIR.glob("*.toml"))) == len(stories)
