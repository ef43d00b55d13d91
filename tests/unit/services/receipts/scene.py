"""Builds entries and members for the tests of the receipts room, without a log."""

from __future__ import annotations

from services.codec.entry import Delivery, Entry
from services.codec.statement import Statement
from services.events import to_value
from services.events.member import AgreementProposed, Flow, ParticipantRegistered
from services.events.receipt import Delivered
from services.kernel.ids import uuid8
from services.kernel.instants import format_instant
from services.members.registry import EMPTY, Registry, apply
from services.runtime.fold import Logged

NANJING = "320100.market_regulator"
HANGZHOU = "330100.market_regulator"
HANGZHOU_POLICE = "330100.police"
SUZHOU = "320500.market_regulator"
AGREEMENT = "yrd-test@1"
T0 = 1_790_000_000_000
CLUES = "t.clues/0"
RECEIPTS = "t.receipts/0"


class Aside:
    """A stand-in for the event of another family; the receipts room never looks into it."""


def event_id(name: str) -> str:
    return uuid8("test", name)


def registry(*, delivered_s: int | None = 60, committed_s: int | None = 600) -> Registry:
    """Three market regulators and a police; clues go from regulator to regulator, the police there gets a copy."""
    members = EMPTY
    for name in (NANJING, HANGZHOU, SUZHOU, HANGZHOU_POLICE):
        division, _, organ = name.partition(".")
        members = apply(
            members,
            ParticipantRegistered(
                participant=name,
                name_zh=name,
                name_en=name,
                division=division,
                organ_type=organ,
                level="prefecture",
                valid_from=0,
            ),
            source="exchange.operator",
        )
    flow = Flow(
        type="cn.ipx.clue.ClueReported",
        from_organ="market_regulator",
        to_organ="market_regulator",
        copy_to=("police",),
        delivered_within_s=delivered_s,
        committed_within_s=committed_s,
    )
    proposal = AgreementProposed(
        agreement="yrd-test",
        version=1,
        title_zh="试",
        title_en="test",
        status="in_force",
        members=("320000", "330000"),
        flows=(flow,),
        valid_from=0,
    )
    return apply(members, proposal, source="exchange.operator")


class World:
    """The same registry at every size."""

    def __init__(self, members: Registry | None = None) -> None:
        self.members = members or registry()

    def registry(self, size: int) -> Registry:
        return self.members


def logged(
    event, *, id_: str, source: str, subject: str = "CL-1", at: int = T0, seq: int = 0, log: str = RECEIPTS, **more
) -> Logged:
    deliveries = tuple(Delivery(name, number) for name, number in sorted(more.get("to", {}).items()))
    type_ = getattr(event, "TYPE", "cn.ipx.clue.ClueReported")
    statement = Statement(
        id=id_,
        source=source,
        type=type_,
        subject=subject,
        time=format_instant(at),
        agreement=more.get("agreement", "-"),
        addressee=",".join(d.recipient for d in deliveries) or "-",
        cause=more.get("cause", "-"),
        schema="sha256:" + "0" * 64,
        content="sha256:" + "0" * 64,
    )
    entry = Entry(statement, "sig", format_instant(at), log, seq, 1, deliveries)
    topic, _, partition = log.rpartition("/")
    value = to_value(event) if hasattr(event, "TYPE") else {}
    return Logged(entry, value, event, topic, int(partition), seq)


def clue(name: str, to: dict[str, int], *, at: int = T0, seq: int = 0, agreement: str = AGREEMENT) -> Logged:
    """A clue by Nanjing, as logged."""
    return logged(Aside(), id_=event_id(name), source=NANJING, at=at, seq=seq, log=CLUES, to=to, agreement=agreement)


def delivered(
    name: str, by: str, number: int, *, at: int, receipt: str = "", seq: int = 0, source: str = "", log: str = CLUES
) -> Logged:
    """A receipt ``delivered``, as logged."""
    event = Delivered(event=event_id(name), recipient=by, log=log, number=number, delivered_at=at - 5)
    receipt_id = event_id(receipt or f"{name} {by} delivered {at}")
    return logged(event, id_=receipt_id, source=source or by, at=at, seq=seq, cause=event_id(name))
