"""Who an event had to go to, computed again for every entry, and asked once where the rule sees no difference between two of them.

The rule is ``services/members/authorise.py``. With an agreement and addressees named it looks at nothing of the content, at the time only to see whether the agreement is
in force, and at the time of admission only to see who is a member yet, or suspended: so where nobody is suspended and everybody is a member, one answer is that of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.codec.entry import Entry
from services.codec.schema import EventSchema, Value
from services.kernel.instants import format_instant, parse_instant
from services.members.authorise import PUBLIC_REPORT, deliveries
from services.members.history import History
from services.members.jurisdiction import Routes
from services.members.recipients import Recipient
from services.members.registry import Registry

_KEPT = 4_096
_Question = tuple[int, bytes, str, str, str]


@dataclass(slots=True)
class Authorisations:
    """For one exchange; for one thread. Refuses what the rule refuses, ``Corrupt`` an entry that names more members than there are."""

    history: History
    routes: Routes
    _answers: dict[_Question, tuple[Recipient, ...]] = field(default_factory=dict)
    _settled: dict[int, str | None] = field(default_factory=dict)

    def recipients(self, entry: Entry, schema: EventSchema, value: Value, time_ms: int) -> tuple[Recipient, ...]:
        """The recipients of an entry as admission had to find them; ``time_ms`` is that of its statement."""
        registry = self.history.at(entry.members)
        question = self._question(registry, entry, schema, value)
        if question is None:
            return self._asked(registry, entry, schema, value, time_ms)
        known = self._answers.get(question)
        if known is None:
            known = self._asked(registry, entry, schema, value, time_ms)
            if len(self._answers) >= _KEPT:
                self._answers.clear()
            self._answers[question] = known
        registry.in_force(entry.statement.agreement, time_ms)
        return known

    def _question(self, registry: Registry, entry: Entry, schema: EventSchema, value: Value) -> _Question | None:
        """All that the answer depends on beside the agreement's being in force; None when it depends on more."""
        said = entry.statement
        if said.agreement == "-" or said.addressee == "-" or value.get("subtype") == PUBLIC_REPORT:
            return None
        settled = self._settled_from(registry)
        if settled is None or entry.admitted < settled:
            return None
        return registry.size, schema.digest, said.agreement, said.source, said.addressee

    def _settled_from(self, registry: Registry) -> str | None:
        """From when on everybody is a member, none ever suspended; None when somebody was. As text, which sorts as instants do."""
        if registry.size not in self._settled:
            people = registry.participants.values()
            is_still = all(one.suspended_at is None for one in people)
            latest_ms = max((one.valid_from for one in people), default=0)
            if len(self._settled) >= _KEPT:
                self._settled.clear()
            self._settled[registry.size] = format_instant(latest_ms) if is_still else None
        return self._settled[registry.size]

    def _asked(
        self, registry: Registry, entry: Entry, schema: EventSchema, value: Value, time_ms: int
    ) -> tuple[Recipient, ...]:
        admitted_ms = parse_instant(entry.admitted)
        return deliveries(
            registry,
            schema,
            entry.statement,
            value,
            time_ms=time_ms,
            admitted_ms=admitted_ms,
            routes=self.routes,
        )
