"""Starts runs of pipelines, and says what a run would do before anything is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...domain.cache_inputs import inputs_problem
from ...domain.datasets import GivenVersion
from ...domain.pipeline_reader import read
from ...domain.pipeline_runs import PipelineStepState, RunState, kept_for_retry
from ...domain.pipelines import Pipeline, StepJob, after, jobs_of
from ...domain.refusals import Refusal, RefusalReason
from ...domain.step_cache import why_never_taken
from ...domain.tenants import Role
from ...domain.verdicts import Finding, Verb
from ...pipeline_file import PipelineFile
from ...registry.model import Registry
from ...store import BlobMissing, JobRecord, Snapshots
from ...store.pipeline_runs import PipelineRun, PipelineRuns, RunStep
from ...untrusted.json_text import BadJson
from ...untrusted.manifests import read_manifest
from ..job_gate import Judged
from ..models.job_data import Given
from ..submissions import Submissions, digest_of
from .step_jobs import CantRun, submission_of


@dataclass(frozen=True, slots=True)
class Checked:
    """What would become of one job of a pipeline. ``judged`` is what the site's rules say; None where they were not
    asked. ``uncacheable`` says why a step that is cached always runs. ``data`` is what its names mean now."""

    job: StepJob
    profile: str | None
    refusal: Refusal | None
    findings: tuple[Finding, ...] = ()
    judged: Judged | None = None
    uncacheable: str | None = None
    data: tuple[GivenVersion, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The run of a request; ``new`` is False when the same request made it before."""

    run: PipelineRun
    new: bool


