"""Answers about pipelines, from what is stored of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...domain.formatting import iso_millis
from ...domain.jobs import JobState
from ...domain.pipeline_acts import act_words
from ...domain.pipelines import StepJob, jobs_of
from ...pipeline_file import BadPipeline
from ...store.pipeline_runs import PipelineRun, RunStep
from ..pipeline_answer_types import (
    CauseAnswer,
    CheckedStepAnswer,
    PipelineCheckAnswer,
    PipelineRunAnswer,
    PipelineStepAnswer,
    StepResultAnswer,
)
from ..pipelines.starter import Checked, pipeline_of

_LONGEST_WORK = 200


def bad_pipeline_answer(error: BadPipeline, *, simulated: bool) -> PipelineCheckAnswer:
    """What is wrong with a file."""
    faults: Any = [{"message": fault.message, "line": fault.line, "place": fault.place} for fault in error.faults]
    return {"accepted": False, "name": None, "faults": faults, "steps": [], "simulated": simulated}


def checked_answer(name: str, checked: Sequence[Checked], *, simulated: bool) -> PipelineCheckAnswer:
    """What would become of each job."""
    steps = [_checked(each) for each in checked]
    accepted = all(step["accepted"] for step in steps)
    return {"accepted": accepted, "name": name, "faults": [], "steps": steps, "simulated": simulated}


def _checked(checked: Checked) -> CheckedStepAnswer:
    return {
        "key": checked.job.key,
        "step": checked.job.step.name,
        "needs": list(checked.job.step.needs),
        "profile": checked.profile,
        "accepted": checked.refusal is None,
        "refusal": None if checked.refusal is None else checked.refusal.message,
        "warnings": [finding.message for finding in checked.findings if not finding.refuses],
        "cache": checked.job.step.cache,
        "uncacheable": checked.uncacheable,
        "data": [version.reference for version in checked.data],
    }


def run_answer(
    run: PipelineRun, steps: Sequence[RunStep], states: Mapping[str, JobState], *, simulated: bool
) -> PipelineRunAnswer:
    """A run as its team sees it: without values of the environment. ``states`` are those of its jobs."""
    known: dict[str, StepJob] = {}
    with contextlib.suppress(ValueError):  # another version wrote it: what is stored of its steps is still true
        known = {job.key: job for job in jobs_of(pipeline_of(run))}
    return {
        "id": run.id,
        "tenant": run.tenant,
        "owner": run.owner,
        "name": run.name,
        "state": run.state,
        "reason": run.reason,
        "cause": _cause(run),
        "created": iso_millis(run.created_at),
        "finished": _iso(run.finished_at),
        "cancel_asked": run.cancel_asked_at is not None,
        "retry_of": run.retry_of,
        "cache": run.cache,
        "steps": [_step(step, known.get(step.key), states) for step in steps],
        "simulated": simulated,
    }


def _step(step: RunStep, job: StepJob | None, states: Mapping[str, JobState]) -> PipelineStepAnswer:
    return {
        "key": step.key,
        "step": step.key.partition(".")[0],
        "needs": [] if job is None else list(job.step.needs),
        "when": [] if job is None else [str(condition) for condition in job.step.when],
        "work": "" if job is None else _work(job),
        "values": {} if job is None else dict(job.values),
        "state": step.state,
        "reason": step.reason,
        "job": step.job_id,
        "job_state": states.get(step.job_id or ""),
        "taken_from": step.taken_from,
        "cached": step.cached,
        "cache_reason": step.cache_reason,
        "data": [] if job is None else list(job.step.data),
        "metrics": dict(step.metrics),
        "result": _result(step),
        "started": _iso(step.started_at),
        "finished": _iso(step.finished_at),
    }


def _result(step: RunStep) -> StepResultAnswer | None:
    if step.result is None or "version" not in step.result:
        return None
    made = step.result
    return {
        "model": made["model"],
        "version": made["version"],
        "alias": made.get("alias"),
        "deployment": made.get("deployment"),
    }


def _work(job: StepJob) -> str:
    step = job.step
    if step.act is not None:
        return act_words(step.act)
    return (step.notebook or step.template or step.command)[:_LONGEST_WORK]


def _cause(run: PipelineRun) -> CauseAnswer:
    told = run.cause
    return {
        "kind": told.get("kind", "hand"),
        "by": told.get("by"),
        "trigger": run.trigger,
        "repository": told.get("repository"),
        "ref": told.get("ref"),
        "commit": told.get("commit"),
        "before": told.get("before"),
        "forced": bool(told.get("forced")),
    }


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else iso_millis(seconds)
