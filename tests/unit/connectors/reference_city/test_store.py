"""The reference city's database: one document per key, numbers that never repeat, happenings in order."""

from pathlib import Path

from connectors.reference_city.store import Store


def test_a_document_is_kept_once_per_key(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    assert store.take("xs", "NJXS", "k", "7", "t", '{"a": 1}') == ("NJXS000001", True)
    assert store.take("xs", "NJXS", "k", "7", "t", '{"a": 2}') == ("NJXS000001", False)
    assert store.take("xs", "NJXS", "l", "8", "t", "{}") == ("NJXS000002", True)
    held = store.list_of("xs")
    assert [(row["mdj"], row["nr"], row["cs"]) for row in held] == [("k", {"a": 1}, 2), ("l", {}, 1)]
    assert store.by_key("l") == "NJXS000002"
    assert store.by_key("m") is None


def test_answers_are_numbered_apart(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    store.take("xs", "NJXS", "k", "1", "t", "{}")
    assert store.take("fk", "NJFK", "k", "1", "t", "{}") == ("NJFK000001", True)


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    assert [store.number("AH"), store.number("AH")] == [1, 2]
    store.close()
    assert Store(tmp_path / "c.db").number("AH") == 3


def test_happenings_come_after_a_serial_number_up_to_a_limit(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    store.enter(['{"n": 1}', '{"n": 2}', '{"n": 3}'])
    assert store.happenings(1, 1) == [(2, {"n": 2})]
    assert store.happenings(3, 9) == []


def test_a_step_that_was_done_is_off_the_list_with_its_happening(tmp_path: Path) -> None:
    store = Store(tmp_path / "c.db")
    slbh, _ = store.take("xs", "NJXS", "k", "1", "t", "{}")
    store.schedule(slbh, [('{"do": "accept"}', 5)])
    ((step_id, _, _),) = store.due(5)
    store.handle(step_id, slbh, "SL", None, '{"n": 1}')
    assert store.due(99) == []
    assert store.happenings(0, 9) == [(1, {"n": 1})]
