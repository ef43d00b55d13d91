"""The table of transfer kinds as it is shipped, and every way in which a document is not one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cases.documents import load_transfers, parse_transfers
from services.cases.table import COMMON, Told
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from tests.unit.services.cases.stage import KINDS_FILE, clock_rules, document, tables

Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    held = copy.deepcopy(document())
    change(held)
    return held


def kind(held: dict[str, Any], name: str = "assistance") -> dict[str, Any]:
    return next(one for one in held["kind"] if one["id"] == name)


def part(held: dict[str, Any], what: str, name: str, of: str = "assistance") -> dict[str, Any]:
    return next(one for one in kind(held, of)[what] if one["id"] == name)


def test_the_shipped_table_is_of_the_form_and_hangs_together() -> None:
    shipped = load_transfers(SCHEMAS_DIR / "codes" / "transfers.toml", clock_rules())
    assert {"criminal_referral", "procuratorial_opinion", "city_to_city", "assistance_request"} <= set(shipped.kinds)
    assert tuple(move.id for move in shipped.common) == COMMON


def test_a_file_is_read_as_its_document() -> None:
    assert load_transfers(KINDS_FILE, clock_rules()) == tables()


def test_a_file_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"transfers\.toml cannot be read"):
        load_transfers(tmp_path / "transfers.toml", clock_rules())


def test_a_kind_holds_what_its_document_says() -> None:
    referral = tables().kinds["referral"]
    assert (referral.opens_to, referral.clocks, referral.earlier) == (
        "delivered",
        ("C3", "C4", "C6", "C12"),
        ("referral_approved",),
    )
    assert referral.opens.id == "agency"
    assert referral.role("police").acts_as == ("police",)
    assert referral.state("filed").terminal
    assert not referral.state("refused").terminal
    forward = referral.move("forward")
    assert forward is not None
    assert (forward.joins, forward.replaces, forward.once, forward.to) == ("police", True, False, "delivered")
    assert forward.tells == (Told("referral_forwarded", "happened"), Told("referral_delivered", "admitted"))
    assert referral.move("extend") is None
    assert tables().named(referral, "extend") == tables().common[0]
    assert tables().named(referral, "forward") is forward
    assert tables().named(None, "forward") is None


BAD_FORM: dict[str, tuple[Change, str]] = {
    "an unknown key of the file": (lambda d: d.update(kinds=[]), "transfers: unknown key kinds"),
    "an unknown key of a kind": (lambda d: kind(d).update(moves=[]), "transfer assistance: unknown key moves"),
    "an unknown key of a role": (
        lambda d: part(d, "role", "requester").update(organ_type="x"),
        "transfer assistance, role requester: unknown key organ_type",
    ),
    "an unknown key of a state": (
        lambda d: part(d, "state", "finished").update(final=True),
        "state finished: unknown key final",
    ),
    "an unknown key of a move": (lambda d: part(d, "move", "accept").update(too="x"), "move accept: unknown key too"),
    "an unknown key of a bar": (lambda d: kind(d, "handover")["bar"][0].update(when="x"), "bar open: unknown key when"),
    "an unknown key of what is told": (
        lambda d: kind(d)["opens_tells"][0].update(by="x"),
        "transfer assistance, opens_tells: unknown key by",
    ),
    "a moment that is a ground too": (
        lambda d: kind(d)["opens_tells"][0].update(suspended="testing", rule="A8"),
        "transfer assistance, opens_tells: says exactly one of moment, suspended, resumed",
    ),
    "a moment of one clock alone": (
        lambda d: kind(d)["opens_tells"][0].update(rule="A8"),
        "transfer assistance, opens_tells: unknown key rule",
    ),
    "a common move that is not one": (lambda d: d["common"].reverse(), "common moves are extend, suspend, resume"),
    "a common move too few": (lambda d: d["common"].pop(), "common moves are extend, suspend, resume"),
    "a kind that is there twice": (lambda d: d["kind"].append(kind(d)), "transfers, kind assistance: is there twice"),
    "a role that is there twice": (
        lambda d: kind(d)["role"].append(part(d, "role", "requester")),
        "transfer assistance, role requester: is there twice",
    ),
    "a state that is there twice": (
        lambda d: kind(d)["state"].append(part(d, "state", "finished")),
        "state finished: is there twice",
    ),
    "a move that is there twice": (
        lambda d: kind(d)["move"].append(part(d, "move", "accept")),
        "move accept: is there twice",
    ),
    "a moment that is told twice": (
        lambda d: kind(d)["opens_tells"].append({"moment": "assistance_requested", "at": "happened"}),
        "opens_tells assistance_requested: is there twice",
    ),
    "a time that is none": (
        lambda d: kind(d)["opens_tells"][0].update(at="later"),
        "opens_tells: at is one of happened, admitted",
    ),
    "a way of joining that is none": (
        lambda d: part(d, "role", "requester").update(joins="now"),
        "role requester: joins is one of opens, addressee, later",
    ),
    "an id in capitals": (lambda d: kind(d).update(id="Assist"), "transfer Assist: an id is of small letters"),
    "a flag that is a number": (
        lambda d: part(d, "state", "finished").update(terminal=1),
        "state finished: terminal must be true or false",
    ),
    "a move without its article": (lambda d: part(d, "move", "accept").pop("article"), "move accept: article must be"),
    "a kind without its source": (lambda d: kind(d).pop("source"), "transfer assistance: source must be"),
    "a template over an unknown word": (
        lambda d: kind(d, "handover")["bar"][0].update(zh="{case}"),
        "transfer handover, bar open: zh may hold",
    ),
    "a template that is torn": (lambda d: kind(d, "handover")["bar"][0].update(en="{mover"), "bar open: en may hold"),
}


@pytest.mark.parametrize("name", list(BAD_FORM))
def test_a_document_out_of_form_is_refused_with_the_place(name: str) -> None:
    change, place = BAD_FORM[name]
    with pytest.raises(BadSettings) as refusal:
        parse_transfers(changed(change), clock_rules())
    assert place in str(refusal.value)
