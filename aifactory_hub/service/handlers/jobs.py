"""Jobs and quota, for people."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import constants
from ...admission.base import AdmissionUnavailable
from ...domain.jobs import JobState
from ...domain.refusals import Refusal
from ...pipelines.base import PipelineUnavailable
from ...store import JobFilter, JobRecord, StoredFile
from ..answers import artifacts_answer, job_answer, quota_answer
from ..errors import ServiceError, bad_field, forbidden, from_refusal, unavailable
from ..payloads import Submission, artifact_name, parse, whole_number
from .base import Handler, run_sync
from .receiving import ReceivingHandler, announced_digest

_MOST_AT_ONCE = 200
# What people wait for at most for a detail that an answer can do without, in seconds.
_DETAIL_TIMEOUT = 2.0


class Upload(ReceivingHandler):
    """The files of a job to come, named by their digest: sending them again changes nothing."""

    async def limit_now(self, *args: str) -> int:
        """A member of the tenant may send as much as the registry says."""
        caller = await self.caller(fresh=True)
        self.announced = announced_digest(args[0])
        asked = self.get_query_argument("tenant", None)
        self._owner, self._tenant = caller.name, self.tenant_for(caller, constants.SCOPE_SUBMIT, asked)
        return self.context.registry.jobs.max_upload

    def target(self) -> Path:
        """This user's in this tenant."""
        return self.context.files.upload(self._tenant, self._owner, self.announced)

    async def kept(self, stored: StoredFile) -> Mapping[str, Any]:
        """Nothing to note: a job that wants it names its digest."""
        return {"sha256": stored.sha256, "size": stored.size}


class JobList(Handler):
    """All jobs that the caller may see, and the door for new ones."""

    async def get(self) -> None:
        """The newest first. ``tenant``, ``mine=true``, ``limit`` and ``before`` (a job's id) narrow it."""
        caller = await self.caller()
        tenants = caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)
        asked = self.get_query_argument("tenant", None)
        if asked is not None:
            tenants = (self.tenant_for(caller, constants.SCOPE_READ, asked),)
        limit = whole_number(self.get_query_argument("limit", None), field="limit", default=50, most=_MOST_AT_ONCE)
        before = self.get_query_argument("before", None)
        last = None if before is None else await self.job_for(caller, before)
        found = await run_sync(
            self.context.jobs.newest,
            tenants,
            where=JobFilter(owner=caller.name if _truth(self.get_query_argument("mine", "false")) else None),
            limit=limit + 1,
            before=last,
        )
        simulated = self.context.registry.cluster.simulated
        page = [job_answer(job, simulated=simulated) for job in found[:limit]]
        rest = page[-1]["id"] if len(found) > limit else None
        self.answer({"jobs": page, "next": rest, "simulated": simulated})

    async def post(self) -> None:
        """Take a job in. 201 for a new one, 200 for the one that the same key made before."""
        caller = await self.caller(fresh=True)
        submission = parse(Submission, self.request.body)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, submission.tenant)
        taken = await self.context.submissions.submit(caller.name, tenant, submission)
        if isinstance(taken, Refusal):
            raise from_refusal(taken)
        self.context.reconciler.hurry()
        body = job_answer(taken.job, simulated=self.context.registry.cluster.simulated)
        self.answer(body, 201 if taken.new else 200)


class JobOne(Handler):
    """One job."""

    async def get(self, job_id: str) -> None:
        """Its state now."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        position = await self._position(job)
        self.answer(job_answer(job, simulated=self.context.registry.cluster.simulated, position=position))

    async def delete(self, job_id: str) -> None:
        """Cancel it: its owner may, and the tenant's admins. No-op for a job that has ended."""
        caller = await self.caller(fresh=True)
        job = await self.job_for(caller, job_id)
        if not caller.tenants(constants.SCOPE_CANCEL, [job.tenant]):
            raise forbidden("This token may not cancel jobs.")
        if job.owner != caller.name and not caller.administers(job.tenant):
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner and the team's admins can cancel it.")
        await run_sync(self.context.jobs.ask_cancel, job.id, by=caller.name, now=self.context.clock())
        self.context.reconciler.hurry()
        now = await self.job_for(caller, job_id)
        self.answer(job_answer(now, simulated=self.context.registry.cluster.simulated), 202)

    async def _position(self, job: JobRecord) -> int | None:
        if job.state is not JobState.QUEUED:
            return None
        try:
            async with asyncio.timeout(_DETAIL_TIMEOUT):
                return await self.context.admission.position(job.tenant, job.ticket_name)
        except (AdmissionUnavailable, TimeoutError):
            return None


class JobLogs(Handler):
    """What a job printed."""

    async def get(self, job_id: str) -> None:
        """The stored log once there is one, before that what the pod has printed so far. The header says which."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        if job.log_sha256 is not None:
            self.set_header("X-AIFactory-Log", "stored")
            await self.send_file(self.context.files.log(job.id), media_type="text/plain; charset=utf-8")
            return
        text = "" if not job.live or job.run_intended_at is None else await self._live(job)
        self.set_header("X-AIFactory-Log", "live")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(text)

    async def _live(self, job: JobRecord) -> str:
        limit = self.context.registry.jobs.max_log
        try:
            return await self.context.pipeline.logs(job.tenant, job.run_id, limit_bytes=limit)
        except PipelineUnavailable as error:
            message = f"The log can't be had now: {error}. The job goes on; try again in a moment."
            raise unavailable("log-unavailable", message) from error


class Artifacts(Handler):
    """The files that a job gave back."""

    async def get(self, job_id: str) -> None:
        """Their names, sizes and digests."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        found = await run_sync(self.context.jobs.artifacts, job.id)
        self.answer(artifacts_answer(found, simulated=self.context.registry.cluster.simulated))


class ArtifactOne(Handler):
    """One file that a job gave back."""

    async def get(self, job_id: str, name: str) -> None:
        """Its content."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        wanted = artifact_name(name)
        for artifact in await run_sync(self.context.jobs.artifacts, job.id):
            if artifact.name == wanted:
                self.set_header("X-Content-SHA256", artifact.sha256)
                path = self.context.files.artifact(job.id, wanted)
                return await self.send_file(path, media_type="application/octet-stream")
        raise ServiceError(404, "unknown-artifact", f"Job {job.id} gave back no file {wanted!r}.", field="name")


class Quota(Handler):
    """What a tenant may hold and holds."""

    async def get(self) -> None:
        """For the token's tenant, or the one named by ``tenant``. Usage that is not known is null, not zero."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, self.get_query_argument("tenant", None))
        tenant = self.context.registry.tenants[name]
        try:
            async with asyncio.timeout(_DETAIL_TIMEOUT):
                usage = await self.context.admission.usage(name)
        except (AdmissionUnavailable, TimeoutError):
            usage = None
        self.answer(quota_answer(tenant, usage, self.context.registry))


def _truth(text: str) -> bool:
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise bad_field("mine", f"mine is {text!r}: write true or false.")
