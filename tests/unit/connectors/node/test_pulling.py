"""A page of the city becomes signed events, once, whatever happens in between."""

import asyncio
from pathlib import Path

from tests.unit.connectors.node_rig import Rig, clue
from tests.unit.connectors.small_exchange import HANGZHOU, NANJING, SmallExchange


def test_dbg(tmp_path: Path) -> None:
    async def go() -> None:
        rig = Rig(SmallExchange(), tmp_path / "n.db", NANJING, HANGZHOU)
        rig.seats[NANJING].city.happenings.append(clue())
        await rig.turn(3)
        print(await rig.rows("select type,state,code,field,message_en from outbox"))
        print(await rig.rows("select * from dead_letters"))
        print(rig.seats[HANGZHOU].city.taken)
        print(rig.teller.lines)
        await rig.close()

    asyncio.run(go())
