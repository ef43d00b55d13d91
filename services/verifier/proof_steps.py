"""The steps that tie the bytes to a log that the policy knows: form, entry, inclusion, checkpoints, witnesses, times, stamp.

Implements steps 1 to 6, 17 and 18 of ``services/ledger/FORMAT.md`` section 6.6. Nothing of the content is decoded here. Pure.
"""

from __future__ import annotations

from services.codec.checkpoint import log_of_origin, origin_of
from services.codec.entry import parse_entry
from services.codec.evidence import parse_evidence
from services.codec.field_rules import AHEAD_MS
from services.codec.note import Note
from services.codec.tlog_policy import NONE, Policy, Standing, judge
from services.codec.tlog_proof import proves
from services.kernel.errors import Refused
from services.kernel.instants import format_instant, parse_instant
from services.verifier import stamp as stamps
from services.verifier.case import MEMBERS, Case
from services.verifier.excerpt import place_records, within
from services.verifier.report import Said


def check_form(case: Case) -> Said:
    """(1) Form of the file, FORMAT.md section 6.6."""
    case.evidence = parse_evidence(case.data)
    return Said("文件为唯一规范写法", "the file is written in its one form")


def check_entry(case: Case) -> Said:
    """(2) Entry, FORMAT.md section 4; it is of the log and the place that the proof is of."""
    with within("event.entry"):
        case.entry = parse_entry(case.evidence.entry)
        origin = origin_of(case.entry.log)
    proof = case.evidence.proof
    if proof.checkpoint.origin != origin:
        raise Refused("bad-evidence", f"the entry is of {origin}, the checkpoint is not", field="event.proof")
    if proof.index != case.entry.seq:
        raise Refused("bad-proof", f"the entry has seq {case.entry.seq}, the proof another", field="event.proof")
    case.exchange = origin.partition("/")[0]
    if origin == f"{case.exchange}/{MEMBERS}/0" and case.entry.members != case.entry.seq:
        sentence = "an event of the members log is judged by all that stands before it"
        raise Refused("bad-evidence", sentence, field="event.entry")
    statement = case.entry.statement
    place = f"{case.entry.log} seq {case.entry.seq}"
    return Said(f"{statement.id}，{place}", f"{statement.type} {statement.id}, {place}")


def check_inclusion(case: Case) -> Said:
    """(3) Inclusion, RFC 6962 section 2.1.1."""
    if not proves(case.evidence.proof, case.evidence.entry):
        sentence = "the path does not lead from the entry to the root of the checkpoint"
        raise Refused("bad-proof", sentence, field="event.proof")
    size = case.evidence.proof.checkpoint.size
    return Said(f"条目在{size}条的日志树中", f"the entry is in the tree of {size} entries")


def check_checkpoint(case: Case) -> Said:
    """(4) Checkpoint signed by the log's key, and by nobody whom the policy does not know."""
    case.standing = _judged(case.evidence.proof.note, case.policy, "event.proof")
    return Said("由策略中的日志密钥签署", "signed by the key that the policy has for this log")


def _judged(note: Note, policy: Policy, place: str) -> Standing:
    with within(place):
        standing = judge(note, policy)
        if standing.strangers:
            sentence = f"a signature by {standing.strangers[0]} is not of the policy, or not good"
            raise Refused("bad-signature", sentence)
    return standing


def check_witnesses(case: Case) -> Said:
    """(5) Quorum of the policy."""
    names = ", ".join(sorted(case.standing.cosigned))
    _require_quorum(case.standing, case.policy, "event.proof")
    if case.policy.quorum == NONE:
        return Said("策略不要求见证", "the policy asks for no witness", "not-proved")
    return Said(f"见证达到策略要求：{names}", f"the quorum of the policy is met: {names}")


def _require_quorum(standing: Standing, policy: Policy, place: str) -> None:
    if not standing.is_witnessed:
        names = ", ".join(sorted(standing.cosigned)) or "nobody"
        sentence = f"the quorum {policy.quorum} of the policy is not met; cosigned by {names}"
        raise Refused("not-witnessed", sentence, field=place)


def check_members_log(case: Case) -> Said:
    """(6) The records stand in the members log, which had them when admission decided."""
    origin = f"{case.exchange}/{MEMBERS}/0"
    note = case.evidence.members_checkpoint
    standing = _judged(note, case.policy, "members.checkpoint")
    _require_quorum(standing, case.policy, "members.checkpoint")
    checkpoint = standing.checkpoint
    if checkpoint.origin != origin or checkpoint.size < case.entry.members:
        sentence = f"expected a checkpoint of {origin} of at least {case.entry.members} entries"
        raise Refused("bad-checkpoint", sentence, field="members.checkpoint")
    log = log_of_origin(origin)
    case.placed = place_records(case.evidence.members, log, case.entry.members, checkpoint)
    count = len(case.placed)
    return Said(f"{count}条成员记录均在成员日志中", f"{count} records, each in the members log")


def check_times(case: Case) -> Said:
    """(17) The three times that are stated: of the source, of admission, of the witnesses."""
    admitted_ms = parse_instant(case.entry.admitted)
    if case.entry.statement.time_ms > admitted_ms + AHEAD_MS:
        raise Refused("time-in-future", "the statement is later than its admission", field="event.entry")
    by_ms = _witnessed_by_ms(case)
    if by_ms is None:
        return Said(
            f"准入时间{case.entry.admitted}，无见证时间",
            f"admitted {case.entry.admitted}, says admission alone",
            "not-proved",
        )
    if admitted_ms > by_ms + AHEAD_MS:
        sentence = f"admitted {case.entry.admitted}, but witnesses had it at {format_instant(by_ms)}"
        raise Refused("time-in-future", sentence, field="event.entry")
    at = format_instant(by_ms)
    return Said(
        f"最迟于{at}已在日志中（见证）", f"it was in the log by {at}, say so many witnesses as the policy asks for"
    )


def _witnessed_by_ms(case: Case) -> int | None:
    """When the quorum was met, by the times of the cosignatures; None when there is no quorum to meet."""
    present: set[str] = set()
    if case.policy.quorum == NONE:
        return None
    for name, time_s in sorted(case.standing.cosigned.items(), key=lambda item: item[1]):
        present.add(name)
        if case.policy.is_met(present):
            return time_s * 1000
    return None


def check_stamp(case: Case) -> Said:
    """(18) RFC 3161 over the checkpoint."""
    token = case.evidence.stamp
    if token is None:
        return Said("文件中没有时间戳", "the file has no time stamp", "not-proved")
    if not stamps.is_available():
        return Said("未安装时间戳组件，未检查", "not looked at: the extra `stamp` is not installed", "not-proved")
    read = stamps.read_stamp(token)
    if read.digest != stamps.imprint_of(case.evidence.proof.note.text):
        raise Refused("bad-stamp", "the time stamp is over other bytes than this checkpoint", field="stamp")
    at = read.at.isoformat()
    if not case.options.authorities:
        en = f"it says {at}; no time-stamping authority was named to check it by"
        return Said(f"时间戳为{at}，未指定时间戳机构", en, "not-proved")
    stamps.check_stamp(read, list(case.options.authorities))
    if read.at.timestamp() * 1000 < parse_instant(case.entry.admitted) - AHEAD_MS:
        sentence = f"admitted {case.entry.admitted}, but the checkpoint was stamped at {at}"
        raise Refused("time-in-future", sentence, field="stamp")
    return Said(
        f"检查点最迟于{at}存在（时间戳机构）", f"the checkpoint existed at {at}, by the time-stamping authority"
    )
