"""``ipx room run receipts`` on real logs: receipts in one log, their events in another, due times that have passed."""

from __future__ import annotations

import time
from dataclasses import replace

import psycopg
import pytest

from services.codec.envelope import envelope_from_record
from services.codec.examples import read_examples
from services.codec.json_form import json_form
from services.events import from_value
from services.events.member import AgreementProposed, ExchangeFounded, Flow, ParticipantRegistered
from services.events.receipt import Committed, Delivered, Rejected
from services.receipts.status import QUERY, status_for
from tests.broker.log_writer import RELEASED, LogWriter, Said
from tests.broker.room_rig import Worker, pause_until

NANJING, HANGZHOU, SUZHOU = "320100.market_regulator", "330100.market_regulator", "320500.market_regulator"
OPERATOR, ROOM = "exchange.operator", "exchange.receipts"
CLUE = "cn.ipx.clue.ClueReported"
EXAMPLE = next(e.data for e in read_examples() if (e.type, e.name) == (CLUE, "valid-online"))
REPORTED = from_value(CLUE, json_form(RELEASED.named(CLUE)).read(EXAMPLE))
CLUES = 12
QUICK = {"IPX_ROOM_TICK_S": "0.3", "IPX_ROOM_GRACE_S": "0.5"}


class Scene:
    """An exchange with three organs, an agreement of 60 s and 600 s, and clues admitted so long ago that all is due."""

    def __init__(self, exchange) -> None:
        self.exchange = exchange
        self.writer = LogWriter(exchange)
        self.ago_ms = int(time.time() * 1000) - 3_600_000
        self.members = 0
        root = self.writer.signer(OPERATOR)
        keys = exchange.state_dir / "keys"
        keys.mkdir()
        (keys / f"{ROOM}.key").write_text(self.writer.signer(ROOM).private_line())
        exchange.environ["IPX_ROOT_KEY"] = root.public.line()
        self._member(
            ExchangeFounded(
                name=exchange.name,
                operator=OPERATOR,
                key_id=root.key_id,
                suite="ed25519",
                public_key=root.public.data,
                founded_at=0,
                title_zh="试",
                title_en="test",
            )
        )
        for name in (NANJING, HANGZHOU, SUZHOU):
            self._member(
                ParticipantRegistered(
                    participant=name,
                    name_zh=name,
                    name_en=name,
                    division=name[:6],
                    organ_type="market_regulator",
                    level="city",
                    valid_from=0,
                )
            )
        flow = Flow(
            type=CLUE,
            from_organ="market_regulator",
            to_organ="market_regulator",
            delivered_within_s=60,
            committed_within_s=600,
        )
        self._member(
            AgreementProposed(
                agreement="yrd",
                version=1,
                title_zh="试",
                title_en="test",
                status="in_force",
                flows=(flow,),
                valid_from=0,
            )
        )
        self.clues: list[tuple[str, str, int]] = []
        self.receipts: list[Said] = []

    def _member(self, event: object) -> None:
        self.writer.write([Said(event, f"m-{self.members}", 0, source=OPERATOR, members=self.members)])
        self.members += 1

    def report(self, number: int) -> None:
        """A clue of Nanjing to Hangzhou; all to one partition, so that delivery numbers are known."""
        said = Said(
            REPORTED, f"CL-{number}", 0, self.ago_ms + number, NANJING, "yrd@1", (HANGZHOU,), members=self.members
        )
        [event_id] = self.writer.write([said])
        self.clues.append((event_id, f"CL-{number}", len(self.clues)))

    def receipt(self, place: int, kind: type, after_s: float, *, by: str = HANGZHOU, partition: int = 0) -> None:
        """A receipt for a clue, to be admitted so long after it."""
        event_id, subject, number = self.clues[place]
        at_ms = self.ago_ms + place + int(after_s * 1000)
        common = {"event": event_id, "recipient": by, "log": self.log, "number": number}
        event = {
            Delivered: lambda: Delivered(**common, delivered_at=at_ms - 10),
            Committed: lambda: Committed(**common, committed_at=at_ms - 10, reference=f"杭市监-{place}"),
            Rejected: lambda: Rejected(**common, rejected_at=at_ms - 10, code="incomplete", reason="缺少地址"),
        }[kind]()
        self.receipts.append(Said(event, subject, partition, at_ms, by, recipients=(NANJING,), members=self.members))

    def write_receipts(self) -> None:
        """Appends the receipts in the order of their admission, as admission does."""
        self.writer.write(sorted(self.receipts, key=lambda said: said.admitted_ms))

    @property
    def log(self) -> str:
        """The log partition that the clues are in."""
        return f"{self.exchange.topics.log('clues')}/0"

    def start(self, **environ: str) -> Worker:
        """A worker of the real receipts room."""
        return Worker(self.exchange, ("-m", "services", "room", "run", "receipts"), **QUICK, **environ)

    def states(self) -> dict[str, dict]:
        """States of the clues, by event."""
        found = self.rows("select state from receipts.state where state -> 'entry' ->> 'type' = %s", CLUE)
        return {state["event"]: state for (state,) in found}

    def missing(self) -> list[tuple[str, str, str]]:
        """Event, step and last step of every StepMissing in the outbox, in no order."""
        found = []
        for headers, value in self.rows("select headers, value from receipts.outbox"):
            _, envelope = envelope_from_record([(n, t.encode()) for n, t in headers], bytes(value))
            body = RELEASED.with_digest(envelope.statement.schema).decode(envelope.body)
            assert envelope.statement.source == ROOM
            assert envelope.statement.addressee == ",".join(sorted((NANJING, HANGZHOU)))
            found.append((body["event"], body["step"], body["last_step"]))
        return sorted(found)

    def rows(self, statement: str, *given: object) -> list[tuple]:
        """Rows; none while the tables are not made."""
        try:
            with psycopg.connect(self.exchange.postgres_dsn) as connection:
                return connection.execute(statement, given).fetchall()
        except psycopg.errors.UndefinedTable:
            return []

    def settled(self) -> bool:
        """Whether every clue is known and nothing is due any more."""
        rows = self.rows(
            "select count(*), count(due_at) from receipts.state where state -> 'entry' ->> 'type' = %s", CLUE
        )
        return bool(rows) and rows[0] == (CLUES, 0)


