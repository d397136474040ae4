"""Takes deployments forward: makes the releases that are wanted, and for each gathers, decides, applies.

Nothing is remembered here but when to look again: a new process goes on from the database and the cluster.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from ...admission import AdmissionRefused, AdmissionUnavailable, NotAdmitted, UserLimitReached
from ...domain.deployments import Deployment, Release, ReleaseState, next_release
from ...domain.models import ModelFacts, ModelVersion
from ...domain.refusals import Refusal
from ...domain.release_steps import (
    ReleaseFacts,
    ReleaseStep,
    Served,
    Share,
    decide_release,
)
from ...domain.tickets import Ticket, TicketState
from ...engines.base import EngineRefused, EngineUnavailable
from ...engines.serving.base import ServeSpec
from ...store.deployments import new_release_id
from ..executors import reconciling
from .rules import Held
from .spec import ticket_name
from .steps import ControllerParts, ReleaseSteps

log = logging.getLogger(__name__)

# Steps that one deployment takes in a row, before others have their turn.
_MOST_STEPS = 20
# How long a deployment of which nothing changes rests between two looks, in seconds.
_REST = 5.0


class DeploymentController:
    """Looks at every deployment that goes on; ``hurry`` has one looked at in the next round."""

    def __init__(self, parts: ControllerParts) -> None:
        self.parts = parts
        self.steps = ReleaseSteps(parts)
        self._rests: dict[str, float] = {}

    def hurry(self, deployment: str) -> None:
        """Look at it in the next round."""
        self._rests.pop(deployment, None)

    async def tick(self) -> None:
        """One round."""
        await reconciling.run(self.parts.desk.counter.flush)
        now = self.parts.clock()
        for deployment in await reconciling.run(self.parts.stored.going_on):
            if self._rests.get(deployment.id, 0.0) > now:
                continue
            try:
                moving = await self.advance(deployment)
            except Exception:
                log.exception("deployment %s of %s failed; it is tried again", deployment.name, deployment.tenant)
                moving = False
            if not moving:
                self._rests[deployment.id] = now + _REST

    async def advance(self, deployment: Deployment) -> bool:
        """As far as it goes now; whether something of it is on its way, so that it is looked at again soon."""
        if deployment.tenant not in self.parts.get_registry().tenants:
            return False
        await self._want(deployment)
        for _ in range(_MOST_STEPS):
            releases = (await reconciling.run(self.parts.stored.releases, [deployment.id], live=True))[deployment.id]
            tickets = await self._tickets(deployment.tenant)
            if not await self._one_step(deployment, releases, tickets):
                at_rest = (ReleaseState.SERVING, ReleaseState.STANDBY)
                return any(each.live and each.state not in at_rest for each in releases)
        return True

    async def _one_step(
        self, deployment: Deployment, releases: list[Release], tickets: Mapping[str, Ticket] | None
    ) -> bool:
        """The first step that there is to take; afterwards nothing that was read before counts any more."""
        for release in releases:
            if release.live and await self._step(deployment, release, releases, tickets):
                return True
        return False

    async def _want(self, deployment: Deployment) -> None:
        """Make the release that is wanted, if the rules have nothing against it."""
        found = await reconciling.run(self._wanted, deployment)
        if found is None:
            return
        release, model, version = found
        role = await self.parts.membership.role(deployment.by, deployment.tenant)
        reviewed = await self.parts.desk.rules.review(deployment, model, version, deployment.by, role)
        problem = ""
        if isinstance(reviewed, Refusal):
            problem = f"version {version.number} is not deployed: {reviewed.message}"
        elif isinstance(reviewed, Held):
            problem = f"version {version.number} is not deployed yet: {reviewed.words}"
        await reconciling.run(self.parts.stored.note_problem, deployment.id, problem)
        if not problem:
            await reconciling.run(self.parts.stored.add_release, release)

    def _wanted(self, deployment: Deployment) -> tuple[Release, ModelFacts, ModelVersion] | None:
        model = self.parts.desk.models.registry.model(deployment.model)
        assert model is not None  # a foreign key holds it
        version = self.parts.desk.version_at(model, deployment.at)
        releases = self.parts.stored.releases([deployment.id], live=True)[deployment.id]
        wanted = next_release(deployment, None if version is None else version.id, releases)
        if wanted is None or version is None:
            return None
        now = self.parts.clock()
        release = Release(
            id=new_release_id(),
            deployment=deployment.id,
            number=0,
            version=version.id,
            digest=version.digest,
            plan=deployment.plan,
            cause=wanted.cause,
            by=deployment.by,
            why=wanted.why,
            created_at=now,
            wish_at=deployment.changed_at,
        )
        return release, model, version

    async def _tickets(self, tenant: str) -> Mapping[str, Ticket] | None:
        try:
            return {ticket.name: ticket for ticket in await self.parts.admission.tickets(tenant)}
        except AdmissionUnavailable:
            return None

    async def _step(
        self,
        deployment: Deployment,
        release: Release,
        releases: list[Release],
        tickets: Mapping[str, Ticket] | None,
    ) -> bool:
        """One step for a release; whether one was taken."""
        name = ticket_name(release.id)
        ticket = None if tickets is None else tickets.get(name) or Ticket(deployment.tenant, name, "", TicketState.GONE)
        spec = await self.steps.spec(deployment, release, ticket)
        facts = await self._gather(deployment, release, releases, ticket, spec)
        limits = self.parts.limits()
        decision = decide_release(facts, limits)
        if decision.step is ReleaseStep.ASK_EXAMPLE and spec is not None:
            facts = replace(facts, example=await self.steps.ask_example(deployment, release, spec))
            decision = decide_release(facts, limits)
        try:
            return await self.steps.apply(deployment, release, releases, decision, spec)
        except (UserLimitReached, NotAdmitted) as error:
            await self.steps.note(release, release.state, str(error))
        except (AdmissionUnavailable, EngineUnavailable) as error:
            await self.steps.note(release, release.state, f"it waits: {error}")
        except (AdmissionRefused, EngineRefused) as error:
            await self.steps.fail(deployment, release, str(error), None)
            return True
        return False

    async def _gather(
        self,
        deployment: Deployment,
        release: Release,
        releases: list[Release],
        ticket: Ticket | None,
        spec: ServeSpec | None,
    ) -> ReleaseFacts:
        later = [each for each in releases if each.number > release.number and not each.state.final]
        beside = (ReleaseState.SERVING, ReleaseState.STANDBY)
        share = Share()
        if release.state is ReleaseState.SERVING:
            share = await reconciling.run(self.parts.desk.counter.share, release)
        return ReleaseFacts(
            release=release,
            ticket=ticket,
            served=await self._look(release, spec),
            newest=not later,
            wanted=deployment.stopped_at is None,
            now=self.parts.clock(),
            share=share,
            other=next((each for each in releases if each.id != release.id and each.state in beside), None),
            coming=next((each for each in later if each.state.coming), None),
        )

    async def _look(self, release: Release, spec: ServeSpec | None) -> Served | None:
        if release.intended_at is None or release.state.final:
            return Served(False)
        if spec is None:
            return None
        try:
            return await self.parts.engine.look(spec)
        except EngineUnavailable:
            return None
