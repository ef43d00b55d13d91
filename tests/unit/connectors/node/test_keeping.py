"""Content goes when its time is over; the lines that recognise a repeat stay."""

from pathlib import Path

from connectors.node.keeping import Keeper
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node_rig import Rig, clue
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING

DAY_MS = 86_400_000


def test_content_goes_after_its_days_and_what_happened_is_still_known(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue(), clue("2026-000002", jsdqh="330200")]
        await rig.turn(3)
        keeper = Keeper(rig.journal, rig.clock, rig.teller, keep_days=30)
        rig.clock.advance(30 * DAY_MS)
        assert await keeper.once() == 0
        rig.clock.advance(1)
        assert await keeper.once() == 3
        rows = await rig.rows("select kind, state, length(document) > 0 from outbox order by n")
        assert rows == [
            ("event", "admitted", 0),
            ("event", "refused", 1),
        ]  # a refused one is still a person's to look at
        rig.seats[NANJING].city.happenings.append(clue())
        await rig.turn(1)
        assert len(rig.exchange.types_admitted("ClueReported")) == 1
        assert await keeper.once() == 0

    play(tmp_path, work, NANJING, HANGZHOU)
