"""The data that ships with the exchange is where the code looks for it."""

from __future__ import annotations

from services.kernel.data import DEPLOY_DIR, ROOT_DIR, SCHEMAS_DIR


def test_schemas_and_deployment_stand_beside_the_code() -> None:
    assert (ROOT_DIR / "services" / "kernel" / "data.py").is_file()
    assert (SCHEMAS_DIR / "released").is_dir()
    assert (SCHEMAS_DIR / "codes" / "refusal_codes.csv").is_file()
    assert DEPLOY_DIR == ROOT_DIR / "deploy"
