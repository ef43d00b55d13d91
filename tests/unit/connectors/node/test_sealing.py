"""What the node signs: with the key of the participant, of either suite, and a page under one signature."""

from __future__ import annotations

import json

import pytest

from connectors.kit.mapping import Drafted
from connectors.node.sealing import Sealer
from services.codec.cloudevents import envelope_from_structured
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events import to_value
from services.events.clue import ClueReported
from services.kernel.ports import CountedEntropy, SettableClock, Signer
from tests.unit.connectors.small_exchange import AGREEMENT, HANGZHOU, NANJING, RELEASED, gm_signer_of, signer_of

CLUE = ClueReported(
    subtype="online_listing",
    right_type="trademark",
    title="题",
    facts="事实",
    place_division="330106",
    discovered_at=1,
)


@pytest.mark.parametrize(
    ("signer", "single", "batch"),
    [
        (signer_of(NANJING), "ed25519:", "ed25519-batch:"),
        (gm_signer_of(NANJING), "sm2-sm3:", "sm2-sm3-batch:"),
    ],
    ids=["ed25519", "sm2-sm3"],
)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_page_is_signed_with_the_key_of_the_participant(signer: Signer, single: str, batch: str, count: int) -> None:
    sealer = Sealer({NANJING: signer}, RELEASED, SettableClock(), CountedEntropy(1 << 40))
    drafted = Drafted(ClueReported.TYPE, "CL-1", 1_790_000_000_000, AGREEMENT, HANGZHOU, "-", to_value(CLUE))
    happened = [sealer.prepare(NANJING, f"item {number}", drafted) for number in range(count)]
    rows = sealer.seal_happenings(NANJING, "city", happened)
    public = signer_of(NANJING).public if signer.suite == "ed25519" else gm_signer_of(NANJING).public
    envelopes = [envelope_from_structured(json.loads(row.document)) for row in rows]
    assert len({envelope.signature.rpartition(":")[2] for envelope in envelopes}) == 1
    for envelope in envelopes:
        assert envelope.signature.startswith(single if count == 1 else batch)
        text = format_statement(envelope.statement)
        assert verify(text, parse_signature(envelope.signature), public.data, RootCache())
