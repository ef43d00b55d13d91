"""Every way in which a kind of transfer does not hang together, or not with the clock rules."""

from __future__ import annotations

import pytest

from services.cases.documents import parse_transfers
from services.kernel.errors import BadSettings
from tests.unit.services.cases.stage import clock_rules
from tests.unit.services.cases.test_documents import Change, changed, kind, part

UNSOUND: dict[str, tuple[Change, str]] = {
    "nobody opens it": (
        lambda d: part(d, "role", "requester").update(joins="addressee"),
        "transfer assistance: exactly one role opens it",
    ),
    "two roles open it": (
        lambda d: part(d, "role", "requested").update(joins="opens", outside=False),
        "exactly one role opens it",
    ),
    "nobody is addressed": (
        lambda d: part(d, "role", "requested").update(joins="later", outside=False),
        "transfer assistance: no role is of an addressee",
    ),
    "a role without organs": (
        lambda d: part(d, "role", "requester").update(organ_types=[]),
        "role requester: names no organ type",
    ),
    "a role that nobody can join": (
        lambda d: part(d, "move", "supervise", "referral").update(joins="police"),
        "transfer referral, role procuratorate: no move lets anyone join in it",
    ),
    "a role outside that is no addressee": (
        lambda d: part(d, "role", "requester").update(outside=True),
        "role requester: only an addressee may be outside",
    ),
    "an idle role": (
        lambda d: part(d, "move", "order", "referral").update(by=["police"]),
        "transfer referral, role procuratorate: is idle",
    ),
    "a state to open to that is none": (
        lambda d: kind(d).update(opens_to="asked"),
        "transfer assistance: state asked is not known",
    ),
    "a state to move from that is none": (
        lambda d: part(d, "move", "accept").update(from_states=["asked"]),
        "move accept: state asked is not known",
    ),
    "a state to move to that is none": (
        lambda d: part(d, "move", "accept").update(to="done"),
        "move accept: state done is not known",
    ),
    "a state that nothing leads to": (
        lambda d: part(d, "move", "withdraw").update(to="finished"),
        "transfer assistance: no moves lead to state withdrawn",
    ),
    "a state that nothing leads out of": (
        lambda d: part(d, "state", "finished").pop("terminal"),
        "state finished: no move leads on from it",
    ),
    "a move of every kind": (lambda d: part(d, "move", "note").update(id="extend"), "move extend: extend, suspend"),
    "the opening as a move": (lambda d: part(d, "move", "note").update(id="open"), "move open: extend, suspend"),
    "a move that nobody makes": (lambda d: part(d, "move", "note").update(by=[]), "move note: names nobody"),
    "a move made in no state": (lambda d: part(d, "move", "note").update(from_states=[]), "move note: names nobody"),
    "a mover that is no role": (
        lambda d: part(d, "move", "note").update(by=["police"]),
        "move note: role police is not known",
    ),
    "a joiner that is no role": (
        lambda d: part(d, "move", "note").update(joins="police"),
        "move note: role police is not known",
    ),
    "a move that replaces nobody": (lambda d: part(d, "move", "note").update(replaces=True), "move note: replaces"),
    "a need that is no field of the move": (
        lambda d: part(d, "move", "finish").update(needs=["requests"]),
        "move finish: needs requests, which the event does not have",
    ),
    "a need that is no field of the opening": (
        lambda d: kind(d).update(opens_needs=["ground"]),
        "transfer assistance: needs ground",
    ),
    "a check that is none": (
        lambda d: kind(d).update(opens_checks=["same_town"]),
        "transfer assistance: check of an opening same_town is not known",
    ),
    "a check of who joins on an opening": (
        lambda d: kind(d).update(opens_checks=["nearest_common_superior"]),
        "check of an opening nearest_common_superior is not known",
    ),
    "a check of openings on a move": (
        lambda d: part(d, "move", "supervise", "referral").update(checks=["no_ownership"]),
        "move supervise: check of a move no_ownership is not known",
    ),
    "a check where nobody joins": (
        lambda d: part(d, "move", "note").update(checks=["same_level"]),
        "move note: its checks are of who joins",
    ),
    "a bar of a role that is none": (
        lambda d: kind(d, "handover")["bar"][0].update(by=["police"]),
        "transfer handover, bar open: role police is not known",
    ),
    "a bar of a move of every kind": (
        lambda d: kind(d, "handover")["bar"][0].update(move="suspend"),
        "bar suspend: the moves of every kind",
    ),
    "a bar of all who may make a move": (
        lambda d: kind(d, "handover")["bar"][0].update(move="take"),
        "bar take: bars everyone",
    ),
    "a bar of anyone": (
        lambda d: kind(d, "handover")["bar"][0].update(move="take", by=[]),
        "bar take: bars everyone",
    ),
    "a clock that is no rule": (lambda d: kind(d).update(clocks=["A8", "Z1"]), "clock Z1 is not in clocks.toml"),
    "a moment that is none": (
        lambda d: kind(d)["opens_tells"][0].update(moment="asked"),
        "transfer assistance, opens_tells: moment asked is not known",
    ),
    "a moment of a move that is none": (
        lambda d: part(d, "move", "finish")["tells"][0].update(moment="done"),
        "transfer assistance, move finish: moment done is not known",
    ),
    "a moment that no clock of the kind hears": (
        lambda d: part(d, "move", "note").update(tells=[{"moment": "police_filed", "at": "happened"}]),
        "move note: moment police_filed is heard by none",
    ),
    "a ground that the clock does not know": (
        lambda d: part(d, "move", "note").update(tells=[{"suspended": "hearing", "rule": "A8", "at": "happened"}]),
        "move note: hearing is no ground on which clock A8 of the kind stands still",
    ),
    "a ground of a clock of another kind": (
        lambda d: part(d, "move", "note").update(tells=[{"resumed": "testing", "rule": "A1", "at": "happened"}]),
        "move note: testing is no ground on which clock A1 of the kind stands still",
    ),
    "a standstill told with something else": (
        lambda d: part(d, "move", "finish")["tells"].append({"suspended": "testing", "rule": "A8", "at": "happened"}),
        "move finish: what suspends or resumes the clock of a rule tells nothing else",
    ),
    "an earlier moment that is none": (
        lambda d: kind(d).update(earlier=["done"]),
        "transfer assistance, earlier: moment done is not known",
    ),
    "an earlier moment that no clock hears": (
        lambda d: kind(d).update(earlier=["police_filed"]),
        "transfer assistance, earlier: moment police_filed is heard by none",
    ),
    "a clock that nothing starts": (
        lambda d: kind(d).update(opens_tells=[]),
        "transfer assistance, clock A8: nothing tells its trigger (assistance_requested)",
    ),
    "a clock that nothing meets": (
        lambda d: part(d, "move", "finish").update(tells=[]),
        "clock A8: nothing tells what meets it (assistance_finished)",
    ),
    "a clock that nobody answers for": (
        lambda d: part(d, "role", "requested").update(acts_as=[]),
        "clock A8: no role acts as requested_organ",
    ),
    "an actor of no clock": (
        lambda d: part(d, "role", "requester").update(acts_as=["police"]),
        "transfer assistance, role requester: actor of its clocks police is not known",
    ),
}


@pytest.mark.parametrize("name", list(UNSOUND))
def test_a_kind_that_does_not_hang_together_is_refused_with_the_place(name: str) -> None:
    change, place = UNSOUND[name]
    with pytest.raises(BadSettings) as refusal:
        parse_transfers(changed(change), clock_rules())
    assert place in str(refusal.value)


def test_a_move_may_lead_on_from_a_terminal_state_that_it_names() -> None:
    held = changed(lambda d: part(d, "move", "accept").update(from_states=["requested", "withdrawn"]))
    assert parse_transfers(held, clock_rules()).kinds["assistance"].move("accept") is not None
