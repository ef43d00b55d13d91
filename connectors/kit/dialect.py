"""The dialect of one city: all mappings, code tables and the description of its doors, read from its folder.

``connectors/cities/<division>/``: ``city.toml`` (names, doors, what replies mean), ``codes.toml`` (code tables) and one
file for each event type. ``based_on`` in ``city.toml`` names another city whose folder is read first, so that cities
which bought the same product differ only in what differs. Design section 11: mapping is data.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connectors.kit.mapping import Inward, Outward, compile_mapping
from connectors.kit.tables import CodeTable, compile_table
from services.kernel.errors import BadSettings

CITIES_DIR: Final = Path(__file__).resolve().parents[1] / "cities"
_CITY, _CODES = "city.toml", "codes.toml"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One city's way to say things. ``system`` is ``city.toml`` for the connector to compile; ``kind_path`` and
    ``key_path`` say where a happening has its kind and the city's own id."""

    name: str
    inward: Mapping[str, Inward]
    outward: Mapping[str, Outward]
    ignored: frozenset[str]
    tables: Mapping[str, CodeTable]
    system: Mapping[str, Any]
    kind_path: str
    key_path: str

    def for_kind(self, kind: str) -> Inward | None:
        """The mapping of a happening of that kind; None when there is none."""
        return self.inward.get(kind)

    def for_type(self, event_type: str) -> Outward | None:
        """The mapping of an event type to the city; None when its system has no door for it."""
        return self.outward.get(event_type)


def load_dialect(name: str, folder: Path = CITIES_DIR) -> Dialect:
    """The dialect in that folder; ``BadSettings`` names the file and line of rules that is wrong. Reads a few files."""
    city, codes, files = _gather(name, folder, ())
    tables = {table: compile_table(f"{name} {table}", rows) for table, rows in codes.items()}
    inward: dict[str, Inward] = {}
    outward: dict[str, Outward] = {}
    for stem, document in sorted(files.items()):
        mine, theirs = compile_mapping(document, tables, f"{name}/{stem}.toml")
        for kind in mine.kinds if mine else ():
            if kind in inward:
                raise BadSettings(f"{name}: kind {kind!r} is mapped to {inward[kind].type} and by {stem}.toml")
            assert mine is not None
            inward[kind] = mine
        if theirs is not None:
            outward[theirs.type] = theirs
    ignored = frozenset(str(kind) for kind in city.get("ignored_kinds", ()))
    pull = city.get("pull", {})
    return Dialect(
        name=str(city.get("name", name)),
        inward=inward,
        outward=outward,
        ignored=ignored,
        tables=tables,
        system=city,
        kind_path=str(pull.get("kind", "")),
        key_path=str(pull.get("key", "")),
    )


def _gather(
    name: str, folder: Path, seen: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
    if name in seen or len(seen) > 4:
        raise BadSettings(f"dialect {name} is based on itself: {' > '.join((*seen, name))}")
    place = folder / name
    if not (place / _CITY).is_file():
        raise BadSettings(f"no dialect {name!r}: there is no {_CITY} in {place}")
    city = _read(place / _CITY)
    codes = _read(place / _CODES) if (place / _CODES).is_file() else {}
    files = {path.stem: _read(path) for path in place.glob("*.toml") if path.name not in (_CITY, _CODES)}
    below = city.get("based_on")
    if below is None:
        return city, codes, files
    base_city, base_codes, base_files = _gather(str(below), folder, (*seen, name))
    return _laid_over(base_city, city), {**base_codes, **codes}, {**base_files, **files}


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        held = merged.get(key)
        merged[key] = _laid_over(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path.parent.name}/{path.name}: {error}") from error
