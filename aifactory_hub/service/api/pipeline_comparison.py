"""Two runs of pipelines side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ...domain.datasets import GivenVersion
from ...domain.formatting import iso_millis
from ...domain.pipelines import StepJob, jobs_of
from ...domain.run_comparison import Change, Parts, RunSide, StepPair, StepSide, compare_runs, run_parts, step_parts
from ...store import JobRecord
from ...store.pipeline_runs import PipelineRun, RunStep
from ..pipeline_answer_types import (
    ComparedRunAnswer,
    ComparedStepAnswer,
    PipelineComparisonAnswer,
    RunChangeAnswer,
    StepPairAnswer,
)
from ..pipeline_request_types import PipelineComparisonQuery
from ..pipelines.starter import pipeline_of
from .answers import job_cost
from .base import run_sync
from .job_costs import costs_of
from .operations import operation
from .pipelines import OfPipelines


class PipelineComparison(OfPipelines):
    """One run beside another one."""

    @operation(
        "comparePipelineRuns",
        "This run beside the run `before`: each step with its times, cost and metrics, and what was changed.",
        answer=PipelineComparisonAnswer,
        query=PipelineComparisonQuery,
    )
    async def get(self, run_id: str) -> None:
        """Both have to be in teams that the token may read."""
        caller = await self.caller()
        asked = self.query(PipelineComparisonQuery)
        after, before = await self.run_for(caller, run_id), await self.run_for(caller, asked.before)
        sides = [await self._side(run) for run in (before, after)]
        compared = compare_runs(*sides)
        currency = self.context.registry.billing.currency or None
        self.answer(
            {
                "before": _run_answer(before, sides[0], currency),
                "after": _run_answer(after, sides[1], currency),
                "changes": [_change(each) for each in compared.changes],
                "steps": [_pair(each) for each in compared.steps],
                "simulated": self.context.registry.cluster.simulated,
            }
        )

    async def _side(self, run: PipelineRun) -> RunSide:
        steps: list[RunStep] = (await run_sync(self.context.pipelines.runs.steps, [run.id]))[run.id]
        ids = [step.job_id for step in steps if step.job_id is not None]
        jobs = {job.id: job for job in await run_sync(self.context.jobs.some, ids)} if ids else {}
        costs = await self._costs(jobs)
        known: dict[str, StepJob] = {}
        with contextlib.suppress(ValueError):  # another version wrote it: what is stored of its steps is still true
            known = {job.key: job for job in jobs_of(pipeline_of(run))}
        reads_data = [step.job_id for step in steps if step.key in known and known[step.key].step.data]
        given = await run_sync(self._given, [id for id in reads_data if id is not None])
        sides = [
            _step(step, known.get(step.key), jobs.get(step.job_id or ""), costs, given.get(step.job_id or ""))
            for step in steps
        ]
        parts = run_parts(run.cause, name=run.name, owner=run.owner, files=run.files, cache=run.cache)
        return RunSide(tuple(sides), parts)

    def _given(self, jobs: Sequence[str]) -> dict[str, tuple[GivenVersion, ...]]:
        """The versions of data that each of these jobs was given; blocks."""
        return {job: self.context.submissions.data.of_job(job).versions for job in jobs}

    async def _costs(self, jobs: Mapping[str, JobRecord]) -> dict[str, Decimal]:
        """What each job has cost so far, where that is known."""
        held, now, registry = await costs_of(self.context, jobs.values()), self.context.clock(), self.context.registry
        found = {id: job_cost(job, registry, now, held.get(id)) for id, job in jobs.items()}
        return {
            id: Decimal(cost["so_far"]) for id, cost in found.items() if cost is not None and cost["so_far"] is not None
        }


def _step(
    step: RunStep,
    job: StepJob | None,
    record: JobRecord | None,
    costs: Mapping[str, Decimal],
    given: Sequence[GivenVersion] | None,
) -> StepSide:
    own = record is not None and step.taken_from is None
    times = [] if record is None or not own else record.attempts
    ran = [
        each.ended_at - each.running_at for each in times if each.running_at is not None and each.ended_at is not None
    ]
    return StepSide(
        key=step.key,
        state=step.state,
        reason=step.reason,
        job=step.job_id,
        taken_from=step.taken_from,
        cached=step.cached,
        seconds=_between(step.started_at, step.finished_at) if step.taken_from is None else None,
        running=sum(ran) if ran else None,
        cost=Decimal(0) if step.taken_from is not None else costs.get(step.job_id or ""),
        metrics=step.metrics,
        parts=Parts() if job is None else step_parts(job, None if record is None else record.spec, given),
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _run_answer(run: PipelineRun, side: RunSide, currency: str | None) -> ComparedRunAnswer:
    return {
        "id": run.id,
        "name": run.name,
        "owner": run.owner,
        "state": run.state,
        "created": iso_millis(run.created_at),
        "seconds": _between(run.created_at, run.finished_at),
        "cost": _money(side.cost),
        "currency": currency,
    }


def _pair(pair: StepPair) -> StepPairAnswer:
    return {
        "key": pair.key,
        "before": _side_answer(pair.before),
        "after": _side_answer(pair.after),
        "metrics": [
            {"name": each.name, "before": each.before, "after": each.after, "difference": each.difference}
            for each in pair.metrics
        ],
        "changes": [_change(each) for each in pair.changes],
    }


def _side_answer(side: StepSide | None) -> ComparedStepAnswer | None:
    if side is None:
        return None
    return {
        "state": side.state,
        "reason": side.reason,
        "job": side.job,
        "taken_from": side.taken_from,
        "cached": side.cached,
        "seconds": side.seconds,
        "running": side.running,
        "cost": _money(side.cost),
    }


def _change(change: Change) -> RunChangeAnswer:
    return {"what": change.what, "before": change.before, "after": change.after, "hidden": change.hidden}


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
