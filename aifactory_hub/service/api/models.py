"""Models of teams and their versions."""

from __future__ import annotations

from ... import constants
from ...domain.approvals import needs_in_words
from ...domain.models import ModelFacts, ModelVersion, name_problem, number_of
from ...domain.refusals import Refusal
from ...signing.keys import CustodyError
from ...store.model_registry import ModelSummary
from ...store.statements import statements_of
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field, from_refusal, unavailable
from ..executors import uploads
from ..model_answer_types import ModelDetail, ModelList, VerificationAnswer, VersionAnswer, VersionDetail
from ..model_request_types import ModelListQuery, ModelQuery, Registration
from ..models.evidence import evidence_of
from ..models.registrar import Wish
from ..models.registration import NeedsApproval, Registered
from ..models.signatures import custody_words
from ..request_types import TenantQuery, artifact_name
from .base import Handler, run_sync
from .model_answers import model_answer, verification_answer, version_answer, version_detail
from .operations import operation


class OfModels(Handler):
    """Finds models and versions for a caller."""

    async def model_for(self, caller: Caller, name: str, asked: str | None, scope: str) -> ModelFacts:
        """The model of this name in the team, if the token has ``scope`` for that. Raises ServiceError."""
        tenant = self.tenant_for(caller, scope, asked)
        found: ModelFacts | None = await run_sync(self.context.models.registry.find, tenant, name)
        if found is None:
            message = f"Team {tenant} has no model {name!r}."
            raise ServiceError(404, "unknown-model", message, field="model")
        self.open_for(caller, [tenant])
        return found

    async def version_for(self, model: ModelFacts, text: str) -> ModelVersion:
        """The version of a model by its number, by an alias, or ``latest``. Raises ServiceError."""
        found: ModelVersion | None = await run_sync(self._version, model, text)
        if found is None:
            message = f"Model {model.name} has no version or alias {text!r}."
            raise ServiceError(404, "unknown-version", message, field="version")
        return found

    def _version(self, model: ModelFacts, text: str) -> ModelVersion | None:
        registry, number = self.context.models.registry, number_of(text)
        if number is not None:
            return registry.of_number(model.id, number)
        if text == "latest":
            return next(iter(registry.versions(model.id, limit=1)), None)
        led = registry.alias(model.id, text).version
        return None if led is None else registry.version(led)

    async def summary(self, model: ModelFacts) -> ModelSummary:
        """The model with its aliases."""
        found: ModelSummary = await run_sync(self.context.models.registry.summary, model)
        return found

    @property
    def simulated(self) -> bool:
        """Whether the cluster's GPUs are simulated."""
        return self.context.registry.cluster.simulated


class Models(OfModels):
    """All models that the caller may see."""

    @operation("listModels", "The models of the caller's teams, by name.", answer=ModelList, query=ModelListQuery)
    async def get(self) -> None:
        """With their aliases and newest versions."""
        caller = await self.caller()
        tenants = self.tenants_to_read(caller, self.query(ModelListQuery).tenant)
        found = await run_sync(self.context.models.registry.summaries, tenants)
        self.answer({"models": [model_answer(each) for each in found], "simulated": self.simulated})


class ModelOne(OfModels):
    """One model."""

    @operation(
        "getModel", "A model, its aliases and its versions, the newest first.", answer=ModelDetail, query=ModelQuery
    )
    async def get(self, model: str) -> None:
        """In pages."""
        asked = self.query(ModelQuery)
        facts = await self.model_for(await self.caller(), model, asked.tenant, constants.SCOPE_READ)
        summary = await self.summary(facts)
        registry = self.context.models.registry
        found = await run_sync(registry.versions, facts.id, limit=asked.limit + 1, before=asked.before)
        shown = found[: asked.limit]
        self.answer(
            {
                "model": model_answer(summary),
                "versions": [version_answer(facts, each, summary.aliases) for each in shown],
                "next": shown[-1].number if len(found) > asked.limit else None,
                "simulated": self.simulated,
            }
        )


