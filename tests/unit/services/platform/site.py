"""A site for tests: nothing on it exists."""

from __future__ import annotations

from pathlib import Path

from services.platform.layout import Layout
from services.platform.ports import USUAL_PORTS
from services.platform.program import Programs, Site
from services.platform.settings import PlatformSettings

PROGRAMS = Programs(
    java=Path("/opt/java"),
    kafka_jars=(Path("/opt/a.jar"), Path("/opt/b.jar")),
    registry_home=Path("/opt/registry"),
    postgres_bin=Path("/opt/pg"),
)


def make_site(root: Path, **external: str) -> Site:
    """Usual ports, default settings, and these services somebody else's."""
    settings = PlatformSettings.load({"IPX_STATE_DIR": str(root)})
    return Site(layout=Layout(root), settings=settings, ports=USUAL_PORTS, external=external, installed=PROGRAMS)
