"""A small stage for tests of a case: a table of five kinds, a handful of organs, entries made by hand. No broker, no clock."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from services.cases.documents import parse_transfers
from services.cases.fold import Around, Said, Step, due_of, ripe, step
from services.cases.state import Case
from services.cases.table import Transfers
from services.events.member import ParticipantRegistered
from services.events.transfer import CalendarApplied, TransferMoved, TransferOpened
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.kernel.parties import division_of, organ_type_of
from services.members.registry import EMPTY, Registry, apply

NANJING, SUZHOU, NINGBO = "320100.market_regulator", "320500.market_regulator", "330200.market_regulator"
HAISHU, JIANGSU, ZHEJIANG = "330203.market_regulator", "320000.market_regulator", "330000.market_regulator"
NATION = "100000.market_regulator"
NINGBO_POLICE, SUZHOU_POLICE, HAISHU_POLICE = "330200.police", "320500.police", "330203.police"
NINGBO_PROCURATORATE = "330200.procuratorate"
NINGBO_COURT, HAISHU_COURT, ZHEJIANG_COURT, SHANGHAI_COURT = (
    "330200.court",
    "330203.court",
    "330000.court",
    "310000.court",
)
MEDIATOR = "330200.people_mediation"
SUPERIORS = {
    NANJING: JIANGSU,
    SUZHOU: JIANGSU,
    NINGBO: ZHEJIANG,
    HAISHU: NINGBO,
    JIANGSU: NATION,
    ZHEJIANG: NATION,
}
ORGANS = (
    NATION,
    JIANGSU,
    ZHEJIANG,
    NANJING,
    SUZHOU,
    NINGBO,
    HAISHU,
    NINGBO_POLICE,
    SUZHOU_POLICE,
    HAISHU_POLICE,
    NINGBO_PROCURATORATE,
    NINGBO_COURT,
    HAISHU_COURT,
    ZHEJIANG_COURT,
    SHANGHAI_COURT,
    MEDIATOR,
)
SUBJECT = "TR-330200-2026-000001"
HOUR = 3_600_000
DAY = 24 * HOUR
MORNING = 1_770_602_400_000  # 2026-02-09 10:00 in Beijing, a working day before the spring holiday

TABLE = """
[[common]]
id = "extend"
zh = "延长期限"
en = "extension of a term"
[[common]]
id = "suspend"
zh = "中止期限"
en = "suspension of a term"
[[common]]
id = "resume"
zh = "恢复期限"
en = "resumption of a term"

[[kind]]
id = "assistance"
zh = "协助调查"
en = "assistance"
row = "A8"
source = "市场监督管理行政处罚程序规定 45 [L2]"
clocks = ["A8"]
opens_to = "requested"
opens_article = "市场监督管理行政处罚程序规定 45"
opens_tells = [{ moment = "assistance_requested", at = "admitted" }]
opens_needs = ["requests"]
[[kind.role]]
id = "requester"
zh = "请求机关"
en = "the requester"
organ_types = ["market_regulator"]
joins = "opens"
[[kind.role]]
id = "requested"
zh = "被请求机关"
en = "the organ asked"
organ_types = ["market_regulator"]
joins = "addressee"
acts_as = ["requested_organ"]
outside = true
[[kind.state]]
id = "requested"
zh = "已请求"
en = "requested"
[[kind.state]]
id = "accepted"
zh = "已接受"
en = "accepted"
[[kind.state]]
id = "finished"
zh = "已完成"
en = "finished"
terminal = true
[[kind.state]]
id = "withdrawn"
zh = "已撤回"
en = "withdrawn"
terminal = true
[[kind.move]]
id = "accept"
zh = "接受"
en = "acceptance"
by = ["requested"]
from_states = ["requested"]
to = "accepted"
article = "程序规定 45"
[[kind.move]]
id = "note"
zh = "说明"
en = "note"
by = ["requester", "requested"]
from_states = ["requested", "accepted"]
article = "程序规定 45"
once = true
[[kind.move]]
id = "finish"
zh = "完成协助"
en = "completion"
by = ["requested"]
from_states = ["requested", "accepted"]
to = "finished"
article = "程序规定 45"
tells = [{ moment = "assistance_finished", at = "happened" }]
needs = ["text", "documents"]
[[kind.move]]
id = "withdraw"
zh = "撤回请求"
en = "withdrawal"
by = ["requester"]
from_states = ["requested", "accepted"]
to = "withdrawn"
article = "程序规定 45"
tells = [{ moment = "assistance_withdrawn", at = "happened" }]

