"""The name under which a worker is a member of its consumer group: the same after a restart, never two at once.

Kafka lets a static member (KIP-345) that comes back under its name have its partitions again at once, where a new name
waits until the old session has run out. The name is a lock file's number, so a killed worker's name is free again.
"""

from __future__ import annotations

import fcntl
import os
import socket
import zlib
from pathlib import Path
from typing import IO

from services.kernel.errors import BadSettings

SLOTS = 64


class MemberSlot:
    """Holds the first free slot of a room in this state directory until the process ends."""

    def __init__(self, state_dir: Path, room: str) -> None:
        folder = state_dir / "slots"
        folder.mkdir(parents=True, exist_ok=True)
        where = zlib.crc32(f"{socket.gethostname()}:{state_dir.resolve()}".encode())
        for number in range(SLOTS):
            file = _lock(folder / f"{room}.{number}")
            if file is not None:
                self._file = file
                self.name = f"{room}-{where:08x}-{number}"
                return
        raise BadSettings(f"{SLOTS} workers of room {room} run from {state_dir} already")

    def free(self) -> None:
        """Gives the slot back."""
        self._file.close()


def _lock(path: Path) -> IO[bytes] | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    os.set_inheritable(file.fileno(), False)
    return file
