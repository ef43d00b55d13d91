"""The command: exit codes, what it prints, and that it can be installed and run without any other part of the exchange."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.verifier.command import command

ROOT = Path(__file__).resolve().parents[4]
HOME = ROOT / "services" / "verifier"
VECTORS = ROOT / "tests" / "vectors" / "evidence"
GOOD = VECTORS / "clue-for-a-copy.json"
POLICY = VECTORS / "policy"
ALONE = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r} or name == "services.codec.http":
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocked())
from services.verifier import command, verify
assert command.__file__.startswith({target!r}), command.__file__
command.command(prog_name="ipx-verify")
"""
BLOCKED = (
    "kafka", "confluent_kafka", "faust", "aiokafka", "httpx", "psycopg", "pydantic_settings", "fastapi", "structlog", "prometheus_client",
    "uvicorn", "jwt", "connectors", "rfc3161_client", "gmssl_pyx",
)  # fmt: skip


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def test_a_good_file_exits_0_and_shows_every_step_in_both_languages() -> None:
    done = run(GOOD, "--policy", POLICY, "--root", (VECTORS / "root.pub").read_text().strip())
    assert done.exit_code == 0
    for words in ("收录证明", "inclusion in the log", "成立 ok", "未证明 not proved", "nothing failed"):
        assert words in done.output


def test_json_is_one_object_with_every_step() -> None:
    done = run(GOOD, "--policy", POLICY, "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["holds"], document["first_bad"]) == (0, True, None)
    assert [step["number"] for step in document["steps"]] == list(range(1, 19))


def test_a_bad_file_exits_1_and_names_the_first_bad_place(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(GOOD.read_bytes().replace(b"seq: 0", b"seq: 1", 1))
    done = run(bad, "--policy", POLICY)
    assert done.exit_code == 1
    assert "event.proof" in done.output
    assert json.loads(run(bad, "--policy", POLICY, "--json").stdout)["first_bad"] == 2


@pytest.mark.parametrize("data", [b"", b"[" * 2_000_000, bytes(1 << 21), b'{"format":' * 1000, b"\xff\xfe"])
def test_a_file_that_is_none_exits_1(tmp_path: Path, data: bytes) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(data)
    done = run(bad, "--policy", POLICY)
    assert done.exit_code == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "args",
    [
        (GOOD,),
        ("no-such-file", "--policy", POLICY),
        (GOOD, "--policy", GOOD),
        (GOOD, "--policy", POLICY, "--root", "no key"),
        (GOOD, "--policy", POLICY, "--tsa-ca", POLICY),
        (GOOD, "--policy", POLICY, "--more"),
    ],
)
def test_a_wrong_call_exits_2(args: tuple[object, ...]) -> None:
    assert run(*args).exit_code == 2


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=HOME, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("ipx_verify-*.whl")
    target = folder / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    return target


def alone(installed: Path, *args: object) -> subprocess.CompletedProcess[str]:
    code = ALONE.format(blocked=BLOCKED, target=str(installed))
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *(str(arg) for arg in args)],
        cwd=installed.parent,
        env={"PYTHONPATH": str(installed), "PYTHONUTF8": "1", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_installed_alone_it_verifies_without_broker_database_and_http(installed: Path, tmp_path: Path) -> None:
    done = alone(installed, GOOD, "--policy", POLICY, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["holds"]
    bad = tmp_path / "bad.json"
    bad.write_bytes(GOOD.read_bytes().replace(b"members: 12", b"members: 11", 1))
    assert alone(installed, bad, "--policy", POLICY).returncode == 1


def test_the_wheel_has_no_other_part_of_the_exchange(installed: Path) -> None:
    parts = {path.name for path in (installed / "services").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert parts == {"kernel", "events", "codec", "members", "verifier"}
    assert not (installed / "services" / "codec" / "http.py").exists()
    assert not (installed / "services" / "members" / "follower.py").exists()


def test_every_module_of_the_verifier_is_in_the_wheel() -> None:
    listed = tomllib.loads((HOME / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "force-include"
    ]
    assert {path.name for path in HOME.glob("*.py")} == {source for source in listed if "/" not in source}
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    theirs = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]
    plain = [line.partition(";")[0].strip() for line in ours["dependencies"]]
    assert set(theirs["dependencies"]) <= set(plain)
    assert all(theirs["optional-dependencies"][name] == ours["optional-dependencies"][name] for name in ("stamp", "gm"))
