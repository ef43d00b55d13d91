"""``ipx audit verify-log``, ``fsck`` and ``replay`` on a whole exchange at work: clean as it is, and what was tampered with is named."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from services.events.clue import MoveHadNoEffect
from tests.broker.admission_rig import HANGZHOU, NANJING
from tests.broker.audit_rig import Whole, whole


@pytest.fixture(scope="module")
def worked(make_exchange) -> Iterator[Whole]:
    """An exchange that has worked and goes on; tests that tamper make their own."""
    with make_exchange() as exchange, whole(exchange) as made:
        made.work()
        yield made


def test_verify_log_of_an_honest_exchange_finds_nothing(worked: Whole) -> None:
    code, document = worked.audit("verify-log")
    assert (code, document["good"]) == (0, True), document
    logs = {row["log"].removeprefix(f"{worked.exchange.name}."): row for row in document["logs"]}
    assert document["logs"][0]["log"].endswith(".members/0")
    assert logs["members/0"]["signed_size"] == logs["members/0"]["entries"] > 20
    assert sum(row["entries"] for name, row in logs.items() if name.startswith("clues/")) == 6
    assert all(row["signed_size"] == row["entries"] for name, row in logs.items() if name.startswith("clues/"))


def test_fsck_of_an_honest_exchange_finds_nothing(worked: Whole) -> None:
    code, document = worked.audit("fsck")
    assert (code, document["good"]) == (0, True), document
    assert document["logs_with_tiles"] > 0
    assert document["inbox_records"] > 10


def test_replay_of_an_honest_exchange_comes_to_the_same(worked: Whole) -> None:
    code, document = worked.audit("replay")
    assert (code, document["good"]) == (0, True), document
    assert document["derived_events"] >= 3
    assert document["states"] == {"clues": 4, "receipts": document["states"]["receipts"], "transfers": 0}
    assert document["folded"]["receipts"] > document["folded"]["clues"] == 6
    assert document["states"]["receipts"] > 6


def test_an_archive_is_verified_and_replayed_and_tells_its_cases(worked: Whole) -> None:
    folder = worked.exchange.state_dir / "archive"
    done = worked.exchange.ipx("audit", "export", str(folder), "--json", timeout_s=120)
    assert done.returncode == 0, done.stderr
    code, document = worked.audit("verify-log", "--archive", str(folder))
    assert (code, document["archive_findings"]) == (0, []), document
    code, document = worked.audit("replay", "--archive", str(folder))
    assert (code, document["states"], document["findings"]) == (0, None, [])
    assert document["derived_events"] + document["pending"] >= 3
    case = worked.first_clue().entry.statement.subject
    done = worked.exchange.ipx("audit", "replay", "--archive", str(folder), "--case", case, "--json", timeout_s=120)
    assert {line["proof"] for line in json.loads(done.stdout)} == {"signed"}, done.stderr
    inbox = next(folder.glob(f"records/*.inbox.{HANGZHOU}/0/*.avro"))
    inbox.write_bytes(inbox.read_bytes() + b" ")
    code, document = worked.audit("verify-log", "--archive", str(folder), "--no-signatures")
    assert (code, [f["code"] for f in document["archive_findings"]]) == (1, ["bad-archive"])


def test_replay_up_to_an_entry_leaves_what_came_after_it(worked: Whole) -> None:
    record = worked.first_clue()
    code, document = worked.audit("replay", "--until", f"{record.entry.log}@{record.entry.seq}")
    assert (code, document["states"]) == (0, None), document
    logged = [one.entry.admitted for records in worked.rig.log("clues").values() for one in records]
    assert document["folded"]["clues"] == sum(admitted <= record.entry.admitted for admitted in logged) < 6, document


def test_a_row_that_was_changed_by_hand_is_named(worked: Whole) -> None:
    with psycopg.connect(worked.exchange.postgres_dsn, autocommit=True) as database:
        row = database.execute("select key, state from clues.state order by key limit 1").fetchone()
        assert row is not None
        database.execute(
            "update clues.state set state = jsonb_set(state, '{referred}', 'true') where key = %s", row[:1]
        )
        try:
            code, document = worked.audit("replay")
        finally:
            database.execute("update clues.state set state = %s where key = %s", (Jsonb(row[1]), row[0]))
    assert code == 1
    assert [(f["code"], f["topic"]) for f in document["findings"]] == [("projection-differs", "clues.state")]
    assert document["findings"][0]["sentence"].startswith(f"{row[0]}: referred is true, the logs give false")


def test_the_story_of_a_case_says_how_each_line_is_proved(worked: Whole) -> None:
    record = worked.first_clue()
    for case in (record.entry.statement.subject, record.entry.statement.id):
        done = worked.exchange.ipx("audit", "replay", "--case", case, "--json", timeout_s=120)
        lines = json.loads(done.stdout)
        assert done.returncode == 0
        assert lines[0]["id"] == record.entry.statement.id
        assert {line["proof"] for line in lines} == {"signed"}
        assert {line["type"].rsplit(".")[-1] for line in lines} >= {
            "ClueReported",
            "MoveHadNoEffect",
            "Delivered",
            "Committed",
        }
        assert [line["admitted"] for line in lines] == sorted(line["admitted"] for line in lines)
    said = worked.exchange.ipx("audit", "replay", "--case", record.entry.statement.subject, timeout_s=120)
    assert "已签入检查点" in said.stdout


def test_a_case_that_is_not_there_is_refused(worked: Whole) -> None:
    said = worked.exchange.ipx("audit", "replay", "--case", "CL-0", timeout_s=120)
    assert (said.returncode, "not-found" in said.stderr) == (1, True)


def test_an_event_that_a_room_never_derived_is_found_although_its_key_signed_it(make_exchange) -> None:
    with make_exchange() as exchange, whole(exchange) as made:
        rig = made.rig
        rig.propose(rig.clues(1))
        rig.wait_outcomes(1)
        clue = made.first_clue().entry.statement
        event = MoveHadNoEffect(
            rule="reported_already",
            article="-",
            attempted=clue.type,
            attempted_event=clue.id,
            attempted_by=NANJING,
            state="reported",
            explanation_zh="无",
            explanation_en="none",
        )
        forged = rig.event(event, "exchange.clues", clue.subject, cause=clue.id, addressee=NANJING)
        assert rig.outcome_of(forged)["outcome"] == "admitted"
        code, document = made.audit("replay")
        assert code == 1
        assert [f["code"] for f in document["findings"]] == ["derived-invented"]
        assert forged.statement.id in document["findings"][0]["sentence"]
        code, document = made.audit("fsck")
        assert (code, [f["code"] for f in document["findings"]]) == (1, ["id-not-derived"])


def test_an_exchange_under_load_is_found_clean_at_any_moment(make_exchange) -> None:
    with make_exchange() as exchange, whole(exchange) as made:
        made.rig.propose(made.rig.clues(5, start=100))
        ended = threading.Event()

        def traffic() -> None:
            for number in range(200, 10_000, 2):
                if ended.wait(0.25):
                    return
                made.rig.propose(made.rig.clues(2, start=number))

        thread = threading.Thread(target=traffic)
        thread.start()
        try:
            seen = [made.audit(name) for name in ("fsck", "verify-log", "replay", "fsck")]
        finally:
            ended.set()
            thread.join()
        assert [(code, document["good"]) for code, document in seen] == [(0, True)] * 4, seen
        assert seen[3][1]["entries"] > seen[0][1]["entries"]


def test_both_say_it_in_words_too(worked: Whole) -> None:
    said = worked.exchange.ipx("audit", "verify-log", "--no-signatures", timeout_s=120)
    assert (said.returncode, "日志完整一致" in said.stdout) == (0, True), said.stdout + said.stderr
    said = worked.exchange.ipx("audit", "fsck", timeout_s=120)
    assert (said.returncode, "全部一致" in said.stdout) == (0, True), said.stdout + said.stderr


def test_a_log_that_is_not_there_is_refused_by_name(worked: Whole) -> None:
    said = worked.exchange.ipx("audit", "verify-log", "--log", "x.clues/9")
    assert said.returncode == 1
    assert "not-found" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_record_forged_into_a_log_and_an_inbox_is_found(make_exchange) -> None:
    with make_exchange() as exchange, whole(exchange) as made:
        made.work()
        made.stop_all()
        records = next(records for records in made.rig.log("clues").values() if records)
        made.write_raw(exchange.topics.log("clues"), records[0])
        copies = made.copies(HANGZHOU)
        made.write_raw(exchange.topics.inbox(HANGZHOU), copies[0])
        number = copies[0].headers["ce_ipxdelivery"].rsplit(b" ", 1)[0] + b" 99"
        made.write_raw(exchange.topics.inbox(HANGZHOU), copies[0], ce_ipxdelivery=number)
        made.write_raw(exchange.topics.inbox(NANJING), copies[0])
        tree = exchange.state_dir / "ledger" / exchange.name / "clues" / str(records[0].partition) / "tile"
        shutil.rmtree(tree / "0")
        place = f"{exchange.topics.log('clues')}/{records[0].partition}"
        code, document = made.audit("verify-log", "--log", place)
        assert code == 1
        assert document["logs"][0]["findings"][0]["code"] == "seq-repeated"
        assert document["logs"][0]["findings"][0]["offset"] > records[-1].offset
        code, document = made.audit("fsck")
        assert code == 1
        found = {(row["code"], row["topic"].split(".", 1)[1]) for row in document["findings"]}
        assert found >= {
            ("seq-repeated", "clues"),
            ("delivery-number", "clues"),
            ("number-repeated", f"inbox.{HANGZHOU}"),
            ("copy-disagrees", f"inbox.{HANGZHOU}"),
            ("copy-disagrees", f"inbox.{NANJING}"),
            ("tile-missing", "clues"),
        }
        assert all(row["offset"] is not None for row in document["findings"] if row["code"] != "tile-missing")
