"""Two ways in which such systems talk: flat abbreviations of pinyin, and nested objects in full pinyin.

A dialect says the addresses, the form of replies, and how a happening is written. What a clue says is kept as it came: this
system reads of it only what its rules name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

CHINA = timezone(timedelta(hours=8))
Reply = tuple[int, dict[str, Any]]

KINDS = {"accept": "SL", "return": "TH", "verify": "HC", "file": "LA", "decline": "BL", "move": "AJCZ"}
FORMS = {"clue": "XSYS", "transfer": "AJYS", "move": "AJCZ"}
"""What an officer may type in: a clue found here, a case handed over, a move on a case."""


def at_text(now_ms: int) -> str:
    """Local time of day as this system writes it."""
    return f"{datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def day_text(now_ms: int) -> str:
    """Local day."""
    return at_text(now_ms)[:10]


@dataclass(frozen=True, slots=True)
class Doors:
    """Addresses and names of the interface."""

    receive: str
    answer: str
    case: str
    case_move: str
    term: str
    pull: str
    ack: str
    confirm: str
    key_header: str
    number_header: str
    cursor: str
    limit: str
    title: str
    """Where in a clue its title stands: the one thing without which this system refuses it."""
    case_title: str
    """The same in a case."""


@dataclass(frozen=True, slots=True)
class Flat:
    """``{"code":"0","msg":"成功","data":{…}}``, HTTP 200 whatever happened."""

    doors: Doors

    def taken(self, number: str) -> Reply:
        """200, code 0 and the number."""
        return 200, {"code": "0", "msg": "成功", "data": {"slbh": number}}

    def refused(self, code: str, text: str, field: str | None) -> Reply:
        """200 and a code."""
        return 200, {"code": code, "msg": text, "data": {"zdm": field} if field else None}

    def hollow(self) -> Reply:
        """200, code 0, no number."""
        return 200, {"code": "0", "msg": "成功", "data": None}

    def page(self, items: list[tuple[int, dict[str, Any]]], cursor: str, more: bool) -> Reply:
        """A list under ``data.lb``."""
        listed = [{"lsh": str(lsh), **item} for lsh, item in items]
        return 200, {"code": "0", "msg": "成功", "data": {"lb": listed, "ybh": cursor, "gd": "1" if more else "0"}}

    def typed(self, form: str, now_ms: int, document: dict[str, Any]) -> dict[str, Any]:
        """Everything beside one another; what the form says itself stands."""
        return {"sjlx": FORMS[form], "fssj": at_text(now_ms), **document}

    def handled(self, do: str, now_ms: int, clue: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """Everything beside one another."""
        return {"sjlx": KINDS[do], "fssj": at_text(now_ms), "slbh": clue["slbh"], **facts}

    def moved(self, now_ms: int, case: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """A move on a case that came in: the officer's words beside our number of it."""
        return self.typed("move", now_ms, {"slbh": case["slbh"], **values})


_FULL = {
    "XSYS": "XIANSUO_YISONG",
    "AJYS": "ANJIAN_YISONG",
    "AJCZ": "ANJIAN_CAOZUO",
    "SL": "SHOULI",
    "TH": "TUIHUI",
    "HC": "HECHA",
    "LA": "LIAN",
    "BL": "BUYU_LIAN",
    "slsj": "shouliShijian",
    "cbbm": "chengbanBumen",
    "cbr": "chengbanren",
    "cbrdh": "lianxiDianhua",
    "thsj": "tuihuiShijian",
    "thyy": "tuihuiYuanyin",
    "thsm": "shuoming",
    "gxqh": "guanxiaQuhua",
    "qscl": "queshaoCailiao",
    "hcsj": "hechaShijian",
    "hcjl": "hechaJielun",
    "hcqk": "hechaQingkuang",
    "ssje": "sheanJine",
    "larq": "lianRiqi",
    "ah": "anhao",
    "ay": "anyou",
    "jdrq": "juedingRiqi",
    "bly": "buyuLianLiyou",
    "sm": "shuoming",
}


