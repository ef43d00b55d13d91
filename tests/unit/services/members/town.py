"""A small exchange for tests: an operator, a few organs with keys, one agreement in force, and records that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from services.codec.content import NOTHING_RESTRICTED, new_disclosure
from services.codec.entry import format_entry
from services.codec.envelope import Draft, Envelope, prepare
from services.codec.keys import Ed25519Signer, ParticipantSigner, PublicKey, Sm2Signer, signer_from_seed, sm2_signer
from services.codec.released import ReleasedSchemas, load_released
from services.codec.signature import sign
from services.codec.statement import Statement
from services.events import to_value
from services.events.clue import ClueReported
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    CalendarHoliday,
    CalendarPublished,
    ExchangeFounded,
    Flow,
    KeyAdded,
    MemberEvent,
    ParticipantRegistered,
)
from services.kernel.codes import CodeTables, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant, parse_day
from services.kernel.ports import CountedEntropy
from services.members.reading import body_digest
from services.members.registry import EMPTY, Registry, apply

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
OPERATOR = "exchange.operator"
NANJING = "320100.market_regulator"
NANJING_IP = "320100.ip_office"
HANGZHOU = "330100.market_regulator"
HANGZHOU_IP = "330100.ip_office"
XIHU = "330106.market_regulator"
ZHEJIANG_IP = "330000.ip_office"
POLICE = "330100.police"
STRANGER = "440100.market_regulator"
CLUES = "exchange.clues"
RECEIPTS = "exchange.receipts"
TRANSFERS = "exchange.transfers"
ORGANS = (NANJING, NANJING_IP, HANGZHOU, HANGZHOU_IP, XIHU, ZHEJIANG_IP, POLICE, STRANGER)
PARTS = (CLUES, RECEIPTS, TRANSFERS, "exchange.admission")
REF = "delta@1"
LOG = "t.members/0"


@cache
def released() -> ReleasedSchemas:
    """The schemas that ship with the exchange."""
    return load_released()


@cache
def tables() -> CodeTables:
    """The code tables that ship with the exchange."""
    return load_code_tables(SCHEMAS_DIR / "codes")


@cache
def signer(participant: str, number: int = 0) -> Ed25519Signer:
    """A key of a participant, the same in every run."""
    return signer_from_seed(participant, f"{participant} {number}".encode().ljust(32, b".")[:32])


@cache
def gm_signer(participant: str, number: int = 0) -> Sm2Signer:
    """An SM2 key of a participant, the same in every run."""
    return sm2_signer(participant, f"{participant} {number}".encode().ljust(32, b".")[:32])


def root() -> PublicKey:
    """The key that the exchange is founded with."""
    return signer(OPERATOR).public


def founded(**changes: object) -> ExchangeFounded:
    """The founding event."""
    event = ExchangeFounded(
        name="t",
        operator=OPERATOR,
        key_id=root().key_id,
        suite="ed25519",
        public_key=root().data,
        founded_at=NOW_MS,
        title_zh="试验交换",
        title_en="Trial exchange",
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def registered(participant: str, **changes: object) -> ParticipantRegistered:
    """The registration of an organ, its division and type as its id says."""
    place, _, organ = participant.partition(".")
    is_part = place == "exchange"
    event = ParticipantRegistered(
        participant=participant,
        name_zh=f"机关{participant}",
        name_en=f"Organ {participant}",
        division=None if is_part else place,
        organ_type="exchange" if is_part else organ,
        level="exchange" if is_part else "prefecture",
        valid_from=NOW_MS,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def key_added(participant: str, number: int = 0, **changes: object) -> KeyAdded:
    """One of the participant's keys becomes valid."""
    public = signer(participant, number).public
    event = KeyAdded(
        participant=participant,
        key_id=public.key_id,
        suite="ed25519",
        public_key=public.data,
        valid_from=NOW_MS,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def gm_key_added(participant: str, number: int = 0, **changes: object) -> KeyAdded:
    """One of the participant's SM2 keys becomes valid."""
    public = gm_signer(participant, number).public
    given = {"key_id": public.key_id, "suite": "sm2-sm3", "public_key": public.data, **changes}
    return key_added(participant, **given)


def proposed(**changes: object) -> AgreementProposed:
    """An agreement of Jiangsu and Zhejiang: clues to market regulators with a copy to the IP office, and results back."""
    clue, accepted = "cn.ipx.clue.ClueReported", "cn.ipx.clue.ClueAccepted"
    event = AgreementProposed(
        agreement="delta",
        version=1,
        title_zh="协议",
        title_en="Agreement",
        status="in_force",
        members=("320000", "330000"),
        signatories=(NANJING, HANGZHOU),
        flows=(
            Flow(
                type=clue,
                from_organ="market_regulator",
                to_organ="market_regulator",
                routed=True,
                disclose=("reporter", "suspect_phone"),
                copy_to=("ip_office",),
                copy_disclose=("suspect_phone",),
            ),
            Flow(type=clue, from_organ="market_regulator", to_organ="ip_office", routed=True),
            Flow(type=accepted, from_organ="market_regulator", to_organ="market_regulator"),
        ),
        valid_from=NOW_MS,
        valid_until=NOW_MS + 1000 * HOUR_MS,
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def digest_of(proposal: AgreementProposed) -> str:
    """What signatories of the proposal refer to."""
    return body_digest(released().named(AgreementProposed.TYPE).encode(to_value(proposal)))


def signed(proposal: AgreementProposed, **changes: object) -> AgreementSigned:
    """A signature under the proposal."""
    event = AgreementSigned(
        agreement=proposal.agreement, version=proposal.version, digest=digest_of(proposal), signed_at=NOW_MS
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def notice(number: str = "试1号", year: int = 2027, **changes: object) -> CalendarPublished:
    """A made-up notice: New Year's Day 2027 is off with the last of December, and the Sunday after it is worked."""
    event = CalendarPublished(
        year=year,
        title="试验通知",
        number=number,
        issued_on=parse_day("2026-11-20"),
        confidence="certain",
        source="made up for tests",
        holidays=(
            CalendarHoliday(
                name_zh="元旦",
                name_en="New Year's Day",
                first_on=parse_day("2026-12-31"),
                last_on=parse_day("2027-01-02"),
                working_on=(parse_day("2027-01-03"),),
            ),
        ),
    )
    return replace(event, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Said:
    """A member event and who said it."""

    event: MemberEvent
    source: str = OPERATOR


def story() -> list[Said]:
    """The events that make the town, in order."""
    agreement = proposed()
    return [
        Said(founded()),
        *(Said(registered(name)) for name in (*ORGANS, *PARTS)),
        *(Said(key_added(name)) for name in (*ORGANS, *PARTS)),
        Said(agreement),
        Said(signed(agreement), NANJING),
        Said(signed(agreement), HANGZHOU),
    ]


def told(registry: Registry, *said: Said) -> Registry:
    """The registry after these too."""
    for one in said:
        digest = digest_of(one.event) if isinstance(one.event, AgreementProposed) else ""
        registry = apply(registry, one.event, source=one.source, body_digest=digest)
    return registry


@cache
def town() -> Registry:
    """The registry of the story."""
    return told(EMPTY, *story())


def record(said: Said, seq: int, *, log: str = LOG, key: ParticipantSigner | None = None) -> Envelope:
    """The event as it stands in the members log."""
    schema = released().named(type(said.event).TYPE)
    entropy = CountedEntropy(seq * 100)
    draft = Draft(
        id=uuid7(NOW_MS + seq, entropy.draw(10)), source=said.source, subject="t", time=format_instant(NOW_MS)
    )
    disclosure = new_disclosure(schema, entropy) if schema.restricted else NOTHING_RESTRICTED
    text, envelope = prepare(schema, to_value(said.event), draft, disclosure)
    line = sign(text, key or signer(said.source))
    entry = format_entry(text, line, format_instant(NOW_MS), log, seq, seq, ())
    return replace(envelope, signature=line, entry=entry.decode())


def clue(**changes: object) -> ClueReported:
    """A clue of a trademark infringement found online, place of business in Hangzhou's Xihu district."""
    event = ClueReported(
        subtype="online_listing",
        right_type="trademark",
        title="网店销售涉嫌假冒商标的商品",
        facts="店铺销售标注第3210010号商标的服装，疑似未经许可。",
        place_division="330106",
        discovered_at=NOW_MS,
        reporter="张某",
        reporter_phone="13900000000",
    )
    return replace(event, **changes)  # type: ignore[arg-type]


def statement(event_type: str = ClueReported.TYPE, **changes: str) -> Statement:
    """The statement of an event, as far as authorisation looks at it."""
    text = Statement(
        id="01a20caa-b333-79b5-8821-17e581c13a14",
        source=NANJING,
        type=event_type,
        subject="CL-320100-2026-000123",
        time=format_instant(NOW_MS),
        agreement=REF,
        addressee="-",
        cause="-",
        schema="sha256:" + "0" * 64,
        content="sha256:" + "0" * 64,
    )
    return replace(text, **changes)
