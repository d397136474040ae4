"""Releases as processes on this machine, for the demo: each replica is one, listening on a port of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from ...domain.jobs import JobRun
from ...domain.names import join
from ...domain.release_steps import Served
from ..base import SeenRun, render_process
from ..local import LocalEngine
from .base import Answer, NotAnswered, ServeSpec

# Where a replica writes on which port it listens, in its work folder: see inference.main.
_ADDRESS = "address"
# Seconds: for a look at one replica, and for an answer.
_LOOK, _ANSWER = 2.0, 60.0
_GRACE = 5.0
_MOST_ANSWER = 64 * 2**20


class LocalServing:
    """See base.ServingEngine. ``folder`` must be this process's alone; replicas end with it."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = LocalEngine(folder, grace=_GRACE)
        self._replicas: dict[tuple[str, str], int] = {}
        self._next = itertools.count()

    def render(self, spec: ServeSpec) -> list[dict[str, Any]]:
        """A process for each replica."""
        return [render_process(replica.run) for replica in _replicas(spec)]

    async def apply(self, spec: ServeSpec) -> None:
        """Start the replicas that do not run; one that has ended is started anew."""
        self._replicas[spec.run.tenant, spec.run.run_id] = spec.run.nodes
        for replica in _replicas(spec):
            run = await self._runs.get(spec.run.tenant, replica.run.run_id)
            if run.exists and run.state.final:
                await self._end(spec.run.tenant, replica.run.run_id)
            await self._runs.create(replica.run)

    async def look(self, spec: ServeSpec) -> Served:
        """How many answer that they are ready; why one has ended."""
        tenant = spec.run.tenant
        runs = [await self._runs.get(tenant, each.run.run_id) for each in _replicas(spec)]
        if not any(run.exists for run in runs):
            return Served(False)
        over = next((_why(run) for run in runs if run.exists and run.state.final), "")
        if not over and not all(run.exists for run in runs):
            over = "a replica is missing"
        ready = await asyncio.gather(*(self._ready(tenant, each.run.run_id) for each in _replicas(spec)))
        return Served(True, ready=sum(ready), over=over)

    async def lead(self, spec: ServeSpec) -> None:
        """Nothing: whoever asks knows the release."""

    async def unlead(self, tenant: str, deployment: str) -> None:
        """Nothing: see ``lead``."""

    async def remove(self, tenant: str, release: str) -> None:
        """Tell its replicas to stop."""
        for number in range(self._replicas.get((tenant, release), 0)):
            await self._runs.delete(tenant, _replica(release, number))

    async def gone(self, tenant: str, release: str) -> bool:
        """Whether no replica runs."""
        count = self._replicas.get((tenant, release), 0)
        if not all([await self._runs.pods_gone(tenant, _replica(release, number)) for number in range(count)]):
            return False
        self._replicas.pop((tenant, release), None)
        return True

    async def releases(self, tenant: str) -> list[SeenRun]:
        """Those of this process."""
        return [SeenRun(release, 0.0) for where, release in self._replicas if where == tenant]

    async def ask(self, tenant: str, release: str, path: str, body: Mapping[str, Any]) -> Answer:
        """One replica after the other gets a turn. Raises NotAnswered."""
        count = self._replicas.get((tenant, release), 0)
        if not count:
            raise NotAnswered("it does not run")
        address = self._address(tenant, _replica(release, next(self._next) % count))
        if address is None:
            raise NotAnswered("it does not listen yet")
        try:
            async with _session(_ANSWER) as session, session.post(f"http://{address}{path}", json=body) as response:
                found = await response.content.read(_MOST_ANSWER)
                return Answer(response.status, found, response.content_type)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotAnswered(f"{type(error).__name__}: {error}") from error

    async def logs(self, tenant: str, release: str, *, limit_bytes: int) -> str:
        """Of the first replica."""
        return await self._runs.logs(tenant, _replica(release, 0), limit_bytes=limit_bytes)

    async def close(self) -> None:
        """End all replicas."""
        await self._runs.close()

    async def _end(self, tenant: str, run: str) -> None:
        await self._runs.delete(tenant, run)
        while not await self._runs.pods_gone(tenant, run):
            await asyncio.sleep(0.02)

    async def _ready(self, tenant: str, run: str) -> bool:
        address = self._address(tenant, run)
        if address is None:
            return False
        try:
            async with _session(_LOOK) as session, session.get(f"http://{address}/v2/health/ready") as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _address(self, tenant: str, run: str) -> str | None:
        try:
            return (self._folder / join(tenant, run) / "work" / _ADDRESS).read_text() or None
        except OSError:
            return None


def _replicas(spec: ServeSpec) -> list[ServeSpec]:
    """A spec for each process."""
    ids = [_replica(spec.run.run_id, number) for number in range(spec.run.nodes)]
    return [replace(spec, run=replace(spec.run, run_id=each, nodes=1)) for each in ids]


def _replica(release: str, number: int) -> str:
    return f"{release}n{number}"


def _why(run: JobRun) -> str:
    return (run.reason or "it ended").replace("the command", "its server")


def _session(seconds: float) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds), trust_env=False)
