"""At the time limit of the agreement the negative receipt is signed once, and trying goes on."""

from pathlib import Path

from connectors.kit.port import Fault, TryLater
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node.test_pushing import PATIENT, one_clue, values
from tests.unit.connectors.node.test_reading import deliveries, receipts
from tests.unit.connectors.node_rig import Rig
from tests.unit.connectors.small_exchange import HANGZHOU


def test_the_negative_receipt_is_signed_once_at_the_limit(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, *[TryLater(Fault.TIMEOUT, "x")] * 2)
        await rig.push(rig.seats[HANGZHOU])
        rig.clock.advance(599_999)
        assert await rig.limits.once() == 0
        rig.clock.advance(1)
        assert await rig.limits.once() == 1
        assert await rig.limits.once() == 0
        (value,) = await values(rig, "NotCommitted")
        assert value["still_trying"] is True
        assert (value["limit_s"], value["attempts"], value["last_error"]) == (600, 1, "timeout")
        assert value["due_at"] == rig.clock.now_ms()
        assert rig.teller.total("not_committed_events_total") == 1

    play(tmp_path, work, HANGZHOU, pace=PATIENT)


def test_after_the_limit_trying_goes_on_and_a_late_success_is_committed(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, TryLater(Fault.TIMEOUT, "x"))
        await rig.push(rig.seats[HANGZHOU])
        rig.clock.advance(700_000)
        await rig.limits.once()
        assert await deliveries(rig) == [("001", "pending")]
        await rig.push(rig.seats[HANGZHOU])
        assert await deliveries(rig) == [("001", "committed")]
        assert await receipts(rig) == ["Delivered", "NotCommitted", "Committed"]

    play(tmp_path, work, HANGZHOU, pace=PATIENT)


def test_what_is_committed_in_time_has_no_negative_receipt(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        await rig.push(rig.seats[HANGZHOU])
        rig.clock.advance(10**9)
        assert await rig.limits.once() == 0

    play(tmp_path, work, HANGZHOU)
