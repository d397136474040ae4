"""A cluster in memory and a disk that outlive the service's process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aifactory_hub.admission import InProcessAdmission, TicketPolicy
from aifactory_hub.engines.installed import Engines
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.engines.serving.base import ServingEngine
from aifactory_hub.service.api.context import Context
from aifactory_hub.service.budget_policy import BudgetPolicy
from aifactory_hub.service.gates import SiteRules
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult
from aifactory_hub.service.ticket_rules import JobRulesPolicy
from aifactory_hub.service.wiring import job_approvals
from aifactory_hub.store import JobRecord

from ..support.gate import gated
from ..support.job_service import Clock, Folder, make_context, make_registry
from ..support.uploads import keep_files

MIG = "mig-1g.10gb"


@dataclass
class World:
    """The cluster and the disk, which stay, and the service's process, which may die."""

    path: Path
    registry: Any = field(default_factory=make_registry)
    clock: Clock = field(default_factory=Clock)
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    policies: list[TicketPolicy] = field(default_factory=list)
    gates: SiteRules | None = None
    admission: Any = None
    serving: ServingEngine | None = None
    _contexts: list[Context] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admission = self.admission or InProcessAdmission(self.registry.tenants)
        self.service = self.restart()

    def restart(self, wrap: Callable[[Any], Any] = lambda part: part) -> Context:
        """A new process on the same disk and cluster; ``wrap`` comes between it and the three."""
        context = make_context(
            Folder(self.path),
            self.registry,
            self.admission,
            self.engine,
            clock=self.clock,
            policies=self.policies,
            gates=self.gates,
            serving=self.serving,
        )
        self._contexts.append(context)
        if wrap is not None:
            provider = context.provider
            asked = JobRulesPolicy(context.job_gate, context.jobs, job_approvals(context.job_gate, context.jobs, None))
            step_parts = replace(
                context.reconciler._w,
                jobs=wrap(context.jobs),
                admission=gated(
                    wrap(self.admission),
                    lambda: provider.tenants,
                    *self.policies,
                    asked,
                    BudgetPolicy(context.budgets, context.jobs, self.admission),
                ),
                engines=Engines([wrap(self.engine)]),
            )
            context = replace(context, reconciler=type(context.reconciler)(step_parts))
        self.service = context
        return context

    async def submit(self, key: str = "k", *, owner: str = "ada", tenant: str = "nlp", **asked: Any) -> str:
        request = {"command": "python train.py", "profile": MIG, "key": key, **asked}
        taken = await self.service.submissions.submit(owner, tenant, Submission(**request))
        assert isinstance(taken, SubmitResult), taken
        self.clock.pass_by(1)
        return taken.job.id

    def send(self, files: Mapping[str, bytes], *, owner: str = "ada", tenant: str = "nlp") -> str:
        """Files for a job to come; what the job names them by."""
        return keep_files(self.service.snapshots, self.service.files, files, owner, tenant, self.clock.now)

    async def settle(self) -> None:
        await self.service.reconciler.settle()

    def job(self, job_id: str) -> JobRecord:
        found = self.service.jobs.get(job_id)
        assert found is not None
        return found

    async def state(self, job_id: str) -> tuple[str, str | None]:
        await self.settle()
        job = self.job(job_id)
        return job.state.value, job.reason

    def close(self) -> None:
        for context in self._contexts:
            context.jobs.close()
