"""Pinned artifacts: a checked-in lock names each file with its SHA-256, and no other file is ever run.

A file is fetched by its Maven coordinates into a staging directory, checked, and only then moved into the cache. Files
already in the cache are checked again at every start; a wrong one is refused with its name and left for a person to see.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.kernel.errors import BadSettings, Corrupt

LOCK = Path(__file__).resolve().parents[2] / "deploy" / "local" / "artifacts.lock.toml"
_FIELDS = ("part", "group", "artifact", "version", "classifier", "packaging", "file", "size", "sha256")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of the lock: which part needs it, its Maven coordinates, and what exactly it must be."""

    part: str
    group: str
    artifact: str
    version: str
    classifier: str
    packaging: str
    file: str
    size: int
    sha256: str

    @property
    def coordinates(self) -> str:
        """``group:artifact:version[:classifier]``, as Maven users write it."""
        return ":".join(filter(None, (self.group, self.artifact, self.version, self.classifier)))


Fetch = Callable[[Artifact, Path], Path]
"""Brings an artifact into a directory of its own choice below the given one and returns the file."""

Progress = Callable[[str, int, int], None]
"""Told what is being looked at, how many files are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Checked files, ready to run; None where the lock that was given names no registry."""

    kafka_jars: tuple[Path, ...]
    registry_home: Path | None


def load_lock(path: Path = LOCK, *, parts: Collection[str] | None = None) -> tuple[Artifact, ...]:
    """Reads the lock, or what it has for some parts; raises ``BadSettings`` when it is not one."""
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["artifact"]
        artifacts = (Artifact(**{field: row[field] for field in _FIELDS}) for row in rows)
        return tuple(artifact for artifact in artifacts if parts is None or artifact.part in parts)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadSettings(f"{path.name} is not a lock of artifacts: {error!r}") from error


def format_lock(artifacts: Iterable[Artifact]) -> str:
    """The text of a lock; ``load_lock`` reads it back."""
    head = "# Made by `ipx platform lock`; every file is checked against this before it is run.\nversion = 1\n"
    return head + "".join(_format_row(artifact) for artifact in artifacts)


def measure(path: Path) -> tuple[int, str]:
    """Size and SHA-256 (hex) of a file; reads it in pieces."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def check(path: Path, artifact: Artifact) -> None:
    """Raises ``Corrupt``, naming the file, unless it is byte for byte what the lock says."""
    size, sha256 = measure(path)
    if (size, sha256) != (artifact.size, artifact.sha256):
        raise Corrupt(
            f"{artifact.file} ({artifact.coordinates}) is not the file of the lock: expected {artifact.size} bytes "
            f"sha256 {artifact.sha256}, found {size} bytes sha256 {sha256} at {path}; "
            "delete it to fetch it again, and ask who changed it"
        )


def install(lock: Iterable[Artifact], cache: Path, fetch: Fetch, progress: Progress) -> Installed:
    """Every file of the lock is in the cache and checked when this returns; offline when all were there. Blocks.

    Raises ``Corrupt`` for a wrong file, and what ``fetch`` raises. Two calls at a time wait for one another.
    """
    artifacts = tuple(lock)
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / ".lock"):
        for done, artifact in enumerate(artifacts):
            progress(artifact.file, done, len(artifacts))
            _obtain(artifact, cache, fetch)
        progress("", len(artifacts), len(artifacts))
        kafka = tuple(cache / artifact.file for artifact in artifacts if artifact.part == "kafka")
        registry = next((artifact for artifact in artifacts if artifact.part == "registry"), None)
        return Installed(kafka, None if registry is None else _unpack(cache / registry.file, _home(cache, registry)))


def _obtain(artifact: Artifact, cache: Path, fetch: Fetch) -> None:
    kept = cache / artifact.file
    if kept.exists():
        check(kept, artifact)
        return
    with tempfile.TemporaryDirectory(prefix="staging-", dir=cache) as staging:
        fetched = fetch(artifact, Path(staging))
        check(fetched, artifact)
        fetched.replace(kept)


def _home(cache: Path, artifact: Artifact) -> Path:
    return cache / f"{artifact.part}-{artifact.sha256[:16]}"


def _unpack(archive: Path, home: Path) -> Path:
    if home.exists():
        return home
    with tempfile.TemporaryDirectory(prefix="staging-", dir=home.parent) as staging:
        with tarfile.open(archive) as tar:
            tar.extractall(Path(staging) / "home", filter="data")
        shutil.move(Path(staging) / "home", home)
    return home


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _format_row(artifact: Artifact) -> str:
    lines = [
        f'{field} = "{getattr(artifact, field)}"' if field != "size" else f"size = {artifact.size}" for field in _FIELDS
    ]
    return "\n[[artifact]]\n" + "\n".join(lines) + "\n"
