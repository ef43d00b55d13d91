"""Libraries of others judge what the exchange writes: Go's ``sumdb/note`` and ``sumdb/tlog``, transparency-dev's ``formats`` and tessera's ``fsck``.

    python -m pytest -m judges tests/judges

needs a Go tool chain (1.26 or newer) and, the first time, the Go module proxy; it is outside of the gate, which needs neither. Without
Go it fails. The judge is ``go/main.go``, which has none of our code; its modules are pinned by ``go/go.sum``.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.entry import Delivery, format_entry
from services.codec.log_keys import log_key
from services.codec.note import Note, cosign_note, format_note, sign_note
from services.codec.tiles import Tree, bundle_path, new_tiles, tile_path
from services.codec.tlog_policy import Group, Policy, format_policy, parse_policy
from services.ledger.files import CHECKPOINT, LogFiles, write_files
from services.ledger.growing import GrowingTree
from tests.vectors.make import OTHER
from tests.vectors.make_ledger import CITIES, LOG, LOG_SIGNER, ORIGIN, TIME_S, WITNESSES
from tests.vectors.make_ledger import witness_key as key_of
from tests.vectors.test_ledger_vectors import stored

pytestmark = pytest.mark.judges
GO = Path(__file__).parent / "go"
LOG_KEY = log_key(ORIGIN, LOG_SIGNER.public.data)
SIZES = (1, 2, 3, 5, 64, 70, 255, 256, 257, 300, 511, 512, 513, 1_000, 65_535, 65_536, 65_793)
"""Sizes at which the log had a checkpoint: small ones, where bundles end, and where a second and a third level begin."""
Work = dict[str, list[dict[str, Any]]]
Judge = Callable[[Work], subprocess.CompletedProcess[str]]


def entry(seq: int) -> bytes:
    first = stored("tree.json")["entry"].encode("ascii")
    return first.replace(b"\nseq: 0\n", b"\nseq: %d\n" % seq)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The judge, built once; it is given work, and says what is wrong with it."""
    go = shutil.which("go")
    assert go, "these tests need a Go tool chain (go 1.26 or newer) on the PATH: https://go.dev/dl"
    program = tmp_path_factory.mktemp("go") / "judge"
    built = subprocess.run(
        [go, "build", "-mod=readonly", "-o", str(program), "."], cwd=GO, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, f"the judge was not built; its modules come from the Go module proxy:\n{built.stderr}"

    def run(work: Work) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program], input=json.dumps(work), capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> LogFiles:
    """A log as ``ipx ledger`` writes it, with the tiles of every size at which it had a checkpoint."""
    files = LogFiles(tmp_path_factory.mktemp("ledger"))
    tree = GrowingTree()
    for seq in range(SIZES[-1]):
        write_plainly(files.directory, tree.append(entry(seq)))
        if tree.size in SIZES:
            write_plainly(files.directory, tree.partials())
    write_files(files.directory, [(CHECKPOINT, format_note(note_of(files, SIZES[-1], *CITIES)))])
    return files


def write_plainly(directory: Path, files: Sequence[tuple[str, bytes]]) -> None:
    """As ``write_files``, but not to the disk at once: what is judged here are the bytes."""
    for path, data in files:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)


def note_of(files: LogFiles, size: int, *witnesses: str, extensions: tuple[str, ...] = ()) -> Note:
    text = format_checkpoint(Checkpoint(ORIGIN, size, Tree(files.read, size).root(), extensions))
    lines = [cosign_note(text, w, WITNESSES[w].public.data, WITNESSES[w].sign, TIME_S) for w in witnesses]
    return Note(text, (sign_note(text, ORIGIN, LOG_SIGNER.public.data, LOG_SIGNER.sign), *lines))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def note_work(files: LogFiles, size: int, *witnesses: str, extensions: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Note": format_note(note_of(files, size, *witnesses, extensions=extensions)).decode(),
        "LogKey": LOG_KEY.vkey(),
        "Witnesses": [key_of(name).vkey() for name in witnesses],
        "Origin": ORIGIN,
        "Size": size,
        "Root": text(Tree(files.read, size).root()),
    }