[[kind]]
id = "referral"
zh = "涉嫌犯罪案件移送"
en = "criminal referral"
row = "C3"
source = "行政执法机关移送涉嫌犯罪案件的规定 5 [L7]"
clocks = ["C3", "C4", "C6", "C12"]
opens_to = "delivered"
opens_article = "行政执法机关移送涉嫌犯罪案件的规定 5"
opens_tells = [{ moment = "referral_delivered", at = "admitted" }]
opens_checks = ["same_level"]
earlier = ["referral_approved"]
[[kind.role]]
id = "agency"
zh = "移送机关"
en = "the agency"
organ_types = ["market_regulator"]
joins = "opens"
acts_as = ["agency"]
[[kind.role]]
id = "police"
zh = "公安机关"
en = "the police"
organ_types = ["police"]
joins = "addressee"
acts_as = ["police"]
[[kind.role]]
id = "procuratorate"
zh = "人民检察院"
en = "the procuratorate"
organ_types = ["procuratorate"]
joins = "later"
[[kind.state]]
id = "delivered"
zh = "已送达"
en = "delivered"
[[kind.state]]
id = "accepted"
zh = "已受理"
en = "accepted"
[[kind.state]]
id = "refused"
zh = "不予立案"
en = "filing refused"
[[kind.state]]
id = "filed"
zh = "已立案"
en = "filed"
terminal = true
[[kind.move]]
id = "forward"
zh = "转送"
en = "forwarding"
by = ["police"]
from_states = ["delivered", "accepted"]
to = "delivered"
article = "公安机关办理刑事案件程序规定 175"
tells = [{ moment = "referral_forwarded", at = "happened" }, { moment = "referral_delivered", at = "admitted" }]
joins = "police"
replaces = true
[[kind.move]]
id = "accept"
zh = "受理"
en = "acceptance"
by = ["police"]
from_states = ["delivered"]
to = "accepted"
article = "公安机关办理刑事案件程序规定 175"
tells = [{ moment = "referral_accepted", at = "happened" }]
[[kind.move]]
id = "refuse"
zh = "不予立案"
en = "refusal to file"
by = ["police"]
from_states = ["accepted"]
to = "refused"
article = "行政执法机关移送涉嫌犯罪案件的规定 8"
tells = [{ moment = "police_refused", at = "happened" }]
needs = ["reason"]
[[kind.move]]
id = "supervise"
zh = "建议立案监督"
en = "suggestion of supervision"
by = ["agency"]
from_states = ["refused"]
article = "行政执法机关移送涉嫌犯罪案件的规定 9"
joins = "procuratorate"
checks = ["same_level"]
[[kind.move]]
id = "order"
zh = "通知立案"
en = "order to file"
by = ["procuratorate"]
from_states = ["refused"]
to = "accepted"
article = "公安机关办理刑事案件程序规定 182"
[[kind.move]]
id = "file"
zh = "立案"
en = "filing"
by = ["police"]
from_states = ["accepted"]
to = "filed"
article = "行政执法机关移送涉嫌犯罪案件的规定 8"
tells = [{ moment = "police_filed", at = "happened" }, { moment = "filing_notice_received", at = "admitted" }]
[[kind.move]]
id = "hand_over"
zh = "移交涉案物品"
en = "hand-over of the goods"
by = ["agency"]
from_states = ["filed"]
article = "行政执法机关移送涉嫌犯罪案件的规定 12"
tells = [{ moment = "goods_handed_over", at = "happened" }]
[[kind.bar]]
move = "penalise"
by = ["agency"]
rule = "no_penalty_instead"
article = "行政执法机关移送涉嫌犯罪案件的规定 11"
zh = "{mover}不得以行政处罚代替移送，{move}不产生效力。"
en = "{mover} may not punish instead of referring; {move} has no effect."
[[kind.bar]]
move = "reject"
by = ["police"]
rule = "no_refusal_for_papers"
article = "公安机关办理刑事案件程序规定 180"
zh = "{mover}不得以材料不全为由不接受移送，{move}不产生效力。"
en = "{mover} may not refuse for missing papers; {move} has no effect."

