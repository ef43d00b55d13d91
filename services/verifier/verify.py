"""Verifies an evidence file with nothing else at hand: numbered steps, the first bad place named, never a foreign exception.

Implements ``services/ledger/FORMAT.md`` section 6.6. Nothing of the content is decoded before it is proved to be in a log whose checkpoint
the policy takes: bytes that nobody answers for are only hashed.

(1) form of the file · (2) entry · (3) inclusion · (4) checkpoint · (5) witnesses · (6) members log · (7) schemas · (8) body · (9) commitment ·
(10) founding · (11) members events · (12) key of the source · (13) signature · (14) agreement · (15) flow and recipients · (16) what an
excerpt cannot prove · (17) times · (18) time stamp.
"""

from __future__ import annotations

from collections.abc import Callable

from services.codec.tlog_policy import Policy
from services.kernel.errors import IpxError, Refused
from services.verifier.case import Case, Options
from services.verifier.event_steps import (
    check_agreement,
    check_body,
    check_commitment,
    check_excerpt,
    check_founding,
    check_key,
    check_members_events,
    check_recipients,
    check_schemas,
    check_signature,
)
from services.verifier.proof_steps import (
    check_checkpoint,
    check_entry,
    check_form,
    check_inclusion,
    check_members_log,
    check_stamp,
    check_times,
    check_witnesses,
)
from services.verifier.report import Report, Said, Step


def verify(data: bytes, policy: Policy, options: Options | None = None) -> Report:
    """The report on a file, whatever its bytes are. Pure; memory stays within a small multiple of the bound on evidence files."""
    case = Case(data, policy, options or Options())
    steps: list[Step] = []
    failed: int | None = None
    for number, (title_zh, title_en, run) in enumerate(_STEPS, 1):
        if failed is not None:
            zh, en = f"第{failed}步不成立，未检查", f"not looked at, since step {failed} failed"
            steps.append(Step(number, title_zh, title_en, "not-proved", zh, en))
            continue
        try:
            said = run(case)
            steps.append(Step(number, title_zh, title_en, said.finding, said.zh, said.en))
        except IpxError as error:
            failed = number
            place = _printable((error.field if isinstance(error, Refused) else None) or "file")
            steps.append(
                Step(
                    number,
                    title_zh,
                    title_en,
                    "failed",
                    f"不成立（{error.code}）：{place}",
                    _printable(str(error)),
                    error.code,
                    place,
                )
            )
    return Report(tuple(steps), case.entry.statement.id if _has(case, "entry") else None)


def _printable(text: str) -> str:
    """A sentence may repeat what a stranger wrote: no control characters of it reach a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _has(case: Case, name: str) -> bool:
    return hasattr(case, name)


_STEPS: tuple[tuple[str, str, Callable[[Case], Said]], ...] = (
    ("文件格式", "form of the file", check_form),
    ("日志条目", "entry", check_entry),
    ("收录证明", "inclusion in the log", check_inclusion),
    ("检查点签名", "checkpoint", check_checkpoint),
    ("见证", "witnesses", check_witnesses),
    ("成员日志", "members log", check_members_log),
    ("模式摘要", "schemas", check_schemas),
    ("内容编码", "body", check_body),
    ("内容承诺", "commitment", check_commitment),
    ("交换成立", "founding of the exchange", check_founding),
    ("成员记录", "members events", check_members_events),
    ("来源密钥", "key of the source", check_key),
    ("来源签名", "signature of the source", check_signature),
    ("协议", "agreement", check_agreement),
    ("流转与接收方", "flow and recipients", check_recipients),
    ("节选的界限", "limits of an excerpt", check_excerpt),
    ("时间", "times", check_times),
    ("时间戳", "time stamp", check_stamp),
)

__all__ = ["Options", "Report", "verify"]
