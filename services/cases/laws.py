"""The tables of a release that cases are judged by, and the world that they make together with the members log.

Whoever folds cases (the room, a node, an auditor) or reads them takes both from here, so that all judge by the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.cases.documents import load_transfers
from services.cases.state import Case
from services.cases.steps import Around
from services.cases.table import Transfers
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.members.registry import Registry

RegistryAt = Callable[[int], Registry]
"""The members as of a size of their log."""


@dataclass(frozen=True, slots=True)
class Laws:
    """Kinds of transfer and clock rules."""

    tables: Transfers
    rules: ClockRules

    def by(self, registry: Registry) -> Around:
        """What is judged by these members."""
        return Around(self.tables, self.rules, registry)

    def of_case(self, case: Case, registry_at: RegistryAt) -> Around:
        """What a case is judged by until its next entry: the members that its last one named."""
        return self.by(registry_at(case.members))

    def at_entry(self, case: Case | None, size: int, registry_at: RegistryAt) -> Around:
        """What an entry that names ``size`` members is judged by; what was due before it, by the members of then."""
        before = None if case is None or case.members in (0, size) else registry_at(case.members)
        return Around(self.tables, self.rules, registry_at(size), before)


def load_laws(codes: Path = SCHEMAS_DIR / "codes") -> Laws:
    """The tables in a directory like ``schemas/codes``; ``BadSettings`` when they do not hold together. Blocks on the disk."""
    rules = load_clock_rules(codes / "clocks.toml")
    return Laws(load_transfers(codes / "transfers.toml", rules), rules)
