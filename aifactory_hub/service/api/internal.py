"""For runners in their pods: each has its job's own token, which is good for that job while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...constants import MOST_ARTIFACTS
from ...store import Artifact, JobRecord, StoredFile
from ..answer_types import ArtifactsAnswer
from ..auth.hub_auth import bearer
from ..auth.runner_tokens import matches
from ..errors import ServiceError, forbidden
from ..executors import uploads
from ..file_answer_types import Expected, Heard, Stored, StoredArtifact, Travelled
from ..report_types import RunnerProgress, RunnerResult
from ..request_types import PieceQuery, artifact_name
from ..room import Reservation
from .answers import artifacts_answer
from .base import Handler, run_sync
from .context import Context
from .metrics import reported_points
from .operations import Access, operation
from .reader_access import Reader
from .request_bodies import DIGEST_HEADER, ReceivingHandler, announced_digest, too_large


class ForRunners(Handler):
    """Knows a job by its own token."""

    async def own_job(self, job_id: str) -> JobRecord:
        """The job whose token this is. Raises ServiceError; an unknown job and a wrong token look alike."""
        token = bearer(self.request.headers.get("Authorization"))
        job: JobRecord | None = await run_sync(self.context.jobs.get, job_id)
        if job is None or not matches(token, job.current.token_hash):
            raise forbidden("This is not the token of this job.")
        if not job.live:
            raise ServiceError(410, "job-over", f"Job {job.id} is over: nothing more is taken for it.")
        await self.begin(f"job {job.id}")
        if self.reader is None:
            self.reader = Reader(partial(self._readable, job_id), [job.tenant])
        return job

    async def _readable(self, job_id: str) -> tuple[str]:
        """The job's team, as long as the token is the job's and the job goes on. Raises ServiceError."""
        return ((await self.own_job(job_id)).tenant,)


class RunnerFiles(ForRunners):
    """The job's files."""

    @operation("fetchManifest", "Which files the job runs with.", answer=Travelled, access=Access.RUNNER)
    async def get(self, job_id: str) -> None:
        """The manifest as it was sent, and the packs that have its files."""
        manifest, packs = await _sent(self.context, await self.own_job(job_id))
        self.answer({"manifest": manifest, "packs": list(packs)})


class RunnerPack(ForRunners):
    """Some of the job's files."""

    @operation("fetchPack", "Files of the job, as they were sent.", media_type="application/gzip", access=Access.RUNNER)
    async def get(self, job_id: str, sha256: str) -> None:
        """Only a pack that the job's manifest needs."""
        job = await self.own_job(job_id)
        if sha256 not in (await _sent(self.context, job))[1]:
            raise ServiceError(404, "no-files", f"Job {job.id} runs with no pack {sha256!r}.")
        await self.send_file(self.context.files.pack(job.tenant, job.owner, sha256), media_type="application/gzip")


async def _sent(context: Context, job: JobRecord) -> tuple[str, tuple[str, ...]]:
    """The job's manifest and packs. Raises ServiceError (404)."""
    if job.spec.input_sha256 is None:
        raise ServiceError(404, "no-files", f"Job {job.id} was submitted without files.")
    found: tuple[str, tuple[str, ...]] = await run_sync(
        context.snapshots.manifest, job.tenant, job.owner, job.spec.input_sha256
    )
    return found


class RunnerLog(ReceivingHandler, ForRunners):
    """The job's log, whole."""

    async def limit_now(self, *args: str) -> int:
        """The registry's limit; the runner has cut it to that."""
        self._job = await self.own_job(args[0])
        self.announced = announced_digest(self.request.headers.get(DIGEST_HEADER))
        return self.context.registry.jobs.max_log

    async def reserve(self, size: int) -> Reservation:
        """For the job's owner."""
        return await self.context.room.reserve(self._job.tenant, self._job.owner, "logs", size)

    def target(self) -> str:
        """A later one replaces it."""
        return self.context.files.log(self._job.id, self._job.attempt)

    async def kept(self, stored: StoredFile) -> Mapping[str, Any]:
        """Its size and digest."""
        job, record = self._job, self.context.jobs.attempts.record_log
        await run_sync(record, job.id, job.attempt, size=stored.size, sha256=stored.sha256)
        return {"size": stored.size, "sha256": stored.sha256}

    @operation(
        "putLog",
        "Keep the job's log, whole; a later one replaces it.",
        answer=Stored,
        statuses=(201,),
        access=Access.RUNNER,
        receives="text/plain",
        headers=(DIGEST_HEADER,),
    )
    async def put(self, *args: str) -> None:
        """Called by tornado after the body."""
        await super().put(*args)


class RunnerLogPiece(ForRunners):
    """A piece of the job's log, while it runs."""

    @operation(
        "putLogPiece",
        "Keep what was printed at a place of the output; the same piece again changes nothing.",
        answer=Expected,
        query=PieceQuery,
        access=Access.RUNNER,
        receives="application/octet-stream",
    )
    async def post(self, job_id: str) -> None:
        """For those who follow it; the whole log comes at the end."""
        job = await self.own_job(job_id)
        offset = self.query(PieceQuery).offset
        end = await uploads.run(self.context.spool.append, job.run_id, offset, self.request.body)
        self.context.log_news.tell(job.id)
        self.answer({"next": end})


