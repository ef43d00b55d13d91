"""The reference city's configuration."""

from pathlib import Path

import pytest

from connectors.reference_city.config import BadConfig, load_config

TEXT = """
name = "南京市"
division = "320100"
dialect = "flat"
short = "NJ"
[proof]
kind = "token"
secret = "hidden"
[[rules]]
when = { qqlx = "1" }
steps = [{ do = "accept" }, { do = "verify", after_s = 0.5, outcome = "1" }]
"""


def test_a_file_is_read_with_its_rules(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(TEXT)
    config = load_config(tmp_path / "c.toml")
    assert config.database == tmp_path / "city.db"
    assert [step.do for step in config.rules[0].steps] == ["accept", "verify"]
    assert config.rules[0].steps[1].values == {"outcome": "1"}
    assert "hidden" not in repr(config)


@pytest.mark.parametrize(
    ("old", "new"), [('"flat"', '"other"'), ("short", "shrt"), ("accept", "dance"), ('"token"', '"magic"')]
)
def test_what_it_does_not_understand_is_refused(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / "c.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(BadConfig):
        load_config(tmp_path / "c.toml")


def test_the_clock_of_a_trial_is_named_relative_to_the_file_and_is_not_there_by_default(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(TEXT)
    assert load_config(tmp_path / "c.toml").clock is None
    (tmp_path / "c.toml").write_text(TEXT.replace("[proof]", 'clock = "clock"\n[proof]'))
    assert load_config(tmp_path / "c.toml").clock == tmp_path / "clock"
