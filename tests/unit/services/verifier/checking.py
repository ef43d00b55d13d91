"""Evidence files of a small exchange, and what the verifier says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from services.codec.evidence import Evidence, MemberEvidence, format_evidence, in_order
from services.codec.note import Note
from services.codec.tlog_policy import Policy
from services.verifier.report import Report, Step
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import (
    HANGZHOU,
    NANJING,
    OPERATOR,
    Exchange,
    routes,
    signer,
    town,
)
from tests.vectors.evidence.make import ACCEPTED, REPORTED, accepted, made, reported

FILES = {name: data for name, data in made().items() if name.endswith(".json")}


SMALL = FILES["key-added.json"]


@cache
def standing_town() -> Exchange:
    exchange = town()
    exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.publish(REPORTED, reported(), NANJING, addressee=HANGZHOU, batch=True)
    exchange.sign()
    return exchange


@cache
def policy(quorum: str = "two") -> Policy:
    return standing_town().policy(quorum)


@cache
def options() -> Options:
    return Options(root=signer(OPERATOR).public, routes=routes())


def checked(evidence: Evidence | bytes, by: Policy | None = None, having: Options | None = None) -> Report:
    data = evidence if isinstance(evidence, bytes) else format_evidence(evidence)
    return verify(data, by or policy(), having or options())


def failure(
    evidence: Evidence | bytes, by: Policy | None = None, having: Options | None = None
) -> tuple[str, str | None, str | None]:
    bad = checked(evidence, by, having).first_bad
    assert bad is not None, "it was taken"
    return bad.title_en, bad.code, bad.place


def step(report: Report, title: str) -> Step:
    return next(one for one in report.steps if one.title_en == title)


@cache
def small() -> Evidence:
    return standing_town().evidence(standing_town().clues.envelopes[0], viewer=HANGZHOU).evidence


def kept(evidence: Evidence, keep: Callable[[MemberEvidence], bool]) -> Evidence:
    """The evidence with these records alone, and without the schemas that nobody names any more."""
    members = tuple(one for one in evidence.members if keep(one))
    entries = [evidence.entry, *(one.entry for one in members)]
    schemas = {
        digest: text for digest, text in evidence.schemas.items() if any(digest.encode() in entry for entry in entries)
    }
    return replace(evidence, members=members, schemas=schemas)


def without(evidence: Evidence, word: str) -> Evidence:
    return kept(evidence, lambda one: word.encode() not in one.entry)


def with_note(evidence: Evidence, note: Note) -> Evidence:
    return replace(evidence, proof=replace(evidence.proof, note=in_order(note)))
