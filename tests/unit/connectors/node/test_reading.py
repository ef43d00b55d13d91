"""The inbox: what verifies is delivered once with a receipt, a gap stops, and what does not verify is never handed on."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.node.site import Pace
from services.codec.cloudevents import envelope_to_structured
from services.codec.envelope import Draft, seal
from services.codec.keys import signer_from_seed
from services.codec.schema import compile_schema
from services.events import to_value
from services.events.clue import ClueReported
from services.events.member import KeyAdded
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node_rig import Rig, clue
from tests.unit.connectors.small_exchange import (
    AGREEMENT,
    FOUNDED_MS,
    HANGZHOU,
    NANJING,
    RELEASED,
    SUZHOU,
    SmallExchange,
    signer_of,
)

VALUE = to_value(
    ClueReported(
        subtype="online_listing",
        right_type="trademark",
        title="题",
        facts="事实",
        place_division="330106",
        discovered_at=1,
        reporter="举报人某某",
        reporter_id_number="320106199003071234",
    )
)


def say(exchange: SmallExchange, number: int, source: str = NANJING, *, event: int | None = None, **more: Any) -> str:
    """A clue of Nanjing for Hangzhou, proposed directly; the outcome's word."""
    draft = Draft(
        id=f"01923c00-0000-7000-8000-{event or number:012d}",
        source=source,
        subject=more.get("subject", f"CL-{number}"),
        time=format_instant(exchange.clock.now_ms()),
        agreement=AGREEMENT,
        addressee=HANGZHOU,
        trace="00-" + "ab" * 16 + "-" + "cd" * 8 + "-01",
    )
    signer = more.get("signer", signer_of(source))
    envelope = seal(RELEASED.named(ClueReported.TYPE), VALUE, draft, signer, CountedEntropy(1 << 30))
    return exchange.propose(envelope_to_structured(envelope))


async def deliveries(rig: Rig, participant: str = HANGZHOU) -> list[tuple[str, str]]:
    rows = await rig.rows("select id, state from deliveries where participant = ? order by n", participant)
    return [(str(event)[-3:], str(state)) for event, state in rows]


async def receipts(rig: Rig, participant: str = HANGZHOU) -> list[str]:
    rows = await rig.rows("select type from outbox where kind = 'receipt' and participant = ? order by n", participant)
    return [str(row[0]).rpartition(".")[2] for row in rows]


async def read(rig: Rig) -> Any:
    await rig.members.once()
    return await rig.seats[HANGZHOU].reader.once()


def test_a_copy_is_delivered_once_with_one_receipt(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1)
        arrived = await read(rig)
        assert (arrived.delivered, arrived.verified) == (1, 1)
        assert await read(rig) is None
        assert await deliveries(rig) == [("001", "pending")]
        assert await receipts(rig) == ["Delivered"]
        assert rig.teller.total("delivered_events_total") == 1
        assert ("delivered", "ab" * 16) in [(w, a.get("trace_id")) for _, w, a in rig.teller.lines]

    play(tmp_path, work, HANGZHOU)


