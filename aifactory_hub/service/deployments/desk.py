"""What people ask of deployments: make or change one, stop it, go back, ask it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...domain.deployments import (
    Deployment,
    Release,
    ReleaseCause,
    ReleaseState,
    ServingPlan,
    plan_problem,
    release_before,
    serving_of,
)
from ...domain.models import ModelFacts, ModelVersion, MoveKind, number_of
from ...domain.refusals import Refusal, RefusalReason
from ...domain.spawns import choose_profile
from ...domain.tenants import Role
from ...domain.verdicts import Finding
from ...engines.base import EngineUnavailable
from ...engines.serving.base import Answer, NotAnswered, ServingEngine
from ...registry import Registry
from ...store.deployments import Deployments, new_deployment_id, new_release_id
from ..executors import reads
from ..models.aliases import MoveWish
from ..models.desk import ModelDesk
from .rules import Allowed, DeploymentRules, Held
from .usage import RequestCounter


@dataclass(frozen=True, slots=True)
class DeployWish:
    """What somebody asks for. ``at`` is an alias to follow, or the number of a version."""

    tenant: str
    name: str
    model: ModelFacts
    at: str
    plan: ServingPlan
    by: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Deployed:
    """The deployment as it was asked for. ``new``: the team had none of this name; ``same``: it was so before."""

    deployment: Deployment
    new: bool
    same: bool = False
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class WentBack:
    """The release that answers, or will. ``at_once``: it was still there and answers already."""

    release: Release
    at_once: bool


@dataclass(frozen=True, slots=True)
class Coming:
    """It does not answer yet. ``held``: people have to approve it."""

    words: str
    held: bool = False


@dataclass(frozen=True)
class DeploymentDesk:
    """Decides and records; the controller carries out. ``engine`` None: this site deploys nothing."""

    stored: Deployments
    models: ModelDesk
    rules: DeploymentRules
    engine: ServingEngine | None
    counter: RequestCounter
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]
    hurry: Callable[[str], None]

    async def deploy(self, wish: DeployWish) -> Deployed | Held | Refusal:
        """Let a version answer under a name. What is so already is not changed."""
        if self.engine is None:
            message = "This site deploys no models: deployments.enabled is false in tenants.yaml."
            return Refusal(RefusalReason.NO_DEPLOYMENTS, message)
        named = await reads.run(self._named, wish)
        if isinstance(named, Refusal):
            return named
        wanted, before, version = named
        if before is not None and before.stopped_at is None and _same(before, wanted):
            return Deployed(before, new=False, same=True)
        reviewed = await self.rules.review(wanted, wish.model, version, wish.by, wish.role)
        if not isinstance(reviewed, Allowed):
            return reviewed
        kept = await reads.run(self.stored.put, wanted)
        self.hurry(kept.id)
        return Deployed(kept, new=before is None, warnings=reviewed.warnings)

    async def bring(self, wish: DeployWish, version: ModelVersion) -> Release | Coming | Refusal:
        """Deploy it unless that was done, and say how far it is: the release of this version once it answers."""
        made = await self.deploy(wish)
        if isinstance(made, Refusal):
            return made
        if isinstance(made, Held):
            return Coming(made.words, held=True)
        deployment = made.deployment
        releases = (await reads.run(self.stored.releases, [deployment.id], live=True))[deployment.id]
        mine = [each for each in releases if each.version == version.id and each.wish_at >= deployment.changed_at]
        newest = max(mine, key=lambda each: each.number, default=None)
        if newest is None:
            return Coming(deployment.problem or "its release is being made")
        if newest.state in (ReleaseState.SERVING, ReleaseState.STANDBY):
            return newest
        words = f"release {newest.number}: {newest.reason or newest.state.value}"
        if newest.state.final:
            return Refusal(RefusalReason.NOT_SERVING, f"{deployment.name} does not answer: {words}")
        return Coming(words)

    def _named(self, wish: DeployWish) -> tuple[Deployment, Deployment | None, ModelVersion] | Refusal:
        """The wish with its profile's whole name, what there is of that name, and the version that is meant."""
        registry = self.get_registry()
        profile = choose_profile(wish.plan.profile, registry.tenants[wish.tenant], registry.catalogue)
        if isinstance(profile, Refusal):
            return profile
        wrong = plan_problem(wish.plan)
        if wrong is not None:
            return Refusal(RefusalReason.BAD_FIELD, f"{wrong[0]}: {wrong[1]}.", field=wrong[0])
        version = self.version_at(wish.model, wish.at)
        if version is None:
            message = f"model is '{wish.model.name}@{wish.at}': {wish.model.name} has no such version or alias."
            return Refusal(RefusalReason.BAD_FIELD, message, field="model")
        now = self.clock()
        plan = replace(wish.plan, profile=profile.name)
        whole = (wish.tenant, wish.name, wish.model.id, wish.at, plan, wish.by, now, now)
        return Deployment(new_deployment_id(), *whole), self.stored.find(wish.tenant, wish.name), version

    def version_at(self, model: ModelFacts, at: str) -> ModelVersion | None:
        """The version that an alias or number leads to; blocks."""
        number = number_of(at)
        if number is not None:
            return self.models.registry.of_number(model.id, number)
        led = self.models.registry.alias(model.id, at).version
        return None if led is None else self.models.registry.version(led)

    async def stop(self, deployment: Deployment) -> None:
        """End all of it; its history stays."""
        await reads.run(self.stored.stop, deployment.id, self.clock())
        self.hurry(deployment.id)

    async def roll_back(
        self, deployment: Deployment, by: str, role: Role | None, reason: str, number: int | None
    ) -> WentBack | Held | Refusal:
        """Go back to a release, and let the alias lead to its version again: in one act, for one reason.

        Raises CustodyError and BlobsUnavailable: then nothing is known, and nothing has changed.
        """
        releases = (await reads.run(self.stored.releases, [deployment.id]))[deployment.id]
        target = _target(deployment, releases, number)
        if isinstance(target, Refusal):
            return target
        model = await reads.run(self.models.registry.model, deployment.model)
        version = await reads.run(self.models.registry.version, target.version)
        assert model is not None and version is not None  # foreign keys hold them
        allowed = await self._move(deployment, target, model, version, by, role, reason)
        if not isinstance(allowed, Allowed):
            return allowed
        gone_back = await self._return(deployment, releases, target, by, reason, version)
        self.hurry(deployment.id)
        return gone_back

    async def _move(
        self,
        deployment: Deployment,
        target: Release,
        model: ModelFacts,
        version: ModelVersion,
        by: str,
        role: Role | None,
        reason: str,
    ) -> Allowed | Held | Refusal:
        allowed = await self.rules.review(replace(deployment, plan=target.plan), model, version, by, role)
        if not isinstance(allowed, Allowed) or deployment.alias is None:
            return allowed
        wish = MoveWish(model, deployment.alias, MoveKind.ROLL_BACK, version, by, reason, role)
        moved = await self.models.aliases.lead(wish, self.rules.approvals)
        if isinstance(moved, Refusal):
            return moved
        return Held(moved.needs) if moved.needs else allowed

    async def _return(
        self,
        deployment: Deployment,
        releases: list[Release],
        target: Release,
        by: str,
        reason: str,
        version: ModelVersion,
    ) -> WentBack:
        now = self.clock()
        changes: dict[str, Any] = {"plan": target.plan}
        if deployment.alias is None:
            changes["at"] = str(version.number)
        serving = serving_of(releases)
        if target.state is ReleaseState.STANDBY and serving is not None:
            why = f"{by} went back to release {target.number}: {reason}"
            back = (serving, ReleaseState.RETIRED, why, target, now, changes)
            await reads.run(self.stored.take_back, *back)
            return WentBack(replace(target, state=ReleaseState.SERVING), at_once=True)
        made = Release(
            id=new_release_id(),
            deployment=deployment.id,
            number=0,
            version=target.version,
            digest=target.digest,
            plan=target.plan,
            cause=ReleaseCause.ROLL_BACK,
            by=by,
            why=reason,
            created_at=now,
            wish_at=now,
        )
        changes |= {"by": by, "changed_at": now, "stopped_at": None}
        return WentBack(await reads.run(self.stored.add_release, made, changes), at_once=False)

    async def ask(self, deployment: Deployment, body: Mapping[str, Any]) -> tuple[Release, Answer] | Refusal:
        """What the release that serves answers to a request. Raises NotAnswered and EngineUnavailable."""
        releases = (await reads.run(self.stored.releases, [deployment.id], live=True))[deployment.id]
        serving = serving_of(releases)
        if serving is None or self.engine is None or deployment.stopped_at is not None:
            message = f"Nothing answers under {deployment.name} now: look at its state, and ask again."
            return Refusal(RefusalReason.NOT_SERVING, message, field="deployment")
        model = await reads.run(self.models.registry.model, deployment.model)
        assert model is not None  # a foreign key holds it
        began = time.monotonic()
        failed = True
        try:
            answer = await self.engine.ask(deployment.tenant, serving.id, infer_path(model.name), body)
            failed = answer.status >= 500
        except (NotAnswered, EngineUnavailable):
            failed = True
            raise
        finally:
            self.counter.note(serving.id, 1000 * (time.monotonic() - began), failed=failed)
        return serving, answer


def infer_path(model: str) -> str:
    """Where a model is asked, as the Open Inference Protocol has it."""
    return f"/v2/models/{model}/infer"


def _target(deployment: Deployment, releases: list[Release], number: int | None) -> Release | Refusal:
    if number is None:
        found = release_before(releases)
        words = "has served nothing else before"
    else:
        found = next((each for each in releases if each.number == number and each.serving_at is not None), None)
        words = f"has no release {number} that has served"
    if found is not None:
        return found
    return Refusal(RefusalReason.NEVER_HELD, f"{deployment.name} {words}: there is nothing to go back to.", "release")


def _same(before: Deployment, wanted: Deployment) -> bool:
    return (before.model, before.at, before.plan) == (wanted.model, wanted.at, wanted.plan)
