"""A recipient sees exactly the fields that the agreement discloses: through inbox, status, errors, logs, metrics and its own system."""

from __future__ import annotations

import base64
import tomllib
from functools import cache

import pytest

from connectors.node.sealing import document_of
from services.codec.content import parse_disclosure
from services.codec.envelope import Draft, seal
from services.demo.conduct import Outcome
from services.demo.tally import released
from services.events import to_value
from services.events.clue import ClueReported
from services.events.documents import agreement_from_document
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.parties import organ_type_of
from services.runtime.shell import SystemClock, SystemEntropy
from tests.system.conftest import World

SUZHOU, NINGBO, NINGBO_IP = "320576.market_regulator", "330200.market_regulator", "330200.ip_office"
SANMEN, SANMEN_POLICE, NANJING = "331022.market_regulator", "331022.police", "320100.market_regulator"
STRUCTURED = "application/cloudevents+json"

REPORTER, REPORTER_PHONE = "境外权利人代理人章某", "021-55550102"
TO_NOBODY = ("320106199003071234", "上海市某区某路88弄6号")
NOT_TO_THE_POLICE = ("消费者钱某", "0576-55550107", "只有他见过夜班装车")
PUBLIC_REPORTER = ("举报人吴某", "13900000020")
OFFICERS = ("周承办", "郑承办", "王承办", "陈承办", "褚承办", "卫承办", "蒋承办", "0574-55550002", "0576-55550110")
PLANTED = (
    REPORTER,
    REPORTER_PHONE,
    *TO_NOBODY,
    *NOT_TO_THE_POLICE,
    *PUBLIC_REPORTER,
    *OFFICERS,
    "13800000071",
    "权利人法务施某",
    "025-55550109",
)


@cache
def flows() -> dict[tuple[str, str, str], frozenset[str]]:
    """What the agreement discloses: by type, source's organ type, recipient's organ type."""
    document = tomllib.loads((SCHEMAS_DIR / "agreements" / "yrd-enforcement.toml").read_text("utf-8"))
    agreement = agreement_from_document(document)
    return {(f.type, f.from_organ, f.to_organ): frozenset(f.disclose) for f in agreement.flows}


def disclosed_to(recipient: str, source: str, event_type: str) -> frozenset[str]:
    if source.startswith("exchange.") or organ_type_of(recipient) == "ip_office":
        return frozenset()  # the IP offices of these cases get copies, and a copy discloses nothing restricted
    return flows()[event_type, organ_type_of(source), organ_type_of(recipient)]


@pytest.mark.parametrize("recipient", [NINGBO, NINGBO_IP, SANMEN, SANMEN_POLICE, SUZHOU, NANJING, "customs.3100"])
def test_an_inbox_shows_exactly_what_the_agreement_discloses(
    undisturbed: Outcome, world: World, recipient: str
) -> None:
    seen = 0
    for item in world.inbox(recipient):
        if item["id"] not in undisturbed.tally.entries or "ipxoutcome" in item:
            continue
        schema = released().with_digest(item["dataschema"])
        value = schema.decode(base64.b64decode(item["data_base64"]))
        shown = frozenset(parse_disclosure(schema, item["ipxsalts"]).salts)
        wanted = disclosed_to(recipient, item["source"], item["type"]) & frozenset(schema.restricted)
        assert shown == wanted, item["id"]
        assert {name for name in schema.restricted if value[name] is not None} <= wanted
        seen += 1
    assert seen > 0


def test_who_handles_the_clue_sees_the_reporter_and_who_gets_a_copy_does_not(
    undisturbed: Outcome, world: World
) -> None:
    assert REPORTER in screen(world, NINGBO)
    assert REPORTER_PHONE in screen(world, NINGBO)
    assert not any(secret in screen(world, NINGBO_IP) for secret in PLANTED)


def test_what_goes_to_nobody_is_only_where_it_was_entered(undisturbed: Outcome, world: World) -> None:
    for secret in TO_NOBODY:
        holders = [organ for organ in world.stage.desks if secret in screen(world, organ)]
        assert holders == [SUZHOU]


