"""``ipx members`` and the follower on the real Kafka: founding once, keys added and revoked, a log that is not what it must be."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from services.codec.keys import parse_public, signer_from_seed
from services.kernel.errors import Corrupt, Transient
from services.members.follower import MembersFollower
from services.members.registry import Registry
from services.runtime.settings import CommonSettings
from tests.broker.admission_rig import AGREEMENT, CLOCK, ENTROPY, NANJING, ORGANS, PARTS, POLICE, RELEASED, Rig, founded

WAIT_S = 60.0


@pytest.fixture(scope="module")
def rig(make_exchange: Callable[[], Any]) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        yield made


def said(rig: Rig, *argv: str) -> dict[str, Any]:
    done = rig.exchange.ipx("members", *argv, "--json", timeout_s=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def refused(rig: Rig, *argv: str) -> str:
    done = rig.exchange.ipx("members", *argv, timeout_s=120)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def follower(rig: Rig) -> MembersFollower:
    settings = CommonSettings.load(rig.exchange.environ)
    assert settings.root_key is not None
    return MembersFollower(
        settings.librdkafka(), rig.exchange.topics, schema_of=RELEASED.with_digest, root=parse_public(settings.root_key)
    )


@pytest.fixture
def following(rig: Rig) -> Iterator[MembersFollower]:
    made = follower(rig)
    made.start()
    yield made
    made.stop()


def test_the_founding_brings_everybody_with_a_key_and_an_agreement_in_force(rig: Rig) -> None:
    listed = said(rig, "list")
    assert listed["exchange"] == rig.exchange.name
    assert {one["id"] for one in listed["participants"]} == {*ORGANS, *PARTS}
    assert {one["valid_keys"] for one in listed["participants"]} == {1}
    assert [(one["ref"], one["state"]) for one in listed["agreements"]] == [(AGREEMENT, "in force")]


def test_a_second_founding_says_nothing_new(rig: Rig) -> None:
    size = said(rig, "list")["size"]
    assert said(rig, "init") == {"exchange": rig.exchange.name, "proposed": 0, "size": size}


def test_private_keys_are_for_their_owner_alone_and_the_root_key_is_written_down(rig: Rig) -> None:
    keys = rig.exchange.state_dir / "keys"
    files = sorted(keys.glob("*.key"))
    assert {path.name for path in files} >= {f"{name}.key" for name in (*ORGANS, *PARTS)}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    line = CommonSettings.load(rig.exchange.environ).root_key
    assert line == rig.signer("exchange.operator").public.line()


def test_an_organ_an_agreement_and_a_key_can_be_shown(rig: Rig) -> None:
    organ = said(rig, "show", NANJING)
    assert organ["agreements"] == [AGREEMENT]
    key = organ["keys"][0]["key_id"]
    assert said(rig, "show", key)["state"] == "valid"
    agreement = said(rig, "show", AGREEMENT)
    assert agreement["signed_by"] == sorted(("320100.market_regulator", "330100.market_regulator"))
    assert "not-found" in refused(rig, "show", "nobody")
    shown = rig.exchange.ipx("members", "show", NANJING)
    assert shown.returncode == 0
    assert f"机关{NANJING}" in shown.stdout


def test_a_key_is_added_and_revoked(rig: Rig) -> None:
    added = said(rig, "add-key", POLICE)
    path = Path(added["private_key"])
    assert path.is_file()
    assert path.parent == rig.exchange.state_dir / "keys"
    assert said(rig, "show", added["added"])["state"] == "valid"
    assert said(rig, "revoke-key", added["added"], "--reason", "superseded") == {"revoked": added["added"]}
    assert said(rig, "show", added["added"])["state"] == "key-revoked"


def test_a_key_that_is_made_elsewhere_is_added_by_its_line(rig: Rig) -> None:
    public = signer_from_seed(POLICE, ENTROPY.draw(32)).public
    assert said(rig, "add-key", POLICE, "--public-key", public.line()) == {"added": public.key_id, "private_key": None}
    assert "bad-reference" in refused(rig, "add-key", POLICE, "--public-key", public.line())
    assert "bad-settings" in refused(rig, "add-key", NANJING, "--public-key", public.line())


def test_a_key_that_admission_refuses_leaves_no_file_behind(rig: Rig) -> None:
    before = sorted((rig.exchange.state_dir / "keys").iterdir())
    assert "bad-field" in refused(rig, "add-key", POLICE, "--valid-until", "2020-01-01")
    assert sorted((rig.exchange.state_dir / "keys").iterdir()) == before


def test_what_is_wrong_is_said_in_one_line(rig: Rig) -> None:
    assert "bad-code" in refused(rig, "revoke-key", rig.signer(POLICE).key_id, "--reason", "boredom")
    assert "bad-reference" in refused(rig, "revoke-key", f"{POLICE}#0123456789abcdef", "--reason", "lost")
    assert "bad-settings" in refused(rig, "add-key", "nobody")


def test_the_commands_use_the_admission_that_runs(rig: Rig) -> None:
    process = rig.start().wait_ready()
    added = said(rig, "add-key", NANJING)
    assert 'ipx_admission_admitted_events_total{family="members"} 1.0' in process.metrics()
    said(rig, "revoke-key", added["added"], "--reason", "lost")
    process.stop()


def test_a_follower_has_all_that_stands_in_the_log_when_it_is_asked(rig: Rig, following: MembersFollower) -> None:
    history = following.wait_caught_up(WAIT_S)
    size = history.size
    assert size == said(rig, "list")["size"]
    added = said(rig, "add-key", POLICE)
    registry: Registry = following.wait_current(WAIT_S).latest
    assert registry.size == size + 1
    assert registry.key(added["added"], CLOCK.now_ms() + 1000).participant == POLICE
    assert following.state == "following"


def test_a_follower_without_kafka_says_so(rig: Rig) -> None:
    made = MembersFollower(
        {"bootstrap.servers": "127.0.0.1:1"},
        rig.exchange.topics,
        schema_of=RELEASED.with_digest,
        root=rig.signer("exchange.operator").public,
    )
    made.start()
    try:
        with pytest.raises(Transient):
            made.wait_caught_up(2)
        assert made.state == "away"
    finally:
        made.stop()


def test_a_record_in_the_log_that_admission_did_not_write_is_found_out(make_exchange: Callable[[], Any]) -> None:
    with make_exchange() as exchange, founded(exchange) as other:
        made = follower(other)
        made.start()
        try:
            size = made.wait_caught_up(WAIT_S).size
            last = other.log("members")[0][-1]
            producer = Producer(exchange.settings.librdkafka())
            producer.produce(
                last.topic, key=last.key, value=last.value, headers=list(last.headers.items()), partition=0
            )
            assert producer.flush(30) == 0
            other.wait(lambda: made.state == "corrupt", WAIT_S)
            with pytest.raises(Corrupt, match=f"expected seq {size}"):
                made.require()
            assert made.history.size == size
        finally:
            made.stop()
