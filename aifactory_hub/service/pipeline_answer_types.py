"""The forms of the answers about pipelines. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue
from typing_extensions import TypedDict

from ..domain.jobs import JobState
from ..domain.pipeline_runs import PipelineStepState, RunState
from .answer_types import Currency, Moment, Money


class FaultAnswer(TypedDict):
    """What is wrong with a pipeline file, with its line; ``place`` is the field, such as steps.train.profile."""

    message: str
    line: int | None
    place: str


class CheckedStepAnswer(TypedDict):
    """What would become of one job of a pipeline. ``refusal`` says why it would be refused.

    ``cache`` is whether its step is cached; ``uncacheable`` says why no earlier job can count for it all the same.
    ``data`` are the versions of datasets and models that it would be given now, such as claims@3.
    """

    key: str
    step: str
    needs: list[str]
    profile: str | None
    accepted: bool
    refusal: str | None
    warnings: list[str]
    cache: bool
    uncacheable: str | None
    data: list[str]


class PipelineCheckAnswer(TypedDict):
    """What would happen to a pipeline. With ``faults`` it can't be read, and there are no steps."""

    accepted: bool
    name: str | None
    faults: list[FaultAnswer]
    steps: list[CheckedStepAnswer]
    simulated: bool


class CauseAnswer(TypedDict):
    """What started a run: somebody by ``hand``, or what happened in a repository. ``by`` is who, where that is known.

    ``before`` is the commit that the ref named before; ``forced``: history was rewritten.
    """

    kind: Literal["hand", "push", "tag", "change-request", "schedule"]
    by: str | None
    trigger: str | None
    repository: str | None
    ref: str | None
    commit: str | None
    before: str | None
    forced: bool


class StepResultAnswer(TypedDict):
    """The version of a model that a step registered, let ``alias`` lead to, or let answer as ``deployment``."""

    model: str
    version: int
    alias: str | None
    deployment: str | None


class PipelineStepAnswer(TypedDict):
    """One job of a run, or what the service did itself. ``job_state`` is null until the job is submitted, and when it
    is no longer kept.

    ``taken_from`` is the earlier run whose job counts here; ``cached``: because all that decides its result is the
    same, and not because this run repeats that one. ``cache_reason`` says of a cached step why it ran, or why it
    did not. ``data`` is what the file names. ``result`` is of a step without a job.
    """

    key: str
    step: str
    needs: list[str]
    when: list[str]
    work: str
    values: dict[str, JsonValue]
    state: PipelineStepState
    reason: str | None
    job: str | None
    job_state: JobState | None
    taken_from: str | None
    cached: bool
    cache_reason: str | None
    data: list[str]
    metrics: dict[str, float | None]
    result: StepResultAnswer | None
    started: Moment | None
    finished: Moment | None


class PipelineRunAnswer(TypedDict):
    """A run of a pipeline with its steps, in the order of the file. Without ``cache`` each of its steps runs."""

    id: str
    tenant: str
    owner: str
    name: str
    state: RunState
    reason: str | None
    cause: CauseAnswer
    created: Moment
    finished: Moment | None
    cancel_asked: bool
    retry_of: str | None
    cache: bool
    steps: list[PipelineStepAnswer]
    simulated: bool


class PipelineRunPage(TypedDict):
    """Runs, the newest first. ``next`` is what to pass as ``before`` for those after; null at the end."""

    runs: list[PipelineRunAnswer]
    next: str | None


class ComparedRunAnswer(TypedDict):
    """One of two runs. ``seconds`` are from its start to its end, null while it goes on. ``cost`` is that of its own
    jobs, null unless it is known of each."""

    id: str
    name: str
    owner: str
    state: RunState
    created: Moment
    seconds: float | None
    cost: Money | None
    currency: Currency | None


class ComparedStepAnswer(TypedDict):
    """A step in one of two runs. ``seconds`` are from its begin to its end with all waiting, ``running`` those in which
    its job ran. ``cost`` is 0 for what was taken from an earlier run, and null where it is not known."""

    state: PipelineStepState
    reason: str | None
    job: str | None
    taken_from: str | None
    cached: bool
    seconds: float | None
    running: float | None
    cost: Money | None


class RunChangeAnswer(TypedDict):
    """What two runs do not have alike; null on the side without it. ``hidden``: its values are not told."""

    what: str
    before: str | None
    after: str | None
    hidden: bool


class MetricPairAnswer(TypedDict):
    """A metric in both runs. ``difference`` is how much more it is after, null unless both are numbers."""

    name: str
    before: float | None
    after: float | None
    difference: float | None


class StepPairAnswer(TypedDict):
    """A step in both runs, null where a run does not have it. ``changes`` is what decides how it runs."""

    key: str
    before: ComparedStepAnswer | None
    after: ComparedStepAnswer | None
    metrics: list[MetricPairAnswer]
    changes: list[RunChangeAnswer]


class PipelineComparisonAnswer(TypedDict):
    """Two runs side by side: steps in the order of ``after``, then those that only ``before`` has. ``changes`` is what
    the runs were started with."""

    before: ComparedRunAnswer
    after: ComparedRunAnswer
    changes: list[RunChangeAnswer]
    steps: list[StepPairAnswer]
    simulated: bool
