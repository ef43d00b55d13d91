"""A move on a case: whether it has effect, and the case after it. Pure and total.

In this order, each step answered by the first rule that forbids; the same numbers in the code:

(1) the case is known, (2) the kind does not bar the move, (3) the mover is a party, (4) the kind is the case's, (5) the kind has the
move, (6) the case is not closed to it, (7) it did not happen before the case, which is not full, (8) it is the mover's to make, (9) the state is one of
those it is made in, (10) what it needs is there, (11) every other party is addressed, (12) somebody joins where it needs that,
(13) it was not made before where it is made once, (14) the checks of the table, (15) every clock that it starts has its place.

The moves that every kind has (extend, suspend, resume) are in `terms.py` from step (6) on.
"""

from collections.abc import Iterable
from dataclasses import replace

from services.cases import rules
from services.cases.bounds import MOST_FACTS, is_full, no_slot
from services.cases.checks import Question, first_refusal, fits
from services.cases.openings import absent, happened_ms, informed_by, moments_told, nobody_joins
from services.cases.possibilities import barred, made_before, parties, roles_for
from services.cases.rules import Refusal, Rule, Words, fields_missing
from services.cases.state import Case, Fact, Part
from services.cases.steps import Around, Said
from services.cases.table import COMMON, OPEN, Kind, Move
from services.cases.terms import on_term
from services.events.transfer import TransferMoved
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRules
from services.kernel.instants import format_minute
from services.members.registry import Registry


def moved(case: Case, said: Said, body: TransferMoved, around: Around) -> Case | Refusal:
    """The case after a move, or the rule by which the move has no effect."""
    if not case.exists:  # (1)
        return Refusal(rules.UNKNOWN_CASE)
    kind = around.tables.kinds[case.kind]
    roles = roles_for(case, said.source)
    move = kind.move(body.move)
    refusal = (
        _bar(kind, body.move, roles)  # (2)
        or _stranger(case, roles)  # (3)
        or _other_kind(kind, body.kind)  # (4)
        or _unknown(move, body.move)  # (5)
        or _closed(case, kind, move)  # (6)
        or _older(case, body)  # (7)
        or _full(case, kind, move)  # (7)
    )
    if refusal is not None:
        return refusal
    if move is None:
        fact = on_term(case, kind, said, body, around)
        if isinstance(fact, Refusal):
            return fact
        return _untold(case, said, around.registry) or _after(case, said, fact, case.state, case.parts)
    return _not_yours(kind, move, roles) or _made(case, said, body, move, around)  # (8)


def opened_again(case: Case, said: Said, around: Around) -> Refusal:
    """Why a case cannot be opened a second time: the bar of its kind, or that it is open already."""
    kind = around.tables.kinds[case.kind]
    return _bar(kind, OPEN, roles_for(case, said.source)) or Refusal(rules.OPENED_ALREADY)


def _made(case: Case, said: Said, body: TransferMoved, move: Move, around: Around) -> Case | Refusal:
    kind = around.tables.kinds[case.kind]
    refusal = (
        _wrong_state(case, kind, move)  # (9)
        or _incomplete(body, move)  # (10)
        or _untold(case, said, around.registry)  # (11)
    )
    if refusal is not None:
        return refusal
    taking = _taking(case, kind, said, body, move, around.registry)
    if isinstance(taking, Refusal):  # (12)
        return taking
    if made_before(case, move):  # (13)
        return Refusal(rules.DONE_BEFORE)
    asked = Question(case, said.source, body, taking, around.registry)
    refusal = first_refusal(move.checks, asked)  # (14)
    if refusal is not None:
        return refusal
    happened = happened_ms(case, said, body)
    told = moments_told(move.tells, said, happened, body.result)
    parts = _parts_after(case.parts, taking, move)
    fact = Fact(
        event=said.event,
        source=said.source,
        move=move.id,
        happened_ms=happened,
        admitted_ms=said.admitted_ms,
        moments=tuple(_not_before_the_duty(case, kind, moment, around.rules) for moment in told),
        scope=next((each.rule for each in move.tells if each.rule), None),
        joined=tuple(part for part in parts if part not in case.parts),
        left=tuple(part for part in case.parts if part not in parts),
    )
    after = _after(case, said, fact, move.to or case.state, parts)
    return no_slot(case, after, kind, around.rules) or after  # (15)


def _not_before_the_duty(case: Case, kind: Kind, moment: Moment, clock_rules: ClockRules) -> Moment:
    """A moment at which a duty falls away, but not before the duty was there: whoever ends it says so later in the log.

    A clock is over only by what comes after its start (`services/kernel/course.py`); a request that was withdrawn before the exchange
    had admitted it, by the time that its opener states, is withdrawn all the same.
    """
    if moment.kind != "happened":
        return moment
    rules_of_kind = (version for rule in kind.clocks for version in clock_rules.versions(rule))
    starts = frozenset[str]().union(
        *(version.ids["trigger"] for version in rules_of_kind if moment.word in version.ids["falls_away"])
    )
    begun = [one.at_ms for fact in case.facts for one in fact.moments if one.kind == "happened" and one.word in starts]
    return replace(moment, at_ms=max(moment.at_ms, *begun)) if begun else moment