def test_the_police_see_the_suspect_and_not_who_reported(undisturbed: Outcome, world: World) -> None:
    assert "13800000071" in screen(world, SANMEN_POLICE)
    assert not any(secret in screen(world, SANMEN_POLICE) for secret in NOT_TO_THE_POLICE)


def test_a_public_reporter_is_only_where_the_report_was_laid(undisturbed: Outcome, world: World) -> None:
    for secret in PUBLIC_REPORTER:
        assert [organ for organ in world.stage.desks if secret in screen(world, organ)] == [NANJING]


def test_the_status_of_an_event_is_for_those_whom_it_concerns_and_holds_no_content(
    undisturbed: Outcome, world: World
) -> None:
    entry = next(
        e
        for e in undisturbed.tally.entries.values()
        if e.statement.type == ClueReported.TYPE and e.statement.source == SUZHOU and e.deliveries
    )
    path = f"/v1/events/{entry.statement.id}"
    for viewer in (SUZHOU, NINGBO, NINGBO_IP):
        reply = world.ask(viewer, "GET", path)
        assert reply.status == 200
        assert not any(secret in reply.body.decode() for secret in PLANTED)
    stranger = world.ask("340100.market_regulator", "GET", path)
    assert (stranger.status, stranger.json()["code"]) == (404, "not-found")
    copied = world.ask(NINGBO_IP, "GET", path).json()
    assert NINGBO not in str(copied.get("recipients", "")), "a recipient sees its own steps alone"


def test_a_warning_names_the_field_and_never_repeats_its_value(world: World) -> None:
    secret = "ID-SECRET-7731"
    body = bad_report(world, reporter_id_number=secret)
    reply = world.ask(SUZHOU, "POST", "/v1/events?wait=20", body, STRUCTURED)
    told = reply.body.decode()
    assert "reporter_id_number" in told
    assert secret not in told
    assert secret not in everything_written(world)


def test_a_problem_detail_never_repeats_what_was_sent(world: World) -> None:
    secret = "BODY-SECRET-4482"
    for body in (f'{{"specversion":"1.0","{secret}":1'.encode(), f'{{"data":"{secret}"}}'.encode()):
        reply = world.ask(SUZHOU, "POST", "/v1/events", body, STRUCTURED)
        assert 400 <= reply.status < 500
        assert secret not in reply.body.decode()
    assert secret not in everything_written(world)


def test_nothing_restricted_is_in_any_log_or_on_any_metrics_page(undisturbed: Outcome, world: World) -> None:
    written = everything_written(world)
    assert [secret for secret in PLANTED if secret in written] == []
    assert "ipx_" in written


def screen(world: World, organ: str) -> str:
    """All that an organ's own system holds."""
    return str(world.stage.desks[organ].holdings())


def everything_written(world: World) -> str:
    """Every log file and every metrics page."""
    logs = [path.read_text("utf-8", "replace") for path in sorted(world.logs.glob("*.log*"))]
    assert len(logs) >= 20
    return "\n".join([*logs, *world.pages().values()])


def bad_report(world: World, **fields: str) -> bytes:
    clock, entropy = SystemClock(), SystemEntropy()
    event = ClueReported(
        subtype="inspection",
        right_type="trademark",
        title="标题",
        facts="事实",
        place_division="330212",
        discovered_at=clock.now_ms(),
        **fields,  # type: ignore[arg-type]
    )
    draft = Draft(
        id=uuid7(clock.now_ms(), entropy.draw(10)),
        source=SUZHOU,
        subject=f"CL-320576-BAD-{clock.now_ms()}",
        time=format_instant(clock.now_ms()),
        agreement="yrd-enforcement@1",
        addressee=NINGBO,
    )
    return document_of(seal(released().named(event.TYPE), to_value(event), draft, world.signer(SUZHOU), entropy))
