"""The opening of a case: who may open which kind, who takes which role by it, what it tells the clocks. Pure and total.

In this order, each step answered by the first rule that forbids: (1) the kind is known, (2) the opener may open it, (3) what the table
needs is there, (4) what it states of its own procedure before is of the kind, (5) an addressee, or an organ outside the exchange, takes
a role, (6) the checks of the table.
"""

from collections.abc import Iterable, Sequence

from services.cases import rules
from services.cases.bounds import MOST_ADDRESSEES
from services.cases.checks import Question, first_refusal, fits
from services.cases.rules import Refusal, Words, fields_missing
from services.cases.state import Case, Fact, Part
from services.cases.steps import Around, Said
from services.cases.table import OPEN, Kind, Role, Told
from services.events.transfer import OutsideOrgan, TransferMoved, TransferOpened
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRules
from services.kernel.parties import is_exchange_part
from services.members.registry import Registry


def opened(said: Said, opening: TransferOpened, around: Around) -> Case | Refusal:
    """The case that an opening makes, or the rule by which it has no effect."""
    kind = around.tables.kinds.get(opening.kind)
    if kind is None:  # (1)
        return Refusal(rules.UNKNOWN_KIND, opening.kind, opening.kind)
    role = kind.opens
    if not fits(role, around.registry.participant(said.source)):  # (2)
        return Refusal(rules.NOT_YOURS, role.zh, role.en)
    if len(said.addressees) > MOST_ADDRESSEES:
        return Refusal(rules.TOO_MANY_PARTIES, str(MOST_ADDRESSEES), str(MOST_ADDRESSEES))
    missing = absent(opening, kind.opens_needs)
    if missing:  # (3)
        return fields_missing(rules.INCOMPLETE_MOVE, missing)
    foreign = tuple(step.moment for step in opening.earlier if step.moment not in kind.earlier)
    if foreign:  # (4)
        return _foreign(foreign, around.rules)
    taking = _taking(kind, said, opening, around.registry)
    if isinstance(taking, Refusal):  # (5)
        return taking
    parts = (Part(role.id, said.source), *taking)
    asked = Question(Case(said.subject, parts=parts), said.source, opening, taking, around.registry)
    return first_refusal(kind.opens_checks, asked) or _case(said, opening, kind, parts)  # (6)


def absent(body: TransferOpened | TransferMoved, needs: Iterable[str]) -> tuple[str, ...]:
    """The fields of the table's ``needs`` that an event leaves empty; a blank text is empty."""
    return tuple(name for name in needs if _is_empty(getattr(body, name)))


def moments_told(tells: Iterable[Told], said: Said, happened_ms: int, result: str | None = None) -> tuple[Moment, ...]:
    """What a move tells the clocks: each moment at the time that its table names, where the move has the result that it asks for."""
    return tuple(
        Moment(told.kind, told.moment, happened_ms if told.at == "happened" else said.admitted_ms, said.event)
        for told in tells
        if told.result in (None, result)
    )


def happened_ms(case: Case, said: Said, body: TransferMoved) -> int:
    """When a move happened: as it says, but before it was admitted, however fast the mover's clock is; never before the case."""
    return max(case.opened_ms, min(body.happened_at, said.admitted_ms - 1))


def informed_by(said: Said, before: Sequence[str] = ()) -> tuple[str, ...]:
    """Everybody who has had a copy of an event with effect, with this one."""
    had = {said.source, *said.addressees, *said.recipients}.difference(before)
    new = [one for one in had if not is_exchange_part(one)]
    return tuple(sorted({*before, *new})) if new else tuple(before)


def nobody_joins(role: Role) -> Refusal:
    """The refusal of an event whose addressees leave a role to nobody, or to more than may play it."""
    if role.many:
        return Refusal(rules.NOBODY_JOINS, f"可以担任“{role.zh}”的机关", f"an organ that can be {role.en}")
    return Refusal(
        rules.NOBODY_JOINS, f"且仅有一个可以担任“{role.zh}”的机关", f"exactly one organ that can be {role.en}"
    )


def _is_empty(value: object) -> bool:
    return value is None or value == () or (isinstance(value, str) and not value.strip())


def _foreign(moments: tuple[str, ...], clock_rules: ClockRules) -> Refusal:
    known = [clock_rules.moments.get(moment) for moment in moments]
    zh = tuple(word.zh if word else moment for word, moment in zip(known, moments, strict=True))
    en = tuple(word.en if word else moment for word, moment in zip(known, moments, strict=True))
    return Words(zh, en).of(rules.UNKNOWN_EARLIER)


def _taking(kind: Kind, said: Said, opening: TransferOpened, registry: Registry) -> tuple[Part, ...] | Refusal:
    """Each addressee takes the first role of its organ type that is free; one that fits no role has a copy and no part."""
    roles = tuple(role for role in kind.roles if role.joins == "addressee")
    taking: list[Part] = []
    for addressee in said.addressees:
        fitting = [role for role in roles if fits(role, registry.participant(addressee))]
        free = [role for role in fitting if role.many or all(part.role != role.id for part in taking)]
        if fitting and not free:
            return nobody_joins(fitting[0])
        taking += [Part(role.id, addressee) for role in free[:1] if addressee != said.source]
    if opening.outside is not None:
        outside = _outside(roles, taking, opening.outside)
        if isinstance(outside, Refusal):
            return outside
        taking.append(outside)
    return tuple(taking) or nobody_joins(roles[0])


def _outside(roles: Sequence[Role], taking: Sequence[Part], organ: OutsideOrgan) -> Part | Refusal:
    fitting = (role for role in roles if role.outside and organ.organ_type in role.organ_types)
    free = (role for role in fitting if role.many or all(part.role != role.id for part in taking))
    role = next(free, None)
    return nobody_joins(roles[0]) if role is None else Part(role.id, organ.name, outside=True, division=organ.division)


def _case(said: Said, opening: TransferOpened, kind: Kind, parts: tuple[Part, ...]) -> Case:
    opened_ms = min(said.time_ms, said.admitted_ms)
    earlier = (Moment("happened", step.moment, max(0, min(step.at, opened_ms)), said.event) for step in opening.earlier)
    fact = Fact(
        event=said.event,
        source=said.source,
        move=OPEN,
        happened_ms=opened_ms,
        admitted_ms=said.admitted_ms,
        moments=(*earlier, *moments_told(kind.opens_tells, said, opened_ms)),
    )
    return Case(
        subject=said.subject,
        last_seq=said.seq,
        kind=kind.id,
        state=kind.opens_to,
        title=opening.title,
        opened_event=said.event,
        opened_ms=opened_ms,
        members=said.members,
        parts=parts,
        facts=(fact,),
        informed=informed_by(said),
        relates_to=opening.relates_to,
    )
