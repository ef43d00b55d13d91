"""verify-log on a small exchange in memory: clean as it is, and each way of tampering is refused with the first bad place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log_check import MAX_FINDINGS
from services.audit.sources import entry_of
from services.audit.verify_log import check_log, read_members
from services.codec.checkpoint import parse_checkpoint
from services.codec.entry import parse_entry
from services.codec.note import parse_note
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.registry import EMPTY
from services.runtime.records import RawRecord
from tests.unit.services.admission.desk import sealed
from tests.unit.services.audit.checking import ORIGIN, checked, codes, first
from tests.unit.services.audit.vault import (
    CLUES,
    MEMBERS,
    Vault,
    story,
    vault,
)
from tests.unit.services.members import town


@pytest.mark.parametrize("signatures", [True, False])
@pytest.mark.parametrize("log", [MEMBERS, CLUES])
def test_an_honest_log_has_no_findings(log: str, signatures: bool) -> None:
    made = vault()
    report = checked(made, log, signatures=signatures)
    assert report.findings == ()
    assert report.entries == report.signed_size == len(made.logged[log])


def test_processes_find_what_one_finds() -> None:
    made = vault(2500, signed_at=(1200, 2500))
    made.change_entry(CLUES, 2100, members=3)
    alone, beside = checked(made), checked(made, processes=2)
    assert beside == alone
    assert codes(alone) == ["bad-signature", "entry-altered", "root-differs"]


def test_progress_tells_how_many_were_checked() -> None:
    told: list[tuple[str, int]] = []
    check_log(vault(), CLUES, signatures=False, processes=0, on_progress=lambda log, count: told.append((log, count)))
    assert told == [(CLUES, 12)]


@pytest.mark.parametrize("place", [0, 4, 6, 11])
def test_an_altered_entry_is_named_by_the_tree(place: int) -> None:
    made = vault()
    before = parse_entry(entry_of(made.logged[CLUES][place]))
    made.change_entry(CLUES, place, admitted=before.admitted[:-2] + "1Z")  # nobody but the tree can know
    assert first(made) == ("entry-altered", 2 * place, place)
    assert first(made, signatures=False) == ("entry-altered", 2 * place, place)


def test_without_tiles_the_tree_names_the_stretch() -> None:
    made = vault()
    made.kept_tiles.clear()
    made.change_entry(CLUES, 7, admitted=format_instant(town.NOW_MS + 16_999))
    report = checked(made)
    assert codes(report) == ["root-differs"]
    assert report.findings[0].seq == 5
    assert "5 to 11" in report.findings[0].sentence
    assert report.signed_size == 5


def test_tiles_that_were_altered_too_are_not_believed() -> None:
    made = vault()
    made.change_entry(CLUES, 7, admitted=format_instant(town.NOW_MS + 16_999))
    made.keep_tiles(CLUES)
    assert codes(checked(made)) == ["root-differs"]


def test_bytes_that_are_no_entry_are_named() -> None:
    made = vault()
    made.put(CLUES, 3, entry_of(made.logged[CLUES][3]) + b"\n")
    assert first(made) == ("bad-entry", 6, 3)


def test_a_record_without_entry_is_named() -> None:
    made = vault()
    made.logged[CLUES][0] = replace(made.logged[CLUES][0], headers=[])
    assert first(made, signatures=False) == ("bad-entry", 0, None)


def test_a_deleted_entry_is_a_gap() -> None:
    made = vault()
    del made.logged[CLUES][4]
    assert first(made) == ("seq-gap", 10, 5)


def test_an_inserted_entry_is_a_repeat() -> None:
    made = vault()
    made.logged[CLUES].insert(4, made.logged[CLUES][3])
    assert first(made) == ("seq-repeated", 6, 3)


def test_an_inserted_entry_with_everything_renumbered_is_found_by_the_tree() -> None:
    made, other = vault(), vault(0, signed_at=())
    numbers: dict[str, int] = {}
    registry = town.told(EMPTY, *story())
    for number in (0, 1, 77, *range(2, 12)):
        other.append(CLUES, sealed(number=number), registry, numbers)
    made.logged[CLUES] = other.logged[CLUES]
    assert first(made) == ("entry-altered", 4, 2)


def test_swapped_entries_are_out_of_order() -> None:
    made = vault()
    log = made.logged[CLUES]
    log[4], log[5] = log[5], log[4]
    report = checked(made)
    assert report.findings[0].code == "seq-gap"
    assert (report.findings[0].offset, report.findings[0].seq) == (10, 5)


def test_swapped_events_under_their_old_numbers_are_found_by_the_tree() -> None:
    made = vault()
    one, two = (parse_entry(entry_of(made.logged[CLUES][n])) for n in (4, 5))
    made.logged[CLUES][4], made.logged[CLUES][5] = made.logged[CLUES][5], made.logged[CLUES][4]
    made.change_entry(CLUES, 4, seq=one.seq, admitted=one.admitted, deliveries=one.deliveries)
    made.change_entry(CLUES, 5, seq=two.seq, admitted=two.admitted, deliveries=two.deliveries)
    assert first(made, signatures=False)[0::2] == ("entry-altered", 4)


def test_a_tail_that_was_cut_off_is_missed_by_the_checkpoint() -> None:
    made = vault()
    del made.logged[CLUES][9:]
    report = checked(made)
    assert codes(report) == ["log-shorter"]
    assert report.findings[0].seq == 9
    assert report.signed_size == 5


def test_a_replaced_tail_is_found_by_the_tree() -> None:
    made, other = vault(), vault(0, signed_at=())
    numbers: dict[str, int] = {}
    registry = town.told(EMPTY, *story())
    for number in (*range(8), 90, 91, 92, 93):
        other.append(CLUES, sealed(number=number), registry, numbers)
    made.logged[CLUES] = other.logged[CLUES]
    assert first(made) == ("entry-altered", 16, 8)


def test_a_members_log_that_was_founded_by_another_key_is_not_believed() -> None:
    made = vault()
    made.root = town.signer(town.NANJING).public
    report = checked(made, MEMBERS)
    assert report.findings[0].code == "members-broken"
    assert report.findings[0].seq == 0


def test_a_members_log_is_believed_up_to_its_first_bad_record() -> None:
    made = vault()
    made.change_envelope(MEMBERS, 9, salts="x")
    members = read_members(made)
    assert [(f.code, f.seq) for f in members.findings] == [("members-broken", 9)]
    assert members.history.size == 9


def test_an_empty_members_log_is_named() -> None:
    made = vault()
    made.logged[MEMBERS].clear()
    assert "members-broken" in codes(checked(made, MEMBERS))


def test_findings_are_counted_and_the_first_hundred_kept() -> None:
    made = vault(300, signed_at=())
    for place in range(0, 300, 2):
        made.put(CLUES, place, b"")
    report = checked(made, signatures=False)
    assert (len(report.findings), report.more > 0) == (MAX_FINDINGS, True)


def later(first: int) -> Vault:
    made = vault(300, signed_at=(5, 150, 300))
    del made.logged[CLUES][:first]
    made.firsts[CLUES] = first
    return made


@pytest.mark.parametrize("first", [1, 5, 149, 256])
def test_an_archive_of_a_later_period_begins_at_its_first_entry(first: int) -> None:
    report = checked(later(first))
    assert report.findings == ()
    assert (report.entries, report.signed_size) == (300 - first, 300)


def test_an_archive_of_a_later_period_that_begins_later_than_it_says_has_a_gap() -> None:
    made = later(20)
    del made.logged[CLUES][0]
    assert first(made, signatures=False)[0] == "seq-gap"


def test_tiles_before_a_later_period_are_borne_out_by_the_root() -> None:
    made = later(20)
    tiles = made.kept_tiles[ORIGIN]
    tiles["tile/0/000"] = b"\x01" + tiles["tile/0/000"][1:]
    assert codes(checked(made, signatures=False)) == ["root-differs"]


@pytest.mark.parametrize("kept", [0, 1, 149, 151, 299])
def test_an_archive_of_an_earlier_period_ends_at_its_last_entry(kept: int) -> None:
    made = vault(300, signed_at=(5, 150, 300))
    del made.logged[CLUES][kept:]
    made.nexts[CLUES] = kept
    report = checked(made, signatures=False)
    assert (codes(report), report.entries, report.signed_size) == ([], kept, 300)
    del made.logged[CLUES][kept - 1 :]
    assert codes(checked(made, signatures=False)) == (["log-shorter"] if kept else [])


def test_an_altered_entry_of_an_earlier_period_is_named() -> None:
    made = vault(300, signed_at=(300,))
    made.change_entry(CLUES, 7, admitted=format_instant(town.NOW_MS + 16_999))
    del made.logged[CLUES][200:]
    made.nexts[CLUES] = 200
    assert codes(checked(made, signatures=False))[-1] == "root-differs"


def test_files_of_an_archive_that_are_not_what_they_must_be_are_a_finding() -> None:
    made = vault()

    class Broken(Vault):
        def records(self, log: str) -> Iterator[RawRecord]:
            yield from self.logged[log][:3]
            if log == CLUES:
                raise Refused("bad-archive", "the file is another")

    broken = Broken(made.logged, made.notes, made.kept_tiles)
    assert [(f.code, f.seq) for f in checked(broken).findings] == [("members-broken", None), ("bad-archive", 0)][1:]


def test_without_tiles_a_later_period_cannot_be_checked() -> None:
    made = later(20)
    made.kept_tiles.clear()
    assert codes(checked(made, signatures=False))[0] == "no-beginning"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_byte_of_an_entry_can_be_changed_unseen(data: st.DataObject) -> None:
    made = _SMALL
    place = data.draw(st.integers(0, 3))
    before = made.logged[CLUES][place]
    entry = entry_of(before)
    at = data.draw(st.integers(0, len(entry) - 1))
    flip = data.draw(st.integers(1, 255))
    try:
        made.put(CLUES, place, entry[:at] + bytes((entry[at] ^ flip,)) + entry[at + 1 :])
        report = checked(made, signatures=False)
    finally:
        made.logged[CLUES][place] = before
    assert report.findings
    assert report.findings[0].seq in (place, place + 1, None)


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(4)), kept=st.integers(0, 4))
def test_no_other_order_and_no_shorter_log_passes(order: list[int], kept: int) -> None:
    made = replace(_SMALL, logged={**_SMALL.logged, CLUES: [_SMALL.logged[CLUES][n] for n in order[:kept]]})
    assert bool(checked(made, signatures=False).findings) == (order[:kept] != [0, 1, 2, 3])


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_no_byte_of_a_checkpoint_can_be_changed_unseen(at: int, flip: int) -> None:
    note = _SMALL.notes[ORIGIN][0]
    at %= len(note)
    made = replace(_SMALL, notes={ORIGIN: [note[:at] + bytes((note[at] ^ flip,)) + note[at + 1 :]]})
    report = checked(made, signatures=False)
    assert (
        codes(report) or report.signed_size == 0
    )  # another name on the line: then nobody signed, and nothing is vouched for
    assert parse_checkpoint(parse_note(note).text).size == 4


_SMALL = vault(4, signed_at=(4,))
