"""What happened to a case, as its clocks see it, and the standstills that follow from it.

A moment carries the time at which a thing happened, never the time at which it was entered: a fact that is entered late is
counted from its own time, and the same facts give the same answer in every order of arrival.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from services.kernel.errors import Refused

Kind = Literal["happened", "suspended", "resumed", "extended"]

LATEST_MS: Final = 220_000_000_000_000  # in the year 8941: a term from there still ends before the year 9999
_LONGEST_GRANT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. ``word`` is a moment of the table, a ground (suspended, resumed) or an extension (extended).

    ``id`` is that of its event: two grants of one extension at one time are told apart by it, a redelivered one is not counted
    twice. ``length`` is what a grant states, in the unit of the rule. Refuses (``bad-attribute``) a time or length out of range.
    """

    kind: Kind
    word: str
    at_ms: int
    id: str = ""
    length: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.at_ms <= LATEST_MS:
            raise Refused("bad-attribute", f"a term cannot be counted from {self.at_ms} ms", field="time")
        if self.length is not None and not 1 <= self.length <= _LONGEST_GRANT:
            raise Refused(
                "bad-attribute", f"a term is extended by 1 to {_LONGEST_GRANT}, not {self.length}", field="length"
            )


@dataclass(frozen=True, slots=True)
class Standstill:
    """A stretch in which a term does not run; ``until_ms`` is None while it lasts."""

    from_ms: int
    until_ms: int | None
    grounds: tuple[str, ...]


def in_order(moments: Iterable[Moment]) -> list[Moment]:
    """Each moment once, by time; of two at one time, by kind, word and id."""
    return sorted(set(moments), key=_order)


def _order(moment: Moment) -> tuple[int, str, str, str, int]:
    return (moment.at_ms, moment.kind, moment.word, moment.id, moment.length or 0)


def earliest(ordered: Iterable[Moment], words: Collection[str]) -> Moment | None:
    """The first of the moments, which are ``in_order``, that happened under one of the words."""
    for moment in ordered:
        if moment.word in words and moment.kind == "happened":
            return moment
    return None


def standstills(moments: Iterable[Moment], grounds: Collection[str]) -> tuple[Standstill, ...]:
    """The stretches that the suspensions on these grounds make, in order; those that overlap or touch are one.

    A resumption ends what is suspended on its ground, whoever told it and however often; what is suspended at the very moment
    of a resumption outlasts it, unless nothing else was suspended: then the two cancel out.
    """
    starts: dict[str, set[int]] = {}
    ends: dict[str, set[int]] = {}
    for moment in moments:
        if moment.word in grounds and moment.kind in ("suspended", "resumed"):
            side = starts if moment.kind == "suspended" else ends
            side.setdefault(moment.word, set()).add(moment.at_ms)
    stretches = [
        Standstill(first, until, (ground,))
        for ground in sorted(starts)
        for first, until in _paired(sorted(starts[ground]), sorted(ends.get(ground, ())))
    ]
    return _merged(sorted(stretches, key=lambda stretch: (stretch.from_ms, stretch.grounds)))


def _paired(starts: list[int], ends: list[int]) -> list[tuple[int, int | None]]:
    pairs: list[tuple[int, int | None]] = []
    waiting = 0  # the first start that no end has answered
    for end in ends:
        before = bisect_left(starts, end, lo=waiting)
        if before > waiting:
            pairs.append((starts[waiting], end))
            waiting = before
        elif waiting < len(starts) and starts[waiting] == end:
            waiting += 1
    return [*pairs, *((start, None) for start in starts[waiting : waiting + 1])]


def _merged(stretches: list[Standstill]) -> tuple[Standstill, ...]:
    merged: list[Standstill] = []
    for stretch in stretches:
        last = merged[-1] if merged else None
        if last is None or (last.until_ms is not None and last.until_ms < stretch.from_ms):
            merged.append(stretch)
            continue
        open_ended = last.until_ms is None or stretch.until_ms is None
        until = None if open_ended else max(last.until_ms or 0, stretch.until_ms or 0)
        merged[-1] = Standstill(last.from_ms, until, tuple(sorted({*last.grounds, *stretch.grounds})))
    return tuple(merged)
