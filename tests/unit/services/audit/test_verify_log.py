"""verify-log on a small exchange in memory: clean as it is, and each way of tampering is refused with the first bad place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.partitioning import partition_of
from services.audit.log_check import MAX_FINDINGS
from services.audit.sources import entry_of
from services.audit.verify_log import LogReport, check_log, read_members
from services.codec.checkpoint import Checkpoint, origin_of, parse_checkpoint
from services.codec.content import format_disclosure, parse_disclosure, redact
from services.codec.entry import Delivery, parse_entry
from services.codec.envelope import envelope_from_record
from services.codec.note import format_note, parse_note
from services.events.member import FamilyLog
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.registry import EMPTY
from services.runtime.records import RawRecord
from tests.unit.services.admission.desk import sealed
from tests.unit.services.audit.vault import (
    ADMITTED_MS,
    CLUES,
    MEMBERS,
    Vault,
    checkpoint,
    ledger_key,
    signed_head,
    story,
    vault,
)
from tests.unit.services.members import town

ORIGIN = origin_of(CLUES)


def checked(made: Vault, log: str = CLUES, *, signatures: bool = True, processes: int = 0) -> LogReport:
    return check_log(made, log, signatures=signatures, processes=processes)


def first(made: Vault, **how: bool) -> tuple[str, int | None, int | None]:
    """Code, offset and seq of the first finding; there must be one."""
    finding = checked(made, **how).findings[0]
    assert (finding.topic, finding.partition) == ("t.clues", 0)
    return finding.code, finding.offset, finding.seq


def codes(report: LogReport) -> list[str]:
    return [finding.code for finding in report.findings]


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


def test_a_forged_checkpoint_is_named() -> None:
    made = vault(signed_at=(5,))
    made.notes[ORIGIN].append(checkpoint(CLUES, made.entries(CLUES), town.signer(town.NANJING)))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_checkpoint_by_the_key_of_another_log_is_forged() -> None:
    made = vault(signed_at=())
    made.notes[ORIGIN].append(checkpoint(CLUES, made.entries(CLUES), ledger_key("t.credit/0")))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_checkpoint_whose_text_was_changed_is_forged() -> None:
    made = vault()
    note = parse_note(made.notes[ORIGIN][-1])
    made.notes[ORIGIN][-1] = format_note(replace(note, text=note.text.replace(b"\n12\n", b"\n11\n")))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_rolled_back_checkpoint_is_named() -> None:
    made = vault(signed_at=(5, 12, 7))
    assert codes(checked(made)) == ["checkpoint-rolled-back"]


def test_two_roots_of_one_size_are_a_split_view() -> None:
    made = vault()
    made.notes[ORIGIN].append(signed_head(CLUES, Checkpoint(ORIGIN, 12, b"\x01" * 32)))
    assert codes(checked(made)) == ["split-view"]


def test_a_signed_checkpoint_over_another_tree_is_named() -> None:
    made = vault(signed_at=(5,))
    made.notes[ORIGIN].append(signed_head(CLUES, Checkpoint(ORIGIN, 8, b"\x01" * 32)))
    report = checked(made)
    assert codes(report) == ["root-differs"]
    assert report.signed_size == 5


@pytest.mark.parametrize("junk", [b"", b"x" * 70_000, b"t/clues/0\n1\n", "— x y\n".encode()])
def test_a_note_that_is_none_is_named(junk: bytes) -> None:
    made = vault()
    made.notes[ORIGIN].insert(0, junk)
    assert codes(checked(made)) == ["bad-checkpoint"]


def test_a_checkpoint_of_another_log_is_named() -> None:
    made = vault()
    made.notes[ORIGIN].insert(0, checkpoint(MEMBERS, made.entries(MEMBERS)))
    assert codes(checked(made)) == ["bad-checkpoint"]


def test_repeated_checkpoints_are_none_of_anybodys_business() -> None:
    made = vault(signed_at=(0, 5, 5, 12, 12))
    report = checked(made)
    assert (codes(report), report.checkpoints) == ([], 3)


def test_a_changed_body_is_not_what_was_committed_to() -> None:
    made = vault()
    other = sealed(town.clue(title="另一线索"), number=2)
    made.change_envelope(CLUES, 2, body=other.body)
    assert first(made) == ("bad-content", 4, 2)


def test_a_changed_salt_is_not_what_was_committed_to() -> None:
    made = vault()
    made.change_envelope(CLUES, 2, salts=sealed(number=3).salts)
    assert first(made) == ("bad-content", 4, 2)


def test_attributes_of_another_statement_than_the_entrys_are_named() -> None:
    made = vault()
    statement = replace(parse_entry(entry_of(made.logged[CLUES][2])).statement, subject="CL-9")
    made.change_envelope(CLUES, 2, statement=statement)
    assert first(made) == ("entry-differs", 4, 2)


def test_a_signature_by_another_key_is_named() -> None:
    made = vault()
    forged = sealed(number=2, key=town.signer(town.HANGZHOU))
    made.change_envelope(CLUES, 2, signature=forged.signature)
    made.change_entry(CLUES, 2, signature=forged.signature)
    assert first(made) == ("bad-signature", 4, 2)


def test_a_log_holds_every_event_whole() -> None:
    made = vault()
    _, envelope = envelope_from_record(made.logged[CLUES][2].headers, made.logged[CLUES][2].value)
    schema = town.released().with_digest(envelope.statement.schema)
    disclosure = parse_disclosure(schema, envelope.salts)
    value, parts = schema.decode_parts(envelope.body)
    _, shown, less = redact(schema, value, parts, disclosure, schema.restricted[:1])
    made.change_envelope(CLUES, 2, body=b"".join(shown), salts=format_disclosure(schema, less))
    assert first(made) == ("bad-content", 4, 2)


def test_a_key_of_another_suite_signs_nothing() -> None:
    key = town.key_added(town.NANJING, 1, suite="sm2-sm3")
    said = [*story(), town.Said(key)]
    made = vault(said=said)
    numbers = dict.fromkeys((town.HANGZHOU, town.HANGZHOU_IP), 12)
    signed = sealed(number=30, key=town.signer(town.NANJING, 1))
    made.append(CLUES, signed, town.told(EMPTY, *said), numbers)
    assert first(made) == ("bad-signature", 24, 12)


def test_a_subject_has_its_partition() -> None:
    families = (FamilyLog(family="clues", partitions=4),)
    made = vault(said=[town.Said(town.founded(families=families)), *story()[1:]])
    away = [number for number in range(12) if partition_of(f"CL-{number}".encode(), 4)]
    assert [(f.code, f.seq) for f in checked(made).findings] == [("wrong-partition", number) for number in away]


def test_admission_times_do_not_go_back_between_two_runs_either() -> None:
    made = vault(1001, signed_at=())
    made.change_entry(CLUES, 1000, admitted=format_instant(ADMITTED_MS))
    assert first(made, signatures=False) == ("time-goes-back", 2000, 1000)


def test_a_recipient_that_the_agreement_does_not_give_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    more = tuple(sorted((*entry.deliveries, Delivery(town.POLICE, 0)), key=lambda d: d.recipient))
    made.change_entry(CLUES, 2, deliveries=more)
    assert first(made) == ("deliveries-differ", 4, 2)


def test_a_field_disclosed_beyond_the_flow_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    made.change_entry(CLUES, 2, deliveries=tuple(replace(d, withheld=()) for d in entry.deliveries))
    assert first(made) == ("deliveries-differ", 4, 2)


def test_an_event_that_nobody_may_say_is_named_by_the_members_log_that_its_entry_names() -> None:
    made = vault()
    keys = len(story()) - 5  # before the agreement was signed
    made.change_entry(CLUES, 2, members=keys)
    code, offset, seq = first(made)
    assert (code, offset, seq) == ("not-authorised", 4, 2)


def test_an_entry_that_names_more_members_than_there_are_is_named() -> None:
    made = vault()
    made.change_entry(CLUES, 2, members=10_000)
    assert first(made) == ("members-ahead", 4, 2)


def test_an_entry_of_another_log_is_named() -> None:
    made = vault()
    made.change_entry(CLUES, 2, log="t.clues/1")
    assert first(made) == ("wrong-log", 4, 2)


def test_a_delivery_number_left_out_or_repeated_is_named() -> None:
    made = vault()
    entry = parse_entry(entry_of(made.logged[CLUES][2]))
    made.change_entry(CLUES, 2, deliveries=tuple(replace(d, number=d.number + 1) for d in entry.deliveries))
    report = checked(made, signatures=False)
    assert [(f.code, f.seq) for f in report.findings[:4]] == [("delivery-number", 2)] * 2 + [("delivery-number", 3)] * 2


def test_admission_times_never_go_back() -> None:
    made = vault()
    made.change_entry(CLUES, 2, admitted=format_instant(town.NOW_MS))
    assert first(made, signatures=False) == ("time-goes-back", 4, 2)


@pytest.mark.parametrize("place", [999, 1000, 1001])
def test_what_stands_between_two_runs_is_seen_too(place: int) -> None:
    made = vault(2100, signed_at=())
    del made.logged[CLUES][place]
    assert first(made, signatures=False) == ("seq-gap", 2 * place + 2, place + 1)


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
