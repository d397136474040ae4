"""Deployments: models of a team that answer under a name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ... import constants
from ...domain.deployment_held import ReleaseHeld, held_by_releases
from ...domain.deployment_usage import minute_of
from ...domain.deployments import Deployment, Release, ServingPlan, deployment_name_problem
from ...domain.models import ModelFacts
from ...domain.names import slug
from ...domain.refusals import Refusal
from ...domain.verdict_json import finding_json
from ...engines.base import EngineUnavailable
from ...engines.serving.base import Answer, NotAnswered
from ...signing.keys import CustodyError
from ..deployment_answer_types import (
    DeployAnswer,
    DeploymentDetail,
    DeploymentsAnswer,
    DeploymentUsageAnswer,
    InferAnswer,
)
from ..deployment_request_types import DeploymentRequest, DeploymentRollback, InferRequest, UsageQuery
from ..deployments.desk import Deployed, DeployWish
from ..deployments.rules import Held
from ..errors import ServiceError, bad_field, forbidden, from_refusal, unavailable
from ..models.signatures import custody_words
from .base import run_sync
from .deployment_answers import deployment_answer, release_answer, usage_answer
from .models import OfModels
from .operations import operation

_MOST_LOG = 256 * 1024
# Releases of which it is told what they have held, the newest: databases take a few thousand parameters.
_MOST_HELD = 500


class _OfDeployments(OfModels):
    async def deployment_for(self, tenant: str, name: str) -> Deployment:
        """The team's deployment of this name. Raises ServiceError (404)."""
        found: Deployment | None = await run_sync(self.context.deployments.stored.find, tenant, name)
        if found is None:
            message = f"Team {tenant} has no deployment {name!r}."
            raise ServiceError(404, "unknown-deployment", message, field="deployment")
        return found

    async def told(self, deployments: Sequence[Deployment]) -> tuple[list[Any], dict[str, list[Release]], Any]:
        """Their answers, their releases by id, and the numbers of versions by id."""
        return await run_sync(self._told, deployments)

    def _told(self, deployments: Sequence[Deployment]) -> tuple[list[Any], dict[str, list[Release]], Any]:
        registry = self.context.models.registry
        releases = self.context.deployments.stored.releases([each.id for each in deployments])
        numbers = registry.numbers({each.version for some in releases.values() for each in some})
        models = {each.model: registry.model(each.model) for each in deployments}
        answers = []
        for each in deployments:
            model = models[each.model]
            assert model is not None  # a foreign key holds it
            answers.append(deployment_answer(each, model.name, releases[each.id], numbers))
        return answers, releases, numbers

    async def answer_deployed(self, deployment: Deployment, status: int, warnings: list[Any]) -> None:
        """Answer with the deployment as it is now."""
        now = await self.deployment_for(deployment.tenant, deployment.name)
        (answer,), _, _ = await self.told([now])
        self.answer({"deployment": answer, "held": False, "needs": [], "warnings": warnings}, status)

    def answer_held(self, held: Held) -> None:
        """Answer who has to approve it first."""
        needs = [{"role": need.role, "count": need.count} for need in held.needs]
        self.answer({"deployment": None, "held": True, "needs": needs, "warnings": []}, 202)


class DeploymentList(_OfDeployments):
    """A team's deployments."""

    @operation("listDeployments", "A team's deployments, by name.", answer=DeploymentsAnswer)
    async def get(self, tenant: str) -> None:
        """Those that were stopped too."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await run_sync(self.context.deployments.stored.of_tenant, chosen)
        answers, _, _ = await self.told(found)
        enabled = self.context.deployments.controller is not None
        self.answer({"deployments": answers, "enabled": enabled, "simulated": self.simulated})


class DeploymentOne(_OfDeployments):
    """One deployment."""

    @operation("getDeployment", "A deployment and its releases, the newest first.", answer=DeploymentDetail)
    async def get(self, tenant: str, deployment: str) -> None:
        """With what it is now."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await self.deployment_for(chosen, deployment)
        (answer,), releases, numbers = await self.told([found])
        told = [release_answer(each, numbers) for each in releases[found.id]]
        self.answer({"deployment": answer, "releases": told, "simulated": self.simulated})

    @operation(
        "deployModel",
        "Let a model answer under a name: 201 for a new one, 202 while people have to approve it.",
        answer=DeployAnswer,
        body=DeploymentRequest,
        statuses=(200, 201, 202),
    )
    async def put(self, tenant: str, deployment: str) -> None:
        """The same again changes nothing; anything else is the next release, which takes over once it answers."""
        caller = await self.caller(fresh=True)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        if (problem := deployment_name_problem(deployment)) is not None:
            raise bad_field("deployment", f"deployment is {deployment!r}: {problem}.")
        asked = await self.body(DeploymentRequest, caller.name)
        name, _, at = asked.model.partition("@")
        model: ModelFacts = await self.model_for(caller, name, chosen, constants.SCOPE_SUBMIT)
        plan = ServingPlan(asked.profile, asked.replicas, asked.framework, asked.command, asked.example, asked.recreate)
        wish = DeployWish(chosen, deployment, model, at, plan, caller.name, caller.roles.get(chosen))
        made = await self.context.deployments.desk.deploy(wish)
        if isinstance(made, Refusal):
            raise from_refusal(made)
        if isinstance(made, Held):
            self.answer_held(made)
        else:
            await self._answer_made(made)

    async def _answer_made(self, made: Deployed) -> None:
        warnings = [finding_json(each) for each in made.warnings]
        await self.answer_deployed(made.deployment, 201 if made.new else 200, warnings)

    @operation("stopDeployment", "End a deployment; its history stays.", answer=DeployAnswer)
    async def delete(self, tenant: str, deployment: str) -> None:
        """Whoever asked for it may, and the team's admins."""
        caller = await self.caller(fresh=True)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        found = await self.deployment_for(chosen, deployment)
        if found.by != caller.name and not caller.administers(chosen):
            raise forbidden(f"Deployment {found.name} is {found.by}'s: they and the team's admins can stop it.")
        await self.context.deployments.desk.stop(found)
        await self.answer_deployed(found, 200, [])


