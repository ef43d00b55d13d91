"""The node as a witness: what it cosigns, what it takes for stale, unproven or split, and what it remembers."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.witness import Status
from connectors.node import report, witness_store
from services.codec.checkpoint import parse_checkpoint
from services.codec.note import cosigned_at, is_signed, parse_note
from services.codec.strict_json import parse_json
from services.codec.tiles import Tree
from services.codec.witness_request import Request, format_request
from services.events import from_value
from services.events.receipt import SplitViewFound
from services.kernel.errors import Transient
from services.members.registry import EMPTY
from tests.unit.connectors.node.witness_stand import OTHER, stand, witness_key
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, RELEASED
from tests.unit.connectors.small_log import ORIGIN, SmallLog, checkpoint_note, key_of


def test_a_first_checkpoint_is_cosigned_stored_and_posted_by_each_participant(tmp_path: Path) -> None:
    with stand(tmp_path, NANJING, HANGZHOU) as made:
        assert made.turn() == {ORIGIN: "cosigned"}
        assert [(who, origin) for who, origin, _ in made.gateway.posted] == [(NANJING, ORIGIN), (HANGZHOU, ORIGIN)]
        for who, _, data in made.gateway.posted:
            note = parse_note(data)
            assert is_signed(note, key_of())
            assert cosigned_at(note, witness_key(who)) == made.exchange.clock.now_ms() // 1000
            assert len(note.signatures) == 2
        assert made.rows("select origin, size from witnessed") == [(ORIGIN, 300)]
        assert set(made.rows("select state from cosignatures")) == {("sent",)}
        assert made.teller.counts["sent_cosignatures_total", (("participant", NANJING),)] == 1


def test_nothing_is_looked_at_before_the_members_log_is_read(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        read = made.witness.registry
        made.witness.registry = lambda: EMPTY
        assert made.turn() == {}
        assert made.gateway.asked == []
        made.witness.registry = read
        assert made.turn() == {ORIGIN: "cosigned"}


def test_growth_is_cosigned_by_the_tiles_and_quiet_logs_are_let_alone(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        for size in (301, 512, 70_000):
            made.log.grow(size - made.log.size)
            assert made.turn() == {ORIGIN: "cosigned"}
            assert parse_note(made.gateway.posted[-1][2]).text == parse_note(made.log.checkpoint()).text
        before = len(made.gateway.asked)
        assert made.turn() == {}
        assert len(made.gateway.asked) == before
        assert len(made.gateway.posted) == 4


def test_a_log_whose_size_stands_still_is_looked_at_now_and_then(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        came = [made.turn() for _ in range(13)]
        assert came[1:] == [{}] * 11 + [{ORIGIN: "unchanged"}]


def test_same_size_and_another_root_is_a_split_view_kept_reported_and_never_cosigned_again(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        seen = made.log.checkpoint()
        other = made.log.fork(250).grow(50, "other")
        made.gateway.trees[ORIGIN] = other
        assert made.turn() == {ORIGIN: "split"}
        (event,) = made.events()
        found = from_value(event.statement.type, RELEASED.named(SplitViewFound.TYPE).decode(event.body))
        assert isinstance(found, SplitViewFound)
        assert (found.seen_note, found.offered_note) == (seen, other.checkpoint())
        assert (found.seen_root, found.offered_root) == (
            f"sha256:{made.log.root().hex()}",
            f"sha256:{other.root().hex()}",
        )
        assert (found.prefix_root, found.proof) == (None, b"")
        assert event.statement.addressee == "exchange.operator"
        assert made.teller.gauges["open_split_views", ()] == 1
        assert any(level == "error" for level, *_ in made.teller.lines)
        other.grow(100)
        assert made.turn(2) == {ORIGIN: "split"}
        assert len(made.gateway.posted) == 1
        assert len(made.events()) == 1


@pytest.mark.parametrize(("seen", "offered"), [(300, 301), (300, 600), (256, 700), (512, 300), (300, 255)])
def test_a_larger_or_smaller_tree_that_parts_from_the_one_seen_is_a_split_view_with_its_path(
    tmp_path: Path, seen: int, offered: int
) -> None:
    with stand(tmp_path, log=SmallLog().grow(seen)) as made:
        made.turn()
        other = made.log.fork(200).grow(offered - 200, "other")
        if offered > seen:
            made.gateway.trees[ORIGIN] = other
        else:  # the smaller fork is shown, the tiles are still those of the tree seen
            made.gateway.served[ORIGIN] = other.checkpoint()
            made.witness._round = 0
        assert made.turn() == {ORIGIN: "split"}
        (event,) = made.events()
        assert (
            made.exchange.propose(parse_json(made.rows("select document from outbox")[0][0], most_bytes=1 << 20))
            == "admitted"
        )
        assert event.statement.subject == ORIGIN


def test_an_older_checkpoint_is_stale_and_nothing_is_signed_or_accused(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        made.gateway.served[ORIGIN] = made.log.checkpoint(255)
        made.witness._round = 0
        assert made.turn() == {ORIGIN: "stale"}
        made.gateway.lost_tiles = True  # the tree rolled back: nobody shows the tree that was seen
        made.gateway.served[ORIGIN] = made.log.fork(200).grow(50, "other").checkpoint()
        made.witness._round = 0
        assert made.turn() == {ORIGIN: "stale"}
        assert made.events() == []
        assert len(made.gateway.posted) == 1
        assert made.rows("select size from witnessed") == [(300,)]
        assert made.teller.gauges["unfollowed_logs", ()] == 1


def test_tiles_that_are_not_those_of_the_checkpoint_prove_nothing(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        made.log.grow(300)
        made.gateway.served[ORIGIN] = checkpoint_note(600, b"\7" * 32)
        assert made.turn() == {ORIGIN: "unproven"}
        made.gateway.lost_tiles = True
        assert made.turn() == {ORIGIN: "unproven"}
        assert made.events() == []
        assert len(made.gateway.posted) == 1
        made.gateway.served.clear()
        made.gateway.lost_tiles = False
        assert made.turn() == {ORIGIN: "cosigned"}


def test_a_checkpoint_that_the_log_did_not_sign_is_refused(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        good = made.log.checkpoint()
        elsewhere = SmallLog(OTHER).grow(3).checkpoint()
        for bad in (b"", b"nonsense", good.replace(b"\n300\n", b"\n301\n"), elsewhere):
            made.gateway.served[ORIGIN] = bad
            assert made.turn() == {ORIGIN: "refused"}
        made.gateway.trees = {"stranger/clues/0": SmallLog("stranger/clues/0").grow(3)}
        assert made.turn() == {"stranger/clues/0": "refused"}
        assert made.gateway.posted == []


def test_a_log_that_is_away_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.gateway.trees[OTHER] = SmallLog(OTHER).grow(5)
        made.gateway.away_for = ORIGIN
        with pytest.raises(Transient):
            made.turn()
        assert [origin for _, origin, _ in made.gateway.posted] == [OTHER]
        made.gateway.away_for = ""
        assert made.turn() == {ORIGIN: "cosigned"}


def test_a_cosignature_that_could_not_be_posted_is_posted_later(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.gateway.posts_away = True
        with pytest.raises(Transient):
            made.turn()
        assert made.rows("select size from witnessed") == [(300,)]
        made.gateway.posts_away = False
        assert made.turn() == {}
        assert len(made.gateway.posted) == 1


def test_a_cosignature_that_the_exchange_refuses_is_not_posted_for_ever(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.gateway.refusal = "422 bad-note"
        made.turn(3)
        assert len(made.gateway.posted) == 1
        assert made.rows("select state from cosignatures") == [("refused",)]


def test_what_was_not_posted_before_a_split_view_is_not_posted_after_it(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.gateway.posts_away = True
        with pytest.raises(Transient):
            made.turn()
        made.gateway.posts_away = False
        made.gateway.trees[ORIGIN] = made.log.fork(250).grow(80, "other")
        assert made.turn() == {ORIGIN: "split"}
        assert made.gateway.posted == []


def test_a_split_view_that_is_found_meanwhile_stops_the_cosigning_too(tmp_path: Path) -> None:
    """The core is asked within the transaction, so what another round stored a moment ago counts."""
    with stand(tmp_path) as made:
        made.turn()
        made.gateway.trees[ORIGIN] = made.log.fork(250).grow(80, "other")
        made.turn()
        log = made.log.grow(1)
        request = format_request(Request(300, log_proof(log, 300), log.checkpoint()))
        keys, offered = [key_of()], parse_checkpoint(parse_note(log.checkpoint()).text)
        answer = made.run(
            made.journal.change(lambda change: made.witness._judge(change, request, offered, log.checkpoint(), keys))
        )
        assert answer.status is Status.UNKNOWN_LOG
        assert made.rows("select size from witnessed") == [(300,)]


def log_proof(log: SmallLog, old_size: int) -> tuple[bytes, ...]:
    return Tree(log.tiles().get, log.size).consistency(old_size)


def test_an_operator_clears_a_split_view_and_the_tree_that_was_seen_goes_on(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        made.gateway.trees[ORIGIN] = made.log.fork(250).grow(80, "other")
        assert made.turn() == {ORIGIN: "split"}
        made.gateway.trees[ORIGIN] = made.log.grow(1)
        assert made.turn() == {ORIGIN: "split"}
        with report.opened(made.database, read_only=False) as db:
            (listed,) = report.listed_split_views(db)
            assert (listed["origin"], listed["cleared_ms"]) == (ORIGIN, None)
            assert report.clear_split_view(db, ORIGIN, "looked into", 5, forget=False) == 1
            assert report.listed_split_views(db)[0]["reason"] == "looked into"
        assert made.turn() == {ORIGIN: "cosigned"}
        assert made.teller.gauges["open_split_views", ()] == 0
        made.gateway.trees[ORIGIN] = made.log.fork(250).grow(80, "other")
        assert made.turn() == {ORIGIN: "split"}


def test_an_operator_may_have_the_witness_begin_anew(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        made.gateway.trees[ORIGIN] = made.log.fork(250).grow(80, "other")
        made.turn()
        with report.opened(made.database, read_only=False) as db:
            assert report.clear_split_view(db, ORIGIN, "the ledger was restored", 5, forget=True) == 1
        assert made.turn() == {ORIGIN: "cosigned"}


def test_what_was_seen_outlives_the_process(tmp_path: Path) -> None:
    log = SmallLog().grow(300)
    with stand(tmp_path, log=log) as made:
        made.turn()
    with stand(tmp_path, log=log.fork(250).grow(100, "other")) as made:
        assert made.turn() == {ORIGIN: "split"}
        assert made.gateway.posted == []


def test_the_status_of_the_node_tells_each_log(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.turn()
        rows = made.run(made.journal.change(lambda change: witness_store.listed(change.db)))
        at_ms = made.exchange.clock.now_ms()
        assert rows == {
            ORIGIN: {
                "size": 300,
                "root": f"sha256:{made.log.root().hex()}",
                "cosigned_ms": at_ms,
                "cosignatures": {NANJING: "sent"},
                "is_split": False,
            }
        }


def test_the_last_checkpoint_is_compared_with_what_was_cosigned_and_not_signed(tmp_path: Path) -> None:
    with stand(tmp_path) as made:
        made.gateway.served[ORIGIN] = made.log.checkpoint(200)
        made.gateway.also_served = ""
        assert made.turn() == {ORIGIN: "cosigned"}
        assert made.rows("select size from witnessed") == [(200,)]
        made.witness._round = 0
        made.gateway.trees[ORIGIN] = made.log.fork(150).grow(100, "other")
        assert made.turn() == {ORIGIN: "split"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.booleans()), max_size=8))
def test_whatever_is_served_all_that_was_cosigned_is_one_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, bool]]
) -> None:
    with stand(tmp_path_factory.mktemp("w"), log=SmallLog().grow(20)) as made:
        cosigned: list[SmallLog] = []
        current = made.log
        for kind, amount, lost in steps:
            made.gateway.lost_tiles = lost
            if kind == 0:
                current.grow(amount)
            elif kind == 1:
                current = current.fork(max(0, current.size - amount)).grow(amount, f"other {len(cosigned)}")
            elif kind == 2:
                current = current.fork(max(0, current.size - amount))
            made.gateway.trees[ORIGIN] = current
            made.witness._round = 0
            if made.turn()[ORIGIN] == "cosigned":
                cosigned.append(current.fork(current.size))
        for before, after in itertools.pairwise(cosigned):
            assert after.entries[: before.size] == before.entries
        assert len(made.gateway.posted) == len(cosigned)
