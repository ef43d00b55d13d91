"""The quorum of the exchange's own witnesses: data and the members log in, a trust policy out (C2SP tlog-policy). Pure but for one reading of a file.

Specification: ``FORMAT.md`` section 6.5; data: ``schemas/witnesses/delta.toml``. A group of the data is a group of the policy; its witnesses
are the participants of an organ type whose division begins as it says, and those it names, by their Ed25519 keys that are valid now. The
quorum is so many of the groups. Participants whose keys are of another suite cannot cosign and do not count.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.codec.note import COSIGNATURE, MAX_SIGNATURES, NoteKey, parse_vkey
from services.codec.signature import SINGLE
from services.codec.tlog_policy import Group, Policy, format_policy, parse_policy
from services.kernel.complaint import complaint
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Refused
from services.kernel.parties import check_participant
from services.members.registry import Participant, Registry

DEFAULT: Final = SCHEMAS_DIR / "witnesses" / "delta.toml"
QUORUM: Final = "quorum"
MOST_WITNESSES: Final = MAX_SIGNATURES - 1
"""A note holds so many signatures beside the log's own: a witness past that could never count."""

_Needed = Annotated[int, Field(ge=1, le=MOST_WITNESSES)]
_Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuorumGroup(_Part):
    """Witnesses of which so many are needed."""

    name: _Word
    divisions: tuple[Annotated[str, Field(pattern=r"^[1-8][0-9]{1,5}$")], ...] = ()
    organ_type: str = "market_regulator"
    participants: tuple[str, ...] = ()
    needed: _Needed = 1

    @field_validator("participants")
    @classmethod
    def _are_participants(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [name for name in names if check_participant(name) is not None]:
            raise ValueError(f"{', '.join(bad)}: not participants")
        return names

    def has(self, participant: Participant) -> bool:
        """Whether it is one of this group's witnesses, once it has a key."""
        if participant.id in self.participants:
            return True
        division = participant.division or ""
        return participant.organ_type == self.organ_type and division.startswith(self.divisions or ("-",))


class Foreign(_Part):
    """A witness of another make, asked over tlog-witness at its submission prefix."""

    vkey: str
    url: Annotated[str, Field(pattern=r"^https?://[!-~]{1,500}$")]
    group: _Word | None = None

    @field_validator("vkey")
    @classmethod
    def _is_a_cosigner(cls, text: str) -> str:
        try:
            key = parse_vkey(text)
        except Refused as refused:
            raise ValueError(refused.message) from refused
        if key.kind != COSIGNATURE:
            raise ValueError(f"the key of {key.name} is not of cosignature/v1")
        return text

    @property
    def key(self) -> NoteKey:
        """The key that its cosignatures are checked with."""
        return parse_vkey(self.vkey)


class Quorum(_Part):
    """The whole file."""

    title_zh: str
    title_en: str
    needed: _Needed
    groups: Annotated[tuple[QuorumGroup, ...], Field(min_length=1, max_length=MOST_WITNESSES)]
    foreign: Annotated[tuple[Foreign, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names) or QUORUM in names:
            raise ValueError(f"groups: each name stands once, and none is {QUORUM}")
        if self.needed > len(names):
            raise ValueError(f"needed: {self.needed} of {len(names)} groups")
        if strange := [one.group for one in self.foreign if one.group is not None and one.group not in names]:
            raise ValueError(f"foreign: no group {', '.join(strange)}")
        if len({one.key.name for one in self.foreign}) != len(self.foreign):
            raise ValueError("foreign: each name stands once")
        return self


def load_quorum(path: Path = DEFAULT) -> Quorum:
    """Reads the data; ``BadSettings`` with every line that is wrong. Blocks on the disk."""
    try:
        return parse_quorum(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path}: {error}") from error
    except (ValidationError, TypeError) as error:
        raise BadSettings(f"{path}: {_complaint(error)}") from error


def parse_quorum(text: str) -> Quorum:
    """The data in a text."""
    return Quorum(**tomllib.loads(text))


def policy_of(quorum: Quorum, registry: Registry, logs: Iterable[NoteKey], now_ms: int) -> Policy | None:
    """The policy by the members as they are now; None while fewer groups than are needed have enough witnesses.

    A participant with several keys is one witness, met by any of them. Once the note is full of witnesses, those of later groups are left out.
    """
    making = _Making()
    for group in quorum.groups:
        making.add(group, list(_keys_of_group(quorum, group, registry, now_ms)))
    for one in quorum.foreign:
        if one.group is None:
            making.watch(one.key)
    if len(making.met_by) < quorum.needed:
        return None
    groups = (*making.groups, Group(QUORUM, quorum.needed, tuple(making.met_by)))
    keys = {key.name: key for key in logs}
    policy = Policy(MappingProxyType(keys), MappingProxyType(making.witnesses), groups, QUORUM)
    return parse_policy(format_policy(policy))  # its limits are checked by the one who reads it


def _keys_of_group(
    quorum: Quorum, group: QuorumGroup, registry: Registry, now_ms: int
) -> Iterator[tuple[str, tuple[NoteKey, ...]]]:
    for name in sorted(registry.participants):
        participant = registry.participants[name]
        if group.has(participant) and participant.is_active(now_ms):
            keys = [key for key in registry.keys_of(name) if key.suite == SINGLE and key.refusal_at(now_ms) is None]
            if keys:
                yield name, tuple(NoteKey(name, COSIGNATURE, key.public_key) for key in reversed(keys))
    for one in quorum.foreign:
        if one.group == group.name:
            yield one.key.name, (one.key,)


class _Making:
    """A policy in the making: witnesses and groups in the order of the data, no name and no key twice."""

    def __init__(self) -> None:
        self.witnesses: dict[str, NoteKey] = {}
        self.groups: list[Group] = []
        self.met_by: list[str] = []
        self._public: set[bytes] = set()

    def add(self, group: QuorumGroup, candidates: list[tuple[str, tuple[NoteKey, ...]]]) -> None:
        """A group with its witnesses; left out when it could not be met."""
        fresh = {name: tuple(k for k in keys if k.public_key not in self._public) for name, keys in candidates}
        room = MOST_WITNESSES - len(self.witnesses)
        usable = [(name, keys) for name, keys in fresh.items() if keys and name not in self._names()]
        taken: list[tuple[str, tuple[NoteKey, ...]]] = []
        for name, keys in usable:
            if len(keys) <= room:
                taken.append((name, keys))
                room -= len(keys)
        if len(taken) >= group.needed:
            members = tuple(self._witness(name, keys) for name, keys in taken)
            self.groups.append(Group(group.name, group.needed, members))
            self.met_by.append(group.name)

    def watch(self, key: NoteKey) -> None:
        """A witness that is in no group."""
        if key.name not in self._names() and key.public_key not in self._public:
            self._witness(key.name, (key,))

    def _witness(self, name: str, keys: tuple[NoteKey, ...]) -> str:
        self._public.update(key.public_key for key in keys)
        if len(keys) == 1:
            self.witnesses[name] = keys[0]
            return name
        parts = {f"{name}#{key.key_hash.hex()}": key for key in keys}
        self.witnesses |= parts
        self.groups.append(Group(name, 1, tuple(parts)))
        return name

    def _names(self) -> set[str]:
        return {*self.witnesses, *(group.name for group in self.groups)}


def _complaint(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    return complaint(error.errors(include_input=False, include_url=False))
