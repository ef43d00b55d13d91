"""The schemas that have been released: frozen copies in `schemas/released`, each with its digest in `released.toml`.

A released copy never changes; what admission takes, and what auditors decode years later, is one of these. A file whose
digest is not the one written down is refused at start.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from services.codec.schema import EventSchema, compile_schema
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Refused

RELEASED_DIR: Final = SCHEMAS_DIR / "released"
COMPATIBILITY: Final = "FULL_TRANSITIVE"
_INDEX: Final = "released.toml"


class Subjects(Protocol):
    """What registering needs of the schema registry; `codec.registry.SchemaRegistry` is it."""

    def register(self, subject: str, schema_text: str) -> int:
        """Id of the schema under the subject, registered if it is new."""
        ...

    def set_compatibility(self, subject: str, level: str) -> None:
        """Sets the compatibility rule of the subject."""
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """One released version of one event type."""

    type: str
    version: int
    schema: EventSchema

    @property
    def file_name(self) -> str:
        """Name of the frozen copy, ``<full name>@<version>.avsc``."""
        return f"{self.type}@{self.version}.avsc"


@dataclass(frozen=True, slots=True)
class Registered:
    """A released version and its id in the registry."""

    type: str
    version: int
    schema_id: int


@dataclass(frozen=True, slots=True)
class ReleasedSchemas:
    """Every release, by type and version, found by digest or as the newest of its type."""

    releases: tuple[Release, ...]
    by_digest: Mapping[str, EventSchema]
    newest: Mapping[str, Release]

    def with_digest(self, digest: str) -> EventSchema:
        """The schema with that digest (``sha256:<hex>``); refuses ``unreleased-schema`` any other."""
        schema = self.by_digest.get(digest)
        if schema is None:
            raise Refused("unreleased-schema", f"no released schema has digest {digest[:80]}", field="schema")
        return schema

    def named(self, event_type: str) -> EventSchema:
        """The newest released schema of a type; refuses ``unknown-schema`` a type that has none."""
        release = self.newest.get(event_type)
        if release is None:
            raise Refused("unknown-schema", f"{event_type[:80]} has no released schema", field="type")
        return release.schema

    def versions_of(self, event_type: str) -> tuple[Release, ...]:
        """Every release of a type, oldest first."""
        return tuple(release for release in self.releases if release.type == event_type)

    @property
    def types(self) -> tuple[str, ...]:
        """Every type that has a release, in order."""
        return tuple(sorted(self.newest))


def collect(releases: Iterable[Release]) -> ReleasedSchemas:
    """The look-ups over some releases."""
    ordered = tuple(sorted(releases, key=lambda release: (release.type, release.version)))
    return ReleasedSchemas(
        ordered,
        MappingProxyType({release.schema.digest_text: release.schema for release in ordered}),
        MappingProxyType({release.type: release for release in ordered}),
    )


def load_released(directory: Path = RELEASED_DIR) -> ReleasedSchemas:
    """Reads and compiles every release; blocks on the disk.

    BadSettings, naming the file, when one is missing, is not in the index, or has another digest than was written down.
    """
    stated = _read_index(directory / _INDEX)
    files = {path.name for path in directory.glob("*.avsc")}
    named = {f"{entry['type']}@{entry['version']}.avsc" for entry in stated}
    if files != named:
        odd = ", ".join(sorted(files ^ named))
        raise BadSettings(f"{directory.name}: the index and the files differ in {odd}")
    return collect(_read(directory, entry) for entry in stated)


def index_text(releases: Iterable[Release]) -> str:
    """What `released.toml` says of these releases."""
    lines = ["# Written by `ipx schemas release`; a released copy never changes. 由发布命令写入，已发布版本不得更改。"]
    for release in sorted(releases, key=lambda held: (held.type, held.version)):
        lines += [
            "",
            "[[released]]",
            f'type = "{release.type}"',
            f"version = {release.version}",
            f'digest = "{release.schema.digest_text}"',
        ]
    return "\n".join(lines) + "\n"


def register_all(released: ReleasedSchemas, registry: Subjects) -> tuple[Registered, ...]:
    """Registers every release under its RecordName subject, oldest first, each subject set to FULL_TRANSITIVE.

    Doing it again changes nothing and gives the same ids. Blocks; `Transient` while the registry is away; refuses
    ``incompatible-schema`` what the registry does not take.
    """
    done = []
    for event_type in released.types:
        for position, release in enumerate(released.versions_of(event_type)):
            schema_id = registry.register(event_type, json.dumps(release.schema.json))
            if position == 0:  # the registry keeps a rule only of a subject that exists
                registry.set_compatibility(event_type, COMPATIBILITY)
            done.append(Registered(event_type, release.version, schema_id))
    return tuple(done)


def _read_index(path: Path) -> list[dict[str, Any]]:
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8")).get("released", [])
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path.name}: {error}") from error
    for entry in stated:
        if set(entry) != {"type", "version", "digest"}:
            raise BadSettings(f"{path.name}: an entry has type, version and digest, got {sorted(entry)}")
    return list(stated)


def _read(directory: Path, entry: dict[str, Any]) -> Release:
    name = f"{entry['type']}@{entry['version']}.avsc"
    try:
        schema = compile_schema((directory / name).read_text(encoding="utf-8"))
    except Refused as error:
        raise BadSettings(f"{name}: {error.message}") from error
    if schema.digest_text != entry["digest"] or schema.name != entry["type"]:
        raise BadSettings(f"{name}: its digest is {schema.digest_text}, released was {entry['digest']}; it was changed")
    return Release(entry["type"], entry["version"], schema)
