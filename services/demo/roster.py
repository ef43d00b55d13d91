"""The cities of the demo: a node each, and for each organ a case system of its own. Read from ``deploy/local/cities``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.kernel.data import DEPLOY_DIR
from services.kernel.errors import BadSettings
from services.kernel.parties import check_participant, division_of

ROSTER: Final = DEPLOY_DIR / "local" / "cities" / "demo.toml"


@dataclass(frozen=True, slots=True)
class Organ:
    """One organ with its own case system. ``dialect`` names the mapping, ``form`` the way the system talks."""

    id: str
    dialect: str
    form: str
    short: str
    officer: str
    phone: str
    section: str

    @property
    def slug(self) -> str:
        """A name for files and logs."""
        return self.id.replace(".", "-")

    @property
    def division(self) -> str:
        """The division it serves, or its customs district."""
        return division_of(self.id) or self.id.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class City:
    """One city: its node and its organs."""

    node: str
    zh: str
    en: str
    organs: tuple[Organ, ...]


def load_roster(path: Path = ROSTER) -> tuple[City, ...]:
    """The cities; ``BadSettings`` says what is wrong with the file. Blocks on the disk."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        cities = tuple(_city(row) for row in document["city"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadSettings(f"{path.name}: {type(error).__name__} {error}") from error
    organs = [organ.id for city in cities for organ in city.organs]
    strange = [organ for organ in organs if check_participant(organ) is not None]
    if strange or len(set(organs)) != len(organs):
        raise BadSettings(
            f"{path.name}: every organ is a participant and stands once; see {', '.join(strange or organs)}"
        )
    return cities


def _city(row: dict[str, Any]) -> City:
    return City(row["node"], row["zh"], row["en"], tuple(Organ(**organ) for organ in row["organs"]))
