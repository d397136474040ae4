"""Jobs and quota, for people."""

from __future__ import annotations

import asyncio
from typing import Any

from ... import constants
from ...admission.base import AdmissionUnavailable
from ...domain.forecasts import Forecast
from ...domain.jobs import run_id
from ...domain.refusals import Refusal
from ...domain.verdicts import Verb
from ...engines.base import EngineUnavailable
from ...store import JobFilter, JobRecord
from ..answer_types import ArtifactsAnswer, JobAnswer, JobPage, ProvenanceAnswer, QuotaAnswer
from ..answer_types import DryRun as DryRunAnswer
from ..errors import ServiceError, bad_field, forbidden, from_refusal, gone, unavailable
from ..executors import uploads
from ..page_request_types import CancelQuery
from ..request_types import JobQuery, LogQuery, Planned, Submission, TenantQuery, artifact_name
from .answers import artifacts_answer, dry_run_answer, job_answer, quota_answer, refused_answer
from .base import Handler, run_sync
from .forecasts import forecast_of, forecasts_of, look, preview
from .job_costs import cost_of, costs_of
from .operations import operation

# What people wait for at most for a detail that an answer can do without, in seconds.
_DETAIL_TIMEOUT = 2.0


class JobList(Handler):
    """All jobs that the caller may see, and the door for new ones."""

    @operation("listJobs", "Jobs of the caller's teams, the newest first.", answer=JobPage, query=JobQuery)
    async def get(self) -> None:
        """The newest first, in pages."""
        caller = await self.caller()
        asked = self.query(JobQuery)
        tenants = self.tenants_to_read(caller, asked.tenant)
        wanted = JobFilter(
            owner=caller.name if asked.mine else None,
            states=tuple(asked.state),
            text=asked.text,
            ids=tuple(asked.id),
            sweep=asked.sweep,
        )
        last = None if asked.before is None else await self.job_for(caller, asked.before)
        found = await run_sync(self.context.jobs.newest, tenants, where=wanted, limit=asked.limit + 1, before=last)
        registry, now = self.context.registry, self.context.clock()
        shown = found[: asked.limit]
        seen, held = await forecasts_of(self.context, shown), await costs_of(self.context, shown)
        page = [
            job_answer(job, registry, now=now, seen=seen.get(job.id, Forecast()), held=held.get(job.id))
            for job in shown
        ]
        rest = page[-1]["id"] if len(found) > asked.limit else None
        self.answer({"jobs": page, "next": rest, "simulated": registry.cluster.simulated})

    @operation(
        "submitJob",
        "Take a job in: 201 for a new one, 200 for the one that the same key made before.",
        answer=JobAnswer,
        body=Submission,
        statuses=(200, 201),
        headers=("Idempotency-Key",),
    )
    async def post(self) -> None:
        """Take a job in."""
        caller = await self.caller(fresh=True)
        submission = await self.body(Submission, caller.name, self._with_key)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, submission.tenant)
        taken = await self.context.submissions.submit(caller.name, tenant, submission, role=caller.roles.get(tenant))
        if isinstance(taken, Refusal):
            raise from_refusal(taken)
        self.context.reconciler.hurry(taken.job.id)
        held = await cost_of(self.context, taken.job)
        body = job_answer(taken.job, self.context.registry, now=self.context.clock(), held=held)
        self.answer(body, 201 if taken.new else 200)

    def _with_key(self, asked: Any) -> Any:
        """The key may also come as the header Idempotency-Key; both, if they say the same."""
        header = self.request.headers.get("Idempotency-Key")
        if header is not None and isinstance(asked, dict) and asked.setdefault("key", header) != header:
            raise bad_field("key", "The header Idempotency-Key and the field key differ: send one of them.")
        return asked


