"""What stops a node before it touches anything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors.node.config import load_config
from connectors.node.process import Surroundings, run
from services.codec.keys import signer_from_seed
from services.kernel.errors import BadSettings
from services.runtime.moved_clock import write_offset


def test_a_clock_is_not_moved_for_an_exchange_on_another_machine(tmp_path: Path) -> None:
    root = signer_from_seed("exchange.operator", b"k" * 32)
    write_offset(tmp_path / "clock", 86_400_000)
    (tmp_path / "node.toml").write_text(
        '[node]\nname = "nanjing"\ngateway = "https://ipx.example.cn"\nexchange = "ipx"\n'
        '[[participants]]\nid = "320100.market_regulator"\nkey_file = "nanjing.key"\n'
    )
    around = Surroundings(None, "ipx", root.public.line(), 0, clock_file=tmp_path / "clock")
    with pytest.raises(BadSettings, match="IPX_CLOCK_FILE"):
        asyncio.run(run(load_config(tmp_path / "node.toml"), around))
    assert not (tmp_path / "node.db").exists()
