"""Cases through the real door: admission, the transfers room and the relay over a founded exchange whose organs may hand cases over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.broker.admission_rig import PARTS, Rig, write_data
from tests.broker.running import Running

AGREEMENT = "statutory-transfers@1"
_AGREEMENT_TOML = """
id = "statutory-transfers"
version = 1
title_zh = "试验协议"
title_en = "Trial agreement"
status = "in_force"
valid_from = 2020-01-01T00:00:00+08:00
members = ["320000", "330000"]
signatories = ["320100.market_regulator", "330100.market_regulator"]

[[flows]]
types = ["cn.ipx.transfer.TransferOpened", "cn.ipx.transfer.TransferMoved"]
from = ["market_regulator", "police"]
to = ["market_regulator", "police"]
"""


def write_case_data(directory: Path) -> Path:
    """The data of the small exchange, with what cases need: the agreement, and the room and the ledger among the participants."""
    data = write_data(directory, (*PARTS, "exchange.transfers", "exchange.ledger"))
    (data / "statutory-transfers.toml").write_text(_AGREEMENT_TOML, "utf-8")
    return data


class Room(Running):
    """The transfers room."""

    argv = ("room", "run", "transfers")


class Relay(Running):
    """The relay of the rooms' outboxes."""

    argv = ("relay", "run")


@dataclass
class CaseRig:
    """The rig of admission with the parts that fold and tell cases."""

    rig: Rig
    processes: list[Running] = field(default_factory=list)

    def start(self, part: type[Running]) -> Running:
        """A process, ready."""
        made = part(self.rig.exchange)
        self.processes.append(made)
        return made.wait_ready()

    def ends(self) -> str:
        """The ends of all logs."""
        return "\n".join(process.end_of_log() for process in [*self.processes, *self.rig.processes])

    def close(self) -> None:
        """Ends every process."""
        for process in self.processes:
            if process.process.poll() is None:
                process.kill()
        self.rig.close()
