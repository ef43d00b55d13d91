from __future__ import annotations

from dataclasses import replace

import pytest

from services.admission.proposal import Checked
from services.admission.verification import Verifiers, _question, verify_one
from services.codec.envelope import Draft, seal_batch
from services.codec.keys import ParticipantSigner
from services.codec.signature import RootCache
from services.events import to_value
from services.events.member import KeyRevoked
from services.kernel.errors import Refused, Transient
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from services.members.registry import EMPTY, Registry
from tests.unit.services.admission.desk import MEMBERS, checked, sealed
from tests.unit.services.members.town import (
    HANGZHOU,
    NANJING,
    NOW_MS,
    OPERATOR,
    REF,
    Said,
    clue,
    founded,
    gm_key_added,
    gm_signer,
    key_added,
    released,
    root,
    signer,
    told,
    town,
)


def answer(said: Checked, registry: Registry | None = None, roots: RootCache | None = None) -> str | None:
    refused = verify_one(said, registry or town(), root(), roots or RootCache())
    return None if refused is None else refused.code


def at(offset_ms: int) -> str:
    return format_instant(NOW_MS + offset_ms)


def test_a_statement_signed_by_the_key_of_its_source_stands() -> None:
    assert answer(checked(sealed())) is None


def with_key(number: int, **changes: object) -> Registry:
    return told(town(), Said(key_added(NANJING, number, **changes)))


GM_TOWN = told(town(), Said(gm_key_added(NANJING)))
REVOKED = told(
    with_key(1),
    Said(KeyRevoked(participant=NANJING, key_id=signer(NANJING, 1).key_id, revoked_at=NOW_MS + 5, reason="superseded")),
)


@pytest.mark.parametrize(
    ("key", "changes", "registry", "code"),
    [
        (signer(NANJING, 9), {}, town(), "unknown-key"),
        (signer(HANGZHOU), {}, town(), "key-not-of-source"),
        (signer(NANJING, 1), {}, with_key(1, valid_from=NOW_MS + 2), "key-not-yet-valid"),
        (signer(NANJING, 1), {"time": at(9)}, with_key(1, valid_until=NOW_MS + 9), "key-expired"),
        (signer(NANJING, 1), {"time": at(5)}, REVOKED, "key-revoked"),
        (signer(NANJING, 1), {"time": at(4)}, REVOKED, None),
        (signer(NANJING, 1), {}, with_key(1, suite="sm2-sm3"), "bad-signature"),
        (gm_signer(NANJING), {}, town(), "unknown-key"),
        (gm_signer(NANJING), {}, GM_TOWN, None),
        (gm_signer(HANGZHOU), {}, told(town(), Said(gm_key_added(HANGZHOU))), "key-not-of-source"),
        (gm_signer(NANJING), {}, told(town(), Said(gm_key_added(NANJING, suite="ed25519"))), "bad-signature"),
    ],
)
def test_a_key_counts_only_for_its_source_and_in_its_time(
    key: ParticipantSigner, changes: dict[str, str], registry: Registry, code: str | None
) -> None:
    assert answer(checked(sealed(key=key, **changes)), registry) == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (sealed(number=7).signature, "bad-signature"),
        ("ed25519:x:y", "bad-signature"),
        ("sm2-sm3:320100.market_regulator#0123456789abcdef:AAAA", "bad-signature"),
        ("sm2:320100.market_regulator#0123456789abcdef:AAAA", "unknown-suite"),
        ("", "bad-signature"),
    ],
)
def test_a_signature_line_that_does_not_hold_is_refused(line: str, code: str) -> None:
    assert answer(checked(sealed())._replace(signature=line)) == code


def test_a_batch_signature_holds_for_each_and_is_checked_once() -> None:
    drafts = [
        Draft(
            id=uuid7(NOW_MS + n, bytes(10)),
            source=NANJING,
            subject=f"CL-{n}",
            time=at(1),
            agreement=REF,
            addressee=HANGZHOU,
        )
        for n in range(5)
    ]
    schema = released().named("cn.ipx.clue.ClueReported")
    items = [(schema, to_value(clue()), draft) for draft in drafts]
    envelopes = seal_batch(items, signer(NANJING), CountedEntropy())
    roots = RootCache()
    assert [answer(checked(envelope), roots=roots) for envelope in envelopes] == [None] * 5
    swapped = replace(envelopes[0], signature=envelopes[1].signature)
    assert answer(checked(swapped), roots=roots) == "bad-signature"


def test_the_founding_is_signed_by_the_root_key_and_no_other() -> None:
    said = checked(sealed(founded(), source=OPERATOR, agreement="-", addressee="-"), door=MEMBERS)
    assert answer(said, EMPTY) is None
    other = founded(public_key=signer(OPERATOR, 1).public.data, key_id=signer(OPERATOR, 1).key_id)
    forged = sealed(other, source=OPERATOR, agreement="-", addressee="-", key=signer(OPERATOR, 1))
    assert answer(checked(forged, door=MEMBERS), EMPTY) == "unknown-key"
    half = sealed(other, source=OPERATOR, agreement="-", addressee="-")
    assert answer(checked(half, door=MEMBERS), EMPTY) == "unknown-key"


CHUNK = [checked(sealed(number=n, key=signer(NANJING, n % 2))) for n in range(6)]


def codes(answers: list[Refused | None]) -> list[str | None]:
    return [None if answer is None else answer.code for answer in answers]


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_a_chunk_is_answered_in_its_order_here_or_by_processes(processes: int) -> None:
    verifiers = Verifiers(processes, root())
    forged = CHUNK[0]._replace(signature=CHUNK[2].signature)
    odd = CHUNK[0]._replace(signature="rot13:" + CHUNK[0].signature.partition(":")[2])
    broken = CHUNK[0]._replace(signature="ed25519:nonsense")
    futures = [verifiers.begin(chunk, town()) for chunk in (CHUNK, CHUNK[::2], [forged, odd, CHUNK[0], broken], [])]
    assert [codes(future.result(30)) for future in futures] == [
        [None, "unknown-key"] * 3,
        [None] * 3,
        ["bad-signature", "unknown-suite", None, "bad-signature"],
        [],
    ]
    assert codes(verifiers.verify_all(CHUNK, town())) == [None, "unknown-key"] * 3
    verifiers.close()


@pytest.mark.parametrize("processes", [0, 1])
def test_signatures_of_both_suites_stand_in_one_chunk(processes: int) -> None:
    verifiers = Verifiers(processes, root())
    good = [checked(sealed(number=n, key=gm_signer(NANJING))) for n in range(2)]
    forged = good[0]._replace(signature=good[1].signature)
    swapped = good[0]._replace(signature=good[0].signature.replace("sm2-sm3:", "ed25519:"))
    chunk = [good[0], CHUNK[0], forged, swapped, good[1]]
    assert codes(verifiers.begin(chunk, GM_TOWN).result(30)) == [None, None, "bad-signature", "bad-signature", None]
    assert codes(verifiers.begin(good, town()).result(30)) == ["unknown-key"] * 2
    verifiers.close()


def test_a_process_is_asked_about_signatures_of_either_suite() -> None:
    for signer_of in (signer, gm_signer):
        said = checked(sealed(key=signer_of(NANJING)))
        key = signer_of(NANJING).public.data
        assert _question(said, GM_TOWN, root()) == (key, said.text, said.signature.encode())


def test_a_process_that_has_ended_is_told_as_something_that_passes() -> None:
    verifiers = Verifiers(1, root())
    verifiers._workers[0].close()
    with pytest.raises(Transient):
        verifiers.begin(CHUNK, town()).result(30)
    verifiers.close()