class RunnerProgressReport(ForRunners):
    """How far the job is, in its own words."""

    @operation("reportProgress", "How far the job is.", answer=Heard, body=RunnerProgress, access=Access.RUNNER)
    async def post(self, job_id: str) -> None:
        """The newest word counts, and all points of metrics; what it leaves out stays as it was."""
        job = await self.own_job(job_id)
        said = await self.body(RunnerProgress, job.owner)
        now = self.context.clock()
        await run_sync(
            self.context.jobs.attempts.record_progress,
            job.id,
            job.attempt,
            percent=said.progress,
            eta=said.eta,
            metrics=said.metrics,
            points=reported_points(said, now=now),
            now=now,
        )
        self.answer({"id": job.id})


class RunnerArtifacts(ForRunners):
    """The job's files so far."""

    @operation("listOwnArtifacts", "What the job gave back so far.", answer=ArtifactsAnswer, access=Access.RUNNER)
    async def get(self, job_id: str) -> None:
        """For an attempt that goes on where the one before it stopped."""
        job = await self.own_job(job_id)
        found = await run_sync(self.context.jobs.artifacts, job.id)
        self.answer(artifacts_answer(found, simulated=self.context.registry.cluster.simulated))


class RunnerArtifact(ReceivingHandler, ForRunners):
    """One file of the job's."""

    @operation("getOwnArtifact", "A file of the job.", media_type="application/octet-stream", access=Access.RUNNER)
    async def get(self, job_id: str, name: str) -> None:
        """Its content."""
        job, wanted = await self.own_job(job_id), artifact_name(name)
        if wanted not in {a.name for a in await run_sync(self.context.jobs.artifacts, job.id)}:
            raise ServiceError(404, "unknown-artifact", f"Job {job.id} gave back no file {wanted!r}.", field="name")
        await self.send_file(self.context.files.artifact(job.id, wanted), media_type="application/octet-stream")

    @operation(
        "dropArtifact",
        "Forget a file of the job, if it is there.",
        answer=Heard,
        access=Access.RUNNER,
    )
    async def delete(self, job_id: str, name: str) -> None:
        """The record first: a kill between the two leaves a file too many, which goes with the job's others."""
        job, wanted = await self.own_job(job_id), artifact_name(name)
        await run_sync(self.context.jobs.drop_artifact, job.id, wanted)
        await run_sync(self.context.files.delete, [self.context.files.artifact(job.id, wanted)])
        self.answer({"id": job.id})

    async def limit_now(self, *args: str) -> int:
        """The job's limit; what others of its files leave of it is looked at when room is reserved."""
        self._job = await self.own_job(args[0])
        self.announced = announced_digest(self.request.headers.get(DIGEST_HEADER))
        self._name = artifact_name(args[1])
        return self.context.registry.jobs.max_artifacts

    async def reserve(self, size: int) -> Reservation:
        """What is left of the job's limit, where the file that this one replaces does not count."""
        job, room, most = self._job, self.context.room, self.context.registry.jobs.max_artifacts
        async with room.job_lock(job.id):
            found = await run_sync(self.context.jobs.artifacts, job.id)
            others, coming = [a for a in found if a.name != self._name], room.reserved_for(job.id)
            if len(others) + len(coming) >= MOST_ARTIFACTS:
                message = f"A job may give back {MOST_ARTIFACTS} files at most: narrow its outputs down."
                raise ServiceError(413, "too-large", message, numbers={"limit": MOST_ARTIFACTS})
            left = most - sum(a.size for a in others) - sum(each.size for each in coming)
            if size > left:
                raise too_large(size, max(0, left))
            return await room.reserve(job.tenant, job.owner, "artifacts", size, job=job.id)

    def target(self) -> str:
        """A later one of the same name replaces it."""
        return self.context.files.artifact(self._job.id, self._name)

    async def kept(self, stored: StoredFile) -> Mapping[str, Any]:
        """Its name, size and digest."""
        artifact = Artifact(self._name, stored.size, stored.sha256, self.context.clock())
        # Not counted twice, and not left out: from now on the database has it.
        async with self.context.room.job_lock(self._job.id):
            await run_sync(self.context.jobs.put_artifact, self._job.id, artifact)
            self.settle()
        return {"name": artifact.name, "size": artifact.size, "sha256": artifact.sha256}

    @operation(
        "putArtifact",
        "Keep a file of the job's; a later one of the same name replaces it.",
        answer=StoredArtifact,
        statuses=(201,),
        access=Access.RUNNER,
        receives="application/octet-stream",
        headers=(DIGEST_HEADER,),
    )
    async def put(self, *args: str) -> None:
        """Called by tornado after the body. That may have taken long: files of a job that is over stay as they are,
        because versions of models may refer to them."""
        await self.own_job(args[0])
        await super().put(*args)


class RunnerOutcome(ForRunners):
    """How the command ended, in the runner's words."""

    @operation("reportEnd", "How the command ended.", answer=Heard, body=RunnerResult, access=Access.RUNNER)
    async def post(self, job_id: str) -> None:
        """Keep it beside what the cluster says, which alone decides whether the job succeeded."""
        job = await self.own_job(job_id)
        result = await self.body(RunnerResult, job.owner)
        await run_sync(self.context.jobs.attempts.record_report, job.id, job.attempt, result.model_dump())
        self.context.reconciler.hurry(job.id)
        self.answer({"id": job.id})
