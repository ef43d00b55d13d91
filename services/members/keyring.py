"""Private keys as files in one directory, one line each, readable by their owner alone: for the exchange's own parts and for trials.

``<participant>.key`` is the key in use, of Ed25519; ``<participant>.<16 hex>.key`` one that was made beside it, of either suite. A participant
in earnest keeps its key on its own node; the exchange never needs it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from services.codec import sm2
from services.codec.keys import (
    Ed25519Signer,
    ParticipantSigner,
    parse_participant_private,
    parse_private,
    signer_from_seed,
    sm2_signer,
)
from services.codec.signature import SINGLE
from services.kernel.errors import BadSettings
from services.kernel.parties import check_participant
from services.kernel.ports import Entropy

_SEED_BYTES = 32
_SUFFIX = ".key"
_Kind = TypeVar("_Kind", Ed25519Signer, ParticipantSigner)


class Keyring:
    """The key files of a directory. ``BadSettings`` for a file that is not a key, or a name that is not a participant."""

    def __init__(self, directory: Path, entropy: Entropy) -> None:
        self.directory = directory
        self._entropy = entropy

    def path_of(self, participant: str) -> Path:
        """Where the key in use of a participant is, or would be."""
        problem = check_participant(participant)
        if problem is not None:
            raise BadSettings(f"expected {problem.expected}, got {participant[:80]!r}")
        return self.directory / f"{participant}{_SUFFIX}"

    def signer(self, participant: str) -> Ed25519Signer | None:
        """The key in use, None when there is no file."""
        path = self.path_of(participant)
        return _own(parse_private(path.read_text("utf-8").strip()), path, participant) if path.is_file() else None

    def ensure(self, participant: str) -> Ed25519Signer:
        """The key in use, made when there is none."""
        return self.signer(participant) or self._make(participant, self.path_of(participant))

    def make_another(self, participant: str, suite: str = SINGLE) -> tuple[ParticipantSigner, Path]:
        """A new key in a file beside the one in use; ``BadSettings`` for SM2 where its extra is not installed."""
        signer = self._drawn(participant, suite)
        path = self.path_of(participant).with_name(f"{participant}.{signer.key_id.partition('#')[2]}{_SUFFIX}")
        self._write(path, signer)
        return signer, path

    def signers(self, participant: str) -> tuple[ParticipantSigner, ...]:
        """Every key of a participant that is here, the one in use first."""
        beside = sorted(self.directory.glob(f"{participant}.{'[0-9a-f]' * 16}{_SUFFIX}"))
        files = [path for path in (self.path_of(participant), *beside) if path.is_file()]
        return tuple(
            _own(parse_participant_private(path.read_text("utf-8").strip()), path, participant) for path in files
        )

    def _drawn(self, participant: str, suite: str) -> ParticipantSigner:
        if suite == sm2.SUITE:
            return sm2_signer(participant, sm2.secret_of(self._entropy.draw(sm2.DRAWN_BYTES)))
        return signer_from_seed(participant, self._entropy.draw(_SEED_BYTES))

    def _make(self, participant: str, path: Path) -> Ed25519Signer:
        signer = signer_from_seed(participant, self._entropy.draw(_SEED_BYTES))
        self._write(path, signer)
        return signer

    def _write(self, path: Path, signer: ParticipantSigner) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(signer.private_line() + "\n")


def _own(signer: _Kind, path: Path, participant: str) -> _Kind:
    if signer.public.participant != participant:
        raise BadSettings(f"{path.name} holds a key of {signer.public.participant}")
    return signer
