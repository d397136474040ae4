"""Tells the job service whether this server is used, and hears what is about to happen to one that is not.

Used is what works: a kernel, a command in a terminal, a process that takes CPU. A page that is open is not.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..client.errors import Refused
from .upstream import Unreachable, Upstream

log = logging.getLogger(__name__)

# Seconds between reports; the service takes a server that was silent for three minutes for unknown.
EVERY = 60.0
# Seconds of CPU since the last look, of others than this server, from which on something works.
WORKING = 0.5
_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Used:
    """``last`` is when something last worked, in seconds since 1970; ``what`` works now, in sentences."""

    last: float
    what: tuple[str, ...] = ()


class ServerUse:
    """Looks at what this Jupyter server runs."""

    def __init__(
        self,
        serverapp: Any,
        *,
        environment: Mapping[str, str] | None = None,
        cgroup: Path = _CGROUP,
        proc: Path = _PROC,
        clock: Callable[[], float] = time.time,
        own_cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._serverapp = serverapp
        # Outside of a container of its own, the numbers would be the whole machine's: as with memory.
        contained = (os.environ if environment is None else environment).get("MEM_LIMIT")
        self._cgroup = cgroup if contained else None
        self._proc = proc
        self._clock = clock
        self._own_cpu = own_cpu
        self._others: float | None = None
        self._last = clock()

    def look(self) -> Used:
        """Now. What worked is remembered."""
        now = self._clock()
        what = tuple(found for each in (self._kernels(), self._terminals(), self._processes()) for found in each)
        if what:
            self._last = now
        self._last = max(self._last, *self._ended(), 0.0)
        return Used(min(self._last, now), what)

    def _kernels(self) -> Iterator[str]:
        busy = sum(1 for kernel in self._all_kernels() if getattr(kernel, "execution_state", "") == "busy")
        if busy:
            yield f"{busy} kernel{'s' * (busy != 1)} at work"

    def _terminals(self) -> Iterator[str]:
        busy = sum(1 for terminal in self._all_terminals() if self._has_children(terminal))
        if busy:
            yield f"commands in {busy} terminal{'s' * (busy != 1)}"

    def _processes(self) -> Iterator[str]:
        """What takes CPU beside this server, wherever it was started: also what somebody left behind."""
        others = self._others_cpu()
        before, self._others = self._others, others
        if others is not None and before is not None and others - before >= WORKING:
            yield f"processes took {others - before:.1f} s of CPU"

    def _ended(self) -> Iterator[float]:
        """When kernels and terminals last did something."""
        for each in (*self._all_kernels(), *self._all_terminals()):
            at = getattr(each, "last_activity", None)
            if isinstance(at, datetime):
                yield (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()

    def _all_kernels(self) -> list[Any]:
        manager = getattr(self._serverapp, "kernel_manager", None)
        return [] if manager is None else [manager.get_kernel(name) for name in list(manager.list_kernel_ids())]

    def _all_terminals(self) -> list[Any]:
        manager = self._serverapp.web_app.settings.get("terminal_manager")
        return [] if manager is None else list(getattr(manager, "terminals", {}).values())

    def _has_children(self, terminal: Any) -> bool:
        """Whether the shell has started something that has not ended. Where nobody can tell, it has."""
        shell = getattr(getattr(terminal, "ptyproc", None), "pid", None)
        if shell is None:
            return False
        try:
            tasks = list((self._proc / str(shell) / "task").glob("*/children"))
            return any(task.read_text().split() for task in tasks)
        except OSError:
            return (self._proc / str(shell)).exists()

    def _others_cpu(self) -> float | None:
        """Seconds of CPU of all of this container but this server; None where nobody counts."""
        if self._cgroup is None:
            return None
        # Of version 2 and version 1 of control groups.
        for file, name, unit in (("cpu.stat", "usage_usec", 1e-6), ("cpuacct/cpuacct.usage", "", 1e-9)):
            try:
                text = (self._cgroup / file).read_text()
            except OSError:
                continue
            for line in text.splitlines():
                key, _, value = f" {line}".rpartition(" ") if not name else line.partition(" ")
                if key.strip() == name and value.strip().isdigit():
                    return int(value) * unit - self._own_cpu()
        return None


class ActivitySender:
    """Sends reports. ``notice`` is what the service last said is about to happen to this server; None: nothing."""

    def __init__(
        self, use: ServerUse, upstream: Upstream, server: str, *, sleep: Callable[[float], Any] = asyncio.sleep
    ) -> None:
        self._use = use
        self._upstream = upstream
        self._server = server
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._trouble = ""
        self.notice: dict[str, Any] | None = None

    def start(self) -> None:
        """Send from now on, each minute."""
        self._task = asyncio.create_task(self._run(), name="reports of activity")

    async def close(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def send(self) -> None:
        """One report. A service that does not answer, or is older than this, changes nothing."""
        used = await asyncio.to_thread(self._use.look)
        last = datetime.fromtimestamp(used.last, UTC).isoformat(timespec="milliseconds")
        body = {
            "server": self._server,
            "kind": "lab",
            "busy": bool(used.what),
            "last_used": last,
            "what": list(used.what),
        }
        try:
            answer = await self._upstream.post("servers/activity", body)
        except (Unreachable, Refused) as error:
            if str(error) != self._trouble:
                log.info("the job service does not take what this server tells of itself: %s", error)
            self._trouble = str(error)
            return
        self._trouble, self.notice = "", read_notice(answer.get("notice"))

    async def keep(self) -> None:
        """Ask for more time. Raises Refused, Unreachable."""
        answer = await self._upstream.post("servers/keep", {"server": self._server})
        self.notice = read_notice(answer.get("notice"))

    async def _run(self) -> None:
        while True:
            try:
                await self.send()
            except Exception:
                log.exception("what this server does could not be told; it is tried again")
            await self._sleep(EVERY)


def read_notice(said: Any) -> dict[str, Any] | None:
    """What the panel shows: why, until when in ISO form, and how long it can be kept."""
    if not isinstance(said, dict) or not isinstance(said.get("until"), int):
        return None
    until = datetime.fromtimestamp(said["until"], UTC).isoformat(timespec="seconds")
    kept = {name: said.get(name) for name in ("why", "stops", "keep_seconds", "keeps_left")}
    return {**kept, "until": until}