class DryRun(Handler):
    """What would happen to a job."""

    @operation(
        "dryRunJob", "What would happen if this job were submitted now; nothing is.", answer=DryRunAnswer, body=Planned
    )
    async def post(self) -> None:
        """Nothing is stored or created. A job that would be refused is an answer here, not an error."""
        caller = await self.caller()
        asked = await self.body(Planned, caller.name)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, asked.tenant)
        published = await self.context.submissions.published(tenant, asked)
        registry = self.context.registry
        plan = self.context.submissions.plan(tenant, asked, published)
        if asked.data and not isinstance(plan, Refusal):
            plan = await run_sync(self.context.submissions.data_problem, tenant, asked.data) or plan
        if asked.secrets and not isinstance(plan, Refusal):
            problem = self.context.submissions.secret_problem
            plan = await run_sync(problem, tenant, caller.name, asked.secrets) or plan
        if isinstance(plan, Refusal):
            self.answer(refused_answer(from_refusal(plan), simulated=registry.cluster.simulated))
            return
        record = self.context.submissions.record(plan, caller.name, asked)
        seen = await look(self.context, tenant)
        judged = self.context.job_gate.review(Verb.SUBMIT, record, caller.roles.get(tenant))
        if judged.refusal is not None:
            error = from_refusal(judged.refusal)
            error.numbers.pop("verdict", None)  # it is recorded nowhere
            self.answer(refused_answer(error, judged.verdict, simulated=registry.cluster.simulated))
            return
        manifest = self.context.engines.of(record.spec.backend).render(preview(self.context, record, plan))
        image = self.context.submissions.image(plan, caller.name, asked)
        budgets = await run_sync(self.context.budgets.checks, record)
        self.answer(dry_run_answer(plan, record, image, seen, manifest, registry, judged.verdict, budgets))


class JobOne(Handler):
    """One job."""

    @operation(
        "getJob", "One job as it is now; of one that waits also its place and when it may start.", answer=JobAnswer
    )
    async def get(self, job_id: str) -> None:
        """Its state now."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        seen, held = await forecast_of(self.context, job), await cost_of(self.context, job)
        self.answer(job_answer(job, self.context.registry, now=self.context.clock(), seen=seen, held=held))

    @operation(
        "cancelJob",
        "Ask for a job to be stopped; nothing changes for one that has ended.",
        answer=JobAnswer,
        query=CancelQuery,
        statuses=(202,),
    )
    async def delete(self, job_id: str) -> None:
        """Its owner may, and the tenant's admins."""
        caller = await self.caller(fresh=True)
        word = " ".join(self.query(CancelQuery).reason.split())
        job = await self.job_for(caller, job_id)
        if not caller.tenants(constants.SCOPE_CANCEL, [job.tenant]):
            raise forbidden("This token may not cancel jobs.")
        if job.owner != caller.name and not caller.administers(job.tenant):
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner and the team's admins can cancel it.")
        await run_sync(self.context.jobs.ask_cancel, job.id, by=caller.name, now=self.context.clock(), word=word)
        self.context.reconciler.hurry(job.id)
        job = await self.job_for(caller, job_id)
        held = await cost_of(self.context, job)
        self.answer(job_answer(job, self.context.registry, now=self.context.clock(), held=held), 202)


class Provenance(Handler):
    """Where a job comes from."""

    @operation("getProvenance", "Commit, changes and packages that the job came with.", answer=ProvenanceAnswer)
    async def get(self, job_id: str) -> None:
        """In the words of the client that sent it."""
        job = await self.job_for(await self.caller(), job_id)
        told = None if job.spec.provenance is None else dict(job.spec.provenance)
        image = job.spec.image or self.context.registry.jobs.image
        self.answer({"id": job.id, "files": job.spec.input_sha256, "image": image, "provenance": told})


