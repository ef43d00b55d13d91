"""What the commands that read cases and clocks share: the desk they read from, options, a page and its mark, and how a line is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cases.laws import load_laws
from services.codec.keys import parse_public
from services.codec.released import load_released
from services.commands.times import Time
from services.gateway.opaque import opened, sealed
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from services.kernel.ports import Clock
from services.members.follower import MembersFollower
from services.members.registry import Registry
from services.runtime.postgres import Database
from services.runtime.settings import CommonSettings
from services.runtime.shell import clock_of
from services.runtime.topics import Topics
from services.transfers.desk import CaseDesk
from services.transfers.listing import MAX_LIMIT, organs_of

F = TypeVar("F", bound=Callable[..., Any])
Line = Mapping[str, Any]
WIDTH = 160
_MEMBERS_S = 30.0
_MAX_MARK_CHARS = 400


AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
LIMIT = click.option(
    "--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True, help="At most so many on a page."
)


def filters(organ_does: str) -> Callable[[F], F]:
    """The filters of both lists; an organ that is asked for is one that ``organ_does`` something in what is listed."""
    options = (
        click.option("--overdue", is_flag=True, help="Only where somebody should have acted by now."),
        click.option(
            "--provisional", is_flag=True, help="Only with an end that no notice of the calendar has settled."
        ),
        click.option(
            "--due-before", type=Time(), metavar="TIME", help="Only where a clock runs that ends before then."
        ),
        click.option(
            "--city",
            metavar="CODE",
            help=f"Only where an organ of this division (GB/T 2260), or of one below it, {organ_does}.",
        ),
        click.option("--participant", metavar="ID", help=f"Only where this organ {organ_does}."),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def wanted(registry: Registry, city: str | None, participant: str | None) -> tuple[str, ...] | None:
    """The participants that are asked for; None when any will do. A usage error for one that nobody knows."""
    if participant is not None and registry.participant(participant) is None:
        raise click.BadParameter("no such participant; see `ipx members list`", param_hint="--participant")
    if city is None:
        return None if participant is None else (participant,)
    organs = organs_of(registry, city)
    if not organs:
        raise click.BadParameter("no participant is in that division", param_hint="--city")
    return organs if participant is None else tuple(organ for organ in organs if organ == participant)


@contextmanager
def opened_desk() -> Iterator[tuple[CaseDesk, Clock]]:
    """The desk of the exchange that the settings name, with the members log read to its end. ``Transient`` while a part is away."""
    settings = CommonSettings.load()
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set; `ipx members init` makes the root key and writes it down")
    follower = MembersFollower(
        settings.librdkafka(),
        Topics(settings.exchange_name),
        schema_of=load_released().with_digest,
        root=parse_public(settings.root_key),
    )
    follower.start()
    try:
        with Database(settings.postgres_dsn.get_secret_value(), "cases", connections=1) as database:
            history = follower.wait_caught_up(_MEMBERS_S)
            yield CaseDesk(database, load_laws(SCHEMAS_DIR / "codes"), lambda: history), clock_of(settings.clock_file)
    finally:
        follower.stop()


def format_mark(place: tuple[int, str, str]) -> str:
    """Where a page of clocks ended, as a word for ``--after``."""
    return sealed(json.dumps(place))


def parse_mark(text: str) -> tuple[int, str, str]:
    """Inverse of :func:`format_mark`; a usage error on any other word."""
    try:
        due, key, clock = json.loads(opened(text, _MAX_MARK_CHARS))
    except (ValueError, TypeError) as error:
        raise click.BadParameter("expected the word that a page ended with", param_hint="--after") from error
    if not (isinstance(due, int) and isinstance(key, str) and isinstance(clock, str)):
        raise click.BadParameter("expected the word that a page ended with", param_hint="--after")
    return due, key, clock


def show_page(
    name: str, found: Sequence[Line], after: str | None, table_of: Callable[[Sequence[Line]], Table], *, as_json: bool
) -> None:
    """One page of a list: a table, or a JSON object with the lines under ``name``; and ``after`` while there may be more."""
    if as_json:
        click.echo(json.dumps({name: found, **({"after": after} if after else {})}, ensure_ascii=False))
        return
    screen = console()
    screen.print(table_of(found) if found else "没有符合条件的记录 nothing of that kind")
    if after:
        screen.print(f"后续 more: --after {escape(after)}", highlight=False, soft_wrap=True)


def organ_words(organ: Mapping[str, Any]) -> str:
    """An organ with its name, for the screen."""
    name = organ["name_zh"]
    return escape(name if name == organ["participant"] else f"{name} {organ['participant']}")


def plain_table(*columns: str) -> Table:
    """A table without lines, whose last column takes what room there is."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns[:-1]:
        table.add_column(column, no_wrap=False)
    table.add_column(columns[-1], overflow="fold")
    return table


def console() -> Console:
    """The screen; wide where nobody looks at it in a terminal."""
    screen = Console()
    return screen if screen.is_terminal else Console(width=WIDTH)
