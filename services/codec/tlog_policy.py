"""Trust policies (C2SP tlog-policy): which logs, which witnesses, and which of them together make a checkpoint witnessed.

Specification: ``services/ledger/FORMAT.md`` section 6.5. Narrower than C2SP: names and URLs are ASCII (comments need not be), a log has one key,
and a log signs with Ed25519, a witness with cosignature/v1. URLs are read over and not kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import COSIGNATURE, ED25519, Note, NoteKey, cosigned_at, is_signed, parse_vkey
from services.kernel.errors import Refused

MAX_POLICY_BYTES = 262_144
MAX_LINES = 4096
NONE = "none"
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NAME = re.compile(r"[!-~]{1,255}")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Group:
    """Met when so many of its members are; a member is a witness or an earlier group."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs by origin, witnesses by their name in the policy, groups in order, and the name that must be met (``none``: nothing)."""

    logs: Mapping[str, NoteKey]
    witnesses: Mapping[str, NoteKey]
    groups: tuple[Group, ...]
    quorum: str

    def is_met(self, present: frozenset[str] | set[str]) -> bool:
        """Whether the witnesses of these names are enough."""
        if self.quorum == NONE:
            return True
        met = set(present) & set(self.witnesses)
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy says of a checkpoint: who cosigned it when (POSIX seconds), and whether that is enough."""

    checkpoint: Checkpoint
    cosigned: Mapping[str, int]
    is_witnessed: bool
    strangers: tuple[str, ...]
    """Names on signature lines that are of no key of the policy, or are not good."""


def judge(note: Note, policy: Policy) -> Standing:
    """Reads a checkpoint by a policy. Refuses ``bad-checkpoint``, ``unknown-log`` one of a log that the policy has not, and
    ``bad-signature`` one that the log's key did not sign."""
    checkpoint = parse_checkpoint(note.text)
    key = policy.logs.get(checkpoint.origin)
    if key is None:
        raise Refused("unknown-log", f"the policy has no log {checkpoint.origin}")
    if not is_signed(note, key):
        raise Refused("bad-signature", f"the checkpoint is not signed by the key that the policy has for {key.name}")
    times = {name: cosigned_at(note, witness) for name, witness in policy.witnesses.items()}
    cosigned = {name: time_s for name, time_s in times.items() if time_s is not None}
    good = {(key.name, key.key_hash)} | {
        (policy.witnesses[name].name, policy.witnesses[name].key_hash) for name in cosigned
    }
    strangers = tuple(s.name for s in note.signatures if (s.name, s.key_hash) not in good)
    return Standing(checkpoint, MappingProxyType(cosigned), policy.is_met(set(cosigned)), strangers)


def parse_policy(data: bytes) -> Policy:
    """Reads a policy file; refuses ``bad-policy`` with the number of the first line that is wrong."""
    if len(data) > MAX_POLICY_BYTES or _CONTROL.search(data) or not data.endswith(b"\n"):
        raise Refused(
            "bad-policy", f"a policy is at most {MAX_POLICY_BYTES} bytes of lines, without control characters"
        )
    lines = data.split(b"\n")[:-1]
    if len(lines) > MAX_LINES:
        raise Refused("bad-policy", f"a policy has at most {MAX_LINES} lines")
    reading = _Reading()
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words and not words[0].startswith(b"#"):
            try:
                reading.take([word.decode("ascii") for word in words])
            except (Refused, UnicodeDecodeError) as error:
                sentence = error.message if isinstance(error, Refused) else "names and keys are ASCII"
                raise Refused("bad-policy", f"line {number}: {sentence}") from error
    if reading.quorum is None:
        raise Refused("bad-policy", "a policy has one quorum line")
    return Policy(
        MappingProxyType(reading.logs), MappingProxyType(reading.witnesses), tuple(reading.groups), reading.quorum
    )


def format_policy(policy: Policy) -> bytes:
    """A policy file; :func:`parse_policy` reads the same back."""
    logs = [f"log {key.vkey()}" for key in policy.logs.values()]
    witnesses = [f"witness {name} {key.vkey()}" for name, key in policy.witnesses.items()]
    groups = [f"group {group.name} {group.threshold} {' '.join(group.members)}" for group in policy.groups]
    return "".join(f"{line}\n" for line in (*logs, *witnesses, *groups, f"quorum {policy.quorum}")).encode()


class _Reading:
    def __init__(self) -> None:
        self.logs: dict[str, NoteKey] = {}
        self.witnesses: dict[str, NoteKey] = {}
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self._log_keys: set[bytes] = set()
        self._witness_keys: set[bytes] = set()
        self._defined: set[str] = set()
        self._grouped: set[str] = set()

    def take(self, words: list[str]) -> None:
        match words:
            case ["log", vkey] | ["log", vkey, _]:
                self._add_log(parse_vkey(vkey))
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._add_witness(name, parse_vkey(vkey))
            case ["group", name, threshold, *members] if members:
                self._add_group(name, threshold, members)
            case ["quorum", name]:
                self._set_quorum(name)
            case _:
                raise Refused("bad-policy", "a line is log, witness, group or quorum with its words")

    def _add_log(self, key: NoteKey) -> None:
        if key.kind != ED25519:
            raise Refused("bad-policy", "a log signs with Ed25519")
        if key.name in self.logs or key.public_key in self._log_keys:
            raise Refused("bad-policy", f"the log {key.name}, or its key, stands twice")
        self._log_keys.add(key.public_key)
        self.logs[key.name] = key

    def _add_witness(self, name: str, key: NoteKey) -> None:
        if key.kind != COSIGNATURE:
            raise Refused("bad-policy", "a witness signs with cosignature/v1")
        if key.public_key in self._witness_keys:
            raise Refused("bad-policy", f"the key of {name} stands twice")
        self._witness_keys.add(key.public_key)
        self._define(name)
        self.witnesses[name] = key

    def _add_group(self, name: str, threshold: str, members: list[str]) -> None:
        fixed = {"any": 1, "all": len(members)}.get(threshold)
        if fixed is None and _THRESHOLD.fullmatch(threshold) is None:
            raise Refused("bad-policy", "a group is met by any, all or a number of its members")
        needed = int(threshold) if fixed is None else fixed
        unknown = [member for member in members if member not in self._defined]
        if unknown or needed > len(members):
            raise Refused(
                "bad-policy", f"a group of {needed} of {len(members)}; not defined before: {', '.join(unknown) or '-'}"
            )
        if len(set(members)) != len(members) or self._grouped & set(members):
            raise Refused("bad-policy", "a name is a member of one group, once")
        self._grouped.update(members)
        self._define(name)
        self.groups.append(Group(name, needed, tuple(members)))

    def _set_quorum(self, name: str) -> None:
        if self.quorum is not None or (name != NONE and name not in self._defined):
            raise Refused("bad-policy", "one quorum line names a witness or group defined before it, or none")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NONE or name in self._defined or _NAME.fullmatch(name) is None:
            raise Refused("bad-policy", f"the name {name[:80]} is taken or not a name")
        self._defined.add(name)
