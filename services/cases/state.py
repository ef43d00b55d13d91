"""State of a case: who plays which part, how far it has come, what happened to it, and its clocks as they were last told.

Nothing restricted is in it: ids, codes, instants. The same fold makes it in the room, in a node (from its own copies) and at an auditor.
"""

from dataclasses import dataclass

from services.kernel.clock_moments import Moment


@dataclass(frozen=True, slots=True)
class Part:
    """An organ in a role.

    ``outside``: it is no member; ``participant`` is then its name in words, the opener records its moves, and
    ``division`` says where it lies.
    """

    role: str
    participant: str
    outside: bool = False
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One event that had effect: who did what when, and what it tells the clocks.

    ``scope`` is the rule that an extension is of; None: every rule of the kind hears it. ``joined`` and ``left`` are the parts that came
    and went by it, at its admission; those of the opening are in no fact.
    """

    event: str
    source: str
    move: str
    happened_ms: int
    admitted_ms: int
    moments: tuple[Moment, ...] = ()
    scope: str | None = None
    joined: tuple[Part, ...] = ()
    left: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock as it was last told. ``key`` is ``<rule>/<number>``.

    ``since`` is the event that last changed it: with the rule it names what ticks derive. ``warned``: the warning of this end was told.
    ``actors`` are the members that must act, or had to when it ended. ``told_state`` is the state of the verdict last told (services/kernel/verdict.py).
    """

    rule: str
    valid_from: int | None
    number: int
    trigger: str
    since: str
    told_state: str
    due_at: int | None = None
    warn_at: int | None = None
    provisional: bool = False
    advisory: bool = False
    warned: bool = False
    actors: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Its name in its case."""
        return f"{self.rule}/{self.number}"


@dataclass(frozen=True, slots=True)
class Case:
    """The state of one subject. ``members`` is the size of the members log at the last event with effect: its calendar is the one that counts."""

    subject: str
    last_seq: int = -1
    kind: str = ""
    state: str = ""
    title: str = ""
    opened_event: str = ""
    opened_ms: int = 0
    members: int = 0
    parts: tuple[Part, ...] = ()
    facts: tuple[Fact, ...] = ()
    clocks: tuple[Clock, ...] = ()
    informed: tuple[str, ...] = ()
    relates_to: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether an opening of it had effect."""
        return bool(self.opened_event)

    @property
    def opener(self) -> str:
        """Who opened it."""
        return self.facts[0].source if self.facts else ""

    def roles_of(self, participant: str) -> tuple[str, ...]:
        """The roles that a participant plays."""
        return tuple(part.role for part in self.parts if part.participant == participant and not part.outside)

    def playing(self, role: str) -> tuple[Part, ...]:
        """Who plays a role."""
        return tuple(part for part in self.parts if part.role == role)

    def parts_at(self, at_ms: int) -> tuple[Part, ...]:
        """The parts of a time. Who came with the opening had its part before it too: in the procedure that the opener states."""
        parts = self.parts
        for fact in reversed(self.facts):
            if fact.admitted_ms <= at_ms:
                break
            if fact.joined or fact.left:
                parts = (*(part for part in parts if part not in fact.joined), *fact.left)
        return parts