class Versions(OfModels):
    """Where versions are registered."""

    @operation(
        "registerModel",
        "Register files that a job gave back as a version: 201 for a new one, 200 for one that is there already.",
        answer=VersionAnswer,
        body=Registration,
        statuses=(200, 201),
    )
    async def post(self, model: str) -> None:
        """The team is the job's. Nothing is sent again: the version refers to what the service has."""
        caller = await self.caller(fresh=True)
        if (problem := name_problem(model)) is not None:
            raise bad_field("model", f"model is {model!r}: {problem}.")
        asked = await self.body(Registration, caller.name)
        job = await self.job_for(caller, asked.job, constants.SCOPE_SUBMIT)
        if job.live and job.state.final:  # its runner may still say something
            message = f"Job {job.id} has just ended, and what it left is being put in order: try again in a moment."
            raise unavailable("job-not-settled", message)
        wish = Wish(job, model, asked.files, asked.note, caller.name, caller.roles.get(job.tenant))
        made = await self._register(wish)
        facts = await self.model_for(caller, model, job.tenant, constants.SCOPE_SUBMIT)
        summary = await self.summary(facts)
        self.answer(version_answer(facts, made.version, summary.aliases), 201 if made.new else 200)

    async def _register(self, wish: Wish) -> Registered:
        try:
            made = await self.context.models.registration.register(wish, self.context.approvals)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        if isinstance(made, Refusal):
            raise from_refusal(made)
        if isinstance(made, NeedsApproval):
            message = f"A rule holds it until {needs_in_words(made.needs)} approves it. Register it again then."
            raise ServiceError(409, "needs-approval", message)
        return made


class VersionOne(OfModels):
    """One version."""

    @operation(
        "getModelVersion",
        "A version by its number, an alias or `latest`: its files, where it comes from, and what was signed of it.",
        answer=VersionDetail,
        query=TenantQuery,
    )
    async def get(self, model: str, version: str) -> None:
        """With its files."""
        asked = self.query(TenantQuery).tenant
        facts = await self.model_for(await self.caller(), model, asked, constants.SCOPE_READ)
        found = await self.version_for(facts, version)
        summary, registry = await self.summary(facts), self.context.models.registry
        files = await run_sync(registry.files, found.id)
        rows = await run_sync(statements_of, registry.db, found.id)
        self.answer(version_detail(summary, found, files, rows, simulated=self.simulated))


class VersionCheck(OfModels):
    """Looks at a version anew."""

    @operation(
        "verifyModelVersion",
        "Look at a version anew: every byte, both signatures and its provenance. A damaged one is quarantined.",
        answer=VerificationAnswer,
        query=TenantQuery,
    )
    async def post(self, model: str, version: str) -> None:
        """What can't be read now is no finding: 503."""
        asked = self.query(TenantQuery).tenant
        facts = await self.model_for(await self.caller(fresh=True), model, asked, constants.SCOPE_SUBMIT)
        found = await self.version_for(facts, version)
        try:
            looked = await uploads.run(self.context.models.checks.look, facts, found)
        except CustodyError as error:
            raise unavailable("signing-unavailable", custody_words(error)) from error
        found = await self.version_for(facts, str(found.number))
        self.answer(verification_answer(await self.summary(facts), found, looked, self.context.clock()))


class VersionEvidence(OfModels):
    """All that is known of a version, to be taken away."""

    @operation(
        "getModelEvidence",
        "All that was signed of a version as a zip archive, with its keys and how to check it without the service.",
        query=TenantQuery,
        media_type="application/zip",
    )
    async def get(self, model: str, version: str) -> None:
        """Without the files themselves; of a quarantined version too."""
        caller, asked = await self.caller(), self.query(TenantQuery).tenant
        facts = await self.model_for(caller, model, asked, constants.SCOPE_READ)
        found = await self.version_for(facts, version)
        tenants = caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)
        made = await uploads.run(evidence_of, self.context.models, facts, found, tenants, self.context.clock())
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", f'attachment; filename="{facts.name}-{found.number}-evidence.zip"')
        self.write(made)


class VersionFile(OfModels):
    """A file of a version."""

    @operation(
        "getModelFile",
        "A file of a version. Who took it is kept, for the lineage.",
        query=TenantQuery,
        media_type="application/octet-stream",
    )
    async def get(self, model: str, version: str, name: str) -> None:
        """Its content; nothing of a quarantined version."""
        caller, asked = await self.caller(), self.query(TenantQuery).tenant
        facts = await self.model_for(caller, model, asked, constants.SCOPE_READ)
        found = await self.version_for(facts, version)
        self.refuse_quarantined(facts, found)
        registry, wanted = self.context.models.registry, artifact_name(name)
        for file in (await run_sync(registry.files, found.id)).files:
            if file.name == wanted:
                await run_sync(registry.note_use, found.id, caller.name, "", self.context.clock())
                self.set_header("X-Content-SHA256", file.sha256)
                key = self.context.files.artifact(found.job, f"{found.folder}{wanted}")
                return await self.send_file(key, media_type="application/octet-stream")
        message = f"Version {found.number} of {facts.name} has no file {wanted!r}."
        raise ServiceError(404, "unknown-file", message, field="name")

    def refuse_quarantined(self, model: ModelFacts, version: ModelVersion) -> None:
        """Raises ServiceError (409) for a version that is quarantined."""
        against = self.context.models.against_reading(model, version)
        if against is not None:
            raise from_refusal(against)
