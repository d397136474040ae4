"""Lets a step of a pipeline take the result of an earlier job of its team, where all that decides it is the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...domain.pipeline_runs import metrics_of
from ...domain.pipelines import Pipeline, StepJob
from ...domain.refusals import Refusal
from ...domain.step_cache import cache_key, kept_since, why_never_taken
from ...domain.verdicts import Verb
from ...registry.model import Registry
from ...store import FileStore, JobRecord, Jobs
from ...store.pipeline_runs import PipelineRun, PipelineRuns, RunStep
from ..background.schedules import Membership
from ..executors import reads, reconciling, uploads
from ..submissions import Submissions
from .step_jobs import StepFiles, needed, provenance_of, submission_of

log = logging.getLogger(__name__)

# As many earlier steps are looked at: files of the newest may be lost.
_LOOKED_AT = 3


@dataclass(frozen=True, slots=True)
class Keyed:
    """The job that a step would become, and the key that stands for all that decides its result."""

    key: str
    record: JobRecord


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

    async def keyed(
        self, run: PipelineRun, pipeline: Pipeline, job: StepJob, steps: Mapping[str, RunStep]
    ) -> Keyed | None:
        """The key of a step that is cached; None where no earlier job can count for it, or it may not run at all.

        Raises CantRun.
        """
        files = await uploads.run(self.step_files().digest, run, pipeline, job.step, steps)
        values = metrics_of(needed(job.step, steps))
        told = provenance_of(run, job)
        asked = submission_of(run.name, job, key=f"{run.id}:{job.key}", files=files, values=values, provenance=told)
        plan = await reads.run(self.submissions.plan, run.tenant, asked)
        if isinstance(plan, Refusal):
            return None
        record = self.submissions.record(plan, run.owner, asked)
        template = await self._template(record)
        if record.spec.template is not None and template is None:
            return None
        registry = self.get_registry()
        image = record.spec.image or registry.jobs.image
        if why_never_taken(record.spec, image=image, simulated=registry.cluster.simulated) is not None:
            return None
        return Keyed(cache_key(run.tenant, record.spec, image=image, template=template), record)

    async def take(self, run: PipelineRun, job: StepJob, keyed: Keyed) -> Refusal | bool:
        """Let the newest job with this key count for the step; whether there was one, or why the rules refuse it.

        The site's rules are asked as if it ran. Where they need an approval nothing is taken: the job waits for it.
        """
        found = await reconciling.run(self._find, run.tenant, keyed.key)
        if found is None:
            return False
        verb = Verb.SUBMIT if run.trigger is None else Verb.TRIGGER
        role = await self.membership.role(run.owner, run.tenant)
        judged = await reconciling.run(self.submissions.gate.review, verb, keyed.record, role)
        if judged.verdict.needs and judged.refusal is None:
            return False
        await reconciling.run(self.submissions.gate.record, judged)
        if judged.refusal is not None:
            return judged.refusal
        origin, earlier = found
        await reconciling.run(self.runs.take, run.id, job.key, earlier, origin, now=self.clock())
        log.info("step %s of run %s takes job %s of run %s", job.key, run.id, earlier.job_id, origin)
        return True

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