class JobLogs(Handler):
    """What a job printed."""

    @operation(
        "getJobLog",
        "What an attempt of the job has printed: the end of it, if it is long.",
        query=LogQuery,
        media_type="text/plain",
    )
    async def get(self, job_id: str) -> None:
        """The stored log once there is one, before that what the pod has printed so far. The header says which."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        number = self.query(LogQuery).attempt or job.attempt
        if number > job.attempt:
            message = f"Job {job.id} has no attempt {number}: the last one is {job.attempt}."
            raise ServiceError(404, "unknown-attempt", message, field="attempt")
        if job.log_dropped_at is not None:
            raise gone(f"The log of job {job.id}", self.context.registry.jobs.keep_logs)
        attempt = job.of_number(number)
        if attempt is not None and attempt.log_size is not None:
            self.set_header("X-AIFactory-Log", "stored")
            await self.send_file(self.context.files.log(job.id, number), media_type="text/plain; charset=utf-8")
            return
        self.set_header("X-AIFactory-Log", "live")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(await self._unstored(job, number))

    async def _unstored(self, job: JobRecord, number: int) -> str | bytes:
        """What its runner has sent; of the present attempt otherwise what its pod has printed."""
        limit = self.context.registry.jobs.max_log
        sent: bytes = await run_sync(self.context.spool.tail, run_id(job.id, number), most=limit)
        if sent or number != job.attempt or not job.live or job.current.run_intended_at is None:
            return sent
        try:
            return await self.context.engines.of(job.spec.backend).logs(job.tenant, job.run_id, limit_bytes=limit)
        except EngineUnavailable as error:
            message = f"The log can't be had now: {error}. The job goes on; try again in a moment."
            raise unavailable("log-unavailable", message) from error


class Artifacts(Handler):
    """The files that a job gave back."""

    @operation("listArtifacts", "The files that the job gave back.", answer=ArtifactsAnswer)
    async def get(self, job_id: str) -> None:
        """Their names, sizes and digests."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        found = await run_sync(self.context.jobs.artifacts, job.id)
        self.answer(artifacts_answer(found, simulated=self.context.registry.cluster.simulated))

    @operation(
        "dropArtifacts",
        "Remove the files that an ended job gave back: they make room. Those that models refer to stay.",
        answer=JobAnswer,
    )
    async def delete(self, job_id: str) -> None:
        """Its owner may, and the tenant's admins. Again, nothing happens."""
        caller = await self.caller(fresh=True)
        job = await self.job_for(caller, job_id, constants.SCOPE_CANCEL)
        if job.owner != caller.name and not caller.administers(job.tenant):
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner and the team's admins can remove its files.")
        if job.live:
            raise ServiceError(409, "job-goes-on", f"Job {job.id} has not ended: its files may be needed.", field="id")
        await uploads.run(self.context.job_files.drop, job.id, "artifacts", now=self.context.clock())
        self.context.room.changed()
        job = await self.job_for(caller, job_id)
        held = await cost_of(self.context, job)
        self.answer(job_answer(job, self.context.registry, now=self.context.clock(), held=held))


class ArtifactOne(Handler):
    """One file that a job gave back."""

    @operation("getArtifact", "One file that the job gave back.", media_type="application/octet-stream")
    async def get(self, job_id: str, name: str) -> None:
        """Its content."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        wanted = artifact_name(name)
        for artifact in await run_sync(self.context.jobs.artifacts, job.id):
            if artifact.name == wanted:
                if job.artifacts_dropped_at is not None:
                    raise gone(f"{wanted} of job {job.id}", self.context.registry.jobs.keep_artifacts)
                self.set_header("X-Content-SHA256", artifact.sha256)
                key = self.context.files.artifact(job.id, wanted)
                return await self.send_file(key, media_type="application/octet-stream")
        raise ServiceError(404, "unknown-artifact", f"Job {job.id} gave back no file {wanted!r}.", field="name")


class Quota(Handler):
    """What a tenant may hold and holds."""

    @operation("getQuota", "What a team may hold, holds, and what fits now.", answer=QuotaAnswer, query=TenantQuery)
    async def get(self) -> None:
        """For the token's tenant, or the one named by ``tenant``. Usage that is not known is null, not zero."""
        caller = await self.caller()
        name = self.tenant_for(caller, constants.SCOPE_READ, self.query(TenantQuery).tenant)
        registry = self.context.registry
        try:
            async with asyncio.timeout(_DETAIL_TIMEOUT):
                usage = await self.context.admission.usage(name)
        except (AdmissionUnavailable, TimeoutError):
            usage = None
        self.answer(quota_answer(registry.tenants[name], usage, registry))
