"""What a table names beside roles and states: checks of level, superior, court and content, over the members and the event. Pure.

| check | asks | source |
|---|---|---|
| same_level | whoever takes the role is of the level of the mover; a dispatched office counts as its parent | Order 310/730 art. 5 (C3), 刑诉法 177(3) (D3) |
| nearest_common_superior | whoever takes the role is the first superior that all organs in dispute have in common | 程序规定 13, 专利法实施细则 97 (domain 0.3) |
| superior_of | the mover is above whoever takes the role, however far | 程序规定 13, 15 (A3, A7) |
| court_by_right_type | patents (invention, utility model, design) go to an intermediate or IP court | 法释〔2022〕13号 1–3 (E2) |
| no_ownership | a mediation agreement on ownership, validity or status is not confirmed | 民诉法解释 355 (E5) |
| not_for_competence | a receiver does not end a case by refusing to file it for want of competence: it asks the superior | 程序规定 14 (A5) |

E2 names patents alone. For every other right the facts give no article, so no court is refused: new plant varieties, layout designs and
software go to higher courts by texts that were not seen (MU), and a check never refuses on unverified law. Whether an intermediate court is among those designated for patents is in no directory that the exchange has, and is not checked.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.cases import rules
from services.cases.rules import Refusal, Words
from services.cases.state import Case, Part
from services.cases.table import Role
from services.events.transfer import TransferMoved, TransferOpened
from services.members.jurisdiction import MUNICIPALITIES
from services.members.registry import Participant, Registry, divisions_above

_INTERMEDIATE: Final = frozenset({"patent", "invention_patent", "utility_model", "design"})
_NEVER_CONFIRMED: Final[Mapping[str, str]] = {
    "ownership": "知识产权权属",
    "validity": "知识产权效力",
    "status": "身份关系",
}
_PATENT_COURTS: Final = Words(("知识产权法院或者中级人民法院",), ("an IP court or an intermediate court",))
_NOT_COMPETENT: Final = "not_competent"


@dataclass(frozen=True, slots=True)
class Question:
    """What a check looks at: the case before, the move's source and body, and who takes which role by it."""

    case: Case
    source: str
    body: TransferOpened | TransferMoved
    taking: tuple[Part, ...]
    registry: Registry


Check = Callable[[Question], Refusal | None]


def same_level(asked: Question) -> Refusal | None:
    """Whether whoever takes a role is of the mover's level."""
    own = _level_of(asked.registry, asked.source)
    other = [part.participant for part in asked.taking if _level_of_part(asked, part) != own]
    return Words(tuple(other), tuple(other)).of(rules.SAME_LEVEL) if other else None


def nearest_common_superior(asked: Question) -> Refusal | None:
    """Whether whoever takes the role is the nearest common superior of the other parties."""
    roles = {part.role for part in asked.taking}
    disputing = [part for part in asked.case.parts if part.role not in roles]
    members = tuple(dict.fromkeys(part.participant for part in disputing if not part.outside))
    nearest = _nearest(asked.registry, members, [part.division for part in disputing if part.outside and part.division])
    if nearest is not None and all(part.participant == nearest for part in asked.taking):
        return None
    if nearest is None:
        return Refusal(rules.NEAREST_COMMON_SUPERIOR, "成员名录中没有", "the members have none")
    return Refusal(rules.NEAREST_COMMON_SUPERIOR, nearest, nearest)


def superior_of(asked: Question) -> Refusal | None:
    """Whether the mover is a superior of whoever takes a role."""
    foreign = [part.participant for part in asked.taking if not _is_above(asked, part)]
    return Words(tuple(foreign), tuple(foreign)).of(rules.SUPERIOR_OF) if foreign else None


def court_by_right_type(asked: Question) -> Refusal | None:
    """Whether the court may confirm an agreement on a right of that type; refuses only where E2 names the right."""
    if _INTERMEDIATE.isdisjoint(_right_types(asked.body)):
        return None
    if all(_court_level(asked, part) == "prefecture" for part in asked.taking):
        return None
    return _PATENT_COURTS.of(rules.COURT_BY_RIGHT_TYPE)


def not_for_competence(asked: Question) -> Refusal | None:
    """Whether a receiver refuses to file for another reason than that the case is not its own."""
    reason = asked.body.reason if isinstance(asked.body, TransferMoved) else None
    return Refusal(rules.NOT_FOR_COMPETENCE) if reason == _NOT_COMPETENT else None


