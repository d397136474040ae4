"""Two runs of pipelines side by side: how each step went, what it reported, and what was changed between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from .datasets import GivenVersion
from .job_spec import JobSpec
from .pipeline_acts import act_words
from .pipeline_runs import PipelineStepState
from .pipelines import StepJob

# A text up to so many characters is told whole.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Parts:
    """What decides how something runs, by name. Of what is ``hidden`` only names are told, because values may be
    secret."""

    shown: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepSide:
    """One job of a run, or what the service did itself.

    ``seconds`` are from its begin to its end, with all waiting; ``running`` those in which its job ran. Both are None
    where it has not begun, and ``running`` where it has no job of its own. ``cost`` is None where it is not known.
    """

    key: str
    state: PipelineStepState
    reason: str | None = None
    job: str | None = None
    taken_from: str | None = None
    cached: bool = False
    seconds: float | None = None
    running: float | None = None
    cost: Decimal | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    parts: Parts = Parts()


@dataclass(frozen=True, slots=True)
class RunSide:
    """One of the two runs; ``parts`` is what it was started with. ``cost`` is None unless it is known of each step."""

    steps: tuple[StepSide, ...]
    parts: Parts = Parts()

    @property
    def cost(self) -> Decimal | None:
        """What its own jobs have cost together."""
        costs = [step.cost for step in self.steps if step.job is not None]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if len(known) == len(costs) else None


@dataclass(frozen=True, slots=True)
class Change:
    """What is not the same; None on the side that does not have it. ``hidden``: no value is told."""

    what: str
    before: str | None
    after: str | None
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class MetricPair:
    """A metric on both sides; ``difference`` is after less before, None unless both are numbers."""

    name: str
    before: float | None
    after: float | None

    @property
    def difference(self) -> float | None:
        """How much more it is after."""
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class StepPair:
    """A step on both sides, None where that run does not have it."""

    key: str
    before: StepSide | None
    after: StepSide | None
    metrics: tuple[MetricPair, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``changes`` are those of the runs; each step has its own."""

    changes: tuple[Change, ...]
    steps: tuple[StepPair, ...]


def compare_runs(before: RunSide, after: RunSide) -> Comparison:
    """Both runs side by side: steps in the order of ``after``, then those that only ``before`` has."""
    old, new = {step.key: step for step in before.steps}, {step.key: step for step in after.steps}
    steps = tuple(_pair(key, old.get(key), new.get(key)) for key in dict.fromkeys([*new, *old]))
    return Comparison(changes(before.parts, after.parts), steps)


def _pair(key: str, before: StepSide | None, after: StepSide | None) -> StepPair:
    if before is None or after is None:
        return StepPair(key, before, after, _metrics(before, after), ())
    return StepPair(key, before, after, _metrics(before, after), changes(before.parts, after.parts))


def _metrics(before: StepSide | None, after: StepSide | None) -> tuple[MetricPair, ...]:
    old, new = ({} if side is None else side.metrics for side in (before, after))
    return tuple(MetricPair(name, old.get(name), new.get(name)) for name in dict.fromkeys([*new, *old]))


def changes(before: Parts, after: Parts) -> tuple[Change, ...]:
    """What the two do not have alike, in the order of ``after``."""
    shown = (
        Change(what, _told(before.shown.get(what)), _told(after.shown.get(what)))
        for what in _unlike(before.shown, after.shown)
    )
    hidden = (Change(what, None, None, hidden=True) for what in _unlike(before.hidden, after.hidden))
    return (*shown, *hidden)


def _unlike(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    return (what for what in dict.fromkeys([*after, *before]) if before.get(what) != after.get(what))


def _told(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def step_parts(job: StepJob, spec: JobSpec | None, given: Sequence[GivenVersion] | None = None) -> Parts:
    """What decides how a step's job runs: as the file says it, and as it was submitted where it has a job. ``given`` is
    the data that its job got; None where it has none."""
    step = job.step
    shown = {
        "command": step.command,
        "notebook": step.notebook or "",
        "template": step.template or "",
        "act": "" if step.act is None else act_words(step.act),
        "parameters": _values({**step.parameters, **job.values}),
        "engine": (None if spec is None else spec.backend) or step.engine or "",
        "profile": (None if spec is None else spec.profile) or step.profile or "",
        "nodes": str(step.nodes),
        "retries": str(step.retries),
        "max_seconds": "" if step.max_seconds is None else str(step.max_seconds),
        "needs": ", ".join(step.needs),
        "when": " and ".join(map(str, step.when)),
        "outputs": "" if step.outputs is None else ", ".join(step.outputs),
        "files of steps": _values({need: ", ".join(patterns) for need, patterns in step.files.items()}),
        "data": ", ".join(step.data) if given is None else _versions(given),
        "cache": (", ".join(step.inputs) or "true") if step.cache else "",
        "files": "" if spec is None else spec.input_sha256 or "",
        "image": "" if spec is None else spec.image or "",
    }
    variables = step.environment if spec is None else spec.environment
    hidden = {f"variable {name}": value for name, value in variables.items() if name not in job.values}
    return Parts({name: text for name, text in shown.items() if text}, hidden)


def _versions(given: Sequence[GivenVersion]) -> str:
    """Each version with the beginning of its digest, by name."""
    ordered = sorted(given, key=lambda each: (each.name, each.number))
    return ", ".join(f"{version.reference} ({version.digest[:12]})" for version in ordered)


def run_parts(cause: Mapping[str, object], *, name: str, owner: str, files: str | None, cache: bool) -> Parts:
    """What a run was started with: its commit, files and owner."""
    told: Iterable[tuple[str, object]] = (
        ("pipeline", name),
        ("owner", owner),
        *((field, cause.get(field)) for field in ("repository", "ref", "commit")),
        ("files", files),
        ("cache", None if cache else "not used"),
    )
    return Parts({field: str(value) for field, value in told if value})


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
