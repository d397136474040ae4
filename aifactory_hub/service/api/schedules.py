"""Jobs that are submitted by the clock."""

from __future__ import annotations

from collections.abc import Sequence

from ... import constants
from ...domain.formatting import iso_millis
from ...domain.refusals import Refusal
from ...domain.schedules import next_time, preview
from ...store import Schedule
from ..answer_types import JobAnswer
from ..auth.permissions import Caller
from ..errors import ServiceError, forbidden, from_refusal
from ..request_types import PreviewQuery, RetryRequest, SchedulePatch, ScheduleQuery, ScheduleRequest
from ..schedule_answer_types import MessagesAnswer, ScheduleAnswer, SchedulePage, SchedulePreview, WebhookSecret
from ..webhooks import tenant_secret
from .answers import job_answer, messages_answer, schedule_answer
from .base import Handler, run_sync
from .job_costs import cost_of
from .operations import operation


class _OfSchedules(Handler):
    async def schedule_for(self, caller: Caller, schedule_id: str) -> Schedule:
        """The schedule, if it is in a tenant that the token may read. Raises ServiceError (404) for all others."""
        found: Schedule | None = await run_sync(self.context.scheduler.schedules.get, schedule_id)
        known = self.context.registry.tenants
        if found is None or found.tenant not in caller.tenants(constants.SCOPE_READ, known):
            message = f"There is no schedule {schedule_id!r} in your teams."
            raise ServiceError(404, "unknown-schedule", message, field="id")
        return found

    async def with_states(self, schedules: Sequence[Schedule]) -> list[ScheduleAnswer]:
        """The answers for these schedules, each with the state of its last job."""
        last = [schedule.last_job for schedule in schedules if schedule.last_job is not None]
        jobs = await run_sync(self.context.jobs.some, last) if last else []
        states = {job.id: job.state for job in jobs}
        return [schedule_answer(schedule, states) for schedule in schedules]

    async def answer_schedule(self, schedule: Schedule, status: int = 200) -> None:
        """Answer with one schedule."""
        self.answer((await self.with_states([schedule]))[0], status)

    async def own(self, schedule_id: str) -> tuple[Caller, Schedule]:
        """The schedule, which the caller may change. Raises ServiceError."""
        caller = await self.caller(fresh=True)
        schedule = await self.schedule_for(caller, schedule_id)
        if not caller.tenants(constants.SCOPE_SUBMIT, [schedule.tenant]):
            raise forbidden("This token may not change schedules.")
        if schedule.owner != caller.name and not caller.administers(schedule.tenant):
            message = f"Schedule {schedule.id} is {schedule.owner}'s: its owner and the team's admins can change it."
            raise forbidden(message)
        return caller, schedule


class ScheduleList(_OfSchedules):
    """All schedules that the caller may see, and the door for new ones."""

    @operation(
        "listSchedules", "Schedules of the caller's teams, the newest first.", answer=SchedulePage, query=ScheduleQuery
    )
    async def get(self) -> None:
        """The newest first, in pages."""
        caller = await self.caller()
        asked = self.query(ScheduleQuery)
        tenants = self.tenants_to_read(caller, asked.tenant)
        last = None if asked.before is None else await self.schedule_for(caller, asked.before)
        schedules = self.context.scheduler.schedules
        found = await run_sync(schedules.newest, tenants, limit=asked.limit + 1, before=last)
        page = await self.with_states(found[: asked.limit])
        self.answer({"schedules": page, "next": page[-1]["id"] if len(found) > asked.limit else None})

    @operation(
        "makeSchedule",
        "Submit a job whenever a cron expression says so: 201, or 200 for the schedule that the same key made before.",
        answer=ScheduleAnswer,
        body=ScheduleRequest,
        statuses=(200, 201),
    )
    async def post(self) -> None:
        """The job is checked as a submitted one is."""
        caller = await self.caller(fresh=True)
        asked = await self.body(ScheduleRequest, caller.name)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, asked.tenant)
        made = await self.context.scheduler.make(caller.name, tenant, asked, role=caller.roles.get(tenant))
        if isinstance(made, Refusal):
            raise from_refusal(made)
        schedule, new = made
        await self.answer_schedule(schedule, 201 if new else 200)


