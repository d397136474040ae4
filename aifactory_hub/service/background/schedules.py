"""Submits what is scheduled: one job for each time that comes, exactly once."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import ValidationError

from ...domain.jobs import JobPlan
from ...domain.refusals import Refusal, RefusalReason
from ...domain.schedules import check_schedule, missed, next_time
from ...domain.tenants import Role
from ...domain.verdicts import Verb
from ...store import Jobs, Schedule, Schedules, Snapshots
from ..auth.memberships import Members
from ..errors import ServiceError
from ..executors import reads, reconciling
from ..request_types import ScheduleRequest, Submission
from ..submissions import Submissions, SubmitResult, digest_of

log = logging.getLogger(__name__)


class Membership(Protocol):
    """Says whether a user may still submit into a tenant; None when the hub can't be asked now."""

    async def may_submit(self, user: str, tenant: str) -> bool | None:
        """Asked afresh."""

    async def role(self, user: str, tenant: str) -> Role | None:
        """What the user is in the tenant; None when the hub can't be asked now, or they are nothing there."""


@dataclass(frozen=True)
class HubMembership:
    """As the hub says it, which asks the identity provider while it is to watch."""

    members: Members

    async def may_submit(self, user: str, tenant: str) -> bool | None:
        """See Membership."""
        try:
            return (await self.members.of([user], watch=True))[user].may_start(tenant)
        except ServiceError:
            return None

    async def role(self, user: str, tenant: str) -> Role | None:
        """See Membership."""
        try:
            return (await self.members.of([user]))[user].tenants.get(tenant)
        except ServiceError:
            return None


