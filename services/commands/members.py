"""``ipx members``: found the exchange, see who takes part under which agreements, add and revoke keys."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from services.codec.keys import parse_participant_public
from services.codec.signature import SINGLE, SM2
from services.commands.members_desk import Desk, initialise
from services.events.member import KeyAdded, KeyRevoked
from services.kernel.errors import BadSettings, Refused
from services.kernel.instants import format_instant
from services.members.registry import Agreement, Key, Participant, Registry
from services.members.settings import MembersSettings
from services.runtime.logging import configure

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group("members")
def command() -> None:
    """Participants, keys and agreements: the members log."""
    configure("members", form="text", level="warning")


@command.command("init")
@_JSON
def init(as_json: bool) -> None:
    """Found the exchange, register the participants, add their keys, propose and sign the agreements.

    Says only what is missing, so it may run again. Keys are made under <state dir>/keys where there are none; the root key is written to
    the state directory's settings. Every event goes through admission; when none runs, one is run for the while.
    """
    settings = MembersSettings.load()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("members", total=None)
        done = initialise(settings, lambda known, total: progress.update(task, completed=known, total=total))
    if as_json:
        click.echo(json.dumps({"exchange": settings.exchange_name, **done}))
    else:
        click.echo(f"{done['proposed']} events admitted; the members log has {done['size']}")


@command.command("list")
@_JSON
def list_(as_json: bool) -> None:
    """List participants and agreements."""
    with Desk(MembersSettings.load()) as desk:
        registry, now_ms = desk.registry(), desk.now_ms()
    people = [_participant(registry, one, now_ms) for one in sorted(registry.participants.values(), key=lambda p: p.id)]
    agreements = [_agreement(one, now_ms) for one in sorted(registry.agreements.values(), key=lambda a: a.ref)]
    if as_json:
        name = None if registry.founded is None else registry.founded.name
        document = {"exchange": name, "size": registry.size, "participants": people, "agreements": agreements}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    columns = ("id", "name_zh", "level", "state", "valid_keys")
    _table("participants 参与机关", columns, people)
    _table("agreements 协议", ("ref", "title_zh", "state", "flows"), agreements)


@command.command("show")
@click.argument("name")
@_JSON
def show(name: str, as_json: bool) -> None:
    """Show a participant (with its keys), an agreement (id@version) or a key."""
    with Desk(MembersSettings.load()) as desk:
        registry, now_ms = desk.registry(), desk.now_ms()
    document = _found(registry, name, now_ms)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    console = Console()
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            _table(key, tuple(value[0]), value)
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            console.print(f"[bold]{key}[/bold] {escape(str(shown))}")


@command.command("add-key")
@click.argument("participant")
@click.option("--public-key", help="Public key line, of either suite; without it a key is made under <state dir>/keys.")
@click.option("--suite", type=click.Choice((SINGLE, SM2)), help=f"Of the key that is made: {SINGLE} unless given.")
@click.option("--valid-from", type=click.DateTime(), help="UTC; now unless given.")
@click.option("--valid-until", type=click.DateTime(), help="UTC, exclusive; without end unless given.")
@_JSON
def add_key(
    participant: str,
    public_key: str | None,
    suite: str | None,
    valid_from: datetime | None,
    valid_until: datetime | None,
    as_json: bool,
) -> None:
    """Add a key of a participant. Said by the participant when its key is here, else by the operator."""
    with Desk(MembersSettings.load()) as desk:
        path = None
        if public_key is None:
            signer, path = desk.keyring.make_another(participant, suite or SINGLE)
            public = signer.public
        else:
            public = parse_participant_public(public_key)
            if public.participant != participant:
                raise BadSettings(f"this is a key of {public.participant}")
            if suite not in (None, public.suite):
                raise BadSettings(f"this is a key of suite {public.suite}")
        event = KeyAdded(
            participant=participant,
            key_id=public.key_id,
            suite=public.suite,
            public_key=public.data,
            valid_from=_ms(valid_from) if valid_from else desk.now_ms(),
            valid_until=_ms(valid_until) if valid_until else None,
        )
        try:
            desk.say(event, participant, about=participant)
        except Refused:
            if path is not None:
                path.unlink()  # a key that nobody knows is of no use
            raise
    where = None if path is None else str(path)
    _say(
        as_json,
        {"added": public.key_id, "private_key": where},
        f"added {public.key_id}{f' ({where})' if where else ''}",
    )


@command.command("revoke-key")
@click.argument("key_id")
@click.option("--reason", required=True, help="Code of key_revocation_reasons, e.g. compromised, lost, superseded.")
@click.option(
    "--at", "revoked_at", type=click.DateTime(), help="UTC; statements from then on are refused. Now unless given."
)
@click.option("--explanation", help="The reason in words, without personal data.")
@_JSON
def revoke_key(key_id: str, reason: str, revoked_at: datetime | None, explanation: str | None, as_json: bool) -> None:
    """Revoke a key. Said by the operator when its key is here, else by the participant with another key of its own."""
    participant = key_id.partition("#")[0]
    with Desk(MembersSettings.load()) as desk:
        event = KeyRevoked(
            participant=participant,
            key_id=key_id,
            revoked_at=_ms(revoked_at) if revoked_at else desk.now_ms(),
            reason=reason,
            explanation=explanation,
        )
        desk.say(event, participant, about=participant, not_with=key_id)
    _say(as_json, {"revoked": key_id}, f"revoked {key_id}")


def _found(registry: Registry, name: str, now_ms: int) -> dict[str, Any]:
    if name in registry.participants:
        participant = registry.participants[name]
        keys = [_key(key, now_ms) for key in registry.keys_of(name)]
        refs = [one.ref for one in registry.agreements.values() if one.includes(participant)]
        more: dict[str, Any] = {
            "superior": participant.superior,
            "contact_section": participant.contact_section,
            "node": participant.node,
        }
        return _participant(registry, participant, now_ms) | more | {"agreements": sorted(refs), "keys": keys}
    if name in registry.agreements:
        agreement = registry.agreements[name]
        proposal = agreement.proposal
        flows = [
            {
                "type": f.type,
                "from": f.from_organ,
                "to": f.to_organ,
                "routed": f.routed,
                "disclose": ", ".join(f.disclose),
            }
            for f in proposal.flows
        ]
        signatures: dict[str, Any] = {
            "digest": agreement.digest,
            "signed_by": sorted(agreement.signed),
            "not_signed_by": list(agreement.missing),
        }
        return (
            _agreement(agreement, now_ms) | {"member_list": list(proposal.members)} | signatures | {"flow_list": flows}
        )
    if name in registry.keys:
        return _key(registry.keys[name], now_ms)
    raise Refused("not-found", f"the members log has no participant, agreement or key {name!r}")


def _participant(registry: Registry, one: Participant, now_ms: int) -> dict[str, Any]:
    state = "suspended" if one.is_suspended(now_ms) else "member" if one.is_active(now_ms) else "not yet"
    valid = sum(key.refusal_at(now_ms) is None for key in registry.keys_of(one.id))
    return {
        "id": one.id,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "division": one.division,
        "organ_type": one.organ_type,
        "level": one.level,
        "state": state,
        "valid_keys": valid,
    }


def _agreement(one: Agreement, now_ms: int) -> dict[str, Any]:
    proposal = one.proposal
    unsigned = f"{len(one.missing)} signatures missing" if one.missing else "not within its dates"
    state = "draft" if proposal.status == "draft" else "in force" if one.in_force(now_ms) else unsigned
    return {
        "ref": one.ref,
        "title_zh": proposal.title_zh,
        "title_en": proposal.title_en,
        "state": state,
        "members": len(proposal.members),
        "flows": len(proposal.flows),
    }


def _key(key: Key, now_ms: int) -> dict[str, Any]:
    refusal = key.refusal_at(now_ms)
    return {
        "key_id": key.id,
        "suite": key.suite,
        "state": "valid" if refusal is None else refusal.code,
        "valid_from": format_instant(key.valid_from),
        "valid_until": None if key.valid_until is None else format_instant(key.valid_until),
        "revoked_at": None if key.revoked_at is None else format_instant(key.revoked_at),
    }


def _ms(moment: datetime) -> int:
    """click gives a naive moment; it is taken as UTC, as the help says."""
    return round((moment - datetime(1970, 1, 1)).total_seconds() * 1000)  # noqa: DTZ001  (both naive, both UTC)


def _say(as_json: bool, document: dict[str, Any], words: str) -> None:
    click.echo(json.dumps(document) if as_json else words)


def _table(title: str, columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> None:
    table = Table(title=title, title_justify="left")
    names = tuple(columns)
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*(escape("-" if row[name] is None else str(row[name])) for name in names))
    Console().print(table)