def _after(case: Case, said: Said, fact: Fact, state: str, parts: tuple[Part, ...]) -> Case:
    return replace(
        case,
        last_seq=said.seq,
        state=state,
        members=said.members,
        parts=parts,
        facts=(*case.facts, fact),
        informed=informed_by(said, case.informed),
    )


def _bar(kind: Kind, move_id: str, roles: Iterable[str]) -> Refusal | None:
    bar = barred(kind, move_id, roles)
    return None if bar is None else Refusal(Rule(bar.rule, bar.article, bar.zh, bar.en))


def _stranger(case: Case, roles: tuple[str, ...]) -> Refusal | None:
    names = parties(case)
    return None if roles else Words(names, names).of(rules.NOT_PARTY)


def _other_kind(kind: Kind, stated: str) -> Refusal | None:
    return None if stated == kind.id else Refusal(rules.WRONG_KIND, kind.zh, kind.en)


def _unknown(move: Move | None, move_id: str) -> Refusal | None:
    return Refusal(rules.NO_SUCH_MOVE) if move is None and move_id not in COMMON else None


def _closed(case: Case, kind: Kind, move: Move | None) -> Refusal | None:
    closed = kind.state(case.state).terminal and (move is None or case.state not in move.from_states)
    return Refusal(rules.CASE_CLOSED) if closed else None


def _older(case: Case, body: TransferMoved) -> Refusal | None:
    if body.happened_at >= case.opened_ms:
        return None
    since = format_minute(case.opened_ms)
    return Refusal(rules.OLDER_THAN_CASE, since, since)


def _full(case: Case, kind: Kind, move: Move | None) -> Refusal | None:
    return Refusal(rules.CASE_FULL, f"{MOST_FACTS:,}", f"{MOST_FACTS:,}") if is_full(case, kind, move) else None


def _not_yours(kind: Kind, move: Move, roles: tuple[str, ...]) -> Refusal | None:
    if not set(move.by).isdisjoint(roles):
        return None
    makers = [kind.role(role) for role in move.by]
    return Words(tuple(role.zh for role in makers), tuple(role.en for role in makers)).of(rules.NOT_YOURS)


def _wrong_state(case: Case, kind: Kind, move: Move) -> Refusal | None:
    if case.state in move.from_states:
        return None
    states = [kind.state(state) for state in move.from_states]
    return Words(tuple(state.zh for state in states), tuple(state.en for state in states)).of(rules.WRONG_STATE)


def _incomplete(body: TransferMoved, move: Move) -> Refusal | None:
    missing = absent(body, move.needs)
    return fields_missing(rules.INCOMPLETE_MOVE, missing) if missing else None


def _untold(case: Case, said: Said, registry: Registry) -> Refusal | None:
    """Both sides of a case hold the same facts only when every move goes to all of them; who is suspended may receive nothing."""
    told = {said.source, *said.addressees}
    untold = tuple(party for party in parties(case) if party not in told and _receives(party, said, registry))
    return Words(untold, untold).of(rules.EVERY_PARTY_IS_TOLD) if untold else None


def _receives(party: str, said: Said, registry: Registry) -> bool:
    found = registry.participant(party)
    return found is None or not found.is_suspended(said.admitted_ms)


def _taking(
    case: Case, kind: Kind, said: Said, body: TransferMoved, move: Move, registry: Registry
) -> tuple[Part, ...] | Refusal:
    """Who takes the role that a move gives away: whom it must designate, or the addressees that fit and have no part yet."""
    if move.joins is None:
        return ()
    role = kind.role(move.joins)
    fitting = [one for one in said.addressees if one != said.source and fits(role, registry.participant(one))]
    playing = {part.participant for part in case.playing(role.id)}
    if "designated" in move.needs:
        chosen = [one for one in fitting if one == body.designated]
    else:
        known = set(parties(case))
        chosen = [one for one in fitting if one not in known] or [one for one in fitting if one in playing]
    if not chosen or (len(chosen) > 1 and not role.many):
        return nobody_joins(role)
    return tuple(Part(role.id, one) for one in chosen)


def _parts_after(parts: tuple[Part, ...], taking: tuple[Part, ...], move: Move) -> tuple[Part, ...]:
    if not taking:
        return parts
    kept = tuple(part for part in parts if not (move.replaces and part.role == move.joins))
    return (*kept, *(part for part in taking if part not in kept))
