"""Event schemas on disk: `schemas/events/<family>/<Name>.avsc`, the text that people edit. What is released is a copy."""

import json
from pathlib import Path
from typing import Any, Final

from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings

EVENTS_DIR: Final = SCHEMAS_DIR / "events"


def read_event_schemas(directory: Path = EVENTS_DIR) -> dict[str, dict[str, Any]]:
    """Each schema as JSON by its file name within the directory (``clue/ClueReported.avsc``), in order.

    BadSettings, naming the file, on what is not a JSON object. Blocks on the disk.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(directory.glob("*/*.avsc")):
        name = f"{path.parent.name}/{path.name}"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadSettings(f"{name}: {error}") from error
        if not isinstance(document, dict):
            raise BadSettings(f"{name}: an event schema is a JSON object")
        found[name] = document
    if not found:
        raise BadSettings(f"no event schemas in {directory}")
    return found


def event_type_of(schema: dict[str, Any]) -> str:
    """Full name of the record, which is the event type and the registry's subject."""
    return f"{schema.get('namespace', '')}.{schema.get('name', '')}"
