"""The one process that owns all the others: starts them in order, restarts what ends, stops them in reverse.

1 take the lock of the state directory · 2 end what a killed supervisor left · 3 choose ports and hold them, write ``env`` ·
4 keep each part: wait for what it needs, prepare, start, probe until ready, wait for its end, back off, again ·
5 after the platform is ready, the bootstrap steps, once · 6 on SIGTERM, stop in reverse order and say so in the state.

It promises that after step 6 no process of its own is left. Killed with SIGKILL it leaves its parts running; the next
``ipx up`` or ``ipx down`` ends them by the process ids in the state file.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

from services.kernel.errors import IpxError
from services.platform.board import Board
from services.platform.exchange import Step, ipx
from services.platform.layout import Layout
from services.platform.processes import created_at
from services.platform.program import Part, Program, Site
from services.platform.restart import Restarts
from services.platform.state import Condition

PROBE_EVERY_S = 0.2
BOOTSTRAP = "bootstrap"
ROTATE_ABOVE_BYTES = 32 << 20


class Supervisor:
    """Keeps the given parts running on a site until it is told to stop. One use: ``run`` once."""

    def __init__(self, site: Site, parts: Sequence[Part], steps: Sequence[Step], board: Board) -> None:
        self._site = site
        self._parts = tuple(parts)
        self._steps = tuple(steps)
        self._board = board
        self._ready = {name: asyncio.Event() for name in (*(part.name for part in parts), BOOTSTRAP, *site.external)}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._programs: dict[str, Program] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Asks ``run`` to end; returns at once."""
        self._stopping.set()

    async def run(self) -> None:
        """Steps 4 to 6. Returns when every part has been stopped after ``stop``."""
        for part in self._parts:
            self._board.open(part)
        for name in self._site.external:
            self._ready[name].set()
        tasks = [asyncio.create_task(self._keep(part)) for part in self._parts if part.name not in self._site.external]
        tasks.append(asyncio.create_task(self._bootstrap()))
        try:
            await self._until_stopped(tasks)
        finally:
            await self._stop_all(tasks)

    async def _until_stopped(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        waited: set[asyncio.Task[Any]] = {asyncio.create_task(self._stopping.wait()), *tasks}
        done, _pending = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a keeper ends by a bug only: let it be seen, after every part was stopped

    async def _keep(self, part: Part) -> None:
        """Step 4, for as long as the supervisor runs."""
        restarts = Restarts()
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for(part)
            began = loop.time()
            error = await self._live_once(part)
            self._ready[part.name].clear()
            restarts, delay_s = restarts.after(loop.time() - began)
            self._board.note(
                part, condition=Condition.RESTARTING, pid=None, created=None, restarts=restarts.count, error=error
            )
            await asyncio.sleep(delay_s)

    async def _wait_for(self, part: Part) -> None:
        needed = [name for name in part.after if name in self._ready and not self._ready[name].is_set()]
        if needed:
            self._board.note(part, condition=Condition.WAITING)
        for name in needed:
            await self._ready[name].wait()

    async def _live_once(self, part: Part) -> str:
        """From preparation to the end of the process; says why it ended."""
        self._board.note(part, condition=Condition.STARTING)
        try:
            program = await asyncio.to_thread(part.prepare, self._site)
            process = await self._spawn(part.name, program)
        except (IpxError, OSError) as error:
            return str(error)
        self._running[part.name], self._programs[part.name] = process, program
        self._board.note(part, pid=process.pid, created=created_at(process.pid))
        ending = asyncio.create_task(process.wait())
        prober = asyncio.create_task(self._probe_until_ready(part))
        try:
            waited: set[asyncio.Task[Any]] = {ending, prober}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if prober.done():
                prober.result()
            code = await ending
        finally:
            prober.cancel()
            ending.cancel()
        del self._running[part.name]
        return f"ended with {_describe(code)}"

    async def _probe_until_ready(self, part: Part) -> None:
        while True:
            try:
                await asyncio.to_thread(part.probe, self._site)
                break
            except IpxError as error:
                if self._board.state.parts[part.name].error != str(error):
                    self._board.note(part, error=str(error))
            await asyncio.sleep(PROBE_EVERY_S)
        self._board.note(part, condition=Condition.READY, was_ready=True, error=None)
        self._ready[part.name].set()

    async def _bootstrap(self) -> None:
        """Step 5; a step that fails is tried again, for the same reasons and at the same pace as a part."""
        for event in [event for name, event in self._ready.items() if name in ("kafka", "registry", "postgres")]:
            await event.wait()
        for step in self._steps:
            restarts = Restarts()
            while (code := await self._run_step(step)) != 0:
                restarts, delay_s = restarts.after(0)
                self._board.tell(bootstrap=f"{step.name} failed {restarts.count} times, last with {_describe(code)}")
                await asyncio.sleep(delay_s)
        self._board.tell(bootstrap="done")
        self._ready[BOOTSTRAP].set()
        await self._stopping.wait()

    async def _run_step(self, step: Step) -> int:
        self._board.tell(bootstrap=f"{step.name}")
        env = {"IPX_STATE_DIR": str(self._site.layout.root)}
        process = await self._spawn(BOOTSTRAP, Program(argv=ipx(*step.argv), env=env))
        self._running[BOOTSTRAP], self._programs[BOOTSTRAP] = process, Program(argv=())
        code = await process.wait()
        del self._running[BOOTSTRAP]
        return code

    async def _spawn(self, name: str, program: Program) -> asyncio.subprocess.Process:
        identity: dict[str, Any] = {}
        if program.user is not None:
            identity = {"user": program.user, "group": program.user, "extra_groups": []}
        with _open_log(self._site.layout, name) as log:
            return await asyncio.create_subprocess_exec(
                *program.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **program.env},
                cwd=self._site.layout.data(name) if self._site.layout.data(name).is_dir() else None,
                start_new_session=True,
                **identity,
            )

    async def _stop_all(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Step 6."""
        processes = dict(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in (BOOTSTRAP, *(part.name for part in reversed(self._parts))):
            if name in processes:
                await _stop(processes[name], self._programs[name])
        for part in self._parts:
            if part.name not in self._site.external:
                self._board.note(part, condition=Condition.STOPPED, pid=None, created=None, error=None)
        self._board.tell(pid=None, created=None)


async def _stop(process: asyncio.subprocess.Process, program: Program) -> None:
    """The part's own stop signal, then SIGKILL to all it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(program.stop_signal)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), program.stop_within_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _open_log(layout: Layout, name: str) -> IO[bytes]:
    path = layout.log(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > ROTATE_ABOVE_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def _describe(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
