"""Evidence is composed of what stands in the logs, shows each viewer its own fields, and is never handed out unproved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.audit.evidence import Made, by_policy, compose, withheld_but, withheld_from
from services.codec.content import parse_disclosure
from services.codec.entry import parse_entry
from services.codec.evidence import format_evidence
from services.codec.tiles import tile_path
from services.kernel.errors import Corrupt, IpxError, Refused, Transient
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import Exchange, routes, schema_of, town
from tests.vectors.evidence.make import ACCEPTED, REPORTED, accepted, reported
from tests.vectors.evidence.members import HANGZHOU, HANGZHOU_IP, NANJING, SUZHOU, first_release


def busy(events: int = 1) -> Exchange:
    exchange = town()
    for _ in range(events):
        exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    return exchange


def shown(made: Made) -> set[str]:
    schema = schema_of(parse_entry(made.evidence.entry).statement.schema)
    return set(parse_disclosure(schema, made.evidence.disclosure).salts)


def test_every_event_of_a_log_of_several_tiles_can_be_proved() -> None:
    exchange = busy(300)
    exchange.sign()
    for seq in (0, 1, 255, 256, 299):
        made = exchange.evidence(exchange.clues.envelopes[seq])
        report = verify(format_evidence(made.evidence), exchange.policy(), Options(exchange.root, (), routes()))
        assert report.first_bad is None
        assert made.is_witnessed


def test_each_viewer_sees_its_own_fields() -> None:
    exchange = town()
    clue = exchange.publish(REPORTED, reported(), NANJING, addressee=HANGZHOU)
    exchange.sign()
    restricted = set(first_release(REPORTED).restricted)
    assert shown(exchange.evidence(clue, viewer=NANJING)) == restricted
    assert shown(exchange.evidence(clue, viewer=HANGZHOU)) == {"reporter", "suspect_phone"}
    assert shown(exchange.evidence(clue, viewer=HANGZHOU_IP)) == set()
    assert shown(exchange.evidence(clue)) == set()
    assert shown(exchange.evidence(clue, disclosed=["reporter"])) == {"reporter"}
    assert shown(exchange.evidence(clue, disclosed=["all"])) == restricted


def test_who_neither_sent_nor_received_it_is_told_that_there_is_none() -> None:
    exchange = busy()
    entry = parse_entry(exchange.clues.entries[0])
    with pytest.raises(Refused) as caught:
        withheld_from(SUZHOU, entry, first_release(ACCEPTED))
    assert caught.value.code == "not-found"


def test_a_field_that_is_not_restricted_cannot_be_disclosed() -> None:
    with pytest.raises(Refused) as caught:
        withheld_but(["officer", "reporter"], first_release(ACCEPTED))
    assert caught.value.code == "bad-field"


def test_restricted_fields_of_the_members_log_are_withheld() -> None:
    exchange = busy()
    exchange.sign()
    evidence = exchange.evidence(exchange.clues.envelopes[0], disclosed=["all"]).evidence
    signatures = [one for one in evidence.members if b"AgreementSigned" in one.entry]
    assert len(signatures) == 2
    assert all(one.disclosure.startswith("signer=d:") and "王".encode() not in one.body for one in signatures)


def failing(exchange: Exchange, **changes: object) -> IpxError:
    given = {"log": exchange.clues, "members_log": exchange.members, "members": exchange.history.since(0)} | changes
    with pytest.raises(IpxError) as caught:
        compose(
            exchange.clues.envelopes[-1],
            given["log"],  # type: ignore[arg-type]
            given["members_log"],  # type: ignore[arg-type]
            given["members"],  # type: ignore[arg-type]
            schema_of=schema_of,
            withheld=lambda entry, schema: (),
        )
    return caught.value


def test_an_event_that_no_checkpoint_covers_yet_can_be_asked_for_again() -> None:
    exchange = busy()
    assert isinstance(failing(exchange), Transient)
    exchange.sign()
    exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    assert isinstance(failing(exchange), Transient)


def test_whom_it_does_not_concern_learns_nothing_of_how_far_the_log_is() -> None:
    exchange = busy()
    with pytest.raises(Refused) as caught:
        exchange.evidence(exchange.clues.envelopes[0], viewer=SUZHOU)
    assert caught.value.code == "not-found"


def test_a_members_log_that_is_not_read_so_far_is_waited_for() -> None:
    exchange = busy()
    exchange.sign()
    assert isinstance(failing(exchange, members=exchange.history.since(0, 3)), Transient)


def test_the_witnessed_checkpoint_is_preferred_and_its_absence_is_said() -> None:
    exchange = busy()
    exchange.sign()
    witnessed = exchange.clues.note
    exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.clues.sign(())

    class Later:
        read = staticmethod(exchange.clues.read)
        checkpoint = staticmethod(exchange.clues.checkpoint)
        witnessed = staticmethod(lambda: witnessed)

    def made(seq: int) -> Made:
        return compose(
            exchange.clues.envelopes[seq],
            Later(),
            exchange.members,
            exchange.history.since(0),
            schema_of=schema_of,
            withheld=lambda entry, schema: (),
        )

    assert (made(0).is_witnessed, made(0).evidence.proof.checkpoint.size) == (True, 1)
    assert (made(1).is_witnessed, made(1).evidence.proof.checkpoint.size) == (False, 2)


def test_a_file_for_a_verifier_who_trusts_fewer_witnesses_has_their_lines_alone() -> None:
    exchange = busy()
    exchange.sign()
    made = exchange.evidence(exchange.clues.envelopes[0])
    every = exchange.policy()
    fewer = replace(every, witnesses={NANJING: every.witnesses[NANJING]}, groups=(), quorum=NANJING)
    options = Options(exchange.root, (), routes())
    assert verify(format_evidence(made.evidence), fewer, options).first_bad is not None
    kept = by_policy(made, fewer)
    assert kept.is_witnessed
    assert verify(format_evidence(kept.evidence), fewer, options).first_bad is None


def test_tiles_that_contradict_the_checkpoint_are_never_handed_out() -> None:
    exchange = busy(3)
    exchange.sign()
    path = tile_path(0, 0, 3)
    exchange.clues.files[path] = bytes(32) + exchange.clues.files[path][32:]
    assert isinstance(failing(exchange), Corrupt)


def test_an_entry_that_is_not_the_one_in_the_tree_is_never_handed_out() -> None:
    exchange = busy(3)
    exchange.sign()
    last = exchange.clues.envelopes[-1]
    exchange.clues.envelopes[-1] = replace(last, entry=(last.entry or "").replace("seq: 2", "seq: 1"))
    assert isinstance(failing(exchange), Corrupt)
