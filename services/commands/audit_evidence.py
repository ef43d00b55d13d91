"""``ipx audit evidence``: one event with everything that proves it, as a file."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from services.audit.evidence import Made, withheld_but, withheld_from
from services.audit.evidence_desk import EvidenceDesk, Withheld
from services.audit.log_record import LogRecords
from services.audit.settings import AuditSettings
from services.audit.stamping import stamped
from services.codec.evidence import format_evidence
from services.codec.http import HttpClient
from services.codec.keys import parse_public
from services.codec.released import load_released
from services.codec.tlog_policy import Policy, parse_policy
from services.kernel.errors import BadSettings
from services.ledger.policy import known_signers
from services.ledger.quorum import load_quorum
from services.ledger.settings import LedgerSettings
from services.members.follower import MembersFollower
from services.runtime.logging import configure
from services.runtime.shell import clock_of
from services.runtime.topics import Topics


@click.command("evidence")
@click.argument("event_id")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option(
    "--as", "viewer", help="Participant whose copy it is: the source sees all, a recipient what was sent to it."
)
@click.option(
    "--disclose", multiple=True, help="Restricted field to show, or `all`; may be repeated. None unless given."
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Policy of the verifier, when it is not that of the exchange: only signatures that it knows are kept.",
)
@click.option("--stamp", is_flag=True, help="Ask the authority of IPX_AUDIT_TSA_URL for a time stamp.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    event_id: str,
    output: Path,
    viewer: str | None,
    disclose: tuple[str, ...],
    policy_file: Path | None,
    stamp: bool,
    as_json: bool,
) -> None:
    """Write the evidence of an event. 导出事件证据。

    The file is checked with `ipx audit verify`, by anybody and without network. Restricted fields are withheld unless they are named, or the
    file is made as a participant's copy.
    """
    if viewer is not None and disclose:
        raise click.UsageError("--as says what is shown; --disclose goes without it")
    configure("audit", form="text", level="warning")
    settings = AuditSettings.load()
    if stamp and settings.audit_tsa_url is None:
        raise BadSettings("--stamp needs IPX_AUDIT_TSA_URL, the address of a time-stamping authority")

    def withheld(entry: Any, schema: Any) -> Any:
        return withheld_but(disclose, schema) if viewer is None else withheld_from(viewer, entry, schema)

    policy = None if policy_file is None else parse_policy(policy_file.read_bytes())
    made = _made(settings, event_id, withheld, policy)
    evidence, reason = made.evidence, None
    if stamp and settings.audit_tsa_url is not None:
        with HttpClient(timeout_s=settings.audit_tsa_timeout_s) as http:
            evidence, reason = stamped(evidence, http, settings.audit_tsa_url)
    data = format_evidence(evidence)
    output.write_bytes(data)
    document = {
        "file": str(output),
        "bytes": len(data),
        "records": len(evidence.members),
        "witnessed": made.is_witnessed,
        "stamped": evidence.stamp is not None,
        "no_stamp_because": reason,
    }
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"{output}: {len(data)} bytes")
    if not made.is_witnessed:
        click.echo("no quorum of witnesses has cosigned yet 尚未达到见证要求: ask again for a stronger file", err=True)
    if reason is not None:
        click.echo(f"without time stamp 无时间戳: {reason}", err=True)


def _made(settings: AuditSettings, event_id: str, withheld: Withheld, given: Policy | None) -> Made:
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set: the public key line of exchange.operator, see `ipx members init`")
    released = load_released()
    connection = settings.librdkafka()
    follower = MembersFollower(
        connection,
        Topics(settings.exchange_name),
        schema_of=released.with_digest,
        root=parse_public(settings.root_key),
    )
    with ExitStack() as stack:
        records = LogRecords(connection, timeout_s=settings.audit_wait_s)
        stack.callback(records.close)
        follower.start()
        stack.callback(follower.stop)
        history = follower.wait_caught_up(settings.audit_wait_s)
        ledger, now_ms = LedgerSettings.load(), clock_of(settings.clock_file).now_ms()
        quorum, name = load_quorum(ledger.ledger_witnesses_file), settings.exchange_name

        def policy() -> Policy | None:
            return given or known_signers(ledger.files_dir, name, quorum, history.latest, now_ms)

        desk = EvidenceDesk(ledger.files_dir, name, records, lambda: history, released.with_digest, policy)
        return desk.make(event_id, withheld)
