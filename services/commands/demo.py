"""``ipx demo``: the main job on real input: published cases, played through six cities' own systems."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.codec.http import HttpClient
from services.codec.keys import parse_public
from services.demo.cases import Cases
from services.demo.conduct import Conductor, Outcome, Standing
from services.demo.crew import Crew
from services.demo.desk import HttpDesk
from services.demo.exchange import hold_exchange
from services.demo.forms import Forms
from services.demo.hand_over_play import Around, HandOverPlay
from services.demo.play import Play
from services.demo.played import Played
from services.demo.repertoire import load_repertoire
from services.demo.roster import City, load_roster
from services.demo.stage import set_stage
from services.demo.telling import cases_table, organs_table, sentences
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemEntropy, clock_of
from services.runtime.topics import Topics

DEFAULT_STATE_DIR = Path(".ipx") / "demo"
_WIDTH = 140
_TERMINATED = 128 + signal.SIGTERM


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on the last line of stdout.")
@click.option("--keep", is_flag=True, help="Leave the exchange running; `ipx down --state-dir DIR` ends it.")
@click.option("--scenario", "names", multiple=True, metavar="NAME", help="Play only this case; may be given again.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE_DIR,
    show_default=True,
    help="Where the demo keeps its data and logs.",
)
@click.option("--within", "within_s", type=float, default=240.0, show_default=True, help="Seconds for the cases.")
def command(as_json: bool, keep: bool, names: Sequence[str], state_dir: Path, within_s: float) -> None:
    """Play published cases of IP protection through the exchange and tell how they ended.

    Starts the exchange in a directory of its own (unless it is up there), six nodes and thirteen case systems of cities,
    enters the cases into those systems as officers would, and follows until everything has come to rest. Then reads
    logs and inboxes again, offline, and counts. Exit code 1 when an expected end did not come.

    A second run finds the data of the first and plays new cases beside it.
    """
    (scenarios, stories), cities = load_repertoire(names), load_roster()
    laps = Laps()
    signal.signal(signal.SIGTERM, lambda *_about: sys.exit(_TERMINATED))  # so that what was started is stopped
    with Bar() as bar, ExitStack() as stack:
        settings = stack.enter_context(hold_exchange(state_dir.resolve(), bar.show, keep=keep))
        laps.lap("the exchange started")
        crew = stack.enter_context(Crew(settings.state_dir / "demo", settings.state_dir / "logs"))
        http = stack.enter_context(HttpClient(timeout_s=20))
        stage = set_stage(settings, cities, crew, http, SystemEntropy(), bar.show)
        laps.lap("cities started")
        run = f"D{clock_of(settings.clock_file).now_ms() // 1000:X}"
        conductor = Conductor(settings, stage.desks, tend=stage.tend, watch=bar.follow)
        plays: list[Played] = [Play(scenario, run, stage.desks) for scenario in scenarios]
        if stories:
            around = surroundings(settings, cities, stage.desks, run)
            plays += [HandOverPlay(story, around) for story in stories]
        outcome = conductor.conduct(plays, within_s=within_s)
        laps.lap("cases played and counted")
    laps.lap("everything stopped")
    tell(outcome, cities, laps, as_json=as_json)


def surroundings(settings: CommonSettings, cities: Sequence[City], desks: Mapping[str, HttpDesk], run: str) -> Around:
    """What cases that are handed over are played with here, at the real time."""
    return Around(
        run=run,
        desks=desks,
        forms={organ.id: Forms(organ.form, organ.dialect) for city in cities for organ in city.organs},
        cases=Cases.of(f"{Topics(settings.exchange_name).log('members')}/0", parse_public(settings.root_key or "")),
        clock=clock_of(settings.clock_file),
    )


class Laps:
    """What took how long."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._told: list[str] = []

    def lap(self, what: str) -> None:
        """Something is done now."""
        now_s = time.monotonic()
        self._told.append(f"{what} in {now_s - self._began_s:.1f} s")
        self._began_s = now_s

    def __str__(self) -> str:
        return f"Time: {'; '.join(self._told)}."


class Bar:
    """The progress bar on stderr."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<60.60}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
        self._task: TaskID = self._progress.add_task("starting", total=None)

    def show(self, what: str, done: int, total: int | None) -> None:
        """What is being done, and how much of it."""
        self._progress.update(self._task, description=what, completed=done, total=total)

    def follow(self, standing: Standing) -> None:
        """How far the cases are: steps made, and copies that have come to an end in a city's system."""
        about = standing.about or "waiting until everything has come to rest"
        done, total = standing.steps_made + standing.copies_ended, standing.steps + standing.copies
        self.show(f"{standing.steps_made}/{standing.steps} steps: {about}", done, total)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_about: object) -> None:
        self._progress.stop()


def tell(outcome: Outcome, cities: Sequence[City], laps: Laps, *, as_json: bool) -> None:
    """The tables in words (on stderr with ``--json``), the JSON line, and exit code 1 with what did not come."""
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDTH)
    names = {organ.id: f"{city.zh} {city.en}" for city in cities for organ in city.organs}
    console.print(cases_table(outcome.cases))
    console.print(organs_table(outcome.tally, names))
    for sentence in sentences(outcome.tally, frozenset(names)):
        console.print(sentence, highlight=False)
    console.print(str(laps), highlight=False)
    if as_json:
        click.echo(json.dumps(outcome.tally.summary(outcome.seconds)))
    if outcome.failures:
        for failure in outcome.failures:
            click.echo(f"ipx: did not come: {failure}", err=True)
        sys.exit(1)
