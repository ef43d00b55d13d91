"""Open tiles on disk: there for sizes that were signed, until their full tile is there (``FORMAT.md`` section 6.3)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.codec.tiles import HEIGHT, WIDTH, bundle_path, tile_path, width_at
from services.ledger.files import remove_unfinished

_SUFFIX = ".p"


@dataclass(frozen=True, slots=True)
class OpenTile:
    """A directory of partial tiles, ``<index>.p``; bundles count as level 0."""

    directory: Path
    level: int
    index: int

    @property
    def full(self) -> Path:
        """Where the full one is, or will be."""
        return self.directory.with_name(self.directory.name.removesuffix(_SUFFIX))


def tidy(directory: Path, size: int) -> None:
    """After a crash: removes what was being written, open tiles whose full one is there, and those of sizes never signed. Reads every name."""
    remove_unfinished(directory)
    for found in list(_open_tiles(directory)):
        if found.full.is_file():
            shutil.rmtree(found.directory)
            continue
        widest = width_at(found.level, found.index, size)
        for path in found.directory.iterdir():
            if int(path.name) > widest:
                path.unlink()


def drop_outgrown(directory: Path, old_size: int, size: int) -> None:
    """Removes the tiles that were open at an earlier size and are full now: their readers take the beginning of the full one."""
    level = 0
    while old_size >> (HEIGHT * level):
        index = old_size >> (HEIGHT * (level + 1))
        if width_at(level, index, size) == WIDTH:
            paths = [tile_path(level, index), *([bundle_path(index)] if level == 0 else [])]
            for path in paths:
                shutil.rmtree(directory / f"{path}{_SUFFIX}", ignore_errors=True)
        level += 1


def _open_tiles(directory: Path) -> Iterator[OpenTile]:
    for path in (directory / "tile").rglob(f"*{_SUFFIX}"):
        level, *digits = path.relative_to(directory / "tile").parts
        index = int("".join(part.removeprefix("x").removesuffix(_SUFFIX) for part in digits))
        yield OpenTile(path, 0 if level == "entries" else int(level), index)