def no_ownership(asked: Question) -> Refusal | None:
    """Whether an agreement decides nothing that a court must refuse to confirm."""
    matters = asked.body.agreement_matters if isinstance(asked.body, TransferOpened) else ()
    barred = tuple(matter for matter in matters if matter in _NEVER_CONFIRMED)
    if not barred:
        return None
    return Words(tuple(_NEVER_CONFIRMED[matter] for matter in barred), barred).of(rules.NO_OWNERSHIP)


CHECKS: Final[Mapping[str, Check]] = {
    "same_level": same_level,
    "nearest_common_superior": nearest_common_superior,
    "superior_of": superior_of,
    "court_by_right_type": court_by_right_type,
    "no_ownership": no_ownership,
    "not_for_competence": not_for_competence,
}
OF_OPENINGS: Final = frozenset({"court_by_right_type", "no_ownership"})
"""Checks that read what only an opening says."""
OF_JOINING: Final = frozenset({"nearest_common_superior"})
"""Checks that ask who joins by a move, after the organs in dispute are parties."""
OF_CONTENT: Final = frozenset({"not_for_competence"})
"""Checks that read what a move says, whoever joins by it."""


def first_refusal(names: Iterable[str], asked: Question) -> Refusal | None:
    """What the first check that fails says."""
    found = (CHECKS[name](asked) for name in names)
    return next((refusal for refusal in found if refusal is not None), None)


def fits(role: Role, participant: Participant | None) -> bool:
    """Whether an organ is of a type that may play a role."""
    return participant is not None and participant.organ_type in role.organ_types


def level_of_division(division: str) -> str:
    """The level of the organs of a division, by the digits of GB/T 2260."""
    if division.endswith("0000"):
        return "national" if division == "100000" else "province"
    return "prefecture" if division.endswith("00") else "county"


def _level_of(registry: Registry, participant_id: str) -> str | None:
    found = registry.participant(participant_id)
    if found is not None and found.level == "dispatched":
        found = registry.participant(found.superior or "")
    return None if found is None else found.level


def _level_of_part(asked: Question, part: Part) -> str | None:
    if not part.outside:
        return _level_of(asked.registry, part.participant)
    division = _outside_division(asked.body)
    return None if division is None else level_of_division(division)


def _outside_division(body: TransferOpened | TransferMoved) -> str | None:
    return body.outside.division if isinstance(body, TransferOpened) and body.outside is not None else None


def _superiors(registry: Registry, participant_id: str) -> Iterator[str]:
    """The superiors of an organ, nearest first; a ring in the registry is gone round once."""
    seen = {participant_id}
    found = registry.participant(participant_id)
    while found is not None and found.superior is not None and found.superior not in seen:
        yield found.superior
        seen.add(found.superior)
        found = registry.participant(found.superior)


def _is_above(asked: Question, part: Part) -> bool:
    return not part.outside and asked.source in _superiors(asked.registry, part.participant)


def _nearest(registry: Registry, disputing: tuple[str, ...], outside: Iterable[str]) -> str | None:
    """The first superior of all of them whose division holds those of the organs outside the exchange too."""
    if not disputing:
        return None
    first, *others = (tuple(_superiors(registry, party)) for party in disputing)
    held = [divisions_above(division) for division in outside]
    common = (superior for superior in first if all(superior in above for above in others))
    return next((superior for superior in common if all(_lies_in(registry, superior, above) for above in held)), None)


def _lies_in(registry: Registry, superior: str, above: tuple[str, ...]) -> bool:
    found = registry.participant(superior)
    return found is not None and found.division in above


def _right_types(body: TransferOpened | TransferMoved) -> set[str]:
    if not isinstance(body, TransferOpened):
        return set()
    return {*(right.right_type for right in body.rights), *((body.right_type,) if body.right_type else ())}


def _court_level(asked: Question, part: Part) -> str | None:
    """The level of a court; a municipality's own court stands for its intermediate courts, which have no division."""
    level = _level_of_part(asked, part)
    division = _division_of(asked, part) or ""
    return "prefecture" if level == "province" and division.startswith(MUNICIPALITIES) else level


def _division_of(asked: Question, part: Part) -> str | None:
    if part.outside:
        return _outside_division(asked.body)
    found = asked.registry.participant(part.participant)
    return None if found is None else found.division
