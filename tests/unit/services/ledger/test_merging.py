from __future__ import annotations

from services.codec.checkpoint import Checkpoint
from services.codec.keys import signer_from_seed
from services.codec.note import COSIGNATURE, Note, NoteKey, NoteSignature, cosign_note
from services.codec.tlog_policy import Group, Policy
from services.ledger.merging import REMEMBERED, Cosignatures, is_witnessed, witness_keys
from services.members.registry import EMPTY
from tests.unit.services.ledger.entries import KEY, ORIGIN

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
NOTE = KEY.sign(Checkpoint(ORIGIN, 7, bytes(range(32))))


def signer(name: str):
    return signer_from_seed(name, name.encode().ljust(32, b".")[:32])


def key(name: str) -> NoteKey:
    return NoteKey(name, COSIGNATURE, signer(name).public.data)


def line(name: str, text: bytes = NOTE.text, time_s: int = 1) -> NoteSignature:
    return cosign_note(text, name, signer(name).public.data, signer(name).sign, time_s)


def keys_of(name: str) -> tuple[NoteKey, ...]:
    return (key(name),) if name in (NANJING, HANGZHOU) else ()


def known() -> Cosignatures:
    found = Cosignatures(KEY.note_key)
    found.remember(NOTE)
    return found


def test_good_cosignatures_come_together_under_their_checkpoint() -> None:
    book = known()
    first = book.merge(Note(NOTE.text, (line(NANJING),)), keys_of)
    second = book.merge(Note(NOTE.text, (line(HANGZHOU),)), keys_of)
    assert (first.outcomes, second.outcomes) == (("merged",), ("merged",))
    assert second.note == NOTE.add(line(NANJING), line(HANGZHOU))


def test_the_same_key_counts_once_and_brings_nothing_new_a_second_time() -> None:
    book = known()
    book.merge(Note(NOTE.text, (line(NANJING),)), keys_of)
    again = book.merge(Note(NOTE.text, (line(NANJING, time_s=2),)), keys_of)
    assert (again.note, again.outcomes) == (None, ("known",))


def test_what_is_not_good_or_of_nobody_is_left_out() -> None:
    bad = NoteSignature(NANJING, key(NANJING).key_hash, bytes(72))
    other = line(HANGZHOU, text=b"another text\n")
    merged = known().merge(Note(NOTE.text, (bad, other, line("stranger.example"))), keys_of)
    assert (merged.note, merged.outcomes) == (None, ("not-good", "not-good", "stranger"))


def test_a_checkpoint_that_is_not_known_takes_nothing() -> None:
    other = KEY.sign(Checkpoint(ORIGIN, 8, bytes(32)))
    merged = known().merge(Note(other.text, (line(NANJING, other.text),)), keys_of)
    assert (merged.note, merged.outcomes) == (None, ("unknown-checkpoint",))


def test_the_line_of_the_log_itself_is_nobodys_cosignature() -> None:
    assert known().merge(NOTE, keys_of).outcomes == ()


def test_only_the_last_checkpoints_are_remembered_and_given_latest_first() -> None:
    book = known()
    for size in range(8, 8 + REMEMBERED):
        book.remember(KEY.sign(Checkpoint(ORIGIN, size, bytes(32))))
    assert not book.knows(NOTE.text)
    sizes = [int(note.text.split(b"\n")[1]) for note in book.latest_first()]
    assert sizes == list(range(7 + REMEMBERED, 7, -1))


def test_what_is_remembered_again_keeps_its_cosignatures() -> None:
    book = known()
    book.merge(Note(NOTE.text, (line(NANJING),)), keys_of)
    assert book.remember(NOTE) == NOTE.add(line(NANJING))


def test_a_quorum_makes_a_checkpoint_witnessed_and_no_policy_makes_none() -> None:
    group = Group("both", 2, (NANJING, HANGZHOU))
    policy = Policy({ORIGIN: KEY.note_key}, {n: key(n) for n in (NANJING, HANGZHOU)}, (group,), "both")
    assert not is_witnessed(NOTE.add(line(NANJING)), policy)
    assert is_witnessed(NOTE.add(line(NANJING), line(HANGZHOU)), policy)
    assert not is_witnessed(NOTE.add(line(NANJING), line(HANGZHOU)), None)
    assert not is_witnessed(NOTE.add(line(NANJING), line(HANGZHOU)), Policy({}, policy.witnesses, (group,), "both"))


def test_the_keys_of_a_policy_count_though_the_members_log_has_them_not() -> None:
    policy = Policy({}, {"w": key(NANJING)}, (), "w")
    assert witness_keys(EMPTY, policy, 0)(NANJING) == (key(NANJING),)
    assert witness_keys(EMPTY, None, 0)(NANJING) == ()
