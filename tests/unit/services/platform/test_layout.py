"""Where files are kept."""

from __future__ import annotations

from services.platform.layout import Layout, cache_dir


def test_a_state_directory_has_one_place_for_everything(tmp_path):
    layout = Layout(tmp_path)
    assert layout.state_file == tmp_path / "state.json"
    assert layout.env_file == tmp_path / "env"
    assert layout.log("kafka") == tmp_path / "logs" / "kafka.log"
    assert layout.data("kafka") == tmp_path / "kafka"
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_the_chosen_one_else_the_users_else_in_the_state_directory(tmp_path):
    layout = Layout(tmp_path / "state")
    home = {"HOME": str(tmp_path)}
    assert cache_dir(layout, tmp_path / "mine", home) == tmp_path / "mine"
    assert cache_dir(layout, None, {**home, "XDG_CACHE_HOME": str(tmp_path / "xdg")}) == tmp_path / "xdg" / "ipx"
    assert cache_dir(layout, None, home) == tmp_path / ".cache" / "ipx"
    assert cache_dir(layout, None, {}) == tmp_path / "state" / "cache"
    (tmp_path / "file").touch()
    assert cache_dir(layout, None, {"HOME": str(tmp_path / "file")}) == tmp_path / "state" / "cache"
