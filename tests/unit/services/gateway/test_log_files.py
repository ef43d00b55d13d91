from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from services.gateway.exchange import Incoming, Reply, Trace
from services.gateway.log_files import LogPages
from services.gateway.problems import RateLimited
from services.gateway.throttle import Throttle
from services.kernel.errors import Refused
from services.kernel.ports import SettableClock
from services.ledger.files import write_files
from tests.unit.services.ledger.entries import NOW_MS, ORIGIN, grow, kept


def asked(path: str, *, peer: str = "10.0.0.1", exchange: str = "ipx") -> Incoming:
    where = f"/v1/log/{exchange}/clues/0/{path}"
    incoming = Incoming("GET", where, b"", {}, (), peer, Trace("0" * 32, ""), None)  # type: ignore[arg-type]
    level, _, index = path.removeprefix("tile/").partition("/")
    incoming.path_values = {"exchange": exchange, "family": "clues", "partition": "0", "level": level, "index": index}
    return incoming


@pytest.fixture
def pages(tmp_path: Path) -> LogPages:
    log = grow(kept(tmp_path / ORIGIN), 0, 300)
    log.sign()
    log.close()

    def refuse(_: Incoming) -> str:
        raise Refused("unauthenticated", "no token")

    clock = SettableClock(NOW_MS)
    return LogPages(tmp_path, "ipx", refuse, Throttle(1.0, 50.0), lambda: 0.0, clock, lambda: b"", stale_s=60.0)


def get(pages: LogPages, path: str, **more: str) -> Reply:
    return asyncio.run(pages.tile(asked(path, **more)))


def code_of(pages: LogPages, path: str, **more: str) -> str:
    with pytest.raises(Refused) as raised:
        get(pages, path, **more)
    return raised.value.code


def test_a_tile_is_served_for_ever_and_a_checkpoint_for_a_moment(pages: LogPages) -> None:
    tile = get(pages, "tile/0/000")
    assert (len(tile.body), dict(tile.headers)[b"cache-control"]) == (8192, b"public, max-age=31536000, immutable")
    assert len(get(pages, "tile/0/001.p/44").body) == 44 * 32
    note = asyncio.run(pages.checkpoint(asked("checkpoint")))
    assert (dict(note.headers)[b"cache-control"], note.body.split(b"\n")[1]) == (b"public, max-age=1", b"300")


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/0", "tile/0/0000", "tile/00/000", "tile/x/000", "tile/0/x000/000", "tile/0/000.p/256"),
        *("tile/0/000.p/0", "tile/0/000.p/044", "tile/-1/000", "tile/0/../0/000", "tile/0/002", "tile/0/000\n"),
        *("tile/0/000/", "tile/0/.", "tile/0/", "tile/../checkpoint", "tile/0/٠٠٠", "tile/0/000.p/44.new"),
    ],
)
def test_no_other_path_leads_to_a_file(pages: LogPages, path: str) -> None:
    assert code_of(pages, path) == "not-found"


def test_logs_of_others_and_notes_that_are_not_there_are_not_found(pages: LogPages, tmp_path: Path) -> None:
    write_files(tmp_path / "other" / "clues" / "0", [("tile/0/000", b"x")])
    assert code_of(pages, "tile/0/000", exchange="other") == "not-found"
    assert code_of(pages, "tile/0/000", exchange="..") == "not-found"
    with pytest.raises(Refused, match="no such checkpoint"):
        asyncio.run(pages.witnessed(asked("witnessed")))


def test_entries_are_for_who_has_a_token(pages: LogPages) -> None:
    with pytest.raises(Refused) as raised:
        asyncio.run(pages.bundle(asked("tile/entries/000")))
    assert raised.value.code == "unauthenticated"


def test_an_address_that_asks_too_often_is_held_back_alone(pages: LogPages) -> None:
    for _ in range(50):
        get(pages, "tile/0/000")
    with pytest.raises(RateLimited):
        get(pages, "tile/0/000")
    get(pages, "tile/0/000", peer="10.0.0.2")


def test_the_list_says_how_each_log_stands(pages: LogPages) -> None:
    (log,) = json.loads(asyncio.run(pages.logs(asked("checkpoint"))).body)["logs"]
    assert (log["origin"], log["log"], log["size"], log["state"]) == (ORIGIN, "ipx.clues/0", 300, "not yet")