@pytest.fixture
def scene(exchange) -> Scene:
    return Scene(exchange)


def tell(scene: Scene) -> list[tuple[str, str, str]]:
    """Clues with every kind of answer, in both logs; says what must be missing."""
    for number in range(CLUES):
        scene.report(number)
    for place in range(3):  # all in time
        scene.receipt(place, Delivered, 5)
        scene.receipt(place, Committed, 10)
    scene.receipt(3, Delivered, 61)  # late, then in time
    scene.receipt(3, Committed, 600)
    scene.receipt(4, Delivered, 60)  # to the millisecond, then refused
    scene.receipt(4, Rejected, 100)
    scene.receipt(5, Delivered, 5)  # then nothing
    scene.receipt(6, Delivered, 5, by=SUZHOU)  # from somebody who is no recipient
    scene.write_receipts()
    ids = [event_id for event_id, _, _ in scene.clues]
    missing = [(ids[3], "delivered", "admitted"), (ids[5], "committed", "delivered")]
    missing += [(ids[n], step, "admitted") for n in range(6, CLUES) for step in ("delivered", "committed")]
    return sorted(missing)


def test_what_had_no_receipt_when_it_was_due_is_missing_and_nothing_else(scene):
    expected = tell(scene)
    worker = scene.start()
    pause_until(scene.settled, within_s=40, what="everything due is told")
    assert worker.stop() == 0
    assert scene.missing() == expected

    states = scene.states()
    assert all(set(s) == {"event", "log", "entry", "copies", "answers", "missing"} for s in states.values())
    first, late, refused = (scene.clues[place][0] for place in (0, 3, 4))
    assert states[first]["copies"] == [
        {
            "recipient": HANGZHOU,
            "number": 0,
            "withheld": [],
            "delivered_within_s": 60,
            "committed_within_s": 600,
        }
    ]
    document = status_for([s for (s,) in scene.rows(QUERY, late)], NANJING)
    [copy] = document["recipients"]
    assert (copy["status"], copy["steps"][0]["late_by_ms"]) == ("committed", 1_000)
    assert [item["step"] for item in copy["missing"]] == ["delivered"]
    [copy] = status_for([s for (s,) in scene.rows(QUERY, refused)], HANGZHOU)["recipients"]
    assert (copy["status"], copy["steps"][1]["code"], copy["missing"]) == ("rejected", "incomplete", [])
    assert status_for([s for (s,) in scene.rows(QUERY, first)], SUZHOU) is None


def test_killed_at_every_step_with_two_workers_it_says_the_same(scene):
    expected = tell(scene)
    for points in (("room.load", "room.store"), ("room.commit", "room.tick.store"), ("room.tick.commit", "")):
        pair = [scene.start(IPX_FAULT_AT=point) if point else scene.start() for point in points]
        pause_until(
            lambda: scene.settled() or all(worker.process.poll() is not None for worker in pair),  # noqa: B023
            within_s=60,
            what="the workers die, or have nothing left to do",
        )
        for worker in pair:
            worker.stop()
    assert scene.missing() == expected


def test_a_tick_waits_for_an_open_transaction_however_late_it_is(scene):
    """The receipt is written and not settled when its step is due: the room must not say that it is missing."""
    for number in range(CLUES):
        scene.report(number)
    for place in range(1, CLUES):
        scene.receipt(place, Delivered, 5)
        scene.receipt(place, Committed, 6)
    scene.write_receipts()
    other = LogWriter(scene.exchange, name="slow")
    open_one = replace(other_said(scene, 0), admitted_ms=scene.ago_ms + 7_000)
    other.continue_from(scene.writer)
    other.begin([open_one])
    worker = scene.start()
    pause_until(lambda: len(scene.states()) == CLUES, within_s=30, what="the clues are folded")
    time.sleep(4)
    assert scene.missing() == []
    other.settle()
    pause_until(lambda: scene.missing() != [], within_s=40, what="the committed step is told")
    worker.stop()
    assert scene.missing() == [(scene.clues[0][0], "committed", "delivered")]


def other_said(scene: Scene, place: int) -> Said:
    event_id, subject, number = scene.clues[place]
    event = Delivered(event=event_id, recipient=HANGZHOU, log=scene.log, number=number, delivered_at=scene.ago_ms)
    return Said(event, subject, 0, source=HANGZHOU, recipients=(NANJING,), members=scene.members)
