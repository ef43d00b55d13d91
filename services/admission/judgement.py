"""Steps 6 and 7 of admission: whether the source may say it, to whom it goes, and the field rules of its type. Pure.

(6) source is a member, agreement in force, flow and addressees allowed · (7) field rules: checksums of codes, dates, references,
the time of the statement itself.
"""

from __future__ import annotations

from typing import NamedTuple

from services.admission.proposal import Checked, Refusal, refusal
from services.codec.field_rules import AHEAD_MS, FieldProblem, FieldRules, compile_field_rules
from services.codec.schema import EventSchema
from services.kernel.codes import CodeTables
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.authorise import PUBLIC_REPORT, deliveries
from services.members.jurisdiction import routes_of
from services.members.recipients import Recipient
from services.members.registry import Registry
from services.runtime.faults import reach

_DAY_MS = 86_400_000
_TOLD = 5


class Judged(NamedTuple):
    """A statement that may be said, and to whom it goes. Warnings are told to the source, in Chinese and English."""

    checked: Checked
    recipients: tuple[Recipient, ...]
    warning_zh: str | None = None
    warning_en: str | None = None


Question = tuple[str, str, str, str]


def _question(checked: Checked) -> Question | None:
    """All that ``deliveries`` looks at beside the time, when an agreement and addressees are named; None when the content counts too."""
    said = checked.statement
    if said.agreement == "-" or said.addressee == "-" or checked.value.get("subtype") == PUBLIC_REPORT:
        return None
    return said.agreement, said.type, said.source, said.addressee


class _Asked:
    """Answers of one batch: they hold for one registry and one time of admission, and while the agreement is in force."""

    def __init__(self) -> None:
        self._of: tuple[Registry | None, int] = (None, 0)
        self._known: dict[Question, tuple[int, int | None, tuple[Recipient, ...]]] = {}

    def answer(
        self, question: Question, time_ms: int, registry: Registry, admitted_ms: int
    ) -> tuple[Recipient, ...] | None:
        if self._of[0] is not registry or self._of[1] != admitted_ms:
            self._of = registry, admitted_ms
            self._known.clear()
            return None
        known = self._known.get(question)
        if known is None:
            return None
        begins, ends, recipients = known
        return recipients if begins <= time_ms and (ends is None or time_ms < ends) else None

    def remember(
        self, question: Question, recipients: tuple[Recipient, ...], registry: Registry, admitted_ms: int
    ) -> None:
        proposal = registry.agreements[question[0]].proposal
        self._known[question] = (proposal.valid_from, proposal.valid_until, recipients)


class Judge:
    """Holds the tables; compiles the field rules of a schema once."""

    def __init__(self, tables: CodeTables, *, oldest_days: int = 3650) -> None:
        self._tables = tables
        self._routes = routes_of(tables)
        self._oldest_ms = oldest_days * _DAY_MS
        self._rules: dict[bytes, FieldRules] = {}
        self._asked = _Asked()

    def judge(self, checked: Checked, registry: Registry, admitted_ms: int) -> Judged | Refusal:
        """Recipients, or the refusal of the step that fails. ``registry`` is the members log at the size the entry will name."""
        try:
            # (6) source is a member, agreement in force, flow and addressees allowed
            reach("admission.step6")
            recipients = self._recipients(checked, registry, admitted_ms)
        except Refused as refused:
            return self.refuse(checked, refused, 6)
        # (7) field rules
        reach("admission.step7")
        return self._by_its_fields(checked, recipients, admitted_ms)

    def refuse(self, checked: Checked, refused: Refused, step: int) -> Refusal:
        """A refusal with its sentence in Chinese."""
        return refusal(checked, refused, step, self.words_zh(refused.code, refused.field, refused.about))

    def words_zh(self, code: str, field: str | None, about: tuple[str, ...] = ()) -> str:
        """What the code means, in Chinese, the field, and what the sentence is about."""
        row = self._tables["refusal_codes"].latest(code)
        words = row.zh if row is not None else code
        more = "：".join(part for part in (field, "，".join(about)) if part)
        return f"{words}（{more}）" if more else words

    def _recipients(self, checked: Checked, registry: Registry, admitted_ms: int) -> tuple[Recipient, ...]:
        """What ``deliveries`` gives, asked once for all events of a batch between which it sees no difference."""
        question = _question(checked)
        if question is not None:
            known = self._asked.answer(question, checked.time_ms, registry, admitted_ms)
            if known is not None:
                return known
        recipients = deliveries(
            registry,
            checked.schema,
            checked.statement,
            checked.value,
            time_ms=checked.time_ms,
            admitted_ms=admitted_ms,
            routes=self._routes,
        )
        if question is not None:
            self._asked.remember(question, recipients, registry, admitted_ms)
        return recipients

    def _by_its_fields(self, checked: Checked, recipients: tuple[Recipient, ...], admitted_ms: int) -> Judged | Refusal:
        timely = self._is_timely(checked.time_ms, admitted_ms)
        if timely is not None:
            return self.refuse(checked, timely, 7)
        problems = self._rules_of(checked.schema).check(checked.value, checked.time_ms, self._tables)
        wrong = [problem for problem in problems if not problem.warning]
        if wrong:
            return self._wrong_fields(checked, wrong)
        if problems:
            return Judged(checked, recipients, _zh(problems), _en(problems))
        return Judged(checked, recipients)

    def _is_timely(self, time_ms: int, admitted_ms: int) -> Refused | None:
        if time_ms > admitted_ms + AHEAD_MS:
            return Refused(
                "time-in-future",
                f"the statement is of {format_instant(time_ms)}, more than {AHEAD_MS // 60_000} minutes ahead of"
                f" {format_instant(admitted_ms)}",
                field="time",
            )
        if time_ms < admitted_ms - self._oldest_ms:
            return Refused(
                "time-too-old",
                f"the statement is of {format_instant(time_ms)}, more than {self._oldest_ms // _DAY_MS} days back",
                field="time",
            )
        return None

    def _wrong_fields(self, checked: Checked, wrong: list[FieldProblem]) -> Refusal:
        first = wrong[0]
        refused = Refused(first.code, _en(wrong), field=first.field)
        return refusal(checked, refused, 7, f"{self.words_zh(first.code, None)}：{_zh(wrong)}")

    def _rules_of(self, schema: EventSchema) -> FieldRules:
        rules = self._rules.get(schema.digest)
        if rules is None:
            rules = self._rules[schema.digest] = compile_field_rules(schema.json)
        return rules


def _en(problems: tuple[FieldProblem, ...] | list[FieldProblem]) -> str:
    return "; ".join(f"{problem.field}: expected {problem.expected_en}" for problem in problems[:_TOLD])


def _zh(problems: tuple[FieldProblem, ...] | list[FieldProblem]) -> str:
    return "；".join(f"{problem.field}应为{problem.expected_zh}" for problem in problems[:_TOLD])
