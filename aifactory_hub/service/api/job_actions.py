"""Actions on a job: suspend, resume, retry."""

from __future__ import annotations

from ... import constants
from ...domain.refusals import Refusal
from ...store import JobRecord
from ..answer_types import JobAnswer
from ..auth.permissions import Caller
from ..errors import ServiceError, forbidden, from_refusal
from ..request_types import RetryRequest
from .answers import job_answer
from .base import Handler, run_sync
from .job_costs import cost_of
from .operations import operation


class _Steering(Handler):
    async def steered(self, job_id: str) -> tuple[Caller, JobRecord]:
        """The job, if the caller may change it: its owner may, and the tenant's admins. Raises ServiceError."""
        caller = await self.caller(fresh=True)
        job = await self.job_for(caller, job_id)
        if not caller.tenants(constants.SCOPE_CANCEL, [job.tenant]):
            raise forbidden("This token may not change jobs.")
        if job.owner != caller.name and not caller.administers(job.tenant):
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner and the team's admins can change it.")
        return caller, job

    async def answer_job(self, caller: Caller, job_id: str, status: int = 202) -> None:
        """The job as it is now."""
        self.context.reconciler.hurry(job_id)
        job = await self.job_for(caller, job_id)
        held = await cost_of(self.context, job)
        self.answer(job_answer(job, self.context.registry, now=self.context.clock(), held=held), status)


class Suspend(_Steering):
    """Hold a job."""

    @operation(
        "suspendJob",
        "Let a job give its place back until it is resumed; nothing changes for one that has ended.",
        answer=JobAnswer,
        statuses=(202,),
    )
    async def post(self, job_id: str) -> None:
        """What runs is stopped, as a preempted job is: it goes on with a new attempt."""
        caller, job = await self.steered(job_id)
        await run_sync(self.context.jobs.ask_suspend, job.id, by=caller.name, now=self.context.clock())
        await self.answer_job(caller, job.id)


class Resume(_Steering):
    """Let a held job go on."""

    @operation(
        "resumeJob",
        "Let a suspended job queue again; one that waits for a retry is tried at once.",
        answer=JobAnswer,
        statuses=(202,),
    )
    async def post(self, job_id: str) -> None:
        """Nothing changes for one that is not held."""
        caller, job = await self.steered(job_id)
        await self._judge(job)
        await run_sync(self.context.jobs.resume, job.id)
        await self.answer_job(caller, job.id)

    async def _judge(self, job: JobRecord) -> None:
        """Raises ServiceError when the site's rules refuse it. One that is not held is not asked about."""
        if job.suspend_asked_at is None:
            return
        judged = self.context.job_gate.resume(job, await run_sync(self.context.verdicts.last_of, job.id))
        if judged.refusal is not None:
            await run_sync(self.context.job_gate.record, judged)
            raise from_refusal(judged.refusal)


class Retry(_Steering):
    """Try an ended job again."""

    @operation(
        "retryJob",
        "Submit what an ended job asked for again, as a new job: 201, or 200 for the one that the same key made.",
        answer=JobAnswer,
        body=RetryRequest,
        statuses=(200, 201),
    )
    async def post(self, job_id: str) -> None:
        """Its owner alone may: the new job is theirs too, with their environment."""
        caller = await self.caller(fresh=True)
        asked = await self.body(RetryRequest, caller.name)
        job = await self.job_for(caller, job_id)
        if not caller.tenants(constants.SCOPE_SUBMIT, [job.tenant]):
            raise forbidden("This token may not submit jobs.")
        if job.owner != caller.name:
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner alone can submit it again.")
        if not job.state.final:
            raise ServiceError(409, "job-goes-on", f"Job {job.id} has not ended: it is {job.state.value}.", field="id")
        taken = await self.context.submissions.retry(job, asked.key, role=caller.roles.get(job.tenant))
        if isinstance(taken, Refusal):
            raise from_refusal(taken)
        await self.answer_job(caller, taken.job.id, 201 if taken.new else 200)