def tree_work(files: LogFiles, size: int) -> dict[str, Any]:
    tree = Tree(files.read, size)
    near = {0, 1, size // 3, size // 2, size - 257, size - 256, size - 2, size - 1}
    indexes = range(size) if size <= 70 else sorted(index for index in near if 0 <= index < size)
    olds = range(1, size + 1) if size <= 70 else [old for old in SIZES if old <= size]
    return {
        "Directory": str(files.directory),
        "Size": size,
        "Root": text(tree.root()),
        "Inclusion": [
            {"Index": index, "Entry": text(entry(index)), "Path": [text(node) for node in tree.inclusion(index)]}
            for index in indexes
        ],
        "Consistency": [
            {
                "Old": old,
                "OldRoot": text(Tree(files.read, old).root() if old in SIZES else tree_root(old)),
                "Path": [text(node) for node in tree.consistency(old)],
            }
            for old in olds
        ],
        "Tiles": [{"Old": old, "Size": size, "Paths": paths_of(old, size)} for old in (0, *olds)],
    }


def tree_root(size: int) -> bytes:
    tree = GrowingTree()
    for seq in range(size):
        tree.append(entry(seq))
    return tree.root()


def paths_of(old: int, size: int) -> list[str]:
    return [tile_path(level, index, width) for level, index, width in new_tiles(old, size)]


def directory_work(directory: Path) -> Work:
    return {"Logs": [{"Directory": str(directory), "LogKey": LOG_KEY.vkey()}]}


def test_go_reads_our_notes_keys_and_cosignatures(judge: Judge, log: LogFiles) -> None:
    extension = "sm3 GrIdg1XPoX+OYRlIMegajyK+yMco/vt0ftA161CCqis="
    work = [note_work(log, size, *CITIES[:count]) for count, size in enumerate(SIZES[:5])]
    done = judge({"Notes": [*work, note_work(log, 300, *CITIES, extensions=(extension,))]})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n300\n", "\n301\n"),
        ("ipx/clues/3\n300", "ipx/clues/4\n300"),
        (f"— {CITIES[0]}", f"— {CITIES[1]}"),
        ("=\n\n", "=\nx\n\n"),
    ],
)
def test_go_refuses_a_note_that_was_changed(judge: Judge, log: LogFiles, old: str, new: str) -> None:
    work = note_work(log, 300, CITIES[0])
    assert old in work["Note"]
    done = judge({"Notes": [{**work, "Note": work["Note"].replace(old, new)}]})
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize("size", SIZES)
def test_go_takes_our_proofs_and_makes_the_same_from_our_tiles(judge: Judge, log: LogFiles, size: int) -> None:
    done = judge({"Trees": [tree_work(log, size)]})
    assert done.returncode == 0, done.stdout


def proof_work() -> list[dict[str, Any]]:
    witnesses = [key_of(name).vkey() for name in CITIES[:3]]
    return [
        {
            "Proof": case["proof"],
            "Entry": text(case["entry"].encode()),
            "LogKey": LOG_KEY.vkey(),
            "Witnesses": witnesses,
        }
        for case in stored("tlog_proof.json")
    ]


def test_a_stranger_with_go_checks_our_proofs_from_their_bytes_and_keys_alone(judge: Judge) -> None:
    done = judge({"Proofs": proof_work()})
    assert done.returncode == 0, done.stdout
    for changed in ("Proof", "Entry", "Witnesses", "LogKey"):
        for number, work in enumerate(proof_work()):
            other: Any = {
                "Proof": work["Proof"].replace("index ", "index 1"),
                "Entry": text(base64.b64decode(work["Entry"]).replace(b"seq: ", b"seq: 1")),
                "Witnesses": [key_of(CITIES[3]).vkey(), *work["Witnesses"][1:]],
                "LogKey": log_key(ORIGIN, WITNESSES[CITIES[0]].public.data).vkey(),
            }[changed]
            assert judge({"Proofs": [{**work, changed: other}]}).returncode == 1, (changed, number)