[[kind]]
id = "handover"
zh = "案件移送"
en = "hand-over of a case"
row = "A5"
source = "市场监督管理行政处罚程序规定 14 [L2]"
opens_to = "sent"
opens_article = "市场监督管理行政处罚程序规定 14"
[[kind.role]]
id = "sender"
zh = "移送机关"
en = "the sender"
organ_types = ["market_regulator"]
joins = "opens"
[[kind.role]]
id = "receiver"
zh = "受移送机关"
en = "the receiver"
organ_types = ["market_regulator"]
joins = "addressee"
[[kind.state]]
id = "sent"
zh = "已移送"
en = "sent"
[[kind.state]]
id = "taken"
zh = "已接收"
en = "taken"
terminal = true
[[kind.move]]
id = "take"
zh = "接收"
en = "taking"
by = ["receiver"]
from_states = ["sent"]
to = "taken"
article = "程序规定 14"
[[kind.bar]]
move = "open"
by = ["receiver"]
rule = "no_retransfer"
article = "市场监督管理行政处罚程序规定 14"
zh = "受移送机关{mover}不得再自行移送，{move}不产生效力。"
en = "The receiver {mover} does not transfer again; {move} has no effect."

[[kind]]
id = "dispute"
zh = "管辖争议"
en = "dispute on jurisdiction"
row = "A3"
source = "市场监督管理行政处罚程序规定 13 [L2]"
clocks = ["A3", "A4"]
opens_to = "disputed"
opens_article = "市场监督管理行政处罚程序规定 13"
opens_tells = [{ moment = "dispute_arisen", at = "happened" }]
[[kind.role]]
id = "claimant"
zh = "提出争议的机关"
en = "the organ that disputes"
organ_types = ["market_regulator"]
joins = "opens"
acts_as = ["disputing_organs"]
[[kind.role]]
id = "other"
zh = "争议相对机关"
en = "the other organ"
organ_types = ["market_regulator"]
joins = "addressee"
acts_as = ["disputing_organs"]
many = true
[[kind.role]]
id = "superior"
zh = "共同的上一级机关"
en = "the common superior"
organ_types = ["market_regulator"]
joins = "later"
acts_as = ["common_superior"]
[[kind.role]]
id = "competent"
zh = "被指定机关"
en = "the organ designated"
organ_types = ["market_regulator"]
joins = "later"
[[kind.state]]
id = "disputed"
zh = "争议中"
en = "in dispute"
[[kind.state]]
id = "asked"
zh = "已报请指定"
en = "designation asked"
[[kind.state]]
id = "designated"
zh = "已指定"
en = "designated"
terminal = true
[[kind.state]]
id = "taken"
zh = "已接收"
en = "taken"
terminal = true
[[kind.move]]
id = "ask"
zh = "报请指定管辖"
en = "request for designation"
by = ["claimant", "other"]
from_states = ["disputed", "asked"]
to = "asked"
article = "程序规定 13"
tells = [{ moment = "designation_requested", at = "happened" }]
joins = "superior"
checks = ["nearest_common_superior"]
[[kind.move]]
id = "designate"
zh = "指定管辖"
en = "designation"
by = ["superior"]
from_states = ["asked"]
to = "designated"
article = "程序规定 16"
tells = [{ moment = "designation_made", at = "happened" }]
needs = ["designated"]
joins = "competent"
[[kind.move]]
id = "take"
zh = "接收"
en = "taking"
by = ["competent"]
from_states = ["designated"]
to = "taken"
article = "程序规定 16"

