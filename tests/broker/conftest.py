"""Every test here runs on the real Kafka, registry and PostgreSQL; the fixtures are in ``tests/conftest.py``."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is below this folder, so that ``-m 'not broker'`` leaves it out by choice and never by chance."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("broker")
