"""``ipx topics``: the topics of the exchange and who may use them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.platform.acls import Grant, apply_plan, plan
from services.runtime.settings import CommonSettings
from services.runtime.topic_admin import apply_topics, ensure_participant_topics, find_topics, open_admin
from services.runtime.topics import FoundTopic, Groups, Topics, TopicSpec, TopicTable, load_topics


@click.group("topics")
def command() -> None:
    """Create, check and list the topics of deploy/kafka/topics.toml, and plan who may use them."""


@command.command("apply")
@click.option("--participant", "participants", multiple=True, help="Also the inbox and outbox of this participant.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def apply_(participants: tuple[str, ...], as_json: bool) -> None:
    """Create what is missing, put settings back that were changed; twice is once.

    Refuses when a topic has another number of partitions than the table says: that is never changed.
    """
    settings, topics, table = _table_of()
    with open_admin(settings) as admin:
        done = apply_topics(admin, table.specs(topics))
        more = ensure_participant_topics(admin, topics, participants, table)
    created = [spec.name for spec in (*done.create, *more.create)]
    reset = sorted({**done.reset, **more.reset})
    if as_json:
        click.echo(json.dumps({"exchange": topics.prefix, "created": created, "reset": reset}))
    else:
        click.echo(f"created {len(created)} topics, put back the settings of {len(reset)}: {topics.prefix}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_(as_json: bool) -> None:
    """List the exchange's topics: what the table says and what the broker has."""
    settings, topics, table = _table_of()
    with open_admin(settings) as admin:
        specs = table.specs(topics) + table.participant_specs(topics, _participants(admin, topics))
        found = find_topics(admin, (spec.name for spec in specs))
    rows = [_row(spec, found.get(spec.name)) for spec in specs]
    if as_json:
        click.echo(json.dumps({"exchange": topics.prefix, "topics": rows}))
    else:
        _show(rows)


@command.command("acls")
@click.option("--dry-run", is_flag=True, help="Show the plan; the broker is asked for the participants alone.")
@click.option("--participant", "participants", multiple=True, help="These instead of all that have an inbox.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def acls(dry_run: bool, participants: tuple[str, ...], as_json: bool) -> None:
    """Let each process and participant do what it must, on a broker with an authorizer, and nothing else.

    Adds grants and never takes one away. A broker without an authorizer keeps none and is refused; use --dry-run.
    """
    settings, topics, table = _table_of()
    if dry_run and participants:
        _tell(plan(topics, Groups(topics.prefix), table, participants), "would grant", as_json)
        return
    with open_admin(settings) as admin:
        grants = plan(topics, Groups(topics.prefix), table, participants or _participants(admin, topics))
        if dry_run:
            _tell(grants, "would grant", as_json)
        else:
            _tell(apply_plan(admin, grants), "granted", as_json)


def _table_of() -> tuple[CommonSettings, Topics, TopicTable]:
    settings = CommonSettings.load()
    return settings, Topics(settings.exchange_name), load_topics(replication=settings.kafka_replication)


def _participants(admin: Any, topics: Topics) -> list[str]:
    return sorted(owner for owner in map(topics.inbox_owner, admin.list_topics()) if owner is not None)


def _row(spec: TopicSpec, found: FoundTopic | None) -> dict[str, object]:
    state = "missing" if found is None else "present"
    if found is not None and found.partitions != spec.partitions:
        state = f"{found.partitions} partitions"
    elif found is not None and any(found.config.get(name) != value for name, value in spec.config.items()):
        state = "settings differ"
    return {"name": spec.name, "kind": spec.kind, "partitions": spec.partitions, "state": state}


def _show(rows: Iterable[dict[str, object]]) -> None:
    table = Table("topic", "kind", "partitions", "broker", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def _tell(grants: Iterable[Grant], done: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"done": done, "grants": [asdict(grant) for grant in grants]}))
        return
    for grant in grants:
        click.echo(f"{done}: {grant.principal} {grant.operation} {grant.resource} {grant.name} ({grant.pattern})")