@dataclass(frozen=True, slots=True)
class Nested:
    """Objects in full pinyin, HTTP statuses that mean something."""

    doors: Doors

    def taken(self, number: str) -> Reply:
        """201 and the number."""
        return 201, {"jieguo": {"zhuangtai": "CHENGGONG"}, "shouliBianhao": number}

    def refused(self, code: str, text: str, field: str | None) -> Reply:
        """422 with code and words."""
        return 422, {"jieguo": {"zhuangtai": "JUJUE", "daima": code, "shuoming": text, "ziduan": field}}

    def hollow(self) -> Reply:
        """200 and no number."""
        return 200, {"jieguo": {"zhuangtai": "CHENGGONG"}}

    def page(self, items: list[tuple[int, dict[str, Any]]], cursor: str, more: bool) -> Reply:
        """A list under ``shuju.shijianLiebiao``."""
        listed = [{"shijianBianhao": f"SJ-{lsh:09d}", **item} for lsh, item in items]
        return 200, {
            "jieguo": {"zhuangtai": "CHENGGONG"},
            "shuju": {"shijianLiebiao": listed, "youbiao": cursor, "haiyou": more},
        }

    def typed(self, form: str, now_ms: int, document: dict[str, Any]) -> dict[str, Any]:
        """The form's objects as they are; what it says itself stands."""
        return {"shijianLeixing": _FULL[FORMS[form]], "fashengShijian": _iso(now_ms), **document}

    def handled(self, do: str, now_ms: int, clue: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
        """The clue is named by the exchange's event id, which came with it, and by our own number."""
        received = clue["nr"].get("jiaohuanXinxi", {})
        named = {"shouliBianhao": clue["slbh"], "jiaohuanShijian": received.get("shijianBianhao")}
        return {
            "shijianLeixing": _FULL[KINDS[do]],
            "fashengShijian": _iso(now_ms),
            "xiansuo": named,
            "banli": {_FULL[name]: _own_form(name, value) for name, value in facts.items()},
        }

    def moved(self, now_ms: int, case: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """A move on a case that came in, which is named by the exchange's event id and by our own number."""
        received = case["nr"].get("jiaohuanXinxi", {})
        named = {"shouliBianhao": case["slbh"], "jiaohuanShijian": received.get("shijianBianhao")}
        return self.typed("move", now_ms, {"anjian": named, "caozuo": values})


def _own_form(name: str, value: Any) -> Any:
    """Instants with their offset, days without dashes, lists as lists: the forms of this dialect."""
    if name.endswith("sj"):
        return f"{str(value).replace(' ', 'T')}+08:00"
    return str(value).replace("-", "") if name.endswith("rq") else value


def _iso(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(CHINA).isoformat(timespec="seconds")


Dialect = Flat | Nested
DIALECTS: dict[str, Dialect] = {
    "flat": Flat(
        Doors(
            receive="/jk/xs/jieshou",
            answer="/jk/xs/fankui",
            case="/jk/aj/jieshou",
            case_move="/jk/aj/caozuo",
            term="/jk/aj/qixian",
            pull="/jk/sj/xiazai",
            ack="/jk/sj/queren",
            confirm="/jk/xs/chaxun/{key}",
            key_header="X-Mdj",
            number_header="X-Tdxh",
            cursor="ybh",
            limit="sl",
            title="bt",
            case_title="bt",
        )
    ),
    "nested": Nested(
        Doors(
            receive="/api/v2/xiansuo",
            answer="/api/v2/fankui",
            case="/api/v2/anjian",
            case_move="/api/v2/anjian/caozuo",
            term="/api/v2/anjian/qixian",
            pull="/api/v2/shijian",
            ack="/api/v2/shijian/queren",
            confirm="/api/v2/chaxun/{key}",
            key_header="Mideng-Jian",
            number_header="Toudi-Xuhao",
            cursor="youbiao",
            limit="shuliang",
            title="xiansuo.biaoti",
            case_title="anjian.biaoti",
        )
    ),
}