class RollBackDeployment(_OfDeployments):
    """Goes back."""

    @operation(
        "rollBackDeployment",
        "Go back to a release that has served, and let the alias lead to its version again, frozen: in one act.",
        answer=DeployAnswer,
        body=DeploymentRollback,
        statuses=(200, 202),
    )
    async def post(self, tenant: str, deployment: str) -> None:
        """Without a number, to the release before the present one."""
        caller = await self.caller(fresh=True)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        asked = await self.body(DeploymentRollback, caller.name)
        found = await self.deployment_for(chosen, deployment)
        desk, role = self.context.deployments.desk, caller.roles.get(chosen)
        try:
            went = await desk.roll_back(found, caller.name, role, asked.reason, asked.release)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        if isinstance(went, Refusal):
            raise from_refusal(went)
        if isinstance(went, Held):
            self.answer_held(went)
        else:
            await self.answer_deployed(found, 200, [])


class Infer(_OfDeployments):
    """Asks a deployment."""

    @operation(
        "askDeployment",
        "Ask a deployment, as the Open Inference Protocol has it. It takes the scope for deployments of the team.",
        answer=InferAnswer,
        body=InferRequest,
    )
    async def post(self, tenant: str, deployment: str) -> None:
        """The caller's token never reaches the model."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_PREDICT, tenant)
        asked = await self.body(InferRequest, caller.name)
        found = await self.deployment_for(chosen, deployment)
        try:
            asking = await self.context.deployments.desk.ask(found, asked.model_dump())
        except NotAnswered as error:
            raise unavailable("not-answered", f"{found.name} did not answer: {error}") from error
        except EngineUnavailable as error:
            raise unavailable("tenant-unavailable", f"{found.name} can't be reached now: {error}") from error
        if isinstance(asking, Refusal):
            raise from_refusal(asking)
        release, answer = asking
        self.set_header("X-AIFactory-Release", str(release.number))
        self._send(found, answer)

    def _send(self, deployment: Deployment, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            self.set_header("Content-Type", answer.media_type)
            self.write(answer.body)
            return
        said = _words(answer.body)
        if 400 <= answer.status < 500:
            raise ServiceError(400, "not-understood", f"{deployment.name} answered {answer.status}: {said}")
        raise ServiceError(502, "model-failed", f"{deployment.name} answered {answer.status}: {said}")


class DeploymentUsage(_OfDeployments):
    """How often it is asked."""

    @operation(
        "getDeploymentUsage",
        "What a deployment was asked through the service, and how long it took, and what its releases have held.",
        answer=DeploymentUsageAnswer,
        query=UsageQuery,
    )
    async def get(self, tenant: str, deployment: str) -> None:
        """Rows in which nothing was asked are left out."""
        query = self.query(UsageQuery)
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await self.deployment_for(chosen, deployment)
        stored = self.context.deployments.stored
        releases = (await run_sync(stored.releases, [found.id]))[found.id]
        since = minute_of(self.context.clock() - 3600 * query.hours)
        counter, as_of = self.context.deployments.desk.counter, self.context.heard_at()
        minutes = await run_sync(counter.minutes, {each.id: each for each in releases}, since)
        held = await run_sync(self._held, found, releases, as_of)
        currency = self.context.registry.billing.currency
        self.answer(usage_answer(minutes, query.step, held, as_of=as_of, currency=currency, simulated=self.simulated))

    def _held(self, deployment: Deployment, releases: Sequence[Release], as_of: int) -> list[ReleaseHeld]:
        holds = self.context.usage.of_owners(
            constants.KIND_DEPLOYMENT, [slug(each.id) for each in releases[:_MOST_HELD]]
        )
        return held_by_releases(deployment, releases, holds, self.context.billing.prices(), as_of)


class DeploymentLogs(_OfDeployments):
    """What it prints."""

    @operation("getDeploymentLogs", "The end of what a replica has printed.", media_type="text/plain")
    async def get(self, tenant: str, deployment: str) -> None:
        """Of the newest release that is still there."""
        caller = await self.caller()
        chosen = self.tenant_for(caller, constants.SCOPE_READ, tenant)
        found = await self.deployment_for(chosen, deployment)
        releases = (await run_sync(self.context.deployments.stored.releases, [found.id], live=True))[found.id]
        shown = next((each for each in releases if each.live), None)
        engine, text = self.context.deployments.desk.engine, ""
        if shown is not None and engine is not None:
            try:
                text = await engine.logs(chosen, shown.id, limit_bytes=_MOST_LOG)
            except EngineUnavailable as error:
                raise unavailable("tenant-unavailable", f"The log can't be had now: {error}") from error
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(text)


def _words(body: bytes) -> str:
    """What a release said was wrong."""
    try:
        return str(json.loads(body)["error"])[:1000]
    except (ValueError, KeyError, TypeError):
        return body[:300].decode("utf-8", "replace")
