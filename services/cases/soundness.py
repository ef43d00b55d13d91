"""Whether a kind of transfer hangs together: every word it uses is there, every word it has is used, every state can be reached and left.

BadSettings, naming kind and part. A table that says more than it means would be a rule that nobody applies, and a clock that no move
starts, stops or answers for would be one that nobody can keep.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from typing import Final

from services.cases.checks import CHECKS, OF_CONTENT, OF_JOINING, OF_OPENINGS
from services.cases.table import COMMON, OPEN, Kind, Move, Told
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.clock_rules import ClockRule, ClockRules
from services.kernel.errors import BadSettings

_OPENING: Final = frozenset(field.name for field in fields(TransferOpened))
_MOVE: Final = frozenset(field.name for field in fields(TransferMoved))
_HEARD: Final = ("trigger", "stops", "falls_away", "restarts")


def must_be_sound(kind: Kind, rules: ClockRules) -> None:
    """Refuses a kind that does not hang together, or not with the clock rules."""
    where = f"transfer {kind.id}"
    _roles(kind, where)
    _states(kind, where)
    for move in kind.moves:
        _move(kind, move, f"{where}, move {move.id}")
    _bars(kind, where)
    _fields(kind.opens_needs, _OPENING, where)
    _known(kind.opens_checks, frozenset(CHECKS) - OF_JOINING, "check of an opening", where)
    _clocks(kind, rules, where)


def _roles(kind: Kind, where: str) -> None:
    if sum(role.joins == "opens" for role in kind.roles) != 1:
        raise BadSettings(f"{where}: exactly one role opens it")
    if not any(role.joins == "addressee" for role in kind.roles):
        raise BadSettings(f"{where}: no role is of an addressee")
    moving = {role for move in kind.moves for role in move.by}
    joining = {move.joins for move in kind.moves}
    for role in kind.roles:
        if not role.organ_types:
            raise BadSettings(f"{where}, role {role.id}: names no organ type")
        if role.joins == "later" and role.id not in joining:
            raise BadSettings(f"{where}, role {role.id}: no move lets anyone join in it")
        if role.outside and role.joins != "addressee":
            raise BadSettings(f"{where}, role {role.id}: only an addressee may be outside the exchange")
        if role.joins != "opens" and role.id not in moving and not role.acts_as:
            raise BadSettings(f"{where}, role {role.id}: is idle, it makes no move and acts for no clock")


def _states(kind: Kind, where: str) -> None:
    known = frozenset(state.id for state in kind.states)
    _known((kind.opens_to,), known, "state", where)
    for move in kind.moves:
        _known((*move.from_states, *((move.to,) if move.to else ())), known, "state", f"{where}, move {move.id}")
    unreached = sorted(known - _reached(kind))
    if unreached:
        raise BadSettings(f"{where}: no moves lead to state {', '.join(unreached)}")
    for state in kind.states:
        left = any(state.id in move.from_states and move.to not in (None, state.id) for move in kind.moves)
        if not left and not state.terminal:
            raise BadSettings(f"{where}, state {state.id}: no move leads on from it, and it is not terminal")


def _reached(kind: Kind) -> set[str]:
    reached, waiting = {kind.opens_to}, [kind.opens_to]
    while waiting:
        here = waiting.pop()
        onward = {move.to for move in kind.moves if move.to and here in move.from_states} - reached
        reached |= onward
        waiting += sorted(onward)
    return reached


def _move(kind: Kind, move: Move, where: str) -> None:
    if move.id in (*COMMON, OPEN):
        raise BadSettings(f"{where}: {', '.join((*COMMON, OPEN))} are of every kind")
    if not move.by or not move.from_states:
        raise BadSettings(f"{where}: names nobody who makes it, or no state it is made in")
    roles = frozenset(role.id for role in kind.roles)
    _known((*move.by, *((move.joins,) if move.joins else ())), roles, "role", where)
    if move.replaces and move.joins is None:
        raise BadSettings(f"{where}: replaces somebody, and nobody joins by it")
    _fields(move.needs, _MOVE, where)
    _known(move.checks, frozenset(CHECKS) - OF_OPENINGS, "check of a move", where)
    if move.joins is None and not OF_CONTENT.issuperset(move.checks):
        raise BadSettings(f"{where}: its checks are of who joins, and nobody joins by it")


def _bars(kind: Kind, where: str) -> None:
    roles = frozenset(role.id for role in kind.roles)
    for bar in kind.bars:
        _known(bar.by, roles, "role", f"{where}, bar {bar.move}")
        if bar.move in COMMON:
            raise BadSettings(f"{where}, bar {bar.move}: the moves of every kind cannot be barred")
        barred = kind.move(bar.move)
        if barred is not None and (not bar.by or set(barred.by) <= set(bar.by)):
            raise BadSettings(f"{where}, bar {bar.move}: bars everyone whom the table lets make it")


def _clocks(kind: Kind, rules: ClockRules, where: str) -> None:
    versions = [version for rule in kind.clocks for version in _versions(rule, rules, where)]
    told = {each.moment for _, tells in _told(kind) for each in tells if each.kind == "happened"} | set(kind.earlier)
    heard = {word for version in versions for name in _HEARD for word in version.ids[name]}
    for part, tells in _told(kind):
        _standstills(tells, versions, f"{where}{part}")
        moments = tuple(each.moment for each in tells if each.kind == "happened")
        _known(moments, rules.moments, "moment", f"{where}{part}")
        _heard(moments, heard, f"{where}{part}")
    _known(kind.earlier, rules.moments, "moment", f"{where}, earlier")
    _heard(kind.earlier, heard, f"{where}, earlier")
    for rule in kind.clocks:
        own = [version for version in versions if version.id == rule]
        _kept(kind, own, told, f"{where}, clock {rule}")
    acting = {version.actor.id for version in versions}
    for role in kind.roles:
        _known(role.acts_as, acting, "actor of its clocks", f"{where}, role {role.id}")


def _standstills(tells: Collection[Told], versions: Iterable[ClockRule], where: str) -> None:
    """What suspends a clock, or lets it run again, tells that clock and no other: the rule must know the ground."""
    scopes = {each.rule for each in tells}
    if len(scopes) > 1:
        raise BadSettings(f"{where}: what suspends or resumes the clock of a rule tells nothing else")
    for each in tells:
        knowing = (version for version in versions if version.id == each.rule)
        if each.kind != "happened" and not any(each.moment in version.ids["exclusions"] for version in knowing):
            raise BadSettings(
                f"{where}: {each.moment} is no ground on which clock {each.rule} of the kind stands still"
            )


def _versions(rule: str, rules: ClockRules, where: str) -> tuple[ClockRule, ...]:
    versions = rules.versions(rule)
    if not versions:
        raise BadSettings(f"{where}: clock {rule} is not in clocks.toml")
    return versions


def _told(kind: Kind) -> Iterator[tuple[str, tuple[Told, ...]]]:
    yield ", opens_tells", kind.opens_tells
    for move in kind.moves:
        yield f", move {move.id}", move.tells


def _kept(kind: Kind, versions: Iterable[ClockRule], told: Collection[str], where: str) -> None:
    """Each clock can start, be met, and has somebody who answers for it."""
    acting = {actor for role in kind.roles for actor in role.acts_as}
    for version in versions:
        if version.ids["trigger"].isdisjoint(told):
            raise BadSettings(f"{where}: nothing tells its trigger ({', '.join(sorted(version.ids['trigger']))})")
        if version.ids["stops"].isdisjoint(told):
            raise BadSettings(f"{where}: nothing tells what meets it ({', '.join(sorted(version.ids['stops']))})")
        if version.actor.id not in acting:
            raise BadSettings(f"{where}: no role acts as {version.actor.id}")


def _known(words: Iterable[str], known: Collection[str], what: str, where: str) -> None:
    unknown = sorted(set(words) - set(known))
    if unknown:
        raise BadSettings(f"{where}: {what} {', '.join(unknown)} is not known; known are {', '.join(sorted(known))}")


def _heard(moments: Iterable[str], heard: Collection[str], where: str) -> None:
    idle = sorted(set(moments) - set(heard))
    if idle:
        raise BadSettings(f"{where}: moment {', '.join(idle)} is heard by none of the kind's clocks")


def _fields(names: Iterable[str], known: Collection[str], where: str) -> None:
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise BadSettings(f"{where}: needs {', '.join(unknown)}, which the event does not have")
