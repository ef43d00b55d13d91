"""What the demo plays: the clue cases, and the transfers that need no moved clock. By name, or all of them."""

from __future__ import annotations

from collections.abc import Iterable

from services.demo.hand_over import HandOver, load_hand_overs
from services.demo.scenario import Scenario, load_scenarios
from services.kernel.errors import BadSettings


def load_repertoire(names: Iterable[str] = ()) -> tuple[tuple[Scenario, ...], tuple[HandOver, ...]]:
    """Clue cases and transfers, all unless some are named; ``BadSettings`` for a name of neither. Blocks on the disk.

    A transfer whose steps have dates is none of them: it needs an exchange whose clock is moved (tests/system/test_transfers.py).
    """
    clues = {scenario.name: scenario for scenario in load_scenarios()}
    transfers = {story.name: story for story in load_hand_overs() if story.real_time}
    wanted = tuple(names) or (*clues, *transfers)
    strange = [name for name in wanted if name not in clues and name not in transfers]
    if strange:
        raise BadSettings(f"no case {', '.join(strange)}; there are {', '.join((*clues, *transfers))}")
    return (
        tuple(clues[name] for name in wanted if name in clues),
        tuple(transfers[name] for name in wanted if name in transfers),
    )
