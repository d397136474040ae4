"""Lets a step of a pipeline take the result of an earlier job of its team, where all that decides it is the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...domain.pipeline_runs import PipelineStepState, metrics_of
from ...domain.pipelines import Pipeline, StepJob
from ...domain.refusals import Refusal
from ...domain.step_cache import Deciding, cache_key, kept_since, parts, why_never_taken
from ...domain.step_cache_reasons import NO_CACHE, data_note, why_run, why_taken
from ...domain.verdicts import Verb
from ...registry.model import Registry
from ...store import FileStore, JobRecord, Jobs
from ...store.pipeline_runs import CacheNote, PipelineRun, PipelineRuns, RunStep
from ..background.schedules import Membership
from ..executors import reads, reconciling, uploads
from ..models.job_data import Given
from ..submissions import Submissions
from .step_jobs import StepFiles, needed, provenance_of, submission_of

log = logging.getLogger(__name__)

# As many earlier steps are looked at: files of the newest may be lost.
_LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class ToRun:
    """A step of a run that is to begin: its job, how the others stand, and the data that it is given."""

    run: PipelineRun
    pipeline: Pipeline
    job: StepJob
    steps: Mapping[str, RunStep]
    given: Given


@dataclass(frozen=True, slots=True)
class Keyed:
    """The job that a step would become, and what decides its result."""

    record: JobRecord
    deciding: Deciding


@dataclass(frozen=True)
class StepCache:
    """For one event loop."""

    runs: PipelineRuns
    jobs: Jobs
    files: FileStore
    submissions: Submissions
    step_files: Callable[[], StepFiles]
    membership: Membership
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]

    async def look(self, to_run: ToRun, *, may_take: bool) -> CacheNote | Refusal | None:
        """What is noted of a step that is cached and runs; None where the newest job with its key counts for it, which
        is recorded; or why the site's rules refuse it. ``may_take`` False: it has a job already. Raises CantRun.
        """
        keyed = await self._keyed(to_run)
        if not isinstance(keyed, Keyed):
            return CacheNote(reason=keyed)
        key, run = cache_key(keyed.deciding), to_run.run
        why = None if run.cache else NO_CACHE
        if may_take and run.cache:
            taken = await self._take(to_run, keyed, key)
            if taken is None or isinstance(taken, Refusal):
                return taken
            why = taken or None
        if why is None:
            why = await uploads.run(self._why_run, to_run, keyed)
        return CacheNote(key, parts(keyed.deciding), why)

    async def _keyed(self, to_run: ToRun) -> Keyed | str | None:
        """What decides the step's result, or why no earlier job can count for it; None where it may not run at all.

        Raises CantRun.
        """
        run, job, steps = to_run.run, to_run.job, to_run.steps
        maker = self.step_files()
        files = await uploads.run(maker.digest, run, to_run.pipeline, job.step, steps)
        values = metrics_of(needed(job.step, steps))
        told = provenance_of(run, job)
        key, data = f"{run.id}:{job.key}", to_run.given.versions
        asked = submission_of(run.name, job, key=key, files=files, values=values, provenance=told, data=data)
        plan = await reads.run(self.submissions.plan, run.tenant, asked)
        if isinstance(plan, Refusal):
            return None
        record = self.submissions.record(plan, run.owner, asked)
        template = await self._template(record)
        if record.spec.template is not None and template is None:
            return "which version of its template there is can't be said"
        registry = self.get_registry()
        image = record.spec.image or registry.jobs.image
        never = why_never_taken(record.spec, image=image, simulated=registry.cluster.simulated)
        if never is not None:
            return never
        decide = files
        if job.step.inputs:
            decide = await uploads.run(maker.deciding, run, to_run.pipeline, job.step, steps)
        return Keyed(record, Deciding(run.tenant, record.spec, image, template, decide, job.step.inputs, data))

    async def _take(self, to_run: ToRun, keyed: Keyed, key: str) -> Refusal | str | None:
        """Let the newest job with this key count for the step: None. Or why the rules refuse it, or why it has to run;
        empty where there is no such job.

        The site's rules are asked as if it ran. Where they need an approval nothing is taken: the job waits for it.
        """
        run, job = to_run.run, to_run.job
        found = await reconciling.run(self._find, run.tenant, key)
        if found is None:
            return ""
        verb = Verb.SUBMIT if run.trigger is None else Verb.TRIGGER
        role = await self.membership.role(run.owner, run.tenant)
        review, seen = self.submissions.gate.review, to_run.given.seen
        judged = await reconciling.run(review, verb, keyed.record, role, seen)
        if judged.verdict.needs and judged.refusal is None:
            return "a rule asks for an approval of it"
        await reconciling.run(self.submissions.gate.record, judged)
        if judged.refusal is not None:
            against: Refusal = judged.refusal
            return against
        origin, earlier = found
        note = CacheNote(key, parts(keyed.deciding), why_taken(job.step.inputs, keyed.deciding.data))
        await reconciling.run(self.runs.take, run.id, job.key, earlier, origin, now=self.clock(), note=note)
        log.info("step %s of run %s takes job %s of run %s", job.key, run.id, earlier.job_id, origin)
        return None

    def _why_run(self, to_run: ToRun, keyed: Keyed) -> str:
        """Why the step has to run, compared with the newest one before it; blocks."""
        run, step, data = to_run.run, to_run.job.step, keyed.deciding.data
        found = self.runs.last_cached(run, to_run.job.key)
        if found is None:
            return f"no earlier run has this step with cache{data_note(data)}"
        origin, earlier = found
        before, now = earlier.cache_parts, parts(keyed.deciding)
        files: tuple[str, ...] = ()
        job = None if earlier.job_id is None else self.jobs.get(earlier.job_id)
        if before is not None and before.get("files") != now.get("files") and job is not None:
            files = self.step_files().changed(run, to_run.pipeline, step, to_run.steps, job)
        why = why_run(origin, before, now, files, data)
        if why is not None:
            return why
        if earlier.state is PipelineStepState.SUCCEEDED:
            return f"what it gave back in run {origin} is no longer kept, or not for long enough{data_note(data)}"
        return f"in run {origin} it has not succeeded{data_note(data)}"

    async def _template(self, record: JobRecord) -> str | None:
        """The version of what the team has published; None where nobody says it."""
        if record.spec.template is None:
            return None
        published = await self.submissions.published_for(record.tenant, record.spec.backend)
        return next((one.version for one in published or () if one.name == record.spec.template), None)

    def _find(self, tenant: str, key: str) -> tuple[str, RunStep] | None:
        """The newest step with this key whose files are all there, with its run's id; blocks."""
        since = kept_since(self.clock(), self.get_registry().jobs.keep_artifacts)
        for origin, step in self.runs.with_cache_key(tenant, key, since=since, limit=_LOOKED_AT):
            job = str(step.job_id)
            names = [self.files.artifact(job, artifact.name) for artifact in self.jobs.artifacts(job)]
            if all(self.files.size(name) is not None for name in names):
                return origin, step
        return None
