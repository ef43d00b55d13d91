"""``ipx admission``: the one door to every log."""

from __future__ import annotations

import signal
from types import FrameType

import click

from services.admission.run import Admission
from services.admission.settings import AdmissionSettings
from services.admission.telling import CHECKS, Telling
from services.codec.released import load_released
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure, get_logger
from services.runtime.metrics import Metrics
from services.runtime.shell import clock_of


@click.group("admission")
def command() -> None:
    """Verify what is proposed, and append it to the logs."""


@command.command("run")
def run() -> None:
    """Admit what comes in on the `.in` topics until SIGTERM; waits out Kafka and the registry when they are away.

    Several may run, each with its own IPX_ADMISSION_INSTANCE: they share the partitions.
    """
    settings = AdmissionSettings.load()
    configure("admission", form=settings.log_format, level=settings.log_level)
    metrics = Metrics("admission")
    checks = Checks(metrics, *CHECKS)
    telling = Telling(metrics, checks, get_logger("admission"))
    clock = clock_of(settings.clock_file, metrics)
    admission = Admission(settings, load_released(), load_code_tables(SCHEMAS_DIR / "codes"), clock, telling)

    def stop(_number: int, _frame: FrameType | None) -> None:
        admission.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with HealthServer(settings.metrics_port, checks, metrics):
        admission.run()
