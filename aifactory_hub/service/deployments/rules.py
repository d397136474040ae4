"""Asks the site's rules about a version that shall answer under a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.approvals import needs_in_words
from ...domain.deployment_views import AskedDeployment, deployment_view
from ...domain.deployments import Deployment
from ...domain.gate_views import Person, digest_of
from ...domain.jobs import never_fits
from ...domain.model_views import AskedModel
from ...domain.models import ModelFacts, ModelVersion
from ...domain.refusals import Refusal, RefusalReason
from ...domain.spawns import choose_profile
from ...domain.tenants import Role
from ...domain.verdicts import Finding, Need, Question, Target, Verb
from ...registry import Registry
from ...store.deployments import plan_json
from ..approvals import ApprovalDesk
from ..executors import reads
from ..gates import Gates
from ..models.desk import ModelDesk


@dataclass(frozen=True, slots=True)
class Allowed:
    """It may be deployed; ``warnings`` are said and stop nothing."""

    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """People have to approve it first: nothing was changed, and it may be asked again."""

    needs: tuple[Need, ...]

    @property
    def words(self) -> str:
        """For people."""
        return f"a rule holds it until {needs_in_words(self.needs)} approves it"


@dataclass(frozen=True, slots=True)
class DeploymentRules:
    """What has to hold before a release is made, for a person's wish as for where an alias leads."""

    models: ModelDesk
    gates: Gates
    approvals: ApprovalDesk
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]

    async def review(
        self, deployment: Deployment, model: ModelFacts, version: ModelVersion, by: str, role: Role | None
    ) -> Allowed | Held | Refusal:
        """Whether this version may answer under this name now."""
        question = await reads.run(self._question, deployment, model, version, by, role)
        if isinstance(question, Refusal):
            return question
        verdict = await reads.run(self.gates.review, question)
        if verdict.refusal is not None:
            return verdict.refusal
        if verdict.needs:
            excluded = {version.by, str(question.view["deployment"]["model"]["job"]["owner"])}
            needs, findings = verdict.needs, verdict.findings
            if await self.approvals.granted(question, needs, excluded=excluded, findings=findings) is None:
                return Held(verdict.needs)
        return Allowed(verdict.warnings)

    def _question(
        self, deployment: Deployment, model: ModelFacts, version: ModelVersion, by: str, role: Role | None
    ) -> Question | Refusal:
        registry = self.get_registry()
        tenant = registry.tenants[deployment.tenant]
        against = self.models.against_reading(model, version)
        profile = against or choose_profile(deployment.plan.profile, tenant, registry.catalogue)
        if isinstance(profile, Refusal):
            return profile
        too_much = never_fits(tenant, profile, deployment.plan.replicas)
        if too_much is not None:
            return too_much
        facts = self.models.checks.facts(version)
        if facts is None:
            message = f"There is no record of job {version.job} any more, which made {model.name} {version.number}."
            return Refusal(RefusalReason.NOT_VERIFIED, message, field="model")
        asked = AskedModel(tenant, Person(by, role), model.name, version, facts, deployment.alias or "")
        plan = plan_json(deployment.plan) | {"profile": profile.name}
        return Question(
            verb=Verb.DEPLOY,
            target=Target.DEPLOYMENT,
            tenant=tenant.name,
            user=by,
            subject=deploy_subject(version.id, deployment.name),
            digest=digest_of({"version": version.digest, "name": deployment.name, "plan": plan}),
            view=deployment_view(
                AskedDeployment(asked, deployment.name, deployment.at, deployment.plan, profile),
                Verb.DEPLOY.value,
                self.clock(),
            ),
            title=f"deploy {model.name} {version.number} as {deployment.name}",
        )


def deploy_subject(version: str, name: str) -> str:
    """What an approval of a deployment is about: one version under one name."""
    return f"{version}@{name}"
