"""What each party to a case may do now, and for which clocks it must act. Pure look-ups in the table and the state."""

from collections.abc import Iterable
from typing import Final

from services.cases.bounds import is_full
from services.cases.state import Case, Clock
from services.cases.steps import Around
from services.cases.table import Bar, Kind, Move
from services.events.transfer import PossibleMoves
from services.kernel.clock_rules import ClockRule
from services.kernel.parties import is_exchange_part

QUESTIONABLE: Final = frozenset({"running", "suspended", "expired", "late"})
"""States of a clock that an extension or a suspension may still change; the last two when it is entered late."""


def possible(case: Case, around: Around) -> tuple[PossibleMoves, ...]:
    """What every party may do now, in the order in which they joined; whoever can do nothing is left out.

    Promises no effect: fields may be missing, and what `checks.py` looks at is known only when the move is made.
    """
    if not case.exists:
        return ()
    kind = around.tables.kinds[case.kind]
    found = ((party, _moves_of(case, kind, around, party)) for party in parties(case))
    return tuple(PossibleMoves(participant=party, moves=moves) for party, moves in found if moves)


def parties(case: Case) -> tuple[str, ...]:
    """Whom every move is addressed to: the members that play a part, each once."""
    members = (part.participant for part in case.parts if not part.outside and not is_exchange_part(part.participant))
    return tuple(dict.fromkeys(members))


def roles_for(case: Case, participant: str) -> tuple[str, ...]:
    """The roles in which a party may move: its own, and for the opener those of organs outside the exchange."""
    own = case.roles_of(participant)
    if not own or participant != case.opener:
        return own
    return (*own, *(part.role for part in case.parts if part.outside))


def actor_roles(case: Case, kind: Kind, participant: str) -> frozenset[str]:
    """The roles of clock rules that a party stands for."""
    return frozenset(actor for role in roles_for(case, participant) for actor in kind.role(role).acts_as)


def barred(kind: Kind, move_id: str, roles: Iterable[str]) -> Bar | None:
    """The bar that keeps a move from having effect for whoever plays these roles."""
    return next(
        (bar for bar in kind.bars if bar.move == move_id and (not bar.by or not set(bar.by).isdisjoint(roles))), None
    )


def made_before(case: Case, move: Move) -> bool:
    """Whether a move that has effect a single time has had it."""
    return move.once and any(fact.move == move.id for fact in case.facts)


def rule_of(clock: Clock, around: Around) -> ClockRule | None:
    """The version of the rule that a clock was started by; None when this release no longer has it."""
    versions = around.rules.versions(clock.rule)
    return next((rule for rule in versions if rule.valid_from == clock.valid_from), None)


def questionable(case: Case, around: Around) -> tuple[tuple[Clock, ClockRule], ...]:
    """The clocks that an extension or a suspension may still change, each with its rule."""
    found = ((clock, rule_of(clock, around)) for clock in case.clocks if clock.told_state in QUESTIONABLE)
    return tuple((clock, rule) for clock, rule in found if rule is not None)


def _moves_of(case: Case, kind: Kind, around: Around, party: str) -> tuple[str, ...]:
    roles = set(roles_for(case, party))
    own = (move for move in kind.moves if case.state in move.from_states and not roles.isdisjoint(move.by))
    named = [move.id for move in own if _is_open_to(case, kind, move, roles)]
    if not kind.state(case.state).terminal and not is_full(case, kind, None):
        named += _common_of(case, kind, around, party)
    return tuple(named)


def _is_open_to(case: Case, kind: Kind, move: Move, roles: Iterable[str]) -> bool:
    return not (made_before(case, move) or barred(kind, move.id, roles) or is_full(case, kind, move))


def _common_of(case: Case, kind: Kind, around: Around, party: str) -> list[str]:
    acts = actor_roles(case, kind, party)
    mine = [(clock, rule) for clock, rule in questionable(case, around) if rule.actor.id in acts]
    open_to = {
        "extend": any(rule.extensions for _, rule in mine),
        "suspend": any(rule.exclusions for _, rule in mine),
        "resume": any(clock.told_state == "suspended" for clock, _ in mine),
    }
    return [move.id for move in around.tables.common if open_to[move.id]]
