"""What ``ipx ledger status`` shows of each log: its files, and how far its log in Kafka goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from services.codec.checkpoint import log_of_origin
from services.codec.entry import parse_entry
from services.codec.tiles import WIDTH, bundle_path, read_bundle, width_at
from services.kernel.errors import Transient
from services.ledger.files import LogFiles, origins
from services.ledger.settings import LedgerSettings
from services.ledger.standing import Standing, standing_of
from services.runtime.log_probe import LogProbe


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log. ``unsigned_most``: at most so many entries of it are under no checkpoint yet; None while Kafka is away."""

    standing: Standing
    checkpoint_age_s: float
    unsigned_most: int | None

    def document(self, now_ms: int) -> dict[str, Any]:
        """As ``--json`` shows it."""
        return {
            "size": self.standing.size,
            "unsigned_most": self.unsigned_most,
            "checkpoint_age_s": round(self.checkpoint_age_s, 1),
            "witnessed_size": self.standing.witnessed_size,
            "cosigners": list(self.standing.cosigners),
            "state": self.standing.state,
            "waiting_s": round(self.standing.waiting_s(now_ms), 1),
        }


def look(settings: LedgerSettings, now_ms: int) -> list[LogLine]:
    """Every log that has files. Asks Kafka how far each goes, and does without when it is away."""
    names = [name for name in origins(settings.files_dir) if name.startswith(f"{settings.exchange_name}/")]
    probe = LogProbe(settings.librdkafka(), f"{settings.exchange_name}-ledger-status")
    with probe:
        is_there = bool(names) and probe.ask() is None
        return [_line(settings, name, now_ms, probe if is_there else None) for name in names]


def _line(settings: LedgerSettings, origin: str, now_ms: int, probe: LogProbe | None) -> LogLine:
    files = LogFiles(settings.files_dir / origin)
    standing = standing_of(files, origin, now_ms, settings.ledger_stale_s)
    index = (standing.size - 1) // WIDTH
    path = files.directory / bundle_path(index, width_at(0, index, standing.size))
    signed_s = path.stat().st_mtime if path.is_file() else now_ms / 1000
    return LogLine(standing, max(0.0, now_ms / 1000 - signed_s), _unsigned(files, standing, probe))


def _unsigned(files: LogFiles, standing: Standing, probe: LogProbe | None) -> int | None:
    """Offsets after the last signed entry, unless no record stands at any of them: transaction markers take offsets too."""
    if probe is None:
        return None
    topic, _, number = log_of_origin(standing.origin).rpartition("/")
    place = (topic, int(number))
    try:
        end, after = probe.ends([place])[place].settled, _offset_after(files, standing.size)
        return 0 if probe.first_from(place, after, end) is None else end - after
    except Transient:
        return None


def _offset_after(files: LogFiles, size: int) -> int:
    if size == 0:
        return 0
    index = (size - 1) // WIDTH
    last = read_bundle(files.read, index, width_at(0, index, size))[-1]
    found = files.find(parse_entry(last).statement.id)
    return 0 if found is None else found[1] + 1
