"""Reading event schemas from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.codec.schema_files import event_type_of, read_event_schemas
from services.kernel.errors import BadSettings


def test_schemas_are_read_by_family_and_name_in_order(tmp_path: Path) -> None:
    for name in ("clue/B", "clue/A", "member/C"):
        path = tmp_path / f"{name}.avsc"
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"namespace": "n", "name": "X"}', encoding="utf-8")
    assert list(read_event_schemas(tmp_path)) == ["clue/A.avsc", "clue/B.avsc", "member/C.avsc"]
    assert event_type_of({"namespace": "cn.ipx.clue", "name": "A"}) == "cn.ipx.clue.A"


@pytest.mark.parametrize("text", ["{", "[]", '"string"'])
def test_a_file_that_is_not_a_json_object_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "clue").mkdir()
    (tmp_path / "clue" / "A.avsc").write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"clue/A\.avsc"):
        read_event_schemas(tmp_path)


def test_a_directory_without_schemas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        read_event_schemas(tmp_path)