def run_id(tenant: str, owner: str, key: str) -> str:
    """The id of the run that this key makes. Derived, so that a run that a restored database has lost is the same one
    again, and finds the jobs that it had."""
    return "p" + hashlib.sha256("\0".join((tenant, owner, key)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def pipeline_of(run: PipelineRun) -> Pipeline:
    """The pipeline that a run was started with. Raises ValueError when this version can't read it any more."""
    found = read(run.data)
    if isinstance(found, Pipeline):
        return found
    raise ValueError("; ".join(map(str, found[:3])))


@dataclass(frozen=True)
class Starter:
    """Stores runs; what takes them forward is the PipelineRunner. Methods block."""

    runs: PipelineRuns
    submissions: Submissions
    snapshots: Snapshots
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]

    def check(
        self, owner: str, tenant: str, pipeline: Pipeline, *, verb: Verb = Verb.SUBMIT, role: Role | None = None
    ) -> list[Checked]:
        """What would become of each job; nothing is stored. Metrics and files of steps before are not known yet.

        ``role`` is what the owner is in the team, for the site's rules; None where nobody knows.
        """
        given = {step.name: self.submissions.data.find(tenant, step.data) for step in pipeline.steps}
        return [
            self._check(owner, tenant, pipeline, job, verb, role, given[job.step.name]) for job in jobs_of(pipeline)
        ]

    def start(
        self,
        owner: str,
        tenant: str,
        key: str,
        file: PipelineFile,
        *,
        files: str | None,
        cause: Mapping[str, Any],
        trigger: str | None = None,
        role: Role | None = None,
        cache: bool = True,
    ) -> Started | Refusal:
        """The run of this request, new or the one that the same key made before; or why not. Without ``cache`` each of
        its steps runs."""
        asked = {"data": file.data, "files": files, "tenant": tenant}
        digest = digest_of(asked if cache else asked | {"cache": False})
        earlier = self.runs.find_by_key(tenant, owner, key)
        if earlier is not None:
            return _same(earlier, digest, new=False)
        against = self._refusal(owner, tenant, file.pipeline, Verb.SUBMIT if trigger is None else Verb.TRIGGER, role)
        if against is not None:
            return against
        now = self.clock()
        if files is not None and self.snapshots.use(tenant, owner, files, now=now) is None:
            message = f"There is no manifest {files} of yours: send the files and it, then start the pipeline."
            return Refusal(RefusalReason.BAD_FIELD, message, field="files")
        if (unfit := self._inputs_refusal(owner, tenant, file.pipeline, files)) is not None:
            return unfit
        run = PipelineRun(
            id=run_id(tenant, owner, key),
            tenant=tenant,
            owner=owner,
            key=key,
            request_digest=digest,
            name=file.pipeline.name,
            data=file.data,
            files=files,
            cause=cause,
            trigger=trigger,
            cache=cache,
            created_at=now,
        )
        steps = [RunStep(job.key, place) for place, job in enumerate(jobs_of(file.pipeline))]
        stored = self.runs.add(run, steps)
        return _same(stored, digest, new=stored is run)

    def again(self, run: PipelineRun, key: str, step: str | None, role: Role | None = None) -> Started | Refusal:
        """A new run of what an ended one was, from ``step`` on; without one, from what did not succeed.

        What somebody names to run again is run, whatever earlier jobs there are.
        """
        digest = digest_of({"retry": run.id, "step": step})
        earlier = self.runs.find_by_key(run.tenant, run.owner, key)
        if earlier is not None:
            return _same(earlier, digest, new=False)
        pipeline = pipeline_of(run)
        if not self.runs.steps([run.id])[run.id]:
            return Refusal(
                RefusalReason.BAD_FIELD, f"Run {run.id} is not kept any more: start the pipeline.", field="id"
            )
        if step is not None and step not in {each.name for each in pipeline.steps}:
            names = ", ".join(each.name for each in pipeline.steps)
            return Refusal(RefusalReason.BAD_FIELD, f"There is no step {step!r}. Steps: {names}.", field="step")
        against = self._refusal(run.owner, run.tenant, pipeline, Verb.RETRY, role)
        now = self.clock()
        if against is not None:
            return against
        if run.files is not None and self.snapshots.use(run.tenant, run.owner, run.files, now=now) is None:
            message = f"The files that run {run.id} had are not kept any more: start the pipeline with its files."
            return Refusal(RefusalReason.BAD_FIELD, message, field="files")
        new = replace(_copy(run, key, digest, now), cache=run.cache and step is None)
        stored = self.runs.add(new, self._steps_again(run, pipeline, step))
        return _same(stored, digest, new=stored is new)

    def _inputs_refusal(self, owner: str, tenant: str, pipeline: Pipeline, files: str | None) -> Refusal | None:
        """Why the ``inputs`` of a step can't decide for a run with these files."""
        if not any(step.inputs for step in pipeline.steps):
            return None
        names: list[str] = []
        if files is not None:
            try:
                text, _ = self.snapshots.manifest(tenant, owner, files)
                names = [file.name for file in read_manifest(text.encode())]
            except (BlobMissing, BadJson):
                message = f"The manifest {files} can't be read: send the files and it again, then start the pipeline."
                return Refusal(RefusalReason.BAD_FIELD, message, field="files")
        found = inputs_problem(pipeline, names)
        if found is None:
            return None
        return in_step(Refusal(RefusalReason.BAD_FIELD, found[1], field="cache.inputs"), found[0])

    def _steps_again(self, run: PipelineRun, pipeline: Pipeline, step: str | None) -> list[RunStep]:
        before = {each.key: each for each in self.runs.steps([run.id])[run.id]}
        redo = frozenset[str]() if step is None else after(pipeline, step)
        if step is None:
            for each in pipeline.steps:
                if any(
                    before[j.key].state is not PipelineStepState.SUCCEEDED for j in jobs_of(pipeline) if j.step is each
                ):
                    redo |= after(pipeline, each.name)
        kept = kept_for_retry(pipeline, {key: each.standing for key, each in before.items()}, redo)
        return [
            _taken(before[job.key], run.id) if job.key in kept else RunStep(job.key, place)
            for place, job in enumerate(jobs_of(pipeline))
        ]

    def _refusal(self, owner: str, tenant: str, pipeline: Pipeline, verb: Verb, role: Role | None) -> Refusal | None:
        """Why the first job that may not be is refused, with its step."""
        for checked in self.check(owner, tenant, pipeline, verb=verb, role=role):
            if checked.refusal is not None:
                if checked.judged is not None:
                    self.submissions.gate.record(checked.judged)
                return in_step(checked.refusal, checked.job.step.name)
        return None

    def _check(
        self,
        owner: str,
        tenant: str,
        pipeline: Pipeline,
        job: StepJob,
        verb: Verb,
        role: Role | None,
        given: Given | Refusal,
    ) -> Checked:
        if job.step.act is not None:  # rules are asked about it once there is something to be registered
            return Checked(job, None, None)
        try:
            asked = submission_of(pipeline.name, job, key="check", files=None, values={})
        except CantRun as error:
            return Checked(job, None, Refusal(RefusalReason.BAD_FIELD, f"It can't be submitted: {error}."))
        plan = self.submissions.plan(tenant, asked)
        if isinstance(plan, Refusal):
            return Checked(job, job.step.profile, plan)
        if isinstance(given, Refusal):
            return Checked(job, plan.profile.name, given)
        record = self.submissions.record(plan, owner, asked)
        judged = self.submissions.gate.review(verb, record, role, given.seen)
        found = Checked(job, plan.profile.name, judged.refusal, judged.verdict.findings, judged, data=given.versions)
        return replace(found, uncacheable=self._uncacheable(record)) if job.step.cache else found

    def _uncacheable(self, record: JobRecord) -> str | None:
        registry = self.get_registry()
        image = record.spec.image or registry.jobs.image
        return why_never_taken(record.spec, image=image, simulated=registry.cluster.simulated)


def in_step(refusal: Refusal, step: str) -> Refusal:
    """The same refusal, with the step that it is about."""
    where = f"steps.{step}" + (f".{refusal.field}" if refusal.field else "")
    return replace(refusal, message=f"Step {step}: {refusal.message}", field=where)


def _taken(step: RunStep, run: str) -> RunStep:
    return replace(step, taken_from=step.taken_from or run, cache_reason=None)


def _copy(run: PipelineRun, key: str, digest: str, now: float) -> PipelineRun:
    return PipelineRun(
        id=run_id(run.tenant, run.owner, key),
        tenant=run.tenant,
        owner=run.owner,
        key=key,
        request_digest=digest,
        name=run.name,
        data=run.data,
        files=run.files,
        cause=run.cause,
        trigger=run.trigger,
        retry_of=run.id,
        created_at=now,
        state=RunState.RUNNING,
    )


def _same(stored: PipelineRun, digest: str, *, new: bool) -> Started | Refusal:
    if stored.request_digest == digest:
        return Started(stored, new)
    message = f"The key {stored.key!r} was used before, for run {stored.id}, with another request. Take a new key."
    return Refusal(RefusalReason.IDEMPOTENCY_CONFLICT, message, field="key")
