"""Pipelines: steps with what each needs, and the jobs that they become."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .deployments import ServingPlan
from .pipeline_conditions import Condition, MetricReference

Value = str | int | float | bool

MOST_STEPS = 50
# Of one step, and of a whole pipeline.
MOST_OF_A_MATRIX = 64
MOST_JOBS = 200
# Patterns of one step's ``inputs``.
MOST_INPUTS = 32


@dataclass(frozen=True, slots=True)
class RegisterAct:
    """Register what a needed step gave back as a version of ``model``.

    ``step`` is that step. Where it has several jobs, ``best`` says by which metric one of them is chosen. ``files`` is
    a folder or file among what it gave back; empty for all.
    """

    model: str
    step: str
    files: str = ""
    note: str = ""
    best: MetricReference | None = None


@dataclass(frozen=True, slots=True)
class PromoteAct:
    """Let ``alias`` lead to the version that the needed step ``step`` registered."""

    alias: str
    step: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DeployAct:
    """Let what the needed step ``step`` promoted, or registered, answer under ``name`` as ``plan`` says; done once it
    answers."""

    name: str
    step: str
    plan: ServingPlan


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the file says it.

    One of ``command``, ``notebook`` (a path), ``template`` (what the team has published for ``engine``) and ``act`` is
    set: an act is done by the service itself, without a job.
    ``files`` says which files of other steps it gets, by patterns; a needed step that it does not name gives all of its
    files. ``metrics`` are environment variables with metrics of other steps. ``when`` are conditions that all have to
    be met. ``matrix`` makes one job for each combination of its values. ``max_seconds`` is for one attempt. ``data``
    are versions of datasets and models that its jobs are given, such as ``claims@3``. ``cache``: an earlier job of the
    team counts where all that decides its result is the same. Of the files that the run was started with only those
    decide that fit ``inputs``; all of them where it is empty.
    """

    name: str
    command: str = ""
    notebook: str | None = None
    template: str | None = None
    act: RegisterAct | PromoteAct | DeployAct | None = None
    engine: str | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    profile: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    metrics: Mapping[str, MetricReference] = field(default_factory=dict)
    when: tuple[Condition, ...] = ()
    matrix: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    nodes: int = 1
    retries: int = 0
    max_seconds: int | None = None
    data: tuple[str, ...] = ()
    cache: bool = False
    inputs: tuple[str, ...] = ()

    @property
    def jobs(self) -> int:
        """How many jobs it becomes; one that is an act counts as one."""
        count = 1
        for values in self.matrix.values():
            count *= len(values)
        return count


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A checked pipeline; ``steps`` are in the order of the file. Build it with ``pipeline_reading.read``."""

    name: str
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """The step of this name. Raises KeyError."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class StepJob:
    """One job of a step. ``key`` is the step's name, with ``.1``, ``.2`` and so on where it has a matrix; ``values``
    are those of the matrix."""

    key: str
    step: Step
    values: Mapping[str, Value] = field(default_factory=dict)


def jobs_of(pipeline: Pipeline) -> tuple[StepJob, ...]:
    """All jobs of a pipeline, step by step."""
    return tuple(job for step in pipeline.steps for job in _jobs_of(step))


def _jobs_of(step: Step) -> Iterator[StepJob]:
    if not step.matrix:
        yield StepJob(step.name, step)
        return
    for number, values in enumerate(itertools.product(*step.matrix.values()), 1):
        yield StepJob(f"{step.name}.{number}", step, dict(zip(step.matrix, values, strict=True)))


def step_of(key: str) -> str:
    """The name of the step that a job's key belongs to."""
    return key.partition(".")[0]


def after(pipeline: Pipeline, name: str) -> frozenset[str]:
    """The steps that need this one, directly or through others, and itself."""
    found = {name}
    for step in in_order(pipeline):
        if found & set(step.needs):
            found.add(step.name)
    return frozenset(found)


def in_order(pipeline: Pipeline) -> tuple[Step, ...]:
    """The steps, each behind all that it needs. Raises ValueError for a circle, with its steps."""
    left, done = list(pipeline.steps), dict[str, Step]()
    while left:
        ready = [step for step in left if set(step.needs) <= done.keys()]
        if not ready:
            raise ValueError(", ".join(step.name for step in left))
        done |= {step.name: step for step in ready}
        left = [step for step in left if step.name not in done]
    return tuple(done.values())
