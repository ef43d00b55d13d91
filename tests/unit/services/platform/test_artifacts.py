"""Pinned artifacts: fetched once, checked always, refused by name."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest

from services.kernel.errors import BadSettings, Corrupt, Transient
from services.platform.artifacts import LOCK, Artifact, check, format_lock, install, load_lock


def artifact(part: str, file: str, content: bytes, **changes) -> Artifact:
    fields = {"part": part, "group": "g.h", "artifact": "a", "version": "1", "classifier": "", "packaging": "jar"}
    measured = {"file": file, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return Artifact(**{**fields, **measured, **changes})


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return packed.getvalue()


JAR, TAR = b"a jar", archive("quarkus-run.jar", "lib/x.jar")
KAFKA = artifact("kafka", "a-1.jar", JAR)
REGISTRY = artifact("registry", "r.tar.gz", TAR, packaging="tar.gz", classifier="all")


class Repository:
    """Gives what it holds and remembers what was asked of it."""

    def __init__(self, **files: bytes) -> None:
        self.files = {"a-1.jar": JAR, "r.tar.gz": TAR, **files}
        self.asked: list[str] = []

    def fetch(self, wanted, staging):
        self.asked.append(wanted.file)
        if wanted.file not in self.files:
            raise Transient(wanted.file)
        (staging / "deep").mkdir()
        path = staging / "deep" / wanted.file
        path.write_bytes(self.files[wanted.file])
        return path


def put(repository: Repository, cache, lock=(KAFKA, REGISTRY), told=None):
    return install(lock, cache, repository.fetch, lambda *seen: None if told is None else told.append(seen))


def test_every_file_is_fetched_checked_and_put_in_its_place(tmp_path):
    installed = put(Repository(), tmp_path / "cache")
    assert installed.kafka_jars == (tmp_path / "cache" / "a-1.jar",)
    assert installed.kafka_jars[0].read_bytes() == JAR
    assert (installed.registry_home / "quarkus-run.jar").exists()
    assert not list((tmp_path / "cache").glob("staging-*"))


def test_the_second_time_nothing_is_fetched(tmp_path):
    put(Repository(), tmp_path)
    again = Repository()
    put(again, tmp_path)
    assert again.asked == []


def test_progress_is_told_file_by_file_to_the_end(tmp_path):
    told: list[tuple[str, int, int]] = []
    put(Repository(), tmp_path, told=told)
    assert told == [("a-1.jar", 0, 2), ("r.tar.gz", 1, 2), ("", 2, 2)]


@pytest.mark.parametrize("wrong", [b"", b"a jaR", b"a jar!", b"a ja"])
def test_a_fetched_file_that_is_not_the_pinned_one_is_refused_by_name_and_not_kept(tmp_path, wrong):
    with pytest.raises(Corrupt, match=r"a-1\.jar \(g\.h:a:1\)") as refused:
        put(Repository(**{"a-1.jar": wrong}), tmp_path)
    assert refused.value.code == "corrupt"
    assert not (tmp_path / "a-1.jar").exists()
    assert not list(tmp_path.glob("staging-*"))


def test_a_file_that_was_changed_in_the_cache_is_refused_by_name_and_left_for_a_person_to_see(tmp_path):
    put(Repository(), tmp_path)
    (tmp_path / "a-1.jar").write_bytes(b"other")
    with pytest.raises(Corrupt, match=r"a-1\.jar"):
        put(Repository(), tmp_path)
    assert (tmp_path / "a-1.jar").read_bytes() == b"other"


def test_a_changed_archive_is_refused_although_it_was_unpacked_before(tmp_path):
    put(Repository(), tmp_path)
    (tmp_path / "r.tar.gz").write_bytes(TAR + b"x")
    with pytest.raises(Corrupt, match=r"r\.tar\.gz"):
        put(Repository(), tmp_path)


def test_a_fetch_that_fails_leaves_nothing_half_done_and_the_next_one_goes_on(tmp_path):
    broken = Repository()
    del broken.files["r.tar.gz"]
    with pytest.raises(Transient):
        put(broken, tmp_path)
    again = Repository()
    put(again, tmp_path)
    assert again.asked == ["r.tar.gz"]


def test_an_archive_that_reaches_out_of_its_directory_is_not_unpacked(tmp_path):
    evil = archive("../outside")
    with pytest.raises(tarfile.OutsideDestinationError):
        put(Repository(**{"r.tar.gz": evil}), tmp_path / "c", (KAFKA, artifact("registry", "r.tar.gz", evil)))
    assert not list(tmp_path.rglob("outside"))


def test_a_lock_reads_back_as_it_was_written(tmp_path):
    (tmp_path / "lock").write_text(format_lock([KAFKA, REGISTRY]), "utf-8")
    assert load_lock(tmp_path / "lock") == (KAFKA, REGISTRY)


@pytest.mark.parametrize("text", ["", "artifact = 1", "[[artifact]]\nfile = 'x'", "[["])
def test_what_is_not_a_lock_is_refused(tmp_path, text):
    (tmp_path / "lock").write_text(text, "utf-8")
    with pytest.raises(BadSettings):
        load_lock(tmp_path / "lock")


def test_the_checked_in_lock_pins_the_versions_that_we_say_and_is_written_as_the_maker_writes_it():
    lock = load_lock()
    versions = {row.artifact: row.version for row in lock}
    assert (versions["kafka_2.13"], versions["apicurio-registry-app"]) == ("4.3.1", "3.3.3")
    assert LOCK.read_text("utf-8") == format_lock(lock)
    assert len({row.file for row in lock}) == len(lock)
    assert all(len(row.sha256) == 64 and row.size > 0 for row in lock)


def test_a_part_that_is_somebody_elses_needs_no_file(tmp_path):
    assert {row.part for row in load_lock()} == {"kafka", "registry"}
    assert {row.part for row in load_lock(parts=["registry", "postgres"])} == {"registry"}
    assert load_lock(parts=[]) == ()
    repository = Repository()
    installed = put(repository, tmp_path, lock=())
    assert (installed.kafka_jars, installed.registry_home, repository.asked) == ((), None, [])


def test_coordinates_are_as_maven_users_write_them():
    assert KAFKA.coordinates == "g.h:a:1"
    assert REGISTRY.coordinates == "g.h:a:1:all"


def test_checking_the_right_file_is_silent(tmp_path):
    (tmp_path / "a").write_bytes(JAR)
    check(tmp_path / "a", KAFKA)
