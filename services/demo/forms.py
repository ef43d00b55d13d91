"""What an officer types in for a case that is handed over: the same facts in the field names and code lists of either case system.

The scenario files name facts as the exchange does; here they are laid out as the form of the system asks (reference_city's two
products), with the codes of that city's own lists (``connectors/cities/…/codes.toml``). What the node then makes of it is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

from services.demo.hand_over import MOVE, Turn, format_time, parse_time
from services.kernel.data import ROOT_DIR
from services.kernel.document_fields import read_document
from services.kernel.errors import BadSettings

CITIES_DIR: Final = ROOT_DIR / "connectors" / "cities"
_SYSTEMS: Final = ("flat", "nested")


@dataclass(frozen=True, slots=True)
class _Field:
    """Where a fact stands in each form, which code list it is picked from there, and how it is written."""

    at: tuple[str, str]
    codes: tuple[str, str] | None = None
    form: str = "text"
    of: Mapping[str, _Field] | None = None


_DOCUMENT: Final = {
    "name": _Field(("mc", "mingcheng")),
    "kind": _Field(("lx", "leixing"), ("wjlx", "wenjianLeixing")),
    "number": _Field(("wh", "wenhao")),
}
_EARLIER: Final = {
    "moment": _Field(("sx", "shixiang"), ("sxlx", "shixiangLeixing")),
    "at": _Field(("sj", "shijian"), form="time"),
}
_OUTSIDE: Final = {
    "name": _Field(("wbdw", "anjian.waibuDanwei.mingcheng")),
    "division": _Field(("wbdwqh", "anjian.waibuDanwei.quhua")),
    "organ_type": _Field(("wbdwlx", "anjian.waibuDanwei.leixing"), ("dwlx", "danweiLeixing")),
}
_TO: Final = _Field(("jsdw", "jiaohuanXinxi.jieshouDanweiLiebiao"), form="organs")
_SUBJECT: Final = _Field(("jhbh", "anjian.jiaohuanBianhao"))
OPENING: Final = {
    "number": _Field(("ajbh", "anjian.bianhao")),
    "subject": _SUBJECT,
    "to": _TO,
    "kind": _Field(("ajlx", "anjian.leixing"), ("ajlx", "anjianLeixing")),
    "title": _Field(("bt", "anjian.biaoti")),
    "facts": _Field(("aq", "anjian.anqing")),
    "requests": _Field(("qq", "anjian.qingqiu")),
    "right_type": _Field(("qqlx", "anjian.quanliLeixing"), ("qqlx", "quanliLeixing")),
    "amount": _Field(("saje", "anjian.sheanJine")),
    "agreement_matters": _Field(("xysx", "anjian.xieyiShixiang"), ("xysx", "xieyiShixiang"), "list"),
    "place_division": _Field(("fsdqh", "anjian.didianQuhua")),
    "transfer_letter": _Field(("yjhh", "anjian.yisongHanhao")),
    "documents": _Field(("wj", "anjian.wenjian"), form="records", of=_DOCUMENT),
    "earlier": _Field(("qxsx", "anjian.qianxuShixiang"), form="records", of=_EARLIER),
    "outside": _Field(("", ""), form="inside", of=_OUTSIDE),
}
MOVING: Final = {
    "subject": _SUBJECT,
    "to": _TO,
    "joins": _Field(("zjdw", "jiaohuanXinxi.zengjiaDanwei"), form="organs"),
    "kind": _Field(("ajlx", "anjian.leixing"), ("ajlx", "anjianLeixing")),
    "move": _Field(("czlx", "caozuo.leixing"), ("czlx", "caozuoLeixing")),
    "happened": _Field(("czsj", "caozuo.shijian"), form="time"),
    "document_number": _Field(("wh", "caozuo.wenhao")),
    "text": _Field(("sm", "caozuo.shuoming")),
    "reason": _Field(("czyy", "caozuo.yuanyin"), ("czyy", "caozuoYuanyin")),
    "ground": _Field(("kcsy", "caozuo.kouchuShiyou"), ("kcsy", "kouchuShiyou")),
    "rule": _Field(("qxgz", "caozuo.qixianGuize")),
    "extension": _Field(("yqlx", "caozuo.yanqiLeixing"), ("yqlx", "yanqiLeixing")),
    "length": _Field(("yqsc", "caozuo.yanqiShichang")),
    "missing": _Field(("qscl", "caozuo.queshaoCailiao"), form="list"),
    "designated": _Field(("zd", "caozuo.zhidingDanwei"), form="organ"),
    "result": _Field(("czjg", "caozuo.jieguo"), ("czjg", "caozuoJieguo")),
    "documents": _Field(("wj", "caozuo.wenjian"), form="records", of=_DOCUMENT),
}


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms of one organ's system: its product (``flat`` or ``nested``) and its code lists."""

    product: str
    dialect: str

    def typed(self, turn: Turn, *, number: str, subject: str) -> dict[str, Any]:
        """The form of a step, filled in; ``subject`` is the exchange's number of a case that has one.

        ``BadSettings`` for a fact that the form does not ask, or a word that the city's code list does not have.
        """
        facts: dict[str, Any] = dict(turn.says)
        facts |= {"subject": subject} if subject else {}
        facts |= {"to": turn.to} if turn.to else {}
        facts |= {"kind": turn.kind} if turn.kind else {}
        if turn.do == MOVE:
            facts |= {"move": turn.move} | ({"joins": turn.joins} if turn.joins else {})
            facts |= {} if turn.happened_ms is None else {"happened": turn.happened_ms}
            return self._laid_out(facts, MOVING)
        return self._laid_out(facts | ({} if subject else {"number": number}), OPENING)

    def _laid_out(self, facts: Mapping[str, Any], form: Mapping[str, _Field]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name, value in facts.items():
            field = form.get(name)
            if field is None:
                raise BadSettings(f"the form has no field {name}; it has {', '.join(form)}")
            for place, written in self._written(field, value).items():
                _put(document, place, written)
        return document

    def _written(self, field: _Field, value: Any) -> dict[str, Any]:
        place = field.at[self._side]
        match field.form:
            case "records":
                return {place: [self._laid_out(one, field.of or {}) for one in value]}
            case "inside":
                laid: dict[str, Any] = {}
                for name, inner in value.items():
                    laid |= self._written((field.of or {})[name], inner)
                return laid
            case "list":
                words = [self._coded(field, word) for word in value]
                return {place: "、".join(words) if self.product == "flat" else words}
            case "organs":
                return {place: [self._organ(organ) for organ in value]}
            case "organ" if self.product == "flat":
                named = self._organ(value)
                return {f"{place}qh": named["qh"], f"{place}dwlx": named["dwlx"]}
            case "time":
                return {place: self._time(value if isinstance(value, int) else parse_time(str(value)))}
            case _:
                return {place: self._coded(field, str(value))}

    @property
    def _side(self) -> int:
        return _SYSTEMS.index(self.product)

    def _coded(self, field: _Field, word: str) -> str:
        if field.codes is None:
            return word
        table = field.codes[self._side]
        found = next((code for code, meaning in code_lists(self.dialect)[table].items() if meaning == word), None)
        if found is None:
            raise BadSettings(f"the list {table} of {self.dialect} has no code for {word}")
        return found

    def _organ(self, organ: str) -> Any:
        if self.product == "nested":
            return organ
        division, _, kind = organ.partition(".")
        return {"qh": division, "dwlx": self._coded(_OUTSIDE["organ_type"], kind)}

    def _time(self, at_ms: int) -> str:
        text = format_time(at_ms)
        return text if self.product == "flat" else f"{text.replace(' ', 'T')}+08:00"


@cache
def code_lists(dialect: str) -> Mapping[str, Mapping[str, str]]:
    """The code lists of a city: its own code to the exchange's word. Blocks on the disk; ``BadSettings`` when there are none."""
    folder = CITIES_DIR / dialect
    based_on = read_document(folder / "city.toml").get("based_on")
    own = read_document(folder / "codes.toml") if (folder / "codes.toml").is_file() else {}
    return {**(code_lists(str(based_on)) if based_on else {}), **own}


def _put(document: dict[str, Any], place: str, value: Any) -> None:
    way: Sequence[str] = place.split(".")
    for part, _ in pairwise(way):
        document = document.setdefault(part, {})
    document[way[-1]] = value
