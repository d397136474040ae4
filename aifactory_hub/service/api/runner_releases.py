"""For pods of releases: each has its release's own token, good for the files of that version while it goes on."""

from __future__ import annotations

import logging
from functools import partial

from ...domain.deployments import Release
from ...domain.models import ModelFacts, ModelVersion
from ...signing.keys import CustodyError
from ...store import BlobsUnavailable
from ..auth.hub_auth import bearer
from ..auth.runner_tokens import matches
from ..deployment_answer_types import ProblemHeard
from ..deployment_request_types import ProblemReport
from ..errors import ServiceError, forbidden, from_refusal
from ..executors import uploads
from ..model_answer_types import GivenModels
from ..request_types import artifact_name
from .base import Handler, run_sync
from .model_answers import key_answer
from .operations import Access, operation
from .reader_access import Reader
from .runner_models import given_model

log = logging.getLogger(__name__)


class _ForReleases(Handler):
    async def own_release(self, release: str) -> tuple[Release, ModelVersion, ModelFacts]:
        """The release whose token this is. Raises ServiceError; an unknown release and a wrong token look alike."""
        token = bearer(self.request.headers.get("Authorization"))
        stored, registry = self.context.deployments.stored, self.context.models.registry
        expected = await run_sync(stored.token_hash, release)
        found = await run_sync(stored.release, release)
        if found is None or not matches(token, expected):
            raise forbidden("This is not the token of this release.")
        await self.begin(f"release {found.id}")
        version = await run_sync(registry.version, found.version)
        model = await run_sync(registry.model, version.model)
        if self.reader is None:
            self.reader = Reader(partial(self._readable, release), [model.tenant])
        return found, version, model

    async def _readable(self, release: str) -> tuple[str]:
        return ((await self.own_release(release))[2].tenant,)


class ReleaseModel(_ForReleases):
    """The version that the release serves."""

    @operation("listReleaseModels", "The version that the release serves.", answer=GivenModels, access=Access.RUNNER)
    async def get(self, release: str) -> None:
        """With the signature of its files, and the keys to believe. Nothing of a version that was quarantined."""
        _, version, model = await self.own_release(release)
        if (against := self.context.models.against_reading(model, version)) is not None:
            raise from_refusal(against)
        keys = await run_sync(self.context.models.signatures.keys)
        given = await run_sync(given_model, self.context.models.registry, version)
        self.answer({"models": [given], "keys": [key_answer(key) for key in keys.values()]})


class ReleaseModelFile(_ForReleases):
    """A file of it."""

    @operation(
        "fetchReleaseFile",
        "A file of the version that the release serves; ``version`` is its id.",
        media_type="application/octet-stream",
        access=Access.RUNNER,
    )
    async def get(self, release: str, version: str, name: str) -> None:
        """Of this version alone, and nothing of one that was quarantined meanwhile."""
        _, found, model = await self.own_release(release)
        wanted = artifact_name(name)
        if found.id != version:
            raise ServiceError(404, "unknown-version", "The release serves no version of this id.", field="version")
        if (against := self.context.models.against_reading(model, found)) is not None:
            raise from_refusal(against)
        if wanted not in {file.name for file in (await run_sync(self.context.models.registry.files, found.id)).files}:
            raise ServiceError(404, "unknown-file", f"The model has no file {wanted!r}.", field="name")
        key = self.context.files.artifact(found.job, f"{found.folder}{wanted}")
        await self.send_file(key, media_type="application/octet-stream")


class ReleaseProblem(_ForReleases):
    """Why it can't be served."""

    @operation(
        "reportReleaseProblem",
        "Why the release can't be served, in its pod's words.",
        answer=ProblemHeard,
        body=ProblemReport,
        access=Access.RUNNER,
    )
    async def post(self, release: str) -> None:
        """It then fails, unless it has proved itself before. The first such word has the version looked at anew: a
        byte that is wrong where files are kept puts it into quarantine. What the pod says alone does not."""
        found, version, model = await self.own_release(release)
        said = await self.body(ProblemReport, found.by)
        await run_sync(self.context.deployments.stored.change, found.id, problem=said.problem)
        self.context.deployments.desk.hurry(found.deployment)
        if not found.problem:
            await self._look(model, version)
        self.answer({"id": found.id})

    async def _look(self, model: ModelFacts, version: ModelVersion) -> None:
        try:
            await uploads.run(self.context.models.checks.look, model, version)
        except (CustodyError, BlobsUnavailable) as error:
            log.warning("version %d of %s could not be looked at: %s", version.number, model.name, error)
