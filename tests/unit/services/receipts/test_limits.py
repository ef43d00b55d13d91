"""The limits of a delivery come from the agreement's flow, at the size of the members log that admission used."""

from __future__ import annotations

from services.events.member import AgreementProposed, Flow, ParticipantRegistered
from services.members.registry import apply
from services.receipts.limits import copies_of
from tests.unit.services.receipts.scene import HANGZHOU, HANGZHOU_POLICE, clue, registry


def limits(members, **to):
    entry = clue("a", to["to"]).entry
    return [(c.recipient, c.delivered_within_s, c.committed_within_s) for c in copies_of(members, entry)]


def test_a_recipient_has_the_limits_of_its_flow():
    assert limits(registry(delivered_s=60, committed_s=600), to={HANGZHOU: 0}) == [(HANGZHOU, 60, 600)]


def test_a_flow_without_limits_sets_none():
    assert limits(registry(delivered_s=None, committed_s=600), to={HANGZHOU: 0}) == [(HANGZHOU, None, 600)]


def test_who_gets_a_copy_by_several_flows_has_the_shortest_limit():
    members = registry()
    base = members.agreements["yrd-test@1"].proposal.flows[0]
    flows = (
        base,
        Flow(
            type=base.type,
            from_organ="market_regulator",
            to_organ="ip_office",
            copy_to=("police",),
            delivered_within_s=30,
            committed_within_s=9_000,
        ),
    )
    proposal = AgreementProposed(
        agreement="yrd-test", version=2, title_zh="试", title_en="test", status="in_force", flows=flows, valid_from=0
    )
    members = apply(members, proposal, source="exchange.operator")
    entry = clue("a", {HANGZHOU_POLICE: 1}, agreement="yrd-test@2").entry
    assert [(c.delivered_within_s, c.committed_within_s) for c in copies_of(members, entry)] == [(30, 600)]


def test_an_agreement_that_the_log_has_not_or_none_at_all_sets_no_limit():
    members = registry()
    for agreement in ("-", "unknown@1"):
        [copy] = copies_of(members, clue("a", {HANGZHOU: 3}, agreement=agreement).entry)
        assert (copy.number, copy.delivered_within_s, copy.committed_within_s) == (3, None, None)


def test_who_gets_it_by_no_flow_at_all_has_no_limit():
    members = apply(
        registry(),
        ParticipantRegistered(
            participant="330100.court",
            name_zh="法院",
            name_en="court",
            division="330100",
            organ_type="court",
            level="prefecture",
            valid_from=0,
        ),
        source="exchange.operator",
    )
    assert limits(members, to={"330100.court": 0}) == [("330100.court", None, None)]
