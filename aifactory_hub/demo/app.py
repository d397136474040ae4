"""``aifactory-hub demo``: everything started in order, a line for each step, and everything ended in order."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ..registry import RegistryProvider, read_registry
from . import editors, labextension, proxy
from .budgets import near_budget
from .check import check_day
from .cluster import simulate, write_rules
from .fleet import Neighbours
from .folder import DemoError, find_ports, locked, read_keys
from .hub import hub_config, running_hub, running_provider, running_service
from .orphan_processes import end_leftovers, keep_record
from .people import PEOPLE
from .repositories import repositories
from .site import Ports, tenants_yaml, write_locks

FAILED = 1
_PROCESSES = "processes.json"
_OPEN_FILES = 4096


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    folder: Path
    port: int = 8000
    scenario: str = "calm"
    speed: float = 1.0


@dataclass
class Console:
    """Where people read: the terminal, while everything else that is printed goes into the log."""

    file: IO[str]
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """A line."""
        print(text, file=self.file, flush=True)

    def step(self, text: str) -> None:
        """A step that is done, and when."""
        self.say(f"  {time.monotonic() - self.began:5.1f} s  {text}")


# What is done while everything runs, until the event is set; the exit code.
Visit = Callable[[Console, Ports, asyncio.Event], Awaitable[int]]


def run_demo(options: Options) -> int:
    """Run until Ctrl-C; the exit code."""

    async def visit(console: Console, ports: Ports, stopped: asyncio.Event) -> int:
        console.say(_welcome(options, ports))
        async with labextension.building(console.step):
            await stopped.wait()
        return 0

    return _guarded(options, visit)


def run_check(options: Options | None = None) -> int:
    """The whole day without a person, in a folder of its own that goes at the end; the exit code."""

    async def visit(console: Console, ports: Ports, stopped: asyncio.Event) -> int:
        day = asyncio.create_task(asyncio.to_thread(check_day, ports.address, console.say))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait([day, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        return 0 if day.done() and day.result() else 1

    with tempfile.TemporaryDirectory(prefix="aifactory-demo-") as scratch:
        # Neighbours stand still, so that the numbers are the same each time.
        return _guarded(options or Options(Path(scratch), port=0, speed=0.0), visit)


def _guarded(options: Options, visit: Visit) -> int:
    try:
        _check_installed()
        _open_more_files()
        with locked(options.folder) as note:
            left = end_leftovers(options.folder / _PROCESSES)
            if left:
                print(f"An earlier demo was killed: {left} of its processes have been ended.", flush=True)
            ports = find_ports(options.port)
            note(ports.address)
            return _run(options, ports, visit)
    except DemoError as error:
        print(error, file=sys.stderr)
        return FAILED


def _run(options: Options, ports: Ports, visit: Visit) -> int:
    log, code = options.folder / "demo.log", FAILED
    with _quiet(log) as console:
        try:
            code = asyncio.run(_live(options, ports, console, visit))
        finally:
            if code:
                console.say(f"The end of the log:\n{_tail(log)}")
    return code


def _check_installed() -> None:
    """What only notebooks and jobs import would otherwise be missed when the first one starts."""
    missing = [name for name in ("jupyterlab", "ipykernel", "sklearn") if find_spec(name) is None]
    if missing:
        raise DemoError(f"The demo needs {', '.join(missing)}: pip install 'aifactory-hub[demo]'")


def _open_more_files() -> None:
    """A process on macOS may have 256 files open unless it asks for more, and a hub with visitors needs more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _live(options: Options, ports: Ports, console: Console, visit: Visit) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(signum, stopped.set)
    async with _everything(options, ports, console):
        code = await visit(console, ports, stopped)
        console.say("Stopping notebooks, jobs, hub and proxy ...")
    console.step("everything has stopped")
    return code


@asynccontextmanager
async def _everything(options: Options, ports: Ports, console: Console) -> AsyncIterator[None]:
    folder = options.folder
    keys = read_keys(folder)
    tenants = folder / "tenants.yaml"
    write_locks(folder)
    known = read_registry(tenants_yaml(ports), str(tenants))
    budgets = near_budget(known, int(time.time()))
    tenants.write_text(tenants_yaml(ports, str(repositories(folder)), editors.installed(folder), budgets))
    write_rules(folder / "policies")
    provider = RegistryProvider.open(tenants, folder)
    registry, cluster = provider.registry, simulate(provider, folder)
    console.step("teams, quota and a simulated fleet of 2 x H100 and 1 x A100 in slices")
    found = proxy.is_installed(folder / "proxy")
    command = await asyncio.to_thread(proxy.install, folder / "proxy")
    console.step("the hub's proxy was here already" if found else "the hub's proxy is installed")
    async with running_provider(ports, keys):
        console.step("the identity provider answers")
        async with running_service(folder, ports, keys, cluster):
            console.step("the job service answers")
            async with running_hub(hub_config(folder, ports, keys, command, provider), cluster):
                console.step("JupyterHub and its proxy answer")
                speed = options.speed
                record = asyncio.create_task(keep_record(folder / _PROCESSES), name="record of processes")
                people = Neighbours(cluster.admission, registry.catalogue, scenario=options.scenario, speed=speed)
                await people.step()
                task = asyncio.create_task(people.run(), name="neighbours")
                console.step(f"neighbours are at work (simulated, scenario {options.scenario})")
                try:
                    yield
                finally:
                    task.cancel()
                    record.cancel()


@contextmanager
def _quiet(log: Path) -> Iterator[Console]:
    """Standard output and error of this process and of its children go into ``log``; the console keeps the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
    console = Console(os.fdopen(os.dup(kept[0]), "w"))
    try:
        yield console
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in enumerate(kept, start=1):
            os.dup2(original, number)
            os.close(original)
        console.file.close()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:])


def _welcome(options: Options, ports: Ports) -> str:
    people = "\n".join(f"    {person.name:5} {person.about}" for person in PEOPLE)
    return f"""
  Open {ports.address}

  Sign in as one of (no password):
{people}

  Try: start a mig-1g.10gb as ada and follow the tour in the notebook. Then sign in as noor in a private window
  and watch the numbers on the menu.
  Real: sign-in, menu, quota, notebooks, jobs. Simulated: GPUs, vClusters, neighbours ({options.scenario}).
  Log and files: {options.folder}
  Ctrl-C stops everything.
"""