class ScheduleTimes(Handler):
    """When a schedule would submit."""

    @operation(
        "previewSchedule",
        "A cron expression in words, and its first times; nothing is stored.",
        answer=SchedulePreview,
        query=PreviewQuery,
    )
    async def get(self) -> None:
        """What can't be read is refused as it would be by a new schedule."""
        await self.caller()
        asked = self.query(PreviewQuery)
        found = await run_sync(preview, asked.cron, asked.time_zone, now=self.context.clock(), count=asked.count)
        if isinstance(found, Refusal):
            raise from_refusal(found)
        self.answer({"words": found.words, "times": [iso_millis(at) for at in found.times]})


class ScheduleOne(_OfSchedules):
    """One schedule."""

    @operation("getSchedule", "One schedule as it is now.", answer=ScheduleAnswer)
    async def get(self, schedule_id: str) -> None:
        """When it is due next, and what became of the last time."""
        await self.answer_schedule(await self.schedule_for(await self.caller(), schedule_id))

    @operation("changeSchedule", "Let a schedule rest, or go on.", answer=ScheduleAnswer, body=SchedulePatch)
    async def patch(self, schedule_id: str) -> None:
        """Times that pass while it rests are not made up for."""
        _, schedule = await self.own(schedule_id)
        asked = await self.body(SchedulePatch, schedule.owner)
        due = next_time(schedule.cron, schedule.time_zone, after=self.context.clock())
        schedules = self.context.scheduler.schedules
        if asked.paused != schedule.paused:
            await run_sync(schedules.set_paused, schedule.id, asked.paused, next_at=due)
        await self.answer_schedule(await run_sync(schedules.get, schedule.id) or schedule)

    @operation("removeSchedule", "Forget a schedule; jobs that it made stay.", answer=ScheduleAnswer)
    async def delete(self, schedule_id: str) -> None:
        """Its owner may, and the tenant's admins."""
        _, schedule = await self.own(schedule_id)
        await run_sync(self.context.scheduler.schedules.remove, schedule.id)
        await run_sync(self.context.files.drop_job, schedule.id)
        await self.answer_schedule(schedule)


class ScheduleRuns(_OfSchedules):
    """The jobs that a schedule makes."""

    @operation(
        "runSchedule",
        "Submit a schedule's job now, besides those of its times: 201, or 200 for the job that the same key made.",
        answer=JobAnswer,
        body=RetryRequest,
        statuses=(200, 201),
    )
    async def post(self, schedule_id: str) -> None:
        """Its owner alone may: the job is theirs, with their environment. Also while the schedule is paused."""
        caller, schedule = await self.own(schedule_id)
        asked = await self.body(RetryRequest, caller.name)
        if schedule.owner != caller.name:
            raise forbidden(f"Schedule {schedule.id} is {schedule.owner}'s: its owner alone can run it now.")
        taken = await self.context.scheduler.run(schedule, asked.key, role=caller.roles.get(schedule.tenant))
        if isinstance(taken, Refusal):
            raise from_refusal(taken)
        self.context.reconciler.hurry(taken.job.id)
        context, held = self.context, await cost_of(self.context, taken.job)
        self.answer(job_answer(taken.job, context.registry, now=context.clock(), held=held), 201 if taken.new else 200)


class Messages(Handler):
    """What was told of a job."""

    @operation("listMessages", "The messages about a job, and whether they arrived.", answer=MessagesAnswer)
    async def get(self, job_id: str) -> None:
        """To its owner and the tenant's admins: an address may hold a secret."""
        caller = await self.caller()
        job = await self.job_for(caller, job_id)
        if job.owner != caller.name and not caller.administers(job.tenant):
            raise forbidden(f"Job {job.id} is {job.owner}'s: its owner and the team's admins see its messages.")
        self.answer(messages_answer(await run_sync(self.context.messenger.deliveries.of_job, job.id)))


class Secret(Handler):
    """What receivers check signatures with."""

    @operation("getWebhookSecret", "What messages to a team's webhooks are signed with.", answer=WebhookSecret)
    async def get(self, tenant: str) -> None:
        """To those who may submit jobs into the tenant."""
        caller = await self.caller(fresh=True)
        chosen = self.tenant_for(caller, constants.SCOPE_SUBMIT, tenant)
        self.answer({"tenant": chosen, "secret": tenant_secret(self.context.messenger.key, chosen)})
