"""The vectors of ``services/ledger/FORMAT.md`` section 6: tree, tiles, checkpoints, proofs, policies and log keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from services.codec.checkpoint import Checkpoint, format_checkpoint, origin_of
from services.codec.keys import signer_from_seed
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.merkle import RightEdge, leaf_hash, levels_of
from services.codec.note import COSIGNATURE, Note, NoteKey, cosign_note, format_note, sign_note
from services.codec.tiles import HEIGHT, WIDTH, Tree, bundle_path, new_tiles, pack_bundle, tile_path
from services.codec.tlog_policy import Group, Policy, format_policy
from services.codec.tlog_proof import TlogProof, format_proof

LOG = "ipx.clues/3"
ORIGIN = origin_of(LOG)
LEDGER_SIGNER = signer_from_seed(LEDGER, bytes(range(32, 64)))
LOG_SIGNER = log_signer(LEDGER_SIGNER, ORIGIN)
TIME_S = 1_795_500_697
CITIES = ("310000.market_regulator", "320100.market_regulator", "330100.market_regulator", "340100.market_regulator")
WITNESSES = {name: signer_from_seed(name, bytes([number]) * 32) for number, name in enumerate(CITIES, 1)}
SIZES = (1, 2, 3, 7, 8)
LARGE = (300, 700)


def entry_at(first: bytes, seq: int) -> bytes:
    """The entry with another number in its ``seq`` line: cheap, so that a tree of some size can be made."""
    return first.replace(b"\nseq: 0\n", b"\nseq: %d\n" % seq)


class MadeLog:
    """A log of so many entries; its tiles by path, as they lie below its prefix."""

    def __init__(self, first: bytes, sizes: Sequence[int]) -> None:
        self.entries = [entry_at(first, seq) for seq in range(sizes[-1])]
        self.leaves = [leaf_hash(entry) for entry in self.entries]
        self.files: dict[str, bytes] = {}
        for old, new in zip((0, *sizes), sizes, strict=False):
            for level, index, width in new_tiles(old, new):
                self._write(level, index, width)

    def _write(self, level: int, index: int, width: int) -> None:
        span = 1 << HEIGHT * level
        starts = [(index * WIDTH + place) * span for place in range(width)]
        hashes = [levels_of(self.leaves[start : start + span])[-1][0] for start in starts]
        self.files[tile_path(level, index, width)] = b"".join(hashes)
        if level == 0:
            self.files[bundle_path(index, width)] = pack_bundle(self.entries[starts[0] : starts[-1] + 1])

    def tree(self, size: int) -> Tree:
        return Tree(self.files.get, size)

    def note(self, size: int, *witnesses: str) -> Note:
        text = format_checkpoint(Checkpoint(ORIGIN, size, self.tree(size).root()))
        return _signed(text, *witnesses)


def _signed(text: bytes, *witnesses: str) -> Note:
    lines = [cosign_note(text, name, _public(name), WITNESSES[name].sign, TIME_S) for name in witnesses]
    return Note(text, (sign_note(text, ORIGIN, LOG_SIGNER.public.data, LOG_SIGNER.sign), *lines))


def _public(name: str) -> bytes:
    return WITNESSES[name].public.data


def witness_key(name: str) -> NoteKey:
    """The key of a witness of these vectors."""
    return NoteKey(name, COSIGNATURE, _public(name))


def trees(first: bytes) -> dict[str, Any]:
    """Roots, inclusion and consistency proofs of small trees; the tiles of a log that grew twice, by their digests."""
    small, large = MadeLog(first, range(1, SIZES[-1] + 1)), MadeLog(first, LARGE)
    edge = RightEdge()
    return {
        "entry": first.decode("ascii"),
        "leaves": [leaf.hex() for leaf in small.leaves],
        "roots": [edge.root().hex(), *((edge := edge.append(leaf)).root().hex() for leaf in small.leaves)],
        "inclusion": [
            {"size": size, "index": index, "path": _hex(small.tree(size).inclusion(index))}
            for size in SIZES
            for index in range(size)
        ],
        "consistency": [
            {"old": old, "size": size, "path": _hex(small.tree(size).consistency(old))}
            for size in SIZES
            for old in range(size + 1)
        ],
        "grown": list(LARGE),
        "grown_roots": [large.tree(size).root().hex() for size in LARGE],
        "tiles": {path: hashlib.sha256(data).hexdigest() for path, data in sorted(large.files.items())},
    }


def _hex(path: Sequence[bytes]) -> list[str]:
    return [node.hex() for node in path]


def log_keys() -> Iterator[dict[str, str]]:
    """The key of every log from the seed of the ledger."""
    for origin in (ORIGIN, "ipx/clues/0", "ipx/members/0", "other-exchange/receipts/99999"):
        signer = log_signer(LEDGER_SIGNER, origin)
        yield {
            "ledger_seed": LEDGER_SIGNER.secret[:32].hex(),
            "origin": origin,
            "seed": signer.secret[:32].hex(),
            "public_key": signer.public.data.hex(),
            "key_id": signer.key_id,
            "vkey": log_key(origin, signer.public.data).vkey(),
        }


def checkpoints(first: bytes) -> Iterator[dict[str, Any]]:
    """Checkpoints as notes: of the empty log, with an extension, signed by the log alone, cosigned."""
    log = MadeLog(first, range(1, SIZES[-1] + 1))
    sm3 = "sm3 " + "GrIdg1XPoX+OYRlIMegajyK+yMco/vt0ftA161CCqis="  # of no bytes at all (GB/T 32905)
    for name, checkpoint, witnesses in (
        ("of the empty log", Checkpoint(ORIGIN, 0, log.tree(0).root()), ()),
        ("of one entry", Checkpoint(ORIGIN, 1, log.tree(1).root()), ()),
        ("with an extension", Checkpoint(ORIGIN, 0, log.tree(0).root(), (sm3,)), CITIES[:1]),
        ("cosigned by three", Checkpoint(ORIGIN, 8, log.tree(8).root()), CITIES[:3]),
    ):
        note = _signed(format_checkpoint(checkpoint), *witnesses)
        yield {
            "name": name,
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "extensions": list(checkpoint.extensions),
            "log_key": log_key(ORIGIN, LOG_SIGNER.public.data).vkey(),
            "witness_keys": [witness_key(witness).vkey() for witness in witnesses],
            "cosigned_at": TIME_S,
            "text": note.text.decode("ascii"),
            "note": format_note(note).decode(),
        }


def proofs(first: bytes) -> Iterator[dict[str, Any]]:
    """Proofs of one entry under a cosigned checkpoint."""
    log = MadeLog(first, LARGE)
    small = MadeLog(first, range(1, SIZES[-1] + 1))
    for made, index, size in ((small, 0, 1), (small, 6, 7), (small, 3, 8), (log, 299, 300), (log, 256, 700)):
        proof = TlogProof(index, made.tree(size).inclusion(index), made.note(size, *CITIES[:3]))
        yield {"entry": made.entries[index].decode("ascii"), "index": index, "proof": format_proof(proof).decode()}


def policies() -> Iterator[dict[str, Any]]:
    """A policy of three of four cities, and which sets of them meet it."""
    logs = {ORIGIN: log_key(ORIGIN, LOG_SIGNER.public.data)}
    witnesses = {name: witness_key(name) for name in CITIES}
    south = Group("south", 1, (CITIES[2], CITIES[3]))
    for policy in (
        Policy(logs, witnesses, (Group("delta", 3, CITIES),), "delta"),
        Policy(logs, witnesses, (south, Group("delta", 3, (CITIES[0], CITIES[1], "south"))), "delta"),
        Policy(logs, witnesses, (), CITIES[0]),
        Policy({}, {}, (), "none"),
    ):
        present = [list(CITIES[first:last]) for first in range(4) for last in range(first, 5)]
        yield {
            "policy": format_policy(policy).decode("ascii"),
            "met": [names for names in present if policy.is_met(set(names))],
            "not_met": [names for names in present if not policy.is_met(set(names))],
        }


def ledger_vectors(first: bytes) -> dict[str, Any]:
    """The vector files of section 6 by name; ``first`` is the entry with number 0 that every other is made from."""
    return {
        "tree.json": trees(first),
        "log_key.json": list(log_keys()),
        "checkpoint.json": list(checkpoints(first)),
        "tlog_proof.json": list(proofs(first)),
        "tlog_policy.json": list(policies()),
    }
