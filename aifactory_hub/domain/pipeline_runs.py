"""What is next in a run of a pipeline: which steps begin, which are left out, and when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .jobs import JobState
from .pipeline_conditions import Values, judge, value_of
from .pipelines import Pipeline, Step, StepJob, in_order, jobs_of


class PipelineStepState(StrEnum):
    """Where one job of a step stands. Stable: answers have it."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self not in (PipelineStepState.PENDING, PipelineStepState.RUNNING)


class RunState(StrEnum):
    """Where a run stands. STOPPED: a condition was not met, so that steps were left out. Stable: answers have it."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self is not RunState.RUNNING


@dataclass(frozen=True, slots=True)
class Standing:
    """How one job of a step stands; RUNNING from when its job is there, though that may wait. ``metrics`` are the last
    values that the job reported."""

    key: str
    state: PipelineStepState = PipelineStepState.PENDING
    reason: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next: ``start`` these jobs, note what became of others in ``settled``, and the run's ``end``."""

    start: tuple[str, ...] = ()
    settled: Mapping[str, Standing] = field(default_factory=dict)
    end: RunState | None = None
    reason: str | None = None


def step_state(state: JobState) -> PipelineStepState:
    """The state of a step whose job is in ``state``."""
    return PipelineStepState(state.value) if state.final else PipelineStepState.RUNNING


def decide_run(pipeline: Pipeline, standings: Mapping[str, Standing], *, cancel_asked: bool = False) -> Decision:
    """What is next. Asked again with what it said carried out, it says nothing new; it never takes an end back."""
    now, start = dict(standings), list[str]()
    jobs: dict[str, list[StepJob]] = {}
    for job in jobs_of(pipeline):
        jobs.setdefault(job.step.name, []).append(job)
        now.setdefault(job.key, Standing(job.key))
    for step in in_order(pipeline):
        pending = [job.key for job in jobs[step.name] if now[job.key].state is PipelineStepState.PENDING]
        if not pending:
            continue
        before = {need: [now[job.key] for job in jobs[need]] for need in step.needs}
        verdict = _next_of(step, before, cancel_asked)
        if verdict is not None and verdict.state is PipelineStepState.RUNNING:
            start += pending
        elif verdict is not None:
            now |= {key: replace(verdict, key=key) for key in pending}
    settled = {key: each for key, each in now.items() if standings.get(key, Standing(key)) != each}
    end, reason = _end(pipeline, now) if not start else (None, None)
    return Decision(tuple(start), settled, end, reason)


def _next_of(step: Step, before: Mapping[str, Sequence[Standing]], cancel_asked: bool) -> Standing | None:
    """How a step's jobs that have not begun are to stand: RUNNING to start them, None to wait."""
    if cancel_asked:
        return Standing("", PipelineStepState.CANCELLED, "the run was cancelled before it began")
    for need, of_it in before.items():
        against = next(
            (each for each in of_it if each.state.final and each.state is not PipelineStepState.SUCCEEDED), None
        )
        if against is not None:
            return Standing(
                "", PipelineStepState.SKIPPED, f"it needs {need}, and {against.key} {_BECAME[against.state]}"
            )
    if any(not each.state.final for of_it in before.values() for each in of_it):
        return None
    values = metrics_of(before)
    judgement = judge(step.when, values)
    if judgement.met is None:
        return Standing("", PipelineStepState.FAILED, judgement.why)
    if not judgement.met:
        return Standing("", PipelineStepState.SKIPPED, judgement.why)
    for reference in step.metrics.values():
        if value_of(reference, values) is None:
            return Standing("", PipelineStepState.FAILED, f"{reference.step} reported no number for {reference.metric}")
    return Standing("", PipelineStepState.RUNNING)


_BECAME = {
    PipelineStepState.FAILED: "failed",
    PipelineStepState.SKIPPED: "was left out",
    PipelineStepState.CANCELLED: "was cancelled",
}


def metrics_of(standings: Mapping[str, Sequence[Standing]]) -> Values:
    """The last values of each step's jobs."""
    return {step: [each.metrics for each in of_it] for step, of_it in standings.items()}


def _end(pipeline: Pipeline, now: Mapping[str, Standing]) -> tuple[RunState | None, str | None]:
    ordered = [now[job.key] for step in in_order(pipeline) for job in jobs_of(pipeline) if job.step is step]
    if not all(each.state.final for each in ordered):
        return None, None
    for state, end in _ENDS:
        first = next((each for each in ordered if each.state is state), None)
        if first is not None:
            return end, f"{first.key}: {first.reason}" if first.reason else first.key
    return RunState.SUCCEEDED, None


# What counts most comes first.
_ENDS = (
    (PipelineStepState.FAILED, RunState.FAILED),
    (PipelineStepState.CANCELLED, RunState.CANCELLED),
    (PipelineStepState.SKIPPED, RunState.STOPPED),
)


def kept_for_retry(
    pipeline: Pipeline, standings: Mapping[str, Standing], again: frozenset[str]
) -> Mapping[str, Standing]:
    """What a new run takes over of an ended one: jobs that succeeded, except those of the steps in ``again``."""
    kept: dict[str, Standing] = {}
    for job in jobs_of(pipeline):
        stood = standings.get(job.key)
        if stood is not None and stood.state is PipelineStepState.SUCCEEDED and job.step.name not in again:
            kept[job.key] = stood
    return kept
