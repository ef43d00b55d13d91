"""``ipx bench``: measures, always beside a baseline of the same run, since these machines are noisy."""

from __future__ import annotations

import click

from services.commands.bench_admission import command as admission
from services.commands.bench_latency import command as latency
from services.commands.bench_ledger import command as ledger
from services.commands.bench_transfers import command as transfers

command = click.Group(
    "bench",
    help="Measure, beside the bare loop of the same run, so that the ratio can be read. 性能测量（与同次基线对比）。",
    commands={"admission": admission, "latency": latency, "ledger": ledger, "transfers": transfers},
)
