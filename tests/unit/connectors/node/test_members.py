"""The members log is followed from the root key on; a log founded by another key stops the node."""

import asyncio

import pytest

from connectors.node.members import Members
from connectors.node.telling import Notebook
from connectors.node.verify import LATEST, MembersBehind
from services.kernel.errors import Corrupt, Transient
from services.members.history import History
from tests.unit.connectors.node_rig import FakeGateway
from tests.unit.connectors.small_exchange import HANGZHOU, NAME, NANJING, OPERATOR, RELEASED, SmallExchange, signer_of


def members(exchange: SmallExchange, root: str = OPERATOR) -> Members:
    history = History(log=f"{NAME}.members/0", schema_of=RELEASED.with_digest, root=signer_of(root).public)
    return Members(FakeGateway(exchange), history, NANJING, Notebook())  # type: ignore[arg-type]


def test_a_page_is_folded_and_the_registry_is_there_at_every_size() -> None:
    exchange = SmallExchange()
    made = members(exchange)
    assert asyncio.run(made.once())
    assert not asyncio.run(made.once())
    size = exchange.history.size
    assert made.registry_at(LATEST).size == size
    assert made.registry_at(1).participants.keys() == {OPERATOR}
    assert HANGZHOU in made.registry_at(size).participants


def test_what_has_not_been_read_is_asked_for() -> None:
    made = members(SmallExchange())
    with pytest.raises(MembersBehind):
        made.registry_at(1)
    with pytest.raises(Transient):
        asyncio.run(made.reach(1, limit_s=0.01))


def test_waiting_ends_when_so_much_has_been_read() -> None:
    made = members(SmallExchange())

    async def go() -> None:
        waiting = asyncio.ensure_future(made.reach(2, limit_s=5))
        await asyncio.sleep(0)
        await made.once()
        await waiting

    asyncio.run(go())


def test_a_log_that_another_key_founded_is_corrupt() -> None:
    with pytest.raises(Corrupt):
        asyncio.run(members(SmallExchange(), root=NANJING).once())


def test_two_who_ask_at_once_fold_each_entry_once() -> None:
    exchange = SmallExchange()
    made = members(exchange)

    async def go() -> None:
        await asyncio.gather(made.once(), made.once(), made.once())

    asyncio.run(go())
    assert made.registry_at(LATEST).size == exchange.history.size
