"""The examples of the API document are made here, signed with keys of nobody, and must be what is checked in.

Made again with: ``python -m tests.contracts.test_openapi_examples``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

from services.cases.fold import Around, Said, step
from services.cases.laws import load_laws
from services.cases.lines import case_line
from services.cases.view import case_view
from services.codec.checkpoint import Checkpoint, format_checkpoint, origin_of
from services.codec.cloudevents import envelope_from_structured, envelope_to_structured, parse_batch, parse_request
from services.codec.entry import Delivery, format_entry, parse_entry
from services.codec.envelope import Draft, Envelope, open_content, seal, seal_batch
from services.codec.examples import read_examples
from services.codec.json_form import json_form
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.log_keys import LEDGER, log_signer
from services.codec.note import Note, cosign_note, format_note, sign_note
from services.codec.numbering import Numbered, format_numbering
from services.codec.released import load_released
from services.codec.schema import EventSchema
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events.member import ParticipantRegistered
from services.events.receipt import OutcomeItem
from services.events.transfer import TransferMoved, TransferOpened
from services.gateway.case_cursor import format_case_cursor
from services.gateway.cursor import format_cursor
from services.gateway.log_files import log_document
from services.gateway.openapi import EXAMPLES, load_examples
from services.gateway.publishing import outcome_document
from services.gateway.status import status_of
from services.kernel.calendar_documents import load_calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import uuid7
from services.kernel.instants import parse_instant
from services.kernel.ports import CountedEntropy
from services.ledger.standing import Standing
from services.members.registry import EMPTY, apply
from services.receipts.state import Answer, Copy, Entry, Receipt, Tracked, encode
from tests.vectors.evidence.make import made as evidence_files

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
AGREEMENT = "yrd-enforcement@1"
REPORTED, ACCEPTED = "cn.ipx.clue.ClueReported", "cn.ipx.clue.ClueAccepted"
TIME = "2026-11-24T06:11:37.123Z"
ADMITTED = "2026-11-24T06:11:37.456Z"
LOG = "ipx.clues/3"
ORIGIN = origin_of(LOG)
RELEASED = load_released()


def signer_of(participant: str) -> Ed25519Signer:
    """The example key of a participant: anybody can make it, so no exchange may trust it."""
    return signer_from_seed(participant, hashlib.sha256(f"ipx example key of {participant}".encode()).digest())


def make() -> dict[str, Any]:
    """Every example, the same in every run."""
    entropy = CountedEntropy()
    reported, accepted = RELEASED.named(REPORTED), RELEASED.named(ACCEPTED)
    clue = _data(REPORTED, "valid-online")
    single = seal(
        reported, json_form(reported).read(clue), _draft(entropy, "CL-320100-2026-000123"), signer_of(NANJING), entropy
    )
    bulk = _data(REPORTED, "valid-handed-over-in-bulk")
    pair = seal_batch(
        [
            (reported, json_form(reported).read(bulk), _draft(entropy, "CL-320100-2026-000124")),
            (reported, json_form(reported).read(clue), _draft(entropy, "CL-320100-2026-000125")),
        ],
        signer_of(NANJING),
        entropy,
    )
    taken = _data(ACCEPTED, min(e.name for e in read_examples() if e.type == ACCEPTED and e.expects is None))
    answer_draft = replace(_draft(entropy, "CL-330100-2026-000017"), addressee=HANGZHOU, cause=single.statement.id)
    answer = seal(accepted, json_form(accepted).read(taken), answer_draft, signer_of(NANJING), entropy)
    ids = [single.statement.id]
    outcomes = [outcome_document(ids[0], OutcomeItem(event=ids[0], outcome="admitted", log=LOG, seq=1042))]
    return {
        "structured": _with_json(reported, single, clue),
        "batch": [envelope_to_structured(pair[0]), _with_json(reported, pair[1], clue)],
        "binary_json": {
            "headers": {"ce-specversion": "1.0", **{f"ce-{name}": text for name, text in answer.attributes().items()}},
            "body": taken,
        },
        "ids": {"ids": ids},
        "outcomes": {"outcomes": outcomes},
        "status": _status(single),
        "inbox": {"items": [_copy(single)], "cursor": format_cursor(HANGZHOU, 4711)},
        **_log(),
        **_cases(),
        "evidence": json.loads(evidence_files()["founding.json"]),
    }


def _log() -> dict[str, Any]:
    """A checkpoint of one log, the same with a cosignature, and the list of logs."""
    checkpoint = Checkpoint(ORIGIN, 1043, hashlib.sha256(b"ipx example root").digest())
    key, witness = log_signer(signer_of(LEDGER), ORIGIN), signer_of(HANGZHOU)
    text = format_checkpoint(checkpoint)
    note = Note(text, (sign_note(text, ORIGIN, key.public.data, key.sign),))
    line = cosign_note(text, HANGZHOU, witness.public.data, witness.sign, parse_instant(ADMITTED) // 1000)
    standing = Standing(
        ORIGIN, checkpoint, replace(checkpoint, size=1040), (HANGZHOU,), parse_instant(ADMITTED), "not yet"
    )
    return {
        "checkpoint": format_note(note).decode(),
        "cosigned": format_note(note.add(line)).decode(),
        "logs": {"exchange": "ipx", "logs": [log_document(standing)]},
    }


def _cases() -> dict[str, Any]:
    """A case in which Nanjing asked Hangzhou for assistance: as a line of a list, and with its clock."""
    laws, members = load_laws(SCHEMAS_DIR / "codes"), EMPTY
    for name, zh, en in ((NANJING, "南京市市场监督管理局", "Nanjing"), (HANGZHOU, "杭州市市场监督管理局", "Hangzhou")):
        organ = ParticipantRegistered(
            participant=name,
            name_zh=zh,
            name_en=f"Market regulator of {en}",
            division=name[:6],
            organ_type="market_regulator",
            level="prefecture",
            valid_from=0,
        )
        members = apply(members, organ, source="exchange.operator")
    registry = replace(members, calendar=load_calendar(SCHEMAS_DIR / "codes" / "calendars"))
    around, opened = Around(laws.tables, laws.rules, registry), parse_instant(ADMITTED)
    asked = TransferOpened(
        kind="assistance_request", title="电池改贴商标案协查", facts="检查发现", requests="请协助核实发货记录"
    )
    accepted = TransferMoved(kind="assistance_request", move="accept", happened_at=opened + 86_400_000)
    case = None
    for seq, (body, source, to) in enumerate(((asked, NANJING, HANGZHOU), (accepted, HANGZHOU, NANJING))):
        at = opened + seq * 90_000_000
        event = f"0192f3c1-8000-7000-8000-{seq + 3:012d}"
        said = Said(event, source, (to,), (to,), seq, at, at, registry.size, "TR-320100-2026-000042", body)
        told = step(case, said, around)
        assert told.refused is None
        case = told.case
    assert case is not None
    line = case_line(case, around, opened + 10 * 86_400_000)
    return {
        "cases": {"items": [line], "cursor": format_case_cursor(HANGZHOU, case.subject)},
        "case": case_view(case, around, opened + 10 * 86_400_000, HANGZHOU),
    }


def _data(event_type: str, name: str) -> Any:
    return next(example.data for example in read_examples() if (example.type, example.name) == (event_type, name))


def _draft(entropy: CountedEntropy, subject: str) -> Draft:
    event = uuid7(parse_instant(TIME), entropy.draw(10))
    return Draft(id=event, source=NANJING, subject=subject, time=TIME, agreement=AGREEMENT, addressee=HANGZHOU)


def _with_json(schema: EventSchema, envelope: Envelope, data: Any) -> dict[str, Any]:
    document: dict[str, Any] = {**envelope_to_structured(envelope), "datacontenttype": "application/json"}
    del document["data_base64"]
    return {**document, "data": data}


def _copy(envelope: Envelope) -> dict[str, str]:
    delivery = Delivery(HANGZHOU, 118)
    entry = format_entry(
        format_statement(envelope.statement), envelope.signature, ADMITTED, LOG, 1042, 57, (delivery,)
    ).decode()
    number = format_numbering(Numbered(HANGZHOU, LOG, delivery.number))
    return envelope_to_structured(replace(envelope, entry=entry, delivery=number))


def _status(envelope: Envelope) -> dict[str, Any]:
    event, admitted = envelope.statement.id, parse_instant(ADMITTED)
    delivered = Receipt(admitted + 400, "0192f3c1-8000-7000-8000-000000000001", admitted + 350)
    committed = Receipt(
        admitted + 900, "0192f3c1-8000-7000-8000-000000000002", admitted + 800, "杭市监2026-17", attempts=1
    )
    tracked = Tracked(
        event,
        LOG,
        Entry(REPORTED, NANJING, envelope.statement.subject, 1042, admitted, AGREEMENT),
        (Copy(HANGZHOU, 118, (), 3600, 86400),),
        (
            Answer(HANGZHOU, 118, "delivered", delivered, delivered),
            Answer(HANGZHOU, 118, "committed", committed, committed),
        ),
    )
    item = OutcomeItem(event=event, outcome="admitted", log=LOG, seq=1042)
    document = status_of(event, NANJING, [], item, [encode(tracked)])
    assert document is not None
    return document


def test_the_examples_are_what_their_maker_makes() -> None:
    assert load_examples() == make()


def test_each_example_event_is_parsed_commits_to_its_content_and_is_signed() -> None:
    examples = load_examples()
    body = json.dumps(examples["structured"]).encode()
    envelopes = parse_request([(b"content-type", b"application/cloudevents+json")], body, RELEASED, most_bytes=1 << 20)
    binary = examples["binary_json"]
    headers = [(name.encode(), text.encode()) for name, text in binary["headers"].items()]
    headers.append((b"content-type", b"application/json"))
    envelopes += parse_request(headers, json.dumps(binary["body"]).encode(), RELEASED, most_bytes=1 << 20)
    envelopes += [
        e
        for e in parse_batch(json.dumps(examples["batch"]).encode(), RELEASED, most_bytes=1 << 20)
        if isinstance(e, Envelope)
    ]
    envelopes += [envelope_from_structured(item) for item in examples["inbox"]["items"]]

    assert len(envelopes) == 5
    for envelope in envelopes:
        open_content(RELEASED.with_digest(envelope.statement.schema), envelope)
        signature = parse_signature(envelope.signature)
        assert verify(format_statement(envelope.statement), signature, signer_of(NANJING).public.data, RootCache())
    entry = parse_entry(examples["inbox"]["items"][0]["ipxentry"].encode())
    assert entry.statement == envelopes[0].statement


if __name__ == "__main__":
    EXAMPLES.write_text(json.dumps(make(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
