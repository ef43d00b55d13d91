"""Whatever of an archive is altered, missing or added is refused with its place, and never with an error of another kind."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import (
    MANIFEST,
    NOTE,
    FileLine,
    format_manifest,
    parse_manifest,
    sign_manifest,
)
from services.audit.archive_period import Period
from services.audit.archive_reading import ArchiveSource, open_archive
from services.audit.archive_writing import ArchiveWriter
from services.audit.sources import entry_of, place_of
from services.audit.verify_log import LogChecker
from services.codec.checkpoint import origin_of
from services.codec.container import ContainerWriter, read_container
from services.codec.entry import parse_entry
from services.codec.log_keys import LEDGER as LEDGER_ID
from services.kernel.codes import day_of
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant
from services.kernel.ports import SettableClock
from services.ledger.files import CHECKPOINT, write_files
from services.runtime.topics import Topics
from tests.unit.services.admission.desk import sealed
from tests.unit.services.audit.archive_scene import LEDGER, Kafka, Message, Scene, read_all, refused
from tests.unit.services.audit.lived import registry_of
from tests.unit.services.audit.vault import ADMITTED_MS, Vault, vault
from tests.unit.services.audit.vault import CLUES as VAULT_CLUES
from tests.unit.services.ledger.test_completeness import DAY, T0
from tests.unit.services.members import town


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    scene = Scene(tmp_path_factory.mktemp("archived"), days=2)
    scene.export()
    return scene


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_altered_byte_cut_file_missing_file_or_added_file_is_refused_with_its_place(archived, data):
    folder = archived.copy("tampered")
    paths = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    path = data.draw(st.sampled_from(paths))
    place = folder / path
    held = place.read_bytes()
    what = data.draw(st.sampled_from(["alter", "cut", "append", "remove", "add", "link", "swap"]))
    if what == "alter":
        at = data.draw(st.integers(0, len(held) - 1))
        place.write_bytes(held[:at] + bytes([held[at] ^ data.draw(st.integers(1, 255))]) + held[at + 1 :])
    elif what == "cut":
        place.write_bytes(held[: data.draw(st.integers(0, len(held) - 1))])
    elif what == "append":
        place.write_bytes(held + b"\n")
    elif what == "remove":
        place.unlink()
    elif what == "add":
        path = f"{path}.more"
        (folder / path).write_bytes(b"")
    elif what == "link":
        place.rename(folder.parent / "elsewhere")
        place.symlink_to(folder.parent / "elsewhere")
    else:
        other = data.draw(st.sampled_from([p for p in paths if (folder / p).read_bytes() != held]))
        (folder / other).write_bytes(held)
        path = other
    error = refused(lambda: read_all(archived.open("tampered")))
    assert error.code in ("bad-archive", "bad-note", "bad-json", "duplicate-key", "bad-number", "too-large")
    if path not in (MANIFEST, NOTE):
        assert error.field == path


def shorter(data: bytes) -> bytes:
    """The container without its last record."""
    records = list(read_container(io.BytesIO(data)))[:-1]
    file = io.BytesIO()
    writer = ContainerWriter(file, records[0].topic, records[0].partition, records[0].offset)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def resealed(folder: Path, path: str, data: bytes) -> None:
    """Replaces a file and makes the manifest fit, as somebody who holds the key would."""
    (folder / path).write_bytes(data)
    manifest = parse_manifest((folder / MANIFEST).read_bytes())
    lines = tuple(
        FileLine(path, len(data), hashlib.sha256(data).hexdigest(), f.records) if f.path == path else f
        for f in manifest.files
    )
    sealed = format_manifest(replace(manifest, files=lines))
    (folder / MANIFEST).write_bytes(sealed)
    (folder / NOTE).write_bytes(sign_manifest("ipx", sealed, LEDGER))


CLUES = "records/ipx.clues/0/00000000000000000000.avro"


def test_a_container_that_the_manifest_fits_is_still_not_believed(archived):
    folder = archived.copy("resealed")
    held = (folder / CLUES).read_bytes()
    other = (folder / "records/ipx.clues/1/00000000000000000000.avro").read_bytes()
    for wrong in (held[:-20], other, b"Obj\x01" + b"\xff" * 99, shorter(held)):
        resealed(folder, CLUES, wrong)
        error = refused(lambda: read_all(archived.open("resealed")))
        assert (error.code, error.field) == ("bad-archive", CLUES)


def archived_vault(folder: Path, made: Vault, period: Period) -> ArchiveSource:
    """A vault, whose records are real and signed, as Kafka and ledger would hold it; archived and opened."""
    kafka = Kafka()
    for log, records in made.logged.items():
        place = place_of(log)
        kafka.topics[place] = [
            Message(place, r.offset, parse_instant(parse_entry(entry_of(r)).admitted), b"k", list(r.headers), r.value)
            for r in records
        ]
        origin = origin_of(log)
        note = made.notes[origin][-1]
        write_files(folder / "ledger" / origin, [*made.kept_tiles[origin].items(), (CHECKPOINT, note)])
        kafka.put(("t.checkpoints", 0), T0, [], note, origin.encode())
    writer = ArchiveWriter(
        reader=kafka,
        start_of=kafka.start_of,
        topics=Topics("t"),
        ledger_dir=folder / "ledger",
        schemas_dir=SCHEMAS_DIR,
        period=period,
        clock=SettableClock(ADMITTED_MS + 30 * DAY),
        signer=town.signer(LEDGER_ID),
        tool="ipx test",
        on_progress=lambda _folder, _offset: None,
    )
    writer.write(ArchiveFiles(folder / "archive"))
    return open_archive(folder / "archive", made.root)


@pytest.mark.parametrize(
    ("days", "first", "entries"), [((None, None), 0, 9), ((1, 1), 3, 3), ((0, 0), 0, 3), ((2, None), 6, 3)]
)
def test_a_period_is_verified_with_its_signatures_and_its_place_in_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: tuple[int | None, int | None], first: int, entries: int
) -> None:
    made = vault(3, signed_at=())
    registry, numbers = registry_of(made), {"330100.market_regulator": 3, "330100.ip_office": 3}
    for number in range(3, 9):
        monkeypatch.setattr("tests.unit.services.audit.vault.ADMITTED_MS", ADMITTED_MS + number // 3 * DAY)
        made.append(VAULT_CLUES, sealed(number=number), registry, numbers)
    made.sign(VAULT_CLUES)
    made.keep_tiles(VAULT_CLUES)
    today = day_of(ADMITTED_MS)
    period = Period(*(None if day is None else today + day for day in days))
    source = archived_vault(tmp_path, made, period)
    with LogChecker(source, signatures=True, processes=0) as checker:
        report = checker.check(VAULT_CLUES)
    assert (report.findings, report.entries, source.first_seq(VAULT_CLUES)) == ((), entries, first)
