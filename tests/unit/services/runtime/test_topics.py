"""Topic names, the table of topics, and what makes a broker agree with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.errors import BadSettings
from services.kernel.families import FAMILIES
from services.runtime.topics import TABLE, FoundTopic, Groups, Topics, compare, load_topics

TOPICS = Topics("ipx")
WHO = "320100.market_regulator"


def found(spec):
    return FoundTopic(spec.name, spec.partitions, dict(spec.config))


def test_names_begin_with_the_exchange():
    assert TOPICS.log("clues") == "ipx.clues"
    assert TOPICS.proposals("clues") == "ipx.clues.in"
    assert TOPICS.inbox(WHO) == "ipx.inbox.320100.market_regulator"
    assert TOPICS.outbox(WHO) == "ipx.outbox.320100.market_regulator"
    assert (TOPICS.checkpoints, TOPICS.quarantine) == ("ipx.checkpoints", "ipx.quarantine")
    groups = Groups("ipx")
    assert (groups.admission, groups.outboxes) == ("ipx-admission", "ipx-outboxes")
    assert (groups.room("clues"), groups.inbox(WHO)) == ("ipx-room-clues", f"ipx-inbox-{WHO}")


def test_the_owner_of_an_inbox_is_read_from_its_name_and_other_topics_have_none():
    assert TOPICS.inbox_owner(TOPICS.inbox(WHO)) == WHO
    for other in (TOPICS.outbox(WHO), TOPICS.log("clues"), Topics("ipx2").inbox(WHO)):
        assert TOPICS.inbox_owner(other) is None


def test_every_family_has_a_log_and_its_proposals_with_the_same_partitions():
    specs = {spec.name: spec for spec in load_topics().specs(TOPICS)}
    for family in FAMILIES:
        assert specs[TOPICS.log(family)].partitions == specs[TOPICS.proposals(family)].partitions
    assert specs[TOPICS.log("members")].partitions == 1
    assert len(specs) == 2 * len(FAMILIES) + 2


def test_nothing_is_ever_deleted_or_compacted_and_a_log_takes_what_its_proposals_let_through():
    table = load_topics()
    specs = (*table.specs(TOPICS), *table.participant_specs(TOPICS, [WHO]))
    for spec in specs:
        assert spec.config["cleanup.policy"] == "delete"
        assert (spec.config["retention.ms"], spec.config["retention.bytes"]) == ("-1", "-1")
    size = {spec.kind: int(spec.config["max.message.bytes"]) for spec in specs}
    assert size["proposals"] == size["outbox"] == 1 << 20
    assert min(size["log"], size["inbox"], size["quarantine"]) > size["proposals"]


def test_an_inbox_has_one_partition_and_a_participant_named_twice_one_inbox():
    specs = load_topics().participant_specs(TOPICS, [WHO, "310115.court", WHO])
    assert [spec.name for spec in specs] == [
        TOPICS.inbox("310115.court"),
        TOPICS.outbox("310115.court"),
        TOPICS.inbox(WHO),
        TOPICS.outbox(WHO),
    ]
    assert {spec.partitions for spec in specs} == {1}


@pytest.mark.parametrize(("replication", "in_sync"), [(None, "1"), (1, "1"), (2, "1"), (3, "2")])
def test_one_copy_fewer_than_all_must_have_a_record_before_it_counts(replication, in_sync):
    for spec in load_topics(replication=replication).specs(TOPICS):
        assert spec.replication == (replication or 1)
        assert spec.config["min.insync.replicas"] == in_sync


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("clues = 4", "clews = 4", r"\[families\]"),
        ("clues = 4", "clues = 0", "1 to 1024: clues"),
        ("clues = 4", 'clues = "4"', "1 to 1024: clues"),
        ("checkpoints = 1", "", r"\[singles\]"),
        ("[config.inbox]", "[config.inboxes]", r"\[config\]"),
        ("replication = 1", "replication = 0", "replication must be"),
        ("replication = 1", "replication", "topics.toml"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_place(tmp_path, old, new, said):
    text = TABLE.read_text("utf-8")
    assert old in text
    (tmp_path / "topics.toml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(BadSettings, match=said):
        load_topics(tmp_path / "topics.toml")


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadSettings, match=r"topics\.toml"):
        load_topics(tmp_path / "topics.toml")


def test_an_empty_broker_gets_every_topic_and_a_broker_that_agrees_nothing():
    specs = load_topics().specs(TOPICS)
    assert compare(specs, {}).create == specs
    assert compare(specs, {spec.name: found(spec) for spec in specs}).is_empty


def test_only_settings_of_the_table_are_put_back():
    (spec, *_others) = load_topics().specs(TOPICS)
    changed = found(spec)
    changed = replace(changed, config={**changed.config, "retention.ms": "1000", "segment.bytes": "7"})
    plan = compare([spec], {spec.name: changed})
    assert plan.create == ()
    assert plan.reset == {spec.name: {"retention.ms": "-1"}}


@pytest.mark.parametrize("partitions", [3, 5])
def test_another_number_of_partitions_is_refused_whatever_else_must_be_done(partitions):
    specs = load_topics().specs(TOPICS)
    log = next(spec for spec in specs if spec.name == TOPICS.log("clues"))
    wrong = {log.name: replace(found(log), partitions=partitions)}
    with pytest.raises(BadSettings, match=f"ipx.clues has {partitions} partitions, the table says 4"):
        compare(specs, wrong)
