"""Runs that exist in this process's memory only: the same contract without an engine, for tests and trials."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..domain.engines import DEFAULT_ENGINE, EngineFacts, Published
from ..domain.jobs import JobRun, JobState
from .base import EngineUnavailable, RunSpec, SeenRun, render_process

_FACTS = EngineFacts(DEFAULT_ENGINE, "In memory.")


class Launcher(Protocol):
    """Told of what happens to runs, so that something else can carry them out."""

    def started(self, spec: RunSpec) -> None:
        """A new run was created."""

    def stopped(self, spec: RunSpec) -> None:
        """The run was deleted; its pod is to go."""


@dataclass
class _Run:
    spec: RunSpec
    run: JobRun
    log: str = ""


@dataclass
class MemoryEngine:
    """See base.Engine. ``unavailable`` makes a tenant's API silent; ``created`` remembers every run ever made.

    A deleted run's pod lingers while ``slow_to_go`` names the run, as a pod's end takes time on a cluster.
    """

    launcher: Launcher | None = None
    unavailable: set[str] = field(default_factory=set)
    slow_to_go: set[str] = field(default_factory=set)
    created: list[RunSpec] = field(default_factory=list)
    ages: dict[str, float] = field(default_factory=dict)
    facts: EngineFacts = _FACTS
    templates: list[Published] = field(default_factory=list)
    _runs: dict[tuple[str, str], _Run] = field(default_factory=dict)

    def render(self, spec: RunSpec) -> list[dict[str, Any]]:
        """A process, as near as there is to a manifest of one."""
        return [render_process(spec)]

    async def create(self, spec: RunSpec) -> JobRun:
        """The run, made now or before."""
        self._check(spec.tenant)
        place = (spec.tenant, spec.run_id)
        if place not in self._runs:
            self._runs[place] = _Run(spec, JobRun(True, uid=f"uid-{len(self.created)}"))
            self.created.append(spec)
            if self.launcher is not None:
                self.launcher.started(spec)
        return self._runs[place].run

    async def get(self, tenant: str, run_id: str) -> JobRun:
        """The run now."""
        self._check(tenant)
        found = self._runs.get((tenant, run_id))
        return JobRun(exists=False) if found is None else found.run

    async def runs(self, tenant: str) -> list[SeenRun]:
        """All that were created and not deleted; ``ages`` says how old, else new."""
        self._check(tenant)
        return [SeenRun(run_id, self.ages.get(run_id, 0.0)) for where, run_id in self._runs if where == tenant]

    async def logs(self, tenant: str, run_id: str, *, limit_bytes: int) -> str:
        """What ``print_line`` was given."""
        self._check(tenant)
        found = self._runs.get((tenant, run_id))
        return "" if found is None else found.log.encode()[-limit_bytes:].decode(errors="ignore")

    async def delete(self, tenant: str, run_id: str) -> None:
        """Forget the run."""
        self._check(tenant)
        found = self._runs.pop((tenant, run_id), None)
        if found is not None and self.launcher is not None:
            self.launcher.stopped(found.spec)

    async def pods_gone(self, tenant: str, run_id: str) -> bool:
        """Whether the run is gone and does not linger."""
        self._check(tenant)
        return (tenant, run_id) not in self._runs and run_id not in self.slow_to_go

    async def published(self, tenant: str) -> list[Published]:
        """``templates``, for every tenant."""
        self._check(tenant)
        return list(self.templates)

    async def close(self) -> None:
        """Nothing to let go of."""

    def print_line(self, tenant: str, run_id: str, line: str) -> None:
        """Let the run print ``line``."""
        self._runs[tenant, run_id].log += f"{line}\n"

    def start(self, tenant: str, run_id: str) -> None:
        """Let the run's pod run."""
        self._set(tenant, run_id, state=JobState.RUNNING)

    def end(self, tenant: str, run_id: str, exit_code: int, reason: str | None = None) -> None:
        """Let the run end: SUCCEEDED when ``exit_code`` is 0, else FAILED for ``reason``."""
        state = JobState.FAILED if exit_code else JobState.SUCCEEDED
        if exit_code and reason is None:
            reason = f"the command ended with exit code {exit_code}"
        self._set(tenant, run_id, state=state, exit_code=exit_code, reason=reason)

    def lose(self, tenant: str, run_id: str) -> None:
        """Let somebody else delete the run."""
        del self._runs[tenant, run_id]

    def _set(
        self,
        tenant: str,
        run_id: str,
        *,
        state: JobState,
        exit_code: int | None = None,
        reason: str | None = None,
    ) -> None:
        found = self._runs.get((tenant, run_id))
        if found is not None:
            found.run = replace(found.run, state=state, exit_code=exit_code, reason=reason)

    def _check(self, tenant: str) -> None:
        if tenant in self.unavailable:
            raise EngineUnavailable(f"the vCluster of team {tenant} does not answer")
