"""Every published case that has a transfer, and every negative test, over the main road with the time moved: states, verdicts, who is told.

One exchange of its own, on the platform of the tests: city system, node, gateway, admission, room, node, city system, all by the clock of
one file. The stories are played together in the order of their times (``deploy/local/scenarios/transfers``); what must come of them is
written there by hand, from the articles.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.codec.http import HttpClient
from services.codec.keys import parse_public
from services.demo.cases import Cases
from services.demo.conduct import Conductor, Outcome
from services.demo.crew import Crew
from services.demo.forms import Forms
from services.demo.hand_over import load_hand_overs
from services.demo.hand_over_play import Around, HandOverPlay
from services.demo.moving import MovedTime
from services.demo.roster import City, load_roster
from services.demo.stage import set_stage
from services.kernel.data import DEPLOY_DIR
from services.kernel.instants import parse_instant
from services.platform import launch
from services.platform.layout import Layout
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemEntropy
from services.runtime.topics import Topics

STORIES = tuple(story for story in load_hand_overs() if not story.real_time)
ROSTER = DEPLOY_DIR / "local" / "cities" / "transfers.toml"
WITHIN_S = 420.0
FOUNDED_BEFORE_MS = 26 * 86_400_000
"""The exchange was founded so long before the first case."""
RUN = "X"
AT = "2026-02-20T02:00:00.000Z"
"""When verdicts are compared: after some cases, in the middle of others, before the ends of others."""
OFFLINE = {"PATH": os.environ.get("PATH", "")}
"""Surroundings in which no exchange is known."""


@dataclass
class Played:
    """The stories, played."""

    settings: CommonSettings
    environ: dict[str, str]
    cities: tuple[City, ...]
    plays: tuple[HandOverPlay, ...]
    outcome: Outcome
    cases: Cases
    time: MovedTime


@pytest.fixture(scope="module")
def played(make_exchange: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """An exchange by a moved clock, its cities, and every story played on it once."""
    time = MovedTime(
        tmp_path_factory.mktemp("clock") / "clock", min(story.begins_ms for story in STORIES) - FOUNDED_BEFORE_MS
    )
    with make_exchange() as exchange, running(exchange, time) as (settings, environ), HttpClient(timeout_s=30) as http:
        cities = load_roster(ROSTER)
        with Crew(settings.state_dir / "demo", settings.state_dir / "logs") as crew:
            stage = set_stage(settings, cities, crew, http, SystemEntropy())
            cases = Cases.of(
                f"{Topics(settings.exchange_name).log('members')}/0", parse_public(settings.root_key or "")
            )
            around = Around(RUN, stage.desks, forms_of(cities), cases, time, lambda file: load_calendar(environ, file))
            plays = tuple(HandOverPlay(story, around) for story in STORIES)
            conductor = Conductor(settings, stage.desks, time_of_run=time, tend=stage.tend)
            outcome = conductor.conduct(plays, within_s=WITHIN_S)
            yield Played(settings, environ, cities, plays, outcome, cases, time)


@contextmanager
def running(exchange: Any, time: MovedTime) -> Iterator[tuple[CommonSettings, dict[str, str]]]:
    """The exchange's own processes by the moved clock, on the platform that runs."""
    environ = {**exchange.environ, "IPX_CLOCK_FILE": str(time.file)}
    layout = Layout(exchange.state_dir)
    launch.start(layout, (), environ, lambda _state: None)
    try:
        settings = CommonSettings.load({name: value for name, value in environ.items() if name.startswith("IPX_")})
        yield settings, environ
    finally:
        launch.stop(layout)


def forms_of(cities: tuple[City, ...]) -> dict[str, Forms]:
    return {organ.id: Forms(organ.form, organ.dialect) for city in cities for organ in city.organs}


def ipx(environ: dict[str, str], *argv: str) -> str:
    """What a command says on stdout; it must do well."""
    done = subprocess.run(
        [sys.executable, "-m", "services", *argv], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ipx_json(environ: dict[str, str], *argv: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ipx(environ, *argv))
    return found


def load_calendar(environ: dict[str, str], file: Path) -> None:
    ipx(environ, "calendar", "load", str(file), "--yes", "--json")


@pytest.mark.parametrize("name", [story.name for story in STORIES])
def test_every_step_of_the_story_leads_where_the_articles_say(played: Played, name: str) -> None:
    play = next(play for play in played.plays if play.name == name)
    assert [line.en for line in play.failed] == []
    assert play.is_done, f"it stands at: {play.waits_for}"


def test_nothing_was_lost_or_repeated_on_the_way(played: Played) -> None:
    assert played.outcome.outstanding == ()
    assert (played.outcome.tally.gaps, played.outcome.tally.repeats) == (0, 0)


@pytest.fixture(scope="module")
def verdicts(played: Played, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What an auditor computes from an export, far from any exchange, and each node from its own copies."""
    archive = tmp_path_factory.mktemp("archive") / "export"
    ipx(played.environ, "audit", "export", str(archive), "--json")
    words = ("audit", "verdicts", "--archive", str(archive), "--root-key", played.settings.root_key or "")

    def computed(config: Path) -> dict[str, Any]:
        return ipx_json(played.environ, "node", "cases", "--config", str(config), "--at", AT, "--json")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        audited = pool.submit(ipx_json, OFFLINE, *words, "--at", AT, "--json")
        nodes = [pool.submit(computed, config) for config in configs(played)]
        return audited.result(), [one.result() for one in nodes]


def configs(played: Played) -> list[Path]:
    return [played.settings.state_dir / "demo" / "nodes" / city.node / "node.toml" for city in played.cities]


def test_sender_receiver_and_auditor_compute_the_same_verdict_bytes_for_every_case(
    played: Played, verdicts: tuple[dict[str, Any], list[dict[str, Any]]]
) -> None:
    audit, nodes = verdicts
    audited = {one["verdicts"]["case"]: one["digest"] for one in audit["cases"]}
    own: dict[str, dict[str, str]] = {}
    for node in nodes:
        for row in node["cases"]:
            if "digest" in row:
                own.setdefault(row["case"], {})[row["participant"]] = row["digest"]
    stories = {case for play in played.plays for case in play.subjects(played.outcome.tally).values()}
    opened = {subject for subject in stories if subject in played.cases.states and played.cases.states[subject].exists}
    assert set(audited) >= opened
    assert len(opened) == 17
    for subject in sorted(opened):
        case = played.cases.states[subject]
        parties = {part.participant for part in case.parts if not part.outside}
        computing = {name: digest for name, digest in own[subject].items() if name in parties}
        assert case.opener in computing
        assert set(computing.values()) == {audited[subject]}, subject
        assert played.cases.digest(subject, parse_instant(AT)) == audited[subject]


def test_what_the_exchange_told_follows_from_what_the_organs_said(
    verdicts: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    audit, nodes = verdicts
    assert (audit["good"], audit["findings"]) == (True, [])
    assert audit["compared"] > 100
    rows = [row for node in nodes for row in node["cases"]]
    assert [row for row in rows if row["differs"] or row["pending"]] == []
    assert sum(row["told"] for row in rows) > 100
