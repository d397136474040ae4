"""Releases in this process's memory only: the same contract without an engine, for tests and trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...domain.release_steps import Served
from ..base import EngineUnavailable, SeenRun, render_process
from .base import Answer, NotAnswered, ServeSpec


def _echo(_spec: ServeSpec, body: Mapping[str, Any]) -> Answer:
    return Answer(200, json.dumps({"outputs": body.get("inputs", [])}).encode())


@dataclass
class MemoryServing:
    """See base.ServingEngine. ``unavailable`` makes a tenant's API silent, ``slow_to_go`` names releases whose pods
    linger; ``answers`` says what releases answer; ``by_itself``: a release gets ready once it is made."""

    name: str = "memory"
    by_itself: bool = True
    unavailable: set[str] = field(default_factory=set)
    slow_to_go: set[str] = field(default_factory=set)
    made: list[ServeSpec] = field(default_factory=list)
    leads: dict[tuple[str, str], str] = field(default_factory=dict)
    answers: Callable[[ServeSpec, Mapping[str, Any]], Answer] = _echo
    _seen: dict[tuple[str, str], tuple[ServeSpec, Served]] = field(default_factory=dict)

    def render(self, spec: ServeSpec) -> list[dict[str, Any]]:
        """A process, as near as there is to a manifest of one."""
        return [render_process(spec.run)]

    async def apply(self, spec: ServeSpec) -> None:
        """Made now or before; what was changed is as it was."""
        self._check(spec.run.tenant)
        place = (spec.run.tenant, spec.run.run_id)
        if place not in self._seen:
            self.made.append(spec)
            self._seen[place] = (spec, Served(True, ready=spec.run.nodes if self.by_itself else 0))
        else:
            self._seen[place] = (spec, replace(self._seen[place][1], changed=""))

    async def look(self, spec: ServeSpec) -> Served:
        """See ``see``."""
        self._check(spec.run.tenant)
        found = self._seen.get((spec.run.tenant, spec.run.run_id))
        leads = self.leads.get((spec.run.tenant, spec.deployment)) == spec.run.run_id
        return Served(False) if found is None else replace(found[1], leads=leads)

    async def lead(self, spec: ServeSpec) -> None:
        """Remembered in ``leads``."""
        self._check(spec.run.tenant)
        self.leads[spec.run.tenant, spec.deployment] = spec.run.run_id

    async def unlead(self, tenant: str, deployment: str) -> None:
        """Forgotten."""
        self._check(tenant)
        self.leads.pop((tenant, deployment), None)

    async def remove(self, tenant: str, release: str) -> None:
        """Forgotten."""
        self._check(tenant)
        self._seen.pop((tenant, release), None)

    async def gone(self, tenant: str, release: str) -> bool:
        """Whether it was removed and does not linger."""
        self._check(tenant)
        return (tenant, release) not in self._seen and release not in self.slow_to_go

    async def releases(self, tenant: str) -> list[SeenRun]:
        """All that were made and not removed."""
        self._check(tenant)
        return [SeenRun(release, 0.0) for where, release in self._seen if where == tenant]

    async def ask(self, tenant: str, release: str, path: str, body: Mapping[str, Any]) -> Answer:
        """What ``answers`` says."""
        self._check(tenant)
        found = self._seen.get((tenant, release))
        if found is None:
            raise NotAnswered("it does not run")
        return self.answers(found[0], body)

    async def logs(self, tenant: str, release: str, *, limit_bytes: int) -> str:
        """Nothing."""
        return ""

    async def close(self) -> None:
        """Nothing to let go of."""

    def see(self, tenant: str, release: str, served: Served) -> None:
        """Let the release look like this."""
        self._seen[tenant, release] = (self._seen[tenant, release][0], served)

    def lose(self, tenant: str, release: str) -> None:
        """Let somebody else remove it."""
        del self._seen[tenant, release]

    def _check(self, tenant: str) -> None:
        if tenant in self.unavailable:
            raise EngineUnavailable(f"the vCluster of team {tenant} does not answer")
