"""What the parts of a case are called in Chinese and English: organs, roles, moves, moments, how a clock stands. Pure.

Every word is of a table (transfers.toml, clocks.toml) or of the members log; what none of them knows is shown as it stands.
"""

from collections.abc import Mapping
from typing import Any, Final

from services.cases.state import Fact, Part
from services.cases.table import OPEN, Kind, Transfers
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule, ClockRules
from services.members.registry import Registry

Words = tuple[str, str]
"""Chinese, English."""

CLOCK_STATES: Final[Mapping[str, Words]] = {  # as in the code table clock_states; a test compares them
    "not_started": ("未起算", "not started"),
    "running": ("计算中", "running"),
    "suspended": ("停止计算", "suspended"),
    "met": ("按期完成", "met in time"),
    "late": ("逾期完成", "met late"),
    "expired": ("期限届满", "expired"),
    "ended": ("义务消灭", "the duty fell away"),
}
OPEN_STATES: Final = ("running", "suspended", "expired")
"""States of a clock that somebody still looks at; the others have ended."""

_SUSPENDED: Final = ("停止计算", "standing still for")
_RESUMED: Final = ("恢复计算", "running again after")


def who(participant: str, registry: Registry) -> dict[str, str]:
    """A participant with its names; an organ outside the exchange has the name that the opener gave it."""
    known = registry.participant(participant)
    if known is None:
        return {"participant": participant, "name_zh": participant, "name_en": participant}
    return {"participant": participant, "name_zh": known.name_zh, "name_en": known.name_en}


def part_words(part: Part, kind: Kind, registry: Registry) -> dict[str, Any]:
    """A part: the role, who plays it, and where that organ is."""
    role = kind.role(part.role)
    document: dict[str, Any] = {
        "role": role.id,
        "role_zh": role.zh,
        "role_en": role.en,
        **who(part.participant, registry),
        "outside": part.outside,
    }
    known = None if part.outside else registry.participant(part.participant)
    if known is not None and known.division is not None:
        document["division"] = known.division
    return document


def move_words(move: str, kind: Kind, tables: Transfers) -> Words:
    """A move of the kind, one that every kind has, or the opening."""
    if move == OPEN:
        return f"提出{kind.zh}", f"opened: {kind.en}"
    words = tables.named(kind, move)
    return (move, move) if words is None else (words.zh, words.en)


def moment_words(moment: Moment, fact: Fact, rules: ClockRules) -> Words:
    """What a fact told the clocks."""
    if moment.kind in ("suspended", "resumed"):
        ground = rules.grounds.get(moment.word)
        said_zh, said_en = _SUSPENDED if moment.kind == "suspended" else _RESUMED
        zh, en = (moment.word, moment.word) if ground is None else (ground.zh, ground.en)
        return f"{zh}：{said_zh}", f"{said_en} {en}"
    if moment.kind == "extended":
        granted = [e for rule in rules.versions(fact.scope or "") for e in rule.extensions if e.id == moment.word]
        return (granted[-1].zh, granted[-1].en) if granted else (moment.word, moment.word)
    word = rules.moments.get(moment.word)
    return (moment.word, moment.word) if word is None else (word.zh, word.en)


def awaited(rule: ClockRule) -> Words:
    """What would stop a clock, in one line."""
    return "、".join(word.zh for word in rule.stops), ", ".join(word.en for word in rule.stops)


def is_owed(rule: ClockRule) -> bool:
    """Whether somebody must still act when the term has passed; the lapse of a right asks nobody for anything."""
    return rule.effect == "overdue"
