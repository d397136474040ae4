"""For runners in their pods: the models that their job was submitted with."""

from __future__ import annotations

from ...domain.models import ModelVersion
from ...store.model_registry import ModelRegistry
from ...store.statements import statements_of
from ..errors import ServiceError, from_refusal
from ..model_answer_types import GivenModel, GivenModels
from ..models.desk import ModelDesk
from ..request_types import artifact_name
from .base import run_sync
from .internal import ForRunners
from .model_answers import files_bundle, key_answer, version_answer
from .operations import Access, operation


class RunnerModels(ForRunners):
    """The job's models."""

    @operation("listOwnModels", "The models that the job was submitted with.", answer=GivenModels, access=Access.RUNNER)
    async def get(self, job_id: str) -> None:
        """With the signatures of their files, and the keys to believe."""
        job = await self.own_job(job_id)
        self.answer(await run_sync(_given, self.context.models, job.id))


def _given(desk: ModelDesk, job: str) -> GivenModels:
    keys = desk.signatures.keys().values()
    return {
        "models": [given_model(desk.registry, version) for version in desk.registry.given_to(job)],
        "keys": [key_answer(key) for key in keys],
    }


def given_model(registry: ModelRegistry, version: ModelVersion) -> GivenModel:
    """A version with the signature of its files."""
    model = registry.model(version.model)
    assert model is not None  # a foreign key holds it
    rows = statements_of(registry.db, version.id)
    return {"version": version_answer(model, version, ()), "bundle": files_bundle(rows)}


class RunnerModelFile(ForRunners):
    """A file of one of them."""

    @operation(
        "fetchModelFile",
        "A file of a model that the job was submitted with; ``version`` is its id.",
        media_type="application/octet-stream",
        access=Access.RUNNER,
    )
    async def get(self, job_id: str, version: str, name: str) -> None:
        """Nothing of a version that was quarantined meanwhile."""
        job, wanted, desk = await self.own_job(job_id), artifact_name(name), self.context.models
        given = {each.id: each for each in await run_sync(desk.registry.given_to, job.id)}
        found = given.get(version)
        if found is None:
            message = f"Job {job.id} was not submitted with a model of this id."
            raise ServiceError(404, "unknown-version", message, field="version")
        model = await run_sync(desk.registry.model, found.model)
        if (against := desk.against_reading(model, found)) is not None:
            raise from_refusal(against)
        if wanted not in {file.name for file in (await run_sync(desk.registry.files, found.id)).files}:
            raise ServiceError(404, "unknown-file", f"The model has no file {wanted!r}.", field="name")
        key = self.context.files.artifact(found.job, f"{found.folder}{wanted}")
        await self.send_file(key, media_type="application/octet-stream")