@dataclass(frozen=True)
class Scheduler:
    """Makes schedules and lets them submit.

    A job's idempotency key derives from its schedule and time: a service that was killed between the job and the
    note of it submits the same job again. Of several times that passed while the service was away, one is made up.
    """

    schedules: Schedules
    jobs: Jobs
    snapshots: Snapshots
    submissions: Submissions
    membership: Membership
    clock: Callable[[], float]

    async def make(
        self, owner: str, tenant: str, asked: ScheduleRequest, *, role: Role | None = None
    ) -> tuple[Schedule, bool] | Refusal:
        """The schedule of this request and whether it is new, or why not. ``role``: see Submissions.submit."""
        return await reads.run(self._make, owner, tenant, asked, role)

    async def run(self, schedule: Schedule, key: str, *, role: Role | None = None) -> SubmitResult | Refusal:
        """A job of the schedule now, besides those that its times make and also while it is paused; or why not."""
        submission = self._submission(schedule, key)
        if isinstance(submission, str):
            return Refusal(RefusalReason.BAD_FIELD, f"Schedule {schedule.id}: {submission}. Make it anew.", field="id")
        submit = self.submissions.submit_now
        return await reads.run(submit, schedule.owner, schedule.tenant, submission, schedule=schedule.id, role=role)

    async def tick(self) -> None:
        """Submit what is due."""
        for schedule in await reconciling.run(self.schedules.due, now=self.clock()):
            try:
                await self._fire(schedule)
            except Exception:
                log.exception("schedule %s could not be looked at; it is tried again", schedule.id)

    def _make(
        self, owner: str, tenant: str, asked: ScheduleRequest, role: Role | None
    ) -> tuple[Schedule, bool] | Refusal:
        request = asked.job.model_dump(mode="json", exclude_defaults=True, exclude={"key", "tenant"})
        digest = digest_of({**asked.model_dump(mode="json", exclude={"key", "job"}), "job": request, "tenant": tenant})
        earlier = self.schedules.find_by_key(tenant, owner, asked.key)
        if earlier is not None:
            return self._same(earlier, digest, new=False)
        now = self.clock()
        first = check_schedule(asked.cron, asked.time_zone, now=now)
        if isinstance(first, Refusal):
            return first
        plan = self.submissions.plan(tenant, asked.job)
        if isinstance(plan, Refusal):
            return plan
        made = Schedule(
            id=f"s{secrets.token_hex(6)}",
            tenant=tenant,
            owner=owner,
            key=asked.key,
            request_digest=digest,
            request=request,
            cron=asked.cron,
            time_zone=asked.time_zone,
            overlap=asked.overlap,
            created_at=now,
            next_at=first,
        )
        if asked.job.files is not None and self.snapshots.use(tenant, owner, asked.job.files, now=now) is None:
            message = f"There is no manifest {asked.job.files} of yours: send the files and it, then make the schedule."
            return Refusal(RefusalReason.BAD_FIELD, message, field="job.files")
        against = self._against(plan, made, asked.job, role)
        if against is not None:
            return against
        stored = self.schedules.add(made)
        return self._same(stored, digest, new=stored.id == made.id)

    def _against(self, plan: JobPlan, made: Schedule, job: Submission, role: Role | None) -> Refusal | None:
        """Why the site's rules refuse the job of a schedule. What they only hold is held when it is due."""
        record = replace(self.submissions.record(plan, made.owner, job), id=made.id, schedule=made.id)
        judged = self.submissions.gate.review(Verb.SCHEDULE, record, role)
        self.submissions.gate.record(judged)
        return judged.refusal

    def _same(self, schedule: Schedule, digest: str, *, new: bool) -> tuple[Schedule, bool] | Refusal:
        if schedule.request_digest == digest:
            return schedule, new
        message = f"The key {schedule.key!r} was used before, for schedule {schedule.id}, with another request."
        return Refusal(RefusalReason.IDEMPOTENCY_CONFLICT, f"{message} Take a new key.", field="key")

    async def _fire(self, schedule: Schedule) -> None:
        allowed = await self.membership.may_submit(schedule.owner, schedule.tenant)
        if allowed is None:
            return  # the hub can't be asked: later, for this same time
        current = await reconciling.run(self.schedules.get, schedule.id)
        if current is None or (current.owner, current.paused) != (schedule.owner, schedule.paused):
            return  # the answer came with a handover of its owner's account
        job_id: str | None = None
        problem: str | None = f"{schedule.owner} may not submit jobs into team {schedule.tenant} any more"
        if allowed:
            rules = self.submissions.gate.gates.bundle
            role = await self.membership.role(schedule.owner, schedule.tenant) if rules else None
            job_id, problem = await reconciling.run(self._submit, schedule, role)
        if problem is not None:
            log.warning("schedule %s of %s made no job: %s", schedule.id, schedule.owner, problem)
        now = self.clock()
        following = next_time(schedule.cron, schedule.time_zone, after=max(now, schedule.next_at or 0.0))
        told = _told(schedule, problem, now)
        await reconciling.run(self.schedules.advance, schedule, next_at=following, job_id=job_id, problem=told)

    def _submit(self, schedule: Schedule, role: Role | None) -> tuple[str | None, str | None]:
        """The job that was made, or why none was."""
        if schedule.overlap == "skip" and (going := self.jobs.of_schedule(schedule.id)):
            return None, f"its job {going[0].id} still goes on"
        submission = self._submission(schedule, f"{schedule.id}-{int(schedule.next_at or 0)}")
        if isinstance(submission, str):
            return None, submission
        submit, owner = self.submissions.submit_now, schedule.owner
        taken = submit(owner, schedule.tenant, submission, schedule=schedule.id, role=role)
        if isinstance(taken, Refusal):
            return None, taken.message
        return taken.job.id, None

    def _submission(self, schedule: Schedule, key: str) -> Submission | str:
        """What the schedule submits, or why it can't be read."""
        try:
            return Submission.model_validate_json(json.dumps({**schedule.request, "key": key}))
        except ValidationError as error:
            return f"it can't be read any more: {error.errors()[0]['msg']}"


def _told(schedule: Schedule, problem: str | None, now: float) -> str | None:
    """The problem, and how many times were left out because nobody was there."""
    left_out = missed(schedule.cron, schedule.time_zone, due=schedule.next_at or now, now=now)
    if not left_out:
        return problem
    missing = f"{left_out} times passed while the service was away"
    return missing if problem is None else f"{problem}; {missing}"
