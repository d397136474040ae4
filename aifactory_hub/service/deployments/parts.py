"""Puts together what makes deployments and takes them forward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...admission import GatedAdmission
from ...domain.release_steps import ReleaseLimits
from ...engines.serving.base import ServingEngine
from ...registry.model import Registry
from ...store import Deliveries, FileStore, Jobs, database_id
from ...store.deployments import Deployments
from ..approvals import ApprovalDesk
from ..background.schedules import Membership
from ..gates import Gates
from ..models.desk import ModelDesk
from .controller import DeploymentController
from .desk import DeploymentDesk
from .failure_messages import tell_of_failure
from .orphans import ReleaseSweeper
from .rules import DeploymentRules
from .steps import ControllerParts
from .usage import RequestCounter


@dataclass(frozen=True)
class DeploymentParts:
    """``stored`` has them, ``desk`` takes what people ask, ``tick`` takes releases forward, ``sweep`` removes
    what nothing stands behind."""

    stored: Deployments
    desk: DeploymentDesk
    controller: DeploymentController | None
    sweeper: ReleaseSweeper | None = None

    async def sweep(self) -> None:
        """Remove what no record stands behind; nothing where the site deploys nothing."""
        if self.sweeper is not None:
            await self.sweeper.sweep()

    async def tick(self) -> None:
        """One round; nothing where the site deploys nothing."""
        if self.controller is not None:
            await self.controller.tick()


def assemble_deployments(
    get_registry: Callable[[], Registry],
    *,
    jobs: Jobs,
    files: FileStore,
    models: ModelDesk,
    gates: Gates,
    approvals: ApprovalDesk,
    admission: GatedAdmission,
    membership: Membership,
    deliveries: Deliveries,
    engine: ServingEngine | None,
    clock: Callable[[], float],
) -> DeploymentParts:
    """The parts; nothing is started. ``engine`` None: the site deploys nothing."""
    stored = Deployments(jobs.db)
    counter = RequestCounter(stored, clock)
    rules = DeploymentRules(models, gates, approvals, get_registry, clock)
    controllers: list[DeploymentController] = []
    sweeper = None

    def hurry(deployment: str) -> None:
        for controller in controllers:
            controller.hurry(deployment)

    def limits() -> ReleaseLimits:
        said = get_registry().deployments
        return ReleaseLimits(start_timeout=said.start_timeout, watch=said.watch)

    desk = DeploymentDesk(stored, models, rules, engine, counter, get_registry, clock, hurry)
    if engine is not None:
        parts = ControllerParts(
            desk=desk,
            engine=engine,
            admission=admission,
            membership=membership,
            get_registry=get_registry,
            tell=lambda deployment, release, why, back: tell_of_failure(
                jobs, models.registry, deliveries, deployment, release, why, back, clock()
            ),
            token_key=files.secret("release-tokens"),
            clock=clock,
            database=database_id(jobs.db),
            limits=limits,
        )
        controllers.append(DeploymentController(parts))
        sweeper = ReleaseSweeper(stored, engine, admission, lambda: list(get_registry().tenants), parts.database)
    return DeploymentParts(stored, desk, next(iter(controllers), None), sweeper)