def test_go_reads_the_notes_that_are_checked_in(judge: Judge) -> None:
    cases = stored("checkpoint.json")
    work = [
        {
            "Note": case["note"],
            "LogKey": case["log_key"],
            "Witnesses": case["witness_keys"],
            "Origin": case["origin"],
            "Size": case["size"],
            "Root": text(bytes.fromhex(case["root"])),
        }
        for case in cases
    ]
    done = judge({"Notes": work})
    assert done.returncode == 0, done.stdout


def test_go_refuses_a_proof_that_was_changed(judge: Judge, log: LogFiles) -> None:
    for kind in ("Inclusion", "Consistency"):
        work = tree_work(log, 300)
        path = work[kind][2]["Path"]
        path[0] = text(bytes(32))
        done = judge({"Trees": [work]})
        assert done.returncode == 1
        assert done.stdout.count(kind.lower()) == 2


def test_the_fsck_of_tessera_finds_our_log_whole(judge: Judge, log: LogFiles) -> None:
    done = judge(directory_work(log.directory))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path",
    [
        tile_path(0, 3),
        tile_path(0, 257, 1),
        tile_path(1, 0),
        tile_path(1, 1, 1),
        tile_path(2, 0, 1),
        bundle_path(7),
        bundle_path(257, 1),
        CHECKPOINT,
    ],
)
def test_the_fsck_of_tessera_finds_one_changed_byte(judge: Judge, log: LogFiles, path: str) -> None:
    file = log.directory / path
    good = file.read_bytes()
    try:
        file.write_bytes(good[:31] + bytes([good[31] ^ 1]) + good[32:])
        assert judge(directory_work(log.directory)).returncode == 1
    finally:
        file.write_bytes(good)


def test_tessera_reads_our_policies_and_finds_the_same_sets_enough(judge: Judge, log: LogFiles) -> None:
    witnesses = {name: key_of(name) for name in CITIES}
    south = Group("south", 1, CITIES[2:])
    works = []
    for groups, quorum in (
        ((Group("delta", 3, CITIES),), "delta"),
        ((south, Group("delta", 3, (*CITIES[:2], "south"))), "delta"),
        ((), CITIES[1]),
    ):
        policy = Policy({ORIGIN: LOG_KEY}, witnesses, groups, quorum)
        lines = format_policy(policy).decode().splitlines()
        urls = [f"{line} https://{n}.example/" if line.startswith("witness") else line for n, line in enumerate(lines)]
        assert parse_policy("".join(f"{line}\n" for line in urls).encode()) == policy
        sets = [present for count in range(5) for present in combinations(CITIES, count)]
        told = {present: format_note(note_of(log, 300, *present)).decode() for present in sets}
        works.append(
            {
                "Policy": "".join(f"{line}\n" for line in urls),
                "Met": [note for present, note in told.items() if policy.is_met(set(present))],
                "NotMet": [note for present, note in told.items() if not policy.is_met(set(present))],
            }
        )
    done = judge({"Policies": works})
    assert done.returncode == 0, done.stdout


def test_the_entries_judged_are_entries_of_the_exchange() -> None:
    """What is hashed here is what admission writes, so the judge sees lengths and bytes as they are."""
    first = stored("tree.json")["entry"].encode("ascii")
    lines = first.split(b"signature: ")
    signature = lines[1].split(b"\n")[0].decode()
    deliveries = (Delivery(OTHER, 0),)
    assert format_entry(lines[0], signature, "2026-11-24T06:11:37.456Z", LOG, 77, 57, deliveries) == entry(77)
