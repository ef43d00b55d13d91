"""The transfers room over the small exchange, and what officers of two cities type in about a case of assistance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from services.cases.state import Case
from services.codec.cloudevents import envelope_to_structured
from services.codec.content import NOTHING_RESTRICTED
from services.codec.entry import parse_entry
from services.codec.envelope import Draft, Envelope, prepare
from services.codec.signature import sign
from services.events import from_value, to_value
from services.kernel.families import family_of
from services.kernel.instants import format_instant
from services.runtime.fold import Emission, Logged
from services.runtime.proposals import id_of
from services.transfers.worker import ROOM
from tests.unit.connectors.small_exchange import RELEASED, TRANSFERS, SmallExchange, signer_of

SUBJECT = "TR-320100-2026-000041"


@dataclass
class World:
    """The members log of the small exchange."""

    exchange: SmallExchange

    def registry(self, size: int) -> Any:
        return self.exchange.history.at(size)


@dataclass
class SmallRoom:
    """Folds what was admitted, and proposes what follows. ``bend`` may change what it says, or swallow it."""

    exchange: SmallExchange
    bend: Callable[[Emission], Emission | None] | None = None
    states: dict[str, Case | None] = field(default_factory=dict)
    done: int = 0

    def work(self) -> None:
        """Everything that is new in the log, then every tick that is due."""
        while self.done < len(self.exchange.logged):
            envelope = self.exchange.logged[self.done]
            self.done += 1
            if family_of(envelope.statement.type) == "transfers":
                self._fold(_logged(envelope))
        for key, state in list(self.states.items()):
            while state is not None and (due := ROOM.due_of(state)) is not None and due <= self.exchange.clock.now_ms():
                folded = ROOM.tick(state, due, World(self.exchange))
                self.states[key] = state = folded.state
                self._say(folded.emissions)

    def _fold(self, logged: Logged) -> None:
        for key in ROOM.key_of(logged):
            folded = ROOM.fold(self.states.get(key), logged, World(self.exchange))
            self.states[key] = folded.state
            self._say(folded.emissions)

    def _say(self, emissions: tuple[Emission, ...]) -> None:
        for emission in emissions:
            said = emission if self.bend is None else self.bend(emission)
            if said is not None:
                self.exchange.propose(_proposed(said))


def _logged(envelope: Envelope) -> Logged:
    entry = parse_entry((envelope.entry or "").encode())
    value, _ = RELEASED.with_digest(entry.statement.schema).decode_parts(envelope.body)
    topic, _, partition = entry.log.rpartition("/")
    return Logged(entry, value, from_value(entry.statement.type, value), topic, int(partition), entry.seq)


def _proposed(emission: Emission) -> dict[str, str]:
    schema = RELEASED.named(type(emission.event).TYPE)
    draft = Draft(
        id=id_of("transfers", emission),
        source=TRANSFERS,
        subject=emission.subject,
        time=format_instant(emission.time_ms),
        addressee=",".join(emission.addressee),
        cause=emission.cause,
    )
    text, unsigned = prepare(schema, to_value(emission.event), draft, NOTHING_RESTRICTED)
    return envelope_to_structured(replace(unsigned, signature=sign(text, signer_of(TRANSFERS))))


def request(number: str = "2026-000041", **more: Any) -> dict[str, Any]:
    """Nanjing asks Hangzhou for assistance."""
    return {
        "lsh": f"1{number[-4:]}",
        "sjlx": "AJYS",
        "fssj": "2026-09-21 10:00:00",
        "ajbh": number,
        "ajlx": "XZDC",
        "xzxy": "CSJ",
        "jsdqh": "330100",
        "jsdwlx": "SJ",
        "bt": "协助调查供货商",
        "aq": "外包装标注杭州某厂。",
        "qq": "查明供货数量。",
        "cbr": "承办人甲",
        **more,
    }


def move(move: str, key: str, **more: Any) -> dict[str, Any]:
    """Nanjing makes a move on its own case, and names nobody."""
    at = "2026-09-21 11:00:00"
    return {"lsh": key, "sjlx": "AJCZ", "fssj": at, "ajbh": "2026-000041", "czlx": move, "sm": "说明", **more}


def answer(move: str, key: str, at: str, **more: Any) -> dict[str, Any]:
    """Hangzhou makes a move on the case that came in."""
    said = {"leixing": move, "shuoming": "说明", **more}
    return {
        "shijianBianhao": key,
        "shijianLeixing": "ANJIAN_CAOZUO",
        "fashengShijian": at,
        "anjian": {"jiaohuanBianhao": SUBJECT},
        "caozuo": said,
    }
