"""Carries out what was decided for a release: ticket, objects, the switch, the way back. Each step may be repeated."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from aifactory_profiles import Profile

from ... import constants
from ...admission import GatedAdmission
from ...domain.deployments import Deployment, Release, ReleaseState
from ...domain.models import MoveKind
from ...domain.release_steps import Answered, ReleaseDecision, ReleaseLimits, ReleaseStep
from ...domain.tickets import Ticket, TicketRequest
from ...engines.base import EngineRefused
from ...engines.serving.base import NotAnswered, ServeSpec, ServingEngine
from ...registry import Registry
from ...signing.keys import CustodyError
from ...store import BlobsUnavailable
from ...store.deployments import Deployments
from ..auth.runner_tokens import token_hash
from ..background.schedules import Membership
from ..executors import reconciling
from ..models.aliases import MoveWish
from ..run_spec import times
from .desk import DeploymentDesk, infer_path
from .spec import release_token, serve_spec, ticket_name

log = logging.getLogger(__name__)

# As whom the service freezes an alias.
_ITSELF = "the service"


@dataclass(frozen=True)
class ControllerParts:
    """What releases are taken forward with. ``tell`` is told of a release that failed, why, and of the one that serves
    in its place."""

    desk: DeploymentDesk
    engine: ServingEngine
    admission: GatedAdmission
    membership: Membership
    get_registry: Callable[[], Registry]
    tell: Callable[[Deployment, Release, str, Release | None], None]
    token_key: bytes
    clock: Callable[[], float]
    database: str
    limits: Callable[[], ReleaseLimits]

    @property
    def stored(self) -> Deployments:
        return self.desk.stored


class ReleaseSteps:
    """Takes steps; remembers nothing."""

    def __init__(self, parts: ControllerParts) -> None:
        self.parts = parts

    async def spec(self, deployment: Deployment, release: Release, ticket: Ticket | None) -> ServeSpec | None:
        """What the release is on the cluster; None where its profile is not in tenants.yaml any more."""
        profile = self._profile(release)
        if profile is None:
            return None
        model, number = await reconciling.run(self._names, deployment, release)
        return serve_spec(
            deployment,
            release,
            self.parts.get_registry(),
            profile,
            model=model,
            version=number,
            token=release_token(self.parts.token_key, release.id),
            node_selector={} if ticket is None else ticket.node_selector,
        )

    def _names(self, deployment: Deployment, release: Release) -> tuple[str, int]:
        registry = self.parts.desk.models.registry
        model, version = registry.model(deployment.model), registry.version(release.version)
        assert model is not None and version is not None  # foreign keys hold them
        return model.name, version.number

    def _profile(self, release: Release) -> Profile | None:
        catalogue = self.parts.get_registry().catalogue
        return catalogue.profile(release.plan.profile) if release.plan.profile in catalogue.names else None

    async def ask_example(self, deployment: Deployment, release: Release, spec: ServeSpec) -> Answered | None:
        """The recorded request, asked of the release that nobody else asks yet."""
        example = release.plan.example or {}
        model = json.loads(spec.run.secret_files["release.json"])["model"]
        try:
            answer = await self.parts.engine.ask(deployment.tenant, release.id, infer_path(model), example)
        except NotAnswered as error:
            # A release that is ready may be out of reach for a moment.
            log.info("release %d of %s: the example was not answered: %s", release.number, deployment.name, error)
            return None
        if answer.status == 200:
            return Answered()
        said = answer.body[:300].decode("utf-8", "replace")
        return Answered(f"the example request was answered {answer.status}: {said}")

    async def apply(
        self,
        deployment: Deployment,
        release: Release,
        releases: list[Release],
        decision: ReleaseDecision,
        spec: ServeSpec | None,
    ) -> bool:
        """Take one step; whether anything was changed, so that all is to be read anew. Raises what admission and
        engine raise."""
        match decision.step:
            case ReleaseStep.WAIT:
                await self.note(release, decision.state, decision.reason)
                return False
            case ReleaseStep.ASK_EXAMPLE:
                await self.note(release, decision.state, "the example request was not answered yet")
                return False
            case ReleaseStep.FILE_TICKET:
                await self.parts.admission.request(self._ticket_request(deployment, release))
            case ReleaseStep.HOLD_TICKET:
                await self.parts.admission.hold(deployment.tenant, ticket_name(release.id))
            case ReleaseStep.APPLY:
                await self._make(deployment, release, decision, spec)
            case ReleaseStep.SWITCH:
                await self._switch(release, releases, spec)
            case ReleaseStep.REQUEUE:
                return await self._requeue(deployment, release, decision)
            case ReleaseStep.CLEAN:
                return await self._clean(deployment, release, releases)
            case ReleaseStep.RETIRE:
                await self.note(release, decision.state, decision.reason, ended=True)
            case ReleaseStep.FAIL | ReleaseStep.RETURN:
                back = next((each for each in releases if each.state is ReleaseState.STANDBY), None)
                serving = next((each for each in releases if each.state is ReleaseState.SERVING), None)
                returning = back if decision.step is ReleaseStep.RETURN else None
                await self.fail(deployment, release, decision.reason, returning or serving, back=returning)
        return True

    async def _make(
        self, deployment: Deployment, release: Release, decision: ReleaseDecision, spec: ServeSpec | None
    ) -> None:
        """The intention is recorded first: a crash in here is followed by a look, and by making the same again."""
        if spec is None:
            raise EngineRefused(f"Profile {release.plan.profile} is not in tenants.yaml any more: deploy another one.")
        now, token = self.parts.clock(), spec.run.secret_files["token"]
        await reconciling.run(self.parts.stored.intend, release.id, token_hash(token), now)
        await self.parts.admission.hold(deployment.tenant, ticket_name(release.id))
        await self.parts.engine.apply(spec)
        if release.state is ReleaseState.SERVING:
            log.warning(
                "release %d of %s in %s: %s", release.number, deployment.name, deployment.tenant, decision.reason
            )
            await self.parts.engine.lead(spec)
            await self.note(release, decision.state, decision.reason)
            return
        started = {} if release.started_at is not None else {"started_at": now}
        await reconciling.run(
            self.parts.stored.change, release.id, state=decision.state, reason=decision.reason, problem="", **started
        )

    async def _switch(self, release: Release, releases: list[Release], spec: ServeSpec | None) -> None:
        assert spec is not None  # what is ready was made of one
        await self.parts.engine.lead(spec)
        others = [each for each in releases if each.id != release.id]
        await reconciling.run(self.parts.stored.switch, release, others, self.parts.clock())

    async def _requeue(self, deployment: Deployment, release: Release, decision: ReleaseDecision) -> bool:
        """Give its quota back once nothing of it runs, and wait for it anew."""
        if not await self._removed(deployment, release):
            await self.note(release, release.state, decision.reason)
            return False
        times = {"started_at": None, "intended_at": None, "serving_at": None}
        change = self.parts.stored.change
        await reconciling.run(change, release.id, state=ReleaseState.PENDING, reason=decision.reason, **times)
        return True

    async def _clean(self, deployment: Deployment, release: Release, releases: list[Release]) -> bool:
        if not await self._removed(deployment, release):
            return False
        if not any(each.live and each.id != release.id for each in releases):
            await self.parts.engine.unlead(deployment.tenant, deployment.name)
        await reconciling.run(self.parts.stored.cleaned, release.id, self.parts.clock())
        return True

    async def _removed(self, deployment: Deployment, release: Release) -> bool:
        """What it is on the cluster goes, then, once no pod is left, its ticket: the order keeps the quota true."""
        if release.intended_at is not None:
            await self.parts.engine.remove(deployment.tenant, release.id)
            if not await self.parts.engine.gone(deployment.tenant, release.id):
                return False
        await self.parts.admission.release(deployment.tenant, ticket_name(release.id))
        return True

    async def fail(
        self, deployment: Deployment, release: Release, why: str, serves: Release | None, *, back: Release | None = None
    ) -> None:
        """End the release; where another one goes on in its place, the alias is frozen. People are told."""
        log.error("release %d of %s in %s failed: %s", release.number, deployment.name, deployment.tenant, why)
        if back is not None:
            spec = await self.spec(deployment, back, None)
            if spec is not None:
                await self.parts.engine.lead(spec)
            args = (release, ReleaseState.FAILED, why, back, self.parts.clock())
            await reconciling.run(self.parts.stored.take_back, *args)
        else:
            await self.note(release, ReleaseState.FAILED, why, ended=True)
        if serves is not None:
            await self._freeze(deployment, release, why)
        await reconciling.run(self.parts.tell, deployment, release, why, serves)

    async def _freeze(self, deployment: Deployment, release: Release, why: str) -> None:
        if deployment.alias is None:
            return
        model = await reconciling.run(self.parts.desk.models.registry.model, deployment.model)
        assert model is not None  # a foreign key holds it
        reason = f"release {release.number} of {deployment.name} failed: {why}"[:1000]
        wish = MoveWish(model, deployment.alias, MoveKind.FREEZE, None, _ITSELF, reason)
        try:
            await self.parts.desk.models.aliases.change(wish)
        except (CustodyError, BlobsUnavailable) as error:
            log.error("%s@%s could not be frozen: %s", model.name, deployment.alias, error)

    async def note(self, release: Release, state: ReleaseState, reason: str, *, ended: bool = False) -> None:
        """Say what the release is now."""
        if (release.state, release.reason) != (state, reason):
            at = {"ended_at": self.parts.clock()} if ended else {}
            await reconciling.run(self.parts.stored.change, release.id, state=state, reason=reason, **at)

    def _ticket_request(self, deployment: Deployment, release: Release) -> TicketRequest:
        profile = self._profile(release)
        if profile is None:
            raise EngineRefused(f"Profile {release.plan.profile} is not in tenants.yaml any more: deploy another one.")
        return TicketRequest(
            tenant=deployment.tenant,
            name=ticket_name(release.id),
            kind=constants.KIND_DEPLOYMENT,
            owner=release.id,
            user=release.by,
            profile=profile.name,
            resources=times(profile.requests, release.plan.replicas),
            priority=constants.PRIORITY_DEPLOYMENT,
            node_labels=profile.node_labels,
            flavor=profile.flavor,
            database=self.parts.database,
            running=release.state in (ReleaseState.STARTING, ReleaseState.SERVING, ReleaseState.STANDBY),
        )
