"""Checks of the identifiers that events carry: each returns what is wrong, or None when nothing is.

Sources: GB 32100-2015 (credit code) and GB 11714-1997 (organisation code in it), GB 11643-1999 (resident identity number,
ISO 7064 mod 11-2), the CNIPA numbering of patents since October 2003 and before, GB/T 2260 (division codes). Forms that
no verified source fixes (court case numbers, document numbers, software copyright) are *advisory*: a number outside the
known form is passed on with a warning, never refused. A check says nothing on whether the number was ever given out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import mul
from typing import Final


@dataclass(frozen=True, slots=True)
class Problem:
    """What was expected, in both languages. ``got`` may be personal data: never log or send it for a restricted field."""

    expected: str
    expected_zh: str
    got: str
    advisory: bool = False


Check = Callable[[str], Problem | None]

_USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_PATENT_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_IDENTITY_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

_PATENT: Final = re.compile(
    r"(?:ZL)?((?:20\d{2}[12389]\d{7})|(?:(?:8[5-9]|9\d|0[0-3])[12389]\d{5}))\.([0-9X])", re.ASCII
)
_TRADEMARK: Final = re.compile(r"[1-9]\d{0,7}|G\d{1,7}[A-Z]?", re.ASCII)
_SOFTWARE: Final = re.compile(r"(?:19|20)\d{2}SR\d{7}", re.ASCII)
_COURT_CASE: Final = re.compile(
    r"[（(〔\[](?:19|20)\d{2}[）)〕\]][\u4e00-\u9fff]{1,4}\d{0,4}[\u4e00-\u9fff]{1,8}\d{1,8}号(?:之[一二三四五六七八九十]{1,3})?"
)
_DOCUMENT: Final = re.compile(r"[^\s]{0,40}[（(〔\[](?:19|20)\d{2}[）)〕\]][^\s]{0,30}号[^\s]{0,10}")
_DIVISION: Final = re.compile(r"[1-8]\d{5}", re.ASCII)
_CUSTOMS: Final = re.compile(r"\d{4}", re.ASCII)
_IDENTITY: Final = re.compile(r"[1-8]\d{16}[0-9X]", re.ASCII)


def _table(alphabet: str) -> bytes:
    """For bytes.translate: each character of the alphabet becomes its position, everything else 255."""
    return bytes(alphabet.find(chr(code)) % 256 for code in range(256))


_USCC_TABLE: Final = _table(_USCC_ALPHABET)
_ORGANISATION_TABLE: Final = _table("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_USCC_FORM: Final = re.compile(f"[{_USCC_ALPHABET}]{{18}}")


def organisation_check_character(body: str) -> str:
    """Character 9 of an organisation code from its first 8 (GB 11714: A=10 to Z=35; 10 is written X, 11 is 0)."""
    values = body.encode("ascii").translate(_ORGANISATION_TABLE)
    return "-123456789X0"[11 - sum(map(mul, values, _ORGANISATION_WEIGHTS)) % 11]


def uscc_check_character(first17: str) -> str:
    """Character 18 of a credit code from its first 17 (GB/T 17710, mod 31)."""
    values = first17.encode("ascii").translate(_USCC_TABLE)
    return _USCC_ALPHABET[-sum(map(mul, values, _USCC_WEIGHTS)) % 31]


@lru_cache(maxsize=65_536)
def check_uscc(text: str) -> Problem | None:
    """统一社会信用代码: 18 characters, the organisation code's own check at 17, the final check at 18.

    Letters are taken in positions 1-8 too: the codes of registrars N, Y and A begin with one, and the validator of
    python-stdnum 2.2 turns those away. The division in positions 3-8 is the registrar's at the time: not looked up.
    """
    if _USCC_FORM.fullmatch(text) is None:
        return Problem(
            "18 characters from 0-9 and A-Z without I, O, S, V, Z",
            "18位，由数字和除I、O、S、V、Z外的大写字母组成",
            text,
        )
    organisation = organisation_check_character(text[8:16])
    if text[16] != organisation:
        return Problem(
            f"{organisation} as character 17, the check of the organisation code",
            f"第17位应为主体标识码校验码{organisation}",
            text,
        )
    final = uscc_check_character(text[:17])
    if text[17] != final:
        return Problem(f"{final} as character 18, the check character", f"第18位应为校验码{final}", text)
    return None


def patent_check_digit(digits: str) -> str:
    """Check digit of the 12 digits (since October 2003) or 8 digits (before) of an application number."""
    rest = sum(int(digit) * weight for digit, weight in zip(digits, _PATENT_WEIGHTS, strict=False)) % 11
    return "X" if rest == 10 else str(rest)


@lru_cache(maxsize=16_384)
def check_patent_number(text: str) -> Problem | None:
    """专利号 or 申请号: [ZL] 12 or 8 digits, a point, the check digit; kind 1, 2, 3, 8 or 9 after the year."""
    found = _PATENT.fullmatch(text)
    if found is None:
        return Problem(
            "a patent number such as ZL201721264785.9 or 95115608.X", "专利号，例如ZL201721264785.9或者95115608.X", text
        )
    digit = patent_check_digit(found[1])
    if found[2] != digit:
        return Problem(f"check digit {digit} after the point", f"小数点后的校验位应为{digit}", text)
    return None


def check_trademark_number(text: str) -> Problem | None:
    """商标注册号: 1-8 digits without leading zero, or G and up to 7 digits (and a letter) for a Madrid registration."""
    if _TRADEMARK.fullmatch(text):
        return None
    return Problem("1-8 digits, or G and digits for a Madrid mark", "1至8位数字，马德里商标为G加数字", text)


def check_software_copyright_number(text: str) -> Problem | None:
    """软件著作权登记号, advisory: year, SR and seven digits (the form is seen in secondary sources only)."""
    if _SOFTWARE.fullmatch(text):
        return None
    return Problem("a number such as 2023SR0123456", "登记号，例如2023SR0123456", text, advisory=True)


def check_court_case_number(text: str) -> Problem | None:
    """案号, advisory: （year）court code, type words, serial, 号; full- and half-width brackets."""
    if _COURT_CASE.fullmatch(text):
        return None
    return Problem(
        "a case number such as （2023）苏01民初123号", "案号，例如（2023）苏01民初123号", text, advisory=True
    )


def check_document_number(text: str) -> Problem | None:
    """文号, advisory: issuer's abbreviation, bracketed year, serial, 号; full- and half-width brackets."""
    if _DOCUMENT.fullmatch(text):
        return None
    return Problem(
        "a document number such as 苏市监移〔2026〕12号", "文号，例如苏市监移〔2026〕12号", text, advisory=True
    )


def check_division(text: str) -> Problem | None:
    """Syntax of a GB/T 2260 code: six digits. Whether the division exists is the code table's to say."""
    return None if _DIVISION.fullmatch(text) else Problem("a six-digit GB/T 2260 code", "六位行政区划代码", text)


def check_customs_code(text: str) -> Problem | None:
    """Syntax of a customs district code: four digits."""
    return None if _CUSTOMS.fullmatch(text) else Problem("a four-digit customs code", "四位关区代码", text)


def identity_check_character(first17: str) -> str:
    """Check character of a resident identity number (ISO 7064 mod 11-2)."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(first17, _IDENTITY_WEIGHTS, strict=True)) % 11]


def check_identity_number(text: str) -> Problem | None:
    """公民身份号码 (GB 11643), advisory: a slip in a reporter's number must not hold up a clue.

    The problem's ``got`` is left empty: the number is personal data.
    """
    if _IDENTITY.fullmatch(text) and _is_day(text[6:14]) and text[17] == identity_check_character(text[:17]):
        return None
    return Problem(
        "an 18-character resident identity number with its check character",
        "18位公民身份号码（含校验码）",
        "",
        advisory=True,
    )


def _is_day(digits: str) -> bool:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return day.year >= 1800