[[kind]]
id = "confirmation"
zh = "司法确认"
en = "judicial confirmation"
row = "E3"
source = "民事诉讼法 205 [L14]"
clocks = ["E3"]
opens_to = "applied"
opens_article = "民事诉讼法 205"
opens_tells = [{ moment = "confirmation_received", at = "admitted" }]
opens_checks = ["no_ownership", "court_by_right_type"]
[[kind.role]]
id = "mediator"
zh = "调解组织"
en = "the mediator"
organ_types = ["people_mediation"]
joins = "opens"
[[kind.role]]
id = "court"
zh = "人民法院"
en = "the court"
organ_types = ["court"]
joins = "addressee"
acts_as = ["court"]
outside = true
[[kind.state]]
id = "applied"
zh = "已申请"
en = "applied"
[[kind.state]]
id = "accepted"
zh = "已受理"
en = "accepted"
terminal = true
[[kind.move]]
id = "accept"
zh = "受理"
en = "acceptance"
by = ["court"]
from_states = ["applied"]
to = "accepted"
article = "人民调解协议司法确认程序规定 4"
tells = [{ moment = "confirmation_accepted", at = "happened" }]
"""


@cache
def clock_rules() -> ClockRules:
    return load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")


def document() -> dict[str, Any]:
    return tomllib.loads(TABLE)


@cache
def tables() -> Transfers:
    return parse_transfers(document(), clock_rules())


def level_of(division: str) -> str:
    if division.endswith("0000"):
        return "national" if division == "100000" else "province"
    return "prefecture" if division.endswith("00") else "county"


@cache
def members() -> Registry:
    registry = replace(EMPTY, calendar=load_calendar(SCHEMAS_DIR / "codes" / "calendars"))
    for name in ORGANS:
        organ = ParticipantRegistered(
            participant=name,
            name_zh=f"{name}（测试）",
            name_en=f"{name} (test)",
            division=division_of(name),
            organ_type=organ_type_of(name),
            level=level_of(division_of(name) or ""),
            superior=SUPERIORS.get(name),
            valid_from=0,
        )
        registry = apply(registry, organ, source="exchange.operator")
    return registry


@cache
def around() -> Around:
    return Around(tables(), clock_rules(), members())


@dataclass
class Stage:
    """One subject, and what was said on it: each entry is a step of the fold."""

    subject: str = SUBJECT
    case: Case | None = None
    log: list[Said] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    at: int = MORNING

    def say(
        self,
        body: TransferOpened | TransferMoved | CalendarApplied,
        source: str,
        to: tuple[str, ...] = (),
        *,
        at: int | None = None,
        copies: tuple[str, ...] = (),
    ) -> Step:
        """One entry; each comes an hour after the one before unless ``at`` says when it is admitted."""
        self.at = self.at + HOUR if at is None else at
        said = Said(
            event=f"0198f6c0-0000-7000-8000-{len(self.log):012d}",
            source=source,
            addressees=to,
            recipients=tuple(sorted({*to, *copies})),
            seq=len(self.log),
            time_ms=self.at,
            admitted_ms=self.at,
            members=members().size,
            subject=self.subject,
            body=body,
        )
        return self.hear(said)

    def hear(self, said: Said) -> Step:
        """The step of an entry as it is."""
        told = step(self.case, said, around())
        self.case = told.case
        self.log.append(said)
        self.steps.append(told)
        return told

    def open(self, kind: str, source: str, *to: str, at: int | None = None, **more: Any) -> Step:
        """An opening with what every kind of this table needs."""
        return self.say(opening(kind, **more), source, to, at=at)

    def move(self, move: str, source: str, *to: str, at: int | None = None, **more: Any) -> Step:
        """A move of the case's own kind that happened when it was admitted, unless ``happened_at`` says otherwise."""
        admitted = self.at + HOUR if at is None else at
        return self.say(moving(self.kind, move, more.pop("happened_at", admitted), **more), source, to, at=admitted)

    def wait(self, until_ms: int) -> list[Step]:
        """The ticks that are due by then."""
        told = []
        while self.case is not None and (due := due_of(self.case)) is not None and due <= until_ms:
            told.append(ripe(self.case, due, around()))
            self.case = told[-1].case
        self.steps += told
        self.at = until_ms
        return told

    @property
    def kind(self) -> str:
        """The kind of the case as it stands; an assistance where there is none."""
        return self.case.kind if self.case is not None and self.case.exists else "assistance"

    @property
    def now(self) -> Case:
        """The case, which something was said on."""
        assert self.case is not None
        return self.case


def opening(kind: str, **more: Any) -> TransferOpened:
    told: dict[str, Any] = {
        "kind": kind,
        "title": "电池改贴商标",
        "facts": "检查发现",
        "requests": "请协助取证",
        **more,
    }
    return TransferOpened(**told)


def moving(kind: str, move: str, happened_at: int, **more: Any) -> TransferMoved:
    return TransferMoved(kind=kind, move=move, happened_at=happened_at, **more)


def refused(told: Step) -> str | None:
    """The code of the rule by which an entry had no effect."""
    return None if told.refused is None else told.refused.rule


def assistance() -> Stage:
    """A case in which Nanjing asked Ningbo for assistance."""
    stage = Stage()
    assert refused(stage.open("assistance", NANJING, NINGBO)) is None
    return stage


def referral() -> Stage:
    """A case that the regulator of Ningbo referred to the police of Ningbo."""
    stage = Stage()
    assert refused(stage.open("referral", NINGBO, NINGBO_POLICE)) is None
    return stage
