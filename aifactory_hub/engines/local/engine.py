"""Runs as processes on this machine, for the demo: the same contract, no cluster."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...domain.engines import EngineFacts, Published
from ...domain.jobs import JobRun, JobState
from ...domain.names import join
from ..base import RunSpec, SeenRun, Site, render_process
from ..process_tree import Process, alive, family, kill, processes

# Seconds that a run has from the signal to its end; its runner brings results home meanwhile.
GRACE = 20.0
# Why a run is gone that nobody has ended: runs are processes of the one that started them.
ENDED_WITH_DEMO = "the demo ended, or was killed, while it ran: its runs end with it"
# Of the environment, what a program needs to be found and to print; nothing of the hub's secrets.
_KEPT = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass
class _Run:
    uid: str
    folder: Path
    process: subprocess.Popen[bytes]
    deadline: float | None
    started: float
    overdue: bool = False


class LocalEngine:
    """See base.Engine. Each run has a folder: its log, its secrets (readable by its owner only) and its work.

    ``folder`` must be this process's alone. Runs end with it: ``close`` leaves none behind. Limits of CPU and
    memory are not enforced, and there is no GPU.
    """

    def __init__(self, folder: Path, *, grace: float = GRACE) -> None:
        self._folder = folder
        self._grace = grace
        self._runs: dict[tuple[str, str], _Run] = {}
        self._going: dict[tuple[str, str], asyncio.Task[None]] = {}

    @property
    def facts(self) -> EngineFacts:
        """One command, as a process."""
        return EngineFacts("local", "One command, as a process on this machine.")

    def render(self, spec: RunSpec) -> list[dict[str, Any]]:
        """A process, as near as there is to a manifest of one."""
        return [render_process(spec)]

    async def create(self, spec: RunSpec) -> JobRun:
        """Start the process, or find the one started before."""
        place = (spec.tenant, spec.run_id)
        if place not in self._runs:
            self._runs[place] = self._start(spec)
        return self._look(self._runs[place])

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The run now. One whose deadline has passed is told to stop."""
        run = self._runs.get((tenant, run_id))
        if run is None:
            return JobRun(exists=False, reason=ENDED_WITH_DEMO)
        if run.deadline is not None and time.monotonic() > run.deadline and run.process.poll() is None:
            run.overdue = True
            self._stop((tenant, run_id), run)
        return self._look(run)

    async def runs(self, tenant: str) -> list[SeenRun]:
        """All of this process: those of one before it ended with that one."""
        now = time.monotonic()
        return [SeenRun(run_id, now - run.started) for (where, run_id), run in self._runs.items() if where == tenant]

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """The end of the file that it prints into."""
        run = self._runs.get((tenant, run_id))
        if run is None:
            return ""
        with (run.folder / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - limit_bytes))
            return file.read().decode(errors="ignore")

    async def delete(self, tenant: str, run_id: str) -> None:
        """Tell it to stop; its folder goes once it has."""
        run = self._runs.pop((tenant, run_id), None)
        if run is not None:
            self._stop((tenant, run_id), run)
            self._going[tenant, run_id].add_done_callback(lambda _: shutil.rmtree(run.folder, ignore_errors=True))

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Whether nothing of it runs any more."""
        task = self._going.get((tenant, run_id))
        return (tenant, run_id) not in self._runs and (task is None or task.done())

    async def published(self, tenant: str) -> list[Published]:
        """Nothing."""
        return []

    async def close(self) -> None:
        """End all runs at once."""
        for task in self._going.values():
            task.cancel()
        await asyncio.gather(*self._going.values(), return_exceptions=True)
        for run in self._runs.values():
            members = family(run.process.pid, processes())
            kill(members)
            # What was forked since the look above. macOS says "not permitted" of a group that has ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
            await _gone(members)
        self._runs.clear()

    def _start(self, spec: RunSpec) -> _Run:
        uid = f"{spec.run_id}-{time.time_ns()}"
        folder = self._folder / join(spec.tenant, spec.run_id)
        shutil.rmtree(folder, ignore_errors=True)  # of a process before this one
        work, secrets = folder / "work", folder / "secrets"
        work.mkdir(parents=True)
        secrets.mkdir(mode=0o700)
        for name, text in spec.secret_files.items():
            (secrets / name).write_text(text)
        argv = [sys.executable if word == "python3" else word for word in spec.argv]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                argv,
                cwd=work,
                env=_environment(spec.environment, work, secrets),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = None if spec.deadline_seconds is None else time.monotonic() + spec.deadline_seconds
        return _Run(uid, folder, process, deadline, time.monotonic())

    def _look(self, run: _Run) -> JobRun:
        code, pod = run.process.poll(), f"process {run.process.pid}"
        if code is None:
            return JobRun(True, uid=run.uid, state=JobState.RUNNING, pod=pod)
        if code == 0 and not run.overdue:
            return JobRun(True, uid=run.uid, state=JobState.SUCCEEDED, exit_code=0, pod=pod)
        code = 128 - code if code < 0 else code
        reason = f"the command ended with exit code {code}"
        if run.overdue:
            reason = "it ran longer than jobs may (DeadlineExceeded)"
        return JobRun(
            True, uid=run.uid, state=JobState.FAILED, exit_code=code, reason=reason, pod=pod, overdue=run.overdue
        )

    def _stop(self, place: tuple[str, str], run: _Run) -> None:
        if place not in self._going or self._going[place].done():
            self._going[place] = asyncio.create_task(self._end(run), name=f"end of {run.uid}")

    async def _end(self, run: _Run) -> None:
        """SIGTERM, then after the grace SIGKILL to whatever it has started."""
        members: set[Process] = {*family(run.process.pid, processes())}
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(run.process.pid, signal.SIGTERM)
        give_up = time.monotonic() + self._grace
        try:
            while run.process.poll() is None and time.monotonic() < give_up:
                members.update(family(run.process.pid, processes()))
                await asyncio.sleep(0.1)
        finally:
            kill(members)
            run.process.wait()
        await _gone(members)


def make_local(site: Site) -> LocalEngine:
    """For the entry point. Raises ValueError where no folder is set aside for runs."""
    if site.folder is None:
        raise ValueError("engine local runs jobs as processes of the service's own machine: it is for the demo")
    return LocalEngine(site.folder)


async def _gone(members: Iterable[Process]) -> None:
    """Wait for killed processes: the kernel takes a moment."""
    while alive(members):
        await asyncio.sleep(0.02)


def _environment(given: Mapping[str, str], work: Path, secrets: Path) -> dict[str, str]:
    own = {name: os.environ[name] for name in _KEPT if name in os.environ}
    here = str(Path(sys.executable).parent)
    return {
        **own,
        # So that "python" in a command is the one that runs this.
        "PATH": os.pathsep.join([here, own.get("PATH", os.defpath)]),
        "HOME": str(work / "home"),
        "CUDA_VISIBLE_DEVICES": "",
        "AIFACTORY_SECRETS": str(secrets),
        "AIFACTORY_WORK": str(work),
        **given,
    }
