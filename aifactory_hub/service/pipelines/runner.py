"""Takes runs of pipelines forward: looks at the jobs of their steps, decides, and submits what is next.

Every step of it can be repeated: a job's key is made of the run and the step, so a service that was killed between the
job and the note of it submits the same job again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...domain.metrics import LONGEST_NAME
from ...domain.pipeline_runs import PipelineStepState, RunState, Standing, metrics_of, step_state
from ...domain.pipelines import Pipeline, StepJob, jobs_of
from ...domain.refusals import Refusal, RefusalReason
from ...domain.verdicts import Verb
from ...store import JobRecord, Jobs
from ...store.pipeline_runs import CacheNote, PipelineRun, PipelineRuns, RunStep
from ..background.schedules import Membership
from ..errors import ServiceError
from ..executors import reconciling, uploads
from ..models.job_data import Given
from ..room import Room
from ..submissions import Submissions
from .acts import Acts, Did, Waits
from .order import StepOrder
from .starter import pipeline_of
from .step_cache import StepCache, ToRun
from .step_jobs import CantRun, StepFiles, needed, provenance_of, submission_of

log = logging.getLogger(__name__)

# Seconds between two tries of an act that waits.
_ACTS_EVERY = 5.0

# What may be otherwise in a moment: the step waits.
_FOR_NOW = frozenset({RefusalReason.TENANT_UNAVAILABLE, RefusalReason.QUOTA_UNKNOWN, RefusalReason.DISK_FULL})


@dataclass(frozen=True)
class PipelineRunner:
    """``tick`` looks at every run that goes on. For one event loop."""

    runs: PipelineRuns
    jobs: Jobs
    submissions: Submissions
    step_files: Callable[[], StepFiles]
    room: Room
    membership: Membership
    order: StepOrder
    acts: Acts
    cache: StepCache
    hurry: Callable[[str], None]
    clock: Callable[[], float]
    _pipelines: dict[str, Pipeline] = field(default_factory=dict)
    # When each act that waits was tried last.
    _tried: dict[tuple[str, str], float] = field(default_factory=dict)

    async def tick(self) -> None:
        """Take each run as far as it goes now. One that can't be looked at does not hold up the others."""
        live = await reconciling.run(self.runs.live)
        for gone in self._pipelines.keys() - {run.id for run in live}:
            del self._pipelines[gone]
        for key in [key for key in self._tried if key[0] not in self._pipelines]:
            del self._tried[key]
        for run in live:
            try:
                await self._look(run)
            except Exception:
                log.exception("run %s could not be looked at; it is tried again", run.id)

    async def _look(self, run: PipelineRun) -> None:
        if run.id not in self._pipelines:
            try:
                self._pipelines[run.id] = pipeline_of(run)
            except ValueError as error:
                reason = f"its pipeline can't be read any more: {error}"
                await reconciling.run(self.runs.finish, run.id, RunState.FAILED, reason, now=self.clock())
                return
        pipeline = self._pipelines[run.id]
        steps = await reconciling.run(self._refreshed, run)
        standings = {key: step.standing for key, step in steps.items()}
        asked = run.cancel_asked_at is not None
        decision = await self.order.decide(run.id, pipeline, standings, cancel_asked=asked)
        for standing in decision.settled.values():
            await reconciling.run(self.runs.settle, run.id, standing, now=self.clock())
        jobs = {job.key: job for job in jobs_of(pipeline)}
        begin = (*decision.start, *self._acts_to_try(run, jobs, steps))
        if begin and await self._may_go_on(run, begin):
            for key in begin:
                await self._start(run, pipeline, jobs[key], steps)
        if decision.end is not None:
            await reconciling.run(self.runs.finish, run.id, decision.end, decision.reason, now=self.clock())

    def _refreshed(self, run: PipelineRun) -> dict[str, RunStep]:
        """The run's steps, with what has become of their jobs; blocks."""
        steps = self.runs.steps([run.id])[run.id]
        going = [step.job_id for step in steps if step.state is PipelineStepState.RUNNING and step.job_id is not None]
        jobs = {job.id: job for job in self.jobs.some(going)} if going else {}
        found = {}
        for step in steps:
            found[step.key] = step
            if step.state is PipelineStepState.RUNNING and step.job_id is None:
                found[step.key] = self._act_that_waits(run, step)
            elif step.state is PipelineStepState.RUNNING:
                now = _standing(step, jobs.get(step.job_id or ""))
                if now != step.standing:
                    self.runs.settle(run.id, now, now=self.clock())
                found[step.key] = replace(step, state=now.state, reason=now.reason, metrics=now.metrics)
                if run.cancel_asked_at is not None and not now.state.final:
                    self._cancel(str(step.job_id), run)
        return found

    def _act_that_waits(self, run: PipelineRun, step: RunStep) -> RunStep:
        if run.cancel_asked_at is None:
            return step
        ended = Standing(step.key, PipelineStepState.CANCELLED, "the run was cancelled")
        self.runs.settle(run.id, ended, now=self.clock())
        return replace(step, state=ended.state, reason=ended.reason)

    def _acts_to_try(
        self, run: PipelineRun, jobs: Mapping[str, StepJob], steps: Mapping[str, RunStep]
    ) -> Iterator[str]:
        """Acts that wait, and have not been tried for a while."""
        for key, step in steps.items():
            waits = step.state is PipelineStepState.RUNNING and key in jobs and jobs[key].step.act is not None
            if waits and self.clock() - self._tried.get((run.id, key), 0.0) >= _ACTS_EVERY:
                yield key

    def _cancel(self, job_id: str, run: PipelineRun) -> None:
        word = f"pipeline run {run.id} was cancelled"
        self.jobs.ask_cancel(job_id, by=run.cancel_asked_by or run.owner, now=self.clock(), word=word)

    async def _may_go_on(self, run: PipelineRun, start: tuple[str, ...]) -> bool:
        """Whether the run's owner may still submit; if not, what would begin now fails."""
        allowed = await self.membership.may_submit(run.owner, run.tenant)
        if allowed is False:
            reason = f"{run.owner} may not submit jobs into team {run.tenant} any more"
            for key in start:
                await self._settle(run, key, reason)
        return bool(allowed)

    async def _start(self, run: PipelineRun, pipeline: Pipeline, job: StepJob, steps: Mapping[str, RunStep]) -> None:
        """Submit a step's job. What is refused for good fails the step; what may be otherwise in a moment waits."""
        if job.step.act is not None:
            await self._act(run, job, steps)
            return
        key = f"{run.id}:{job.key}"
        earlier = await reconciling.run(self.jobs.find_by_key, run.tenant, run.owner, key)
        given = await reconciling.run(self._given, run, job, earlier)
        if isinstance(given, Refusal):
            await self._settle(run, job.key, given.message)
            return
        to_run = ToRun(run, pipeline, job, steps, given)
        note = await self._looked_up(to_run, may_take=earlier is None)
        if note is None:
            return
        if earlier is None and (earlier := await self._submit(to_run, key)) is None:
            return
        await reconciling.run(self.runs.begin, run.id, job.key, earlier.id, now=self.clock(), note=note)
        self.hurry(earlier.id)

    def _given(self, run: PipelineRun, job: StepJob, earlier: JobRecord | None) -> Given | Refusal:
        """The data that the step's job is given: what its names mean now, or what the ``earlier`` job got. Blocks."""
        if not job.step.data:
            return Given()
        data = self.submissions.data
        return data.find(run.tenant, job.step.data) if earlier is None else data.of_job(earlier.id)

    async def _looked_up(self, to_run: ToRun, *, may_take: bool) -> CacheNote | None:
        """What is noted of a step that is to run. None where nothing is to be submitted: an earlier job counts for it,
        or a rule refuses it."""
        if not to_run.job.step.cache:
            return CacheNote()
        try:
            found = await self.cache.look(to_run, may_take=may_take)
        except CantRun:  # its submission says why
            return CacheNote()
        if not isinstance(found, Refusal):
            return found
        await self._settle(to_run.run, to_run.job.key, found.message)
        return None

    async def _act(self, run: PipelineRun, job: StepJob, steps: Mapping[str, RunStep]) -> None:
        """Do what the step asks of the service itself, and record what came of it."""
        outcome = await self.acts.carry_out(run, job.step, steps)
        now = self.clock()
        self._tried[run.id, job.key] = now
        if isinstance(outcome, Did):
            await reconciling.run(self.runs.succeed, run.id, job.key, outcome.words, outcome.result, now=now)
        elif isinstance(outcome, Waits):
            if outcome.words:
                wait = self.runs.wait
                await reconciling.run(wait, run.id, job.key, outcome.words, held=outcome.held, now=now)
        else:
            await self._settle(run, job.key, outcome.words)

    async def _submit(self, to_run: ToRun, key: str) -> JobRecord | None:
        run, job, steps = to_run.run, to_run.job, to_run.steps
        told, data = provenance_of(run, job), to_run.given.versions
        try:
            files = await self._files(run, to_run.pipeline, job, steps)
            values = metrics_of(needed(job.step, steps))
            submission = submission_of(run.name, job, key=key, files=files, values=values, provenance=told, data=data)
        except CantRun as error:
            await self._settle(run, job.key, str(error))
            return None
        except ServiceError as error:
            if error.reason != RefusalReason.DISK_FULL.value:
                await self._settle(run, job.key, error.detail)
            return None
        verb = Verb.SUBMIT if run.trigger is None else Verb.TRIGGER
        role = await self.membership.role(run.owner, run.tenant)
        submit = self.submissions.submit_now
        taken = await reconciling.run(submit, run.owner, run.tenant, submission, verb=verb, role=role)
        if isinstance(taken, Refusal):
            if taken.reason not in _FOR_NOW:
                await self._settle(run, job.key, taken.message)
            return None
        return taken.job

    async def _files(
        self, run: PipelineRun, pipeline: Pipeline, job: StepJob, steps: Mapping[str, RunStep]
    ) -> str | None:
        """What the job names its files by. Raises CantRun, ServiceError when there is no room for them."""
        maker = self.step_files()
        size = await uploads.run(maker.size, pipeline, job.step, steps)
        if size == 0:
            return await uploads.run(maker.gather, run, pipeline, job.step, steps, now=self.clock())
        reservation = await self.room.reserve(run.tenant, run.owner, "packs", size)
        kept = False
        try:
            found: str | None = await uploads.run(maker.gather, run, pipeline, job.step, steps, now=self.clock())
            kept = True
            return found
        finally:
            self.room.release(reservation, kept=kept)

    async def _settle(self, run: PipelineRun, key: str, reason: str) -> None:
        failed = Standing(key, PipelineStepState.FAILED, reason)
        await reconciling.run(self.runs.settle, run.id, failed, now=self.clock())


def _standing(step: RunStep, job: JobRecord | None) -> Standing:
    if job is None:
        return Standing(
            step.key, PipelineStepState.FAILED, f"its job {step.job_id} is not known any more", step.metrics
        )
    state = step_state(job.state)
    reason = job.reason if state.final and state is not PipelineStepState.SUCCEEDED else None
    return Standing(step.key, state, reason, _numbers(job.current.metrics))


def _numbers(metrics: Mapping[str, Any] | None) -> dict[str, float | None]:
    """The last values that are numbers; None for one that is none, such as NaN."""
    found: dict[str, float | None] = {}
    for name, value in (metrics or {}).items():
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        found[name[:LONGEST_NAME]] = number if number is not None and math.isfinite(number) else None
    return found
