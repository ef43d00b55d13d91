"""Where the data that ships with the exchange lies: ``schemas/`` and ``deploy/`` stand beside ``services/``."""

from __future__ import annotations

from pathlib import Path

ROOT_DIR = Path(__file__).resolve().parents[2]
SCHEMAS_DIR = ROOT_DIR / "schemas"
DEPLOY_DIR = ROOT_DIR / "deploy"
