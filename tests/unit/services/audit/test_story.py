"""The story of a case: its lines in order, each with what proves it."""

from __future__ import annotations

import pytest

from services.audit.sources import entry_of
from services.audit.story import Proof, tell
from services.codec.checkpoint import origin_of
from services.codec.entry import parse_entry
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from tests.unit.services.audit.lived import lived, registry_of
from tests.unit.services.audit.vault import CLUES, checkpoint
from tests.unit.services.members import town


def test_a_case_is_told_in_order_in_both_languages() -> None:
    made, _ = lived()
    lines = tell(made, registry_of(made), "CL-0")
    assert [(line.type.rsplit(".")[-1], line.seq, line.offset) for line in lines] == [
        ("ClueReported", 0, 0),
        ("ClueReported", 3, 6),
        ("MoveHadNoEffect", 4, 8),
    ]
    assert (lines[0].source_zh, lines[0].source_en) == (f"机关{town.NANJING}", f"Organ {town.NANJING}")
    assert all("\u4e00" <= line.title_zh[0] <= "\u9fff" and line.title_en.isascii() for line in lines)
    assert {line.proof for line in lines} == {Proof.SIGNED}
    assert lines[0].size == 5


def test_any_event_of_a_case_leads_to_it() -> None:
    made, _ = lived()
    derived = parse_entry(entry_of(made.logged[CLUES][4])).statement.id
    assert tell(made, registry_of(made), derived) == tell(made, registry_of(made), "CL-0")


def test_receipts_are_told_among_the_rest() -> None:
    made, _ = lived()
    lines = tell(made, registry_of(made), "CL-1")
    assert [line.type for line in lines] == ["cn.ipx.receipt.Delivered", "cn.ipx.clue.ClueReported"]
    assert lines[0].proof is Proof.NOT_YET


def test_what_a_witnessed_checkpoint_holds_is_witnessed() -> None:
    made, _ = lived()
    made.quorum[origin_of(CLUES)] = checkpoint(CLUES, made.entries(CLUES)[:4])
    made.kept_tiles[origin_of(CLUES)]["tile/0/000.p/4"] = made.kept_tiles[origin_of(CLUES)]["tile/0/000.p/5"][: 4 * 32]
    proofs = [line.proof for line in tell(made, registry_of(made), "CL-0")]
    assert proofs == [Proof.WITNESSED, Proof.WITNESSED, Proof.SIGNED]


def test_what_the_tiles_do_not_lead_to_the_root_is_not_in_the_tree() -> None:
    made, _ = lived()
    made.change_entry(CLUES, 3, admitted=format_instant(town.NOW_MS + 13_001))
    assert [line.proof for line in tell(made, registry_of(made), "CL-0")][1] is Proof.NOT_IN_TREE
    made.kept_tiles.clear()
    assert {line.proof for line in tell(made, registry_of(made), "CL-0")} == {Proof.UNPROVED}


def test_a_checkpoint_that_nobody_signed_proves_nothing() -> None:
    made, _ = lived()
    made.notes[origin_of(CLUES)] = [checkpoint(CLUES, made.entries(CLUES), town.signer(town.NANJING))]
    assert {line.proof for line in tell(made, registry_of(made), "CL-0")} == {Proof.NOT_YET}


@pytest.mark.parametrize("case", ["CL-9", "01a20caa-b333-79b5-8821-17e581c13a14", "x\nsubject: CL-0"])
def test_a_case_that_is_in_no_log_is_refused(case: str) -> None:
    made, _ = lived()
    with pytest.raises(Refused) as refused:
        tell(made, registry_of(made), case)
    assert refused.value.code == "not-found"