def test_a_page_read_again_after_a_kill_repeats_nothing(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(1, 6):
            say(rig.exchange, number)
        await read(rig)
        await rig.rows("delete from cursors")  # the node died after the gateway sent, before it heard of the cursor
        arrived = await read(rig)
        assert (arrived.delivered, arrived.had) == (0, 5)
        assert len(await deliveries(rig)) == 5
        assert len(await receipts(rig)) == 5

    play(tmp_path, work, HANGZHOU)


def test_the_receipts_of_a_page_rest_on_one_signature(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(1, 6):
            say(rig.exchange, number)
        await read(rig)
        rows = await rig.rows("select document from outbox")
        lines = [json.loads(row[0])["ipxsignature"] for row in rows]
        assert all(line.startswith("ed25519-batch:") for line in lines)
        assert len({line.rpartition(":")[2] for line in lines}) == 1

    play(tmp_path, work, HANGZHOU)


def test_a_gap_stops_the_inbox_there_and_nothing_after_it_is_handed_on(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(1, 5):
            say(rig.exchange, number, subject="CL-1")
        inbox = rig.exchange.inboxes[HANGZHOU]
        missing = inbox.pop(1)
        for _ in range(2):
            arrived = await read(rig)
            assert arrived.gap is not None
            assert (arrived.gap.expected, arrived.gap.came) == (1, 2)
        assert await deliveries(rig) == [("001", "pending")]
        inbox.insert(1, missing)
        arrived = await read(rig)
        assert arrived.gap is None
        assert [event for event, _ in await deliveries(rig)] == ["001", "002", "003", "004"]

    play(tmp_path, work, HANGZHOU)


def test_a_gap_in_one_partition_is_said_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def no_sleep(seconds: float) -> None:
        slept.extend([seconds] if seconds else [])

    async def work(rig: Rig) -> None:
        say(rig.exchange, 1, subject="CL-1")
        say(rig.exchange, 2, subject="CL-1")
        del rig.exchange.inboxes[HANGZHOU][0]
        reader = rig.seats[HANGZHOU].reader
        monkeypatch.setattr("connectors.node.reading.asyncio.sleep", no_sleep)
        for _ in range(3):
            await reader._after(await read(rig))
        assert slept == [0.5, 1, 2]
        assert "gap" in (rig.teller.checks[reader.check] or "")
        assert await deliveries(rig) == []

    play(tmp_path, work, HANGZHOU)


def test_an_injected_copy_is_kept_and_counted_and_its_number_is_not_taken(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1)
        inbox = rig.exchange.inboxes[HANGZHOU]
        forged = {**inbox[0], "subject": "CL-999"}
        inbox.insert(0, forged)
        arrived = await read(rig)
        assert [found.step for found in arrived.unverified] == [4]
        assert arrived.delivered == 1
        assert await deliveries(rig) == [("001", "pending")]
        rows = await rig.rows("select step, code from unverified")
        assert rows == [(4, "bad-signature")]
        assert rig.teller.total("unverified_events_total") == 1
        assert await receipts(rig) == ["Delivered"]

    play(tmp_path, work, HANGZHOU)


def test_after_a_copy_that_did_not_verify_the_inbox_is_not_healthy_until_the_node_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_sleep(_seconds: float) -> None:
        return

    async def work(rig: Rig) -> None:
        monkeypatch.setattr("connectors.node.reading.asyncio.sleep", no_sleep)
        say(rig.exchange, 1)
        inbox = rig.exchange.inboxes[HANGZHOU]
        inbox[-1] = {**inbox[-1], "subject": "CL-999"}  # the last there is: no gap shows it
        reader = rig.seats[HANGZHOU].reader
        await reader._after(await read(rig))
        assert "bad-signature" in (rig.teller.checks[reader.check] or "")
        await reader._after(None)
        assert "bad-signature" in (rig.teller.checks[reader.check] or "")

    play(tmp_path, work, HANGZHOU)


@pytest.mark.parametrize("item", ["x", {}, {"id": 7}, {"specversion": "1.0", "data_base64": "!"}])
def test_what_is_no_envelope_at_all_is_kept_as_it_came(tmp_path: Path, item: Any) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1)
        rig.exchange.inboxes[HANGZHOU].insert(0, item)
        arrived = await read(rig)
        assert [found.step for found in arrived.unverified] == [1]
        assert arrived.delivered == 1
        assert await rig.rows("select document from unverified") == [(json.dumps(item).replace(" ", "").encode(),)]

    play(tmp_path, work, HANGZHOU)


def test_the_same_id_with_another_statement_is_rejected_as_a_conflict(tmp_path: Path) -> None:
    """Two sources used one id; their subjects lie in different partitions, so admission saw no conflict."""

    async def work(rig: Rig) -> None:
        rig.exchange.partitions = 64
        say(rig.exchange, 1)
        rig.exchange._seen.clear()
        say(rig.exchange, 2, source=SUZHOU, event=1)
        arrived = await read(rig)
        assert (arrived.delivered, arrived.conflicts) == (1, 1)
        assert await deliveries(rig) == [("001", "pending")]
        assert await receipts(rig) == ["Delivered", "Rejected"]
        (row,) = await rig.rows("select document from outbox where type like '%Rejected'")
        document = json.loads(row[0])
        value = RELEASED.named("cn.ipx.receipt.Rejected").decode(base64.b64decode(document["data_base64"]))
        assert value["code"] == "conflict"
        assert document["ipxaddressee"] == SUZHOU

    play(tmp_path, work, HANGZHOU)


def test_a_type_that_the_city_has_no_door_for_is_rejected_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(rig: Rig) -> None:
        site = rig.seats[HANGZHOU].site
        assert site.dialect is not None
        monkeypatch.delitem(site.dialect.outward, ClueReported.TYPE)
        say(rig.exchange, 1)
        await read(rig)
        assert await deliveries(rig) == [("001", "rejected")]
        assert await receipts(rig) == ["Delivered", "Rejected"]
        assert rig.teller.total("rejected_events_total") == 1

    play(tmp_path, work, HANGZHOU)


def test_nobody_gets_a_receipt_of_a_receipt(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        rig.seats[NANJING].city.happenings = [clue()]
        await rig.turn(5)
        types = [e.statement.type.rpartition(".")[2] for e in rig.exchange.admitted]
        assert sorted(types) == ["ClueReported", "Committed", "Delivered"]
        assert rig.exchange.inboxes[HANGZHOU][-1]["type"].endswith("OutcomesRecorded")

    play(tmp_path, work, NANJING, HANGZHOU)


def test_more_of_the_members_log_is_read_when_an_entry_rests_on_it(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await rig.members.once()
        fresh = signer_from_seed(NANJING, b"n" * 32)
        added = KeyAdded(
            participant=NANJING,
            key_id=fresh.key_id,
            suite="ed25519",
            public_key=fresh.public.data,
            valid_from=FOUNDED_MS,
        )
        rig.exchange.say(added)
        say(rig.exchange, 1, signer=fresh)

        async def follow() -> None:
            await rig.members._wanted.wait()
            await rig.members.once()

        following = asyncio.ensure_future(follow())
        arrived = await rig.seats[HANGZHOU].reader.once()
        await following
        assert arrived is not None
        assert arrived.delivered == 1

    play(tmp_path, work, HANGZHOU)


def test_an_outcome_that_comes_before_the_members_log_was_read_is_not_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(rig: Rig) -> None:
        whole = rig.gateway.members

        async def one_entry_a_page(participant: str, after: int) -> Any:
            page = await whole(participant, after)
            return replace(page, envelopes=page.envelopes[:1])

        monkeypatch.setattr(rig.gateway, "members", one_entry_a_page)
        say(rig.exchange, 1, source=HANGZHOU)
        inbox = rig.exchange.inboxes[HANGZHOU]
        inbox[:] = [item for item in inbox if "ipxoutcome" in item]  # a copy would say how much of the log it rests on
        assert (len(inbox), rig.members.size) == (1, 0)
        arrived = await rig.seats[HANGZHOU].reader.once()
        assert arrived is not None
        assert arrived.unverified == []
        assert arrived.verified == 1
        assert rig.members.size == rig.exchange.history.size

    play(tmp_path, work, HANGZHOU)


def test_a_schema_released_since_is_asked_for_and_checked(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        document = {**RELEASED.named(ClueReported.TYPE).json, "doc": "another wording"}
        newer = compile_schema(json.dumps(document))
        draft = Draft(
            "01923c00-0000-7000-8000-000000000001",
            NANJING,
            "CL-1",
            format_instant(rig.clock.now_ms()),
            agreement=AGREEMENT,
            addressee=HANGZHOU,
        )
        envelope = seal(newer, VALUE, draft, signer_of(NANJING), CountedEntropy())
        import tests.unit.connectors.small_exchange as small

        real = small.RELEASED

        class Both:
            def with_digest(self, digest: str) -> Any:
                return newer if digest == newer.digest_text else real.with_digest(digest)

            def named(self, name: str) -> Any:
                return real.named(name)

        small.RELEASED = Both()  # type: ignore[assignment]
        try:
            rig.exchange.propose(envelope_to_structured(envelope))
        finally:
            small.RELEASED = real
        digest = newer.digest_text.removeprefix("sha256:")
        other = json.dumps({**document, "doc": "a third wording"}).encode()
        for text in (b'{"type": "string"}', b"<html>", other):
            rig.gateway.schemas[digest] = text
            await rig.rows("delete from cursors")
            arrived = await read(rig)
            assert [found.code for found in arrived.unverified] == ["unreleased-schema"]
        rig.gateway.schemas[digest] = json.dumps(document).encode()
        await rig.rows("delete from cursors")
        arrived = await read(rig)
        assert arrived.delivered == 1

    play(tmp_path, work, HANGZHOU)


def test_the_time_limit_is_that_of_the_agreements_flow(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1)
        await read(rig)
        ((limit_s, due_ms, admitted_ms),) = await rig.rows("select limit_s, due_ms, admitted_ms from deliveries")
        assert limit_s == 600
        assert due_ms == admitted_ms + 600_000

    play(tmp_path, work, HANGZHOU, pace=Pace(committed_within_s=5))


def test_the_content_that_is_stored_is_the_content_that_is_disclosed(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        say(rig.exchange, 1)
        await read(rig)
        await rig.journal.close()
        stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert "举报人某某".encode() in stored  # the agreement discloses the name
        assert b"320106199003071234" not in stored  # and not the identity number

    play(tmp_path, work, HANGZHOU)
