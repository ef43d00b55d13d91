"""Typed events of the receipts log: each step of a delivery, the missing ones too (schemas/events/receipt).

Names, order and types equal the schemas; tests/unit/services/events compares them. Instants (`_at`, `valid_from`, …) are
milliseconds since the epoch in UTC, days (`_on`, `_by`) are days since 1970-01-01.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The recipient's node has the event and verified it."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.Delivered"

    event: str
    recipient: str
    log: str
    number: int
    delivered_at: int
    node: str | None = None
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The recipient's own system has taken the event."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.Committed"

    event: str
    recipient: str
    log: str
    number: int
    committed_at: int
    reference: str | None = None
    connector: str | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The recipient's own system refused the event for a business reason."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.Rejected"

    event: str
    recipient: str
    log: str
    number: int
    rejected_at: int
    code: str
    city_code: str | None = None
    reason: str
    field: str | None = None
    connector: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCommitted:
    """Negative receipt: the time limit came and the recipient's system had not taken the event."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.NotCommitted"

    event: str
    recipient: str
    log: str
    number: int
    step: str
    limit_s: int
    due_at: int
    attempts: int = 0
    last_error: str | None = None
    connector: str | None = None
    still_trying: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMissing:
    """Derived: a step was due and no receipt for it is in the log."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.StepMissing"

    event: str
    recipient: str
    log: str
    number: int
    source: str
    step: str
    due_at: int
    limit_s: int
    agreement: str | None = None
    last_step: str | None = None


Outcome = Literal["admitted", "duplicate", "refused", "conflict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeItem:
    """The outcome of one event."""

    event: str
    outcome: Outcome
    statement: str | None = None
    log: str | None = None
    seq: int | None = None
    code: str | None = None
    field: str | None = None
    message_zh: str | None = None
    message_en: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomesRecorded:
    """What admission decided on a run of events of one source."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.OutcomesRecorded"

    log: str
    first_number: int
    outcomes: tuple[OutcomeItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderCount:
    """What of it came from one sender."""

    source: str
    count: int
    first_number: int
    last_number: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessStated:
    """Derived: what the exchange delivered to one recipient from one log partition on one day."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.CompletenessStated"

    recipient: str
    log: str
    admitted_on: int
    first_number: int
    count: int
    root: str
    senders: tuple[SenderCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessConfirmed:
    """The recipient's node has exactly what the exchange states."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.CompletenessConfirmed"

    event: str
    recipient: str
    log: str
    admitted_on: int
    first_number: int
    count: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletenessDisputed:
    """The recipient's node has something else than the exchange states."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.CompletenessDisputed"

    event: str
    recipient: str
    log: str
    admitted_on: int
    first_number: int | None = None
    count: int
    root: str | None = None
    differs_at: int
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitViewFound:
    """A witness holds two checkpoints that the exchange signed of one log and that contradict one another."""

    TYPE: ClassVar[str] = "cn.ipx.receipt.SplitViewFound"

    origin: str
    seen_size: int
    seen_root: str
    seen_note: bytes
    offered_size: int
    offered_root: str
    offered_note: bytes
    prefix_root: str | None = None
    proof: bytes
    found_at: int
    node: str | None = None


ReceiptEvent = (
    Delivered
    | Committed
    | Rejected
    | NotCommitted
    | StepMissing
    | OutcomesRecorded
    | CompletenessStated
    | CompletenessConfirmed
    | CompletenessDisputed
    | SplitViewFound
)
