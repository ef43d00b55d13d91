"""Evidence files as text: one form, bounded, and every other form refused with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.evidence import MAX_EVIDENCE_BYTES, Evidence, digest_of, format_evidence, in_order, parse_evidence
from services.kernel.errors import Refused
from tests.vectors.evidence.make import made

FILES = {name: data for name, data in made().items() if name.endswith(".json")}
SMALL = FILES["key-added.json"]


def refused(data: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_evidence(data)
    return caught.value


def changed(change: Any) -> bytes:
    document = json.loads(SMALL)
    change(document)
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", sorted(FILES))
def test_what_is_read_is_written_again_byte_for_byte(name: str) -> None:
    assert format_evidence(parse_evidence(FILES[name])) == FILES[name]


def test_the_parts_can_be_taken_out_with_tools_of_others() -> None:
    document = json.loads(SMALL)
    evidence = parse_evidence(SMALL)
    assert "".join(f"{line}\n" for line in document["event"]["entry"]).encode() == evidence.entry
    for schema in document["schemas"]:
        text = json.dumps(schema, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        assert evidence.schemas[digest_of(text)] == text


def test_another_spelling_of_the_same_is_refused() -> None:
    document = json.loads(SMALL)
    for other in (
        json.dumps(document).encode(),
        json.dumps(document, ensure_ascii=False, indent=1).encode(),
        SMALL + b"\n",
        SMALL[:-1],
        SMALL.replace(b'"format": ', b'"format" : '),
        SMALL.replace("公".encode(), b"\\u516c", 1),
    ):
        assert refused(other).code == "bad-evidence"


def test_members_in_another_order_are_refused() -> None:
    document = json.loads(SMALL)
    assert (
        refused(json.dumps(dict(reversed(document.items())), indent=1, ensure_ascii=False).encode()).code
        == "bad-evidence"
    )


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda d: d.update(format="ipx-evidence/v2"), "format"),
        (lambda d: d.update(more=1), None),
        (lambda d: d.pop("stamp"), None),
        (lambda d: d.update(event=[]), "event"),
        (lambda d: d["event"].update(entry="x"), "event.entry"),
        (lambda d: d["event"].update(entry=[1]), "event.entry"),
        (lambda d: d["event"].update(body="A==="), "event.body"),
        (lambda d: d["event"].update(body=7), "event.body"),
        (lambda d: d["event"].update(disclosure=None), "event.disclosure"),
        (lambda d: d["event"].update(proof=[]), "event.proof"),
        (lambda d: d["members"].update(checkpoint=["x"]), "members.checkpoint"),
        (lambda d: d["members"].update(records={}), "members.records"),
        (lambda d: d["members"]["records"].append(3), "members.records[2]"),
        (lambda d: d["members"]["records"][1].update(path=["AAAA"]), "members.records[1].path"),
        (lambda d: d["schemas"].append("x"), "schemas[3]"),
        (lambda d: d["schemas"][0].update(size=2**60), "schemas[0]"),
        (lambda d: d.update(stamp=""), "stamp"),
        (lambda d: d.update(stamp="A" * 400_000), "stamp"),
    ],
)
def test_a_part_of_another_form_is_named(change: Any, place: str | None) -> None:
    assert refused(changed(change)).field == place


def test_a_line_end_within_a_line_is_no_other_way_to_write_two_lines() -> None:
    def join(document: Any) -> None:
        first, second, *rest = document["event"]["entry"]
        document["event"]["entry"] = [f"{first}\n{second}", *rest]

    assert refused(changed(join)).code == "bad-evidence"


def test_the_lines_of_a_note_stand_in_one_order() -> None:
    evidence = parse_evidence(SMALL)
    note = evidence.members_checkpoint
    turned = replace(note, signatures=tuple(reversed(note.signatures)))
    assert in_order(turned) == note
    with pytest.raises(Refused) as caught:
        format_evidence(replace(evidence, members_checkpoint=turned))
    assert caught.value.field == "members.checkpoint"


def test_an_oversized_file_is_refused_before_it_is_read() -> None:
    assert refused(b"[" * (MAX_EVIDENCE_BYTES + 1)).code == "too-large"
    evidence = parse_evidence(SMALL)
    with pytest.raises(Refused) as caught:
        format_evidence(replace(evidence, body=bytes(MAX_EVIDENCE_BYTES)))
    assert caught.value.code == "too-large"


@pytest.mark.parametrize("opening", [b"[", b'{"format":', b'{"schemas":[{"fields":'])
def test_a_recursive_file_is_refused(opening: bytes) -> None:
    assert refused(opening * 40_000).code == "bad-json"


def test_a_key_that_stands_twice_is_refused() -> None:
    assert refused(SMALL.replace(b'"stamp": null', b'"stamp": null,\n "stamp": null')).code == "duplicate-key"


def test_a_text_that_is_not_unicode_is_refused() -> None:
    assert refused(SMALL.replace(b'"disclosure": "-"', b'"disclosure": "\\ud800"', 1)).code == "bad-evidence"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.sampled_from(["format", "event", "members", "schemas", "stamp"]), _json)
def test_any_json_in_a_place_is_read_or_refused(name: str, found: Any) -> None:
    document = json.loads(SMALL)
    document[name] = found
    try:
        evidence: Evidence = parse_evidence(json.dumps(document).encode())
    except Refused:
        return
    assert format_evidence(evidence) == json.dumps(document).encode()
