"""The wheel holds everything that a process opens beside its code: SQL, schemas, codes, examples, mappings, what deploys it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("services", "connectors", "schemas", "deploy")
DATA = {".sql", ".json", ".avsc", ".csv", ".toml", ".yml", ".md"}


def test_every_module_and_every_file_of_data_is_in_the_wheel(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*")
        if path.suffix in DATA | {".py"}
    }
    assert len(wanted) > 400
    assert wanted - held == set()
    assert {path for path in held if path.startswith("tests/")} == set()
