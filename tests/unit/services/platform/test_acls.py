"""The plan of access rules: who may write what."""

from __future__ import annotations

from services.kernel.families import FAMILIES
from services.platform.acls import Grant, plan
from services.runtime.topics import Groups, Topics, load_topics

TOPICS, GROUPS = Topics("ipx"), Groups("ipx")
WHO, OTHER = "320100.market_regulator", "330100.market_regulator"
GRANTS = plan(TOPICS, GROUPS, load_topics(), [WHO, OTHER])


def covers(grant: Grant, resource: str, name: str) -> bool:
    fits = name.startswith(grant.name) if grant.pattern == "prefixed" else name == grant.name
    return grant.resource == resource and fits


def who_may(operation: str, topic: str) -> set[str]:
    return {grant.principal for grant in GRANTS if grant.operation == operation and covers(grant, "topic", topic)}


def test_only_admission_writes_a_log_and_proposals_come_through_gateway_relay_and_for_receipts_ledger():
    for family in FAMILIES:
        assert who_may("write", TOPICS.log(family)) == {"User:ipx-admission"}
        ledger = {"User:ipx-ledger"} if family == "receipts" else set()
        assert who_may("write", TOPICS.proposals(family)) == {"User:ipx-gateway", "User:ipx-relay", *ledger}


def test_checkpoints_are_written_by_the_ledger_and_by_the_gateway_for_witnesses():
    assert who_may("write", TOPICS.checkpoints) == {"User:ipx-gateway", "User:ipx-ledger"}
    assert "User:ipx-ledger" in who_may("read", TOPICS.checkpoints)


def test_an_inbox_is_written_by_admission_and_read_by_its_owner_the_gateway_and_the_auditor():
    assert who_may("write", TOPICS.inbox(WHO)) == {"User:ipx-admission"}
    assert who_may("read", TOPICS.inbox(WHO)) == {
        f"User:{WHO}",
        "User:ipx-auditor",
        "User:ipx-gateway",
        "User:ipx-admission",
    }


def test_an_outbox_is_written_by_its_owner_alone():
    assert who_may("write", TOPICS.outbox(WHO)) == {f"User:{WHO}"}
    assert who_may("read", TOPICS.outbox(WHO)) == {"User:ipx-gateway"}


def test_a_participant_reads_no_log_and_no_proposals():
    for family in FAMILIES:
        for topic in (TOPICS.log(family), TOPICS.proposals(family)):
            assert f"User:{WHO}" not in who_may("read", topic)


def test_a_participant_commits_in_its_own_group_alone():
    groups = [grant.name for grant in GRANTS if grant.principal == f"User:{WHO}" and grant.resource == "group"]
    assert groups == [GROUPS.inbox(WHO)]


def test_a_grant_for_one_exchange_is_none_for_another_whose_name_begins_alike():
    for grant in GRANTS:
        assert grant.name.startswith(("ipx.", "ipx-"))
        for other in (Topics("ipx2").inbox(WHO), Topics("ipx2").log("clues")):
            assert not covers(grant, "topic", other)


def test_who_writes_in_transactions_has_ids_that_begin_with_its_own_name():
    ids = {(grant.principal, grant.name) for grant in GRANTS if grant.resource == "transactional_id"}
    assert ids == {("User:ipx-admission", "ipx-admission"), ("User:ipx-gateway", "ipx-gateway")}


def test_every_instance_of_admission_and_of_the_kafka_door_may_write_in_transactions_under_its_own_ids_alone():
    def may(principal: str, name: str) -> bool:
        return any(g.principal == principal and covers(g, "transactional_id", name) for g in GRANTS)

    for instance in ("gateway-0", "b"):
        assert may("User:ipx-gateway", f"{TOPICS.prefix}-gateway-door-{instance}")
        assert may("User:ipx-admission", f"{GROUPS.admission}-{instance}")
        assert not may("User:ipx-gateway", f"{GROUPS.admission}-{instance}")
        assert not may("User:ipx-admission", f"{TOPICS.prefix}-gateway-door-{instance}")
        assert not may(f"User:{WHO}", f"{TOPICS.prefix}-gateway-door-{instance}")


def test_the_plan_is_ordered_and_names_nothing_twice():
    assert list(GRANTS) == sorted(set(GRANTS))
    assert plan(TOPICS, GROUPS, load_topics(), [OTHER, WHO, WHO]) == GRANTS


def test_an_auditor_reads_what_is_compared_and_writes_nothing():
    auditor = "User:ipx-auditor"
    for topic in (
        *(TOPICS.log(family) for family in ("members", "clues", "receipts")),
        TOPICS.checkpoints,
        TOPICS.quarantine,
    ):
        assert auditor in who_may("read", topic)
    assert auditor in who_may("read", TOPICS.inbox(""))
    assert not [grant for grant in GRANTS if grant.principal == auditor and grant.operation == "write"]
