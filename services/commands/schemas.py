"""``ipx schemas``: lint, compare with what was released, release, register."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.codec.compatibility import Break, breaks_between
from services.codec.examples import lint_examples, read_examples
from services.codec.lint import Finding, lint_schema, lint_tables, lint_together
from services.codec.registry import SchemaRegistry
from services.codec.released import (
    COMPATIBILITY,
    RELEASED_DIR,
    Release,
    ReleasedSchemas,
    index_text,
    load_released,
    register_all,
)
from services.codec.schema import compile_schema, schema_digest
from services.codec.schema_files import EVENTS_DIR, event_type_of, read_event_schemas
from services.events import EVENT_TYPES
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from services.runtime.settings import CommonSettings

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@dataclass(frozen=True, slots=True)
class Standing:
    """How the schema of a type stands to its releases: ``released``, ``new``, ``compatible``, ``broken``, ``gone``.

    ``compatible`` is a successor that is still to be released; ``gone`` a release whose schema is no longer there.
    """

    type: str
    standing: str
    version: int | None
    breaks: tuple[Break, ...] = ()


@click.group("schemas")
def command() -> None:
    """Check, release and register the event schemas."""


@command.command("lint")
@_JSON
def lint(as_json: bool) -> None:
    """Check schemas and code tables against the rules of the house; exit 1 when something is found."""
    findings = all_findings()
    if as_json:
        click.echo(json.dumps({"findings": [asdict(found) for found in findings]}, ensure_ascii=False))
    elif findings:
        _table(("file", "where", "rule", "what is wrong"), (tuple(asdict(found).values()) for found in findings))
    else:
        click.echo(f"{len(read_event_schemas())} schemas, their examples and code tables are in order")
    _exit(bool(findings))


@command.command("check")
@_JSON
def check(as_json: bool) -> None:
    """Compare the schemas with what was released; exit 1 when one breaks a release or is not released yet."""
    standings = standing_of(read_event_schemas(), load_released())
    wrong = [each for each in standings if each.standing != "released"]
    if as_json:
        click.echo(json.dumps({"schemas": [asdict(each) for each in standings]}, ensure_ascii=False))
    elif wrong:
        _table(("type", "standing", "released", "where", "what breaks"), _rows(wrong))
        click.echo("a compatible schema is released by `ipx schemas release`; a broken one needs another event type")
    else:
        click.echo(f"{len(standings)} schemas equal their newest release")
    _exit(bool(wrong))


@command.command("release")
@_JSON
def release(as_json: bool) -> None:
    """Freeze a copy of every schema that is new or a compatible successor; refuse while one is broken or not in order."""
    findings = all_findings()
    if findings:
        raise BadSettings(f"{len(findings)} findings; `ipx schemas lint` names them")
    schemas = read_event_schemas()
    released = load_released() if RELEASED_DIR.is_dir() else None
    standings = standing_of(schemas, released)
    broken = [each.type for each in standings if each.standing in ("broken", "gone")]
    if broken:
        raise BadSettings(f"{', '.join(broken)} would break a release; `ipx schemas check` says where")
    by_type = {event_type_of(schema): EVENTS_DIR / file for file, schema in schemas.items()}
    fresh = [_freeze(each, by_type[each.type]) for each in standings if each.standing in ("new", "compatible")]
    kept = released.releases if released else ()
    (RELEASED_DIR / "released.toml").write_text(index_text([*kept, *fresh]), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({"released": [{"type": each.type, "version": each.version} for each in fresh]}))
    else:
        click.echo(
            "\n".join(f"released {each.type} version {each.version}" for each in fresh) or "nothing new to release"
        )


@command.command("register")
@click.option("--registry", "registry_url", help="Confluent API of the registry [IPX_REGISTRY_URL].")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where the running exchange keeps its state [.ipx].")
@_JSON
def register(registry_url: str | None, state_dir: Path | None, as_json: bool) -> None:
    """Register every release at the schema registry, under RecordName subjects set to FULL_TRANSITIVE.

    Doing it again changes nothing.
    """
    registry = SchemaRegistry(registry_url or CommonSettings.load(state_dir=state_dir).registry_url)
    try:
        done = register_all(load_released(), registry)
    finally:
        registry.close()
    if as_json:
        held = [asdict(each) for each in done]
        click.echo(json.dumps({"compatibility": COMPATIBILITY, "registered": held}))
    else:
        click.echo(f"{len(done)} schemas are registered, each subject {COMPATIBILITY}")


def all_findings() -> list[Finding]:
    """Every finding on the schemas, their examples, the code tables and the typed events beside them."""
    tables = load_code_tables(SCHEMAS_DIR / "codes")
    schemas = read_event_schemas()
    found = [finding for file, schema in schemas.items() for finding in lint_schema(file, schema, tables)]
    found += lint_together(schemas)
    found += lint_tables(tables)
    if not found:  # an example of a schema that is out of order proves nothing
        compiled = {event_type_of(schema): compile_schema(json.dumps(schema)) for schema in schemas.values()}
        found += lint_examples(read_examples(), compiled, tables)
    known = {event_type_of(schema): file for file, schema in schemas.items()}
    for name in sorted(set(EVENT_TYPES) ^ set(known)):
        file = known.get(name, name)
        found.append(Finding(file, "", "events", f"{name} has a schema or a typed event in services/events, not both"))
    return found


def standing_of(schemas: dict[str, dict[str, Any]], released: ReleasedSchemas | None) -> list[Standing]:
    """How each schema stands to the releases of its type, in order of type."""
    standings = [_standing(schema, released) for schema in schemas.values()]
    kept = {each.type for each in standings}
    for name, newest in (released.newest if released else {}).items():
        if name not in kept:
            standings.append(Standing(name, "gone", newest.version, (Break("", "gone", "a released schema stays"),)))
    return sorted(standings, key=lambda each: each.type)


def _standing(schema: dict[str, Any], released: ReleasedSchemas | None) -> Standing:
    event_type = event_type_of(schema)
    versions = released.versions_of(event_type) if released else ()
    if not versions:
        return Standing(event_type, "new", None)
    newest = versions[-1]
    if schema_digest(schema) == newest.schema.digest:
        return Standing(event_type, "released", newest.version)
    breaks = tuple(found for held in versions for found in breaks_between(schema, held.schema.json))
    return Standing(event_type, "broken" if breaks else "compatible", newest.version, breaks)


def _freeze(standing: Standing, source: Path) -> Release:
    text = source.read_text(encoding="utf-8")
    fresh = Release(standing.type, (standing.version or 0) + 1, compile_schema(text))
    RELEASED_DIR.mkdir(exist_ok=True)
    (RELEASED_DIR / fresh.file_name).write_text(text, encoding="utf-8")
    return fresh


def _rows(standings: Iterable[Standing]) -> Iterable[tuple[str, ...]]:
    for each in standings:
        version = "-" if each.version is None else str(each.version)
        yield from (
            (each.type, each.standing, version, found.where, f"{found.direction}: {found.reason}")
            for found in each.breaks or (Break("", "", "not released yet"),)
        )


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console(width=160).print(table)


def _exit(wrong: bool) -> None:
    if wrong:
        raise SystemExit(1)
