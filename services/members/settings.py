"""Settings of the ``ipx members`` commands."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.kernel.data import SCHEMAS_DIR
from services.runtime.settings import CommonSettings


class MembersSettings(CommonSettings):
    """``IPX_MEMBERS_…``: where keys and the data of the exchange lie."""

    room: ClassVar[str] = "members"

    members_keys_dir: Path | None = None
    """Directory of key files; by default ``<state directory>/keys``."""
    members_data_dir: Path = SCHEMAS_DIR / "agreements"
    """``participants.toml`` and one file for each agreement."""
    members_calendars_dir: Path = SCHEMAS_DIR / "codes" / "calendars"
    """``<year>.toml`` of the notices that ``ipx members init`` publishes."""
    members_wait_s: float = Field(default=60.0, gt=0)
    """How long a command waits for admission."""

    @property
    def keys_dir(self) -> Path:
        """Where the key files are."""
        return self.members_keys_dir or self.state_dir / "keys"
