"""From the plain data of a pipeline file to a checked pipeline, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .datasets import reference_problem
from .pipeline_acts import ACTS, act_faults, read_act, relation_faults
from .pipeline_conditions import BadExpression, MetricReference, read_condition, read_reference
from .pipeline_schema import Fault, form_faults
from .pipelines import MOST_JOBS, MOST_OF_A_MATRIX, Pipeline, Step, in_order

_WORK = ("command", "notebook", "template", *ACTS)
_MOST_FAULTS = 50


def read(data: Any, *, name: str = "pipeline") -> Pipeline | list[Fault]:
    """The pipeline that the data says, called ``name`` unless it has a name of its own; or all its faults."""
    faults = list(form_faults(data))
    if not faults:
        faults = list(_early(data["steps"]))
    if faults:
        return faults[:_MOST_FAULTS]
    steps = tuple(_step(step, said, data.get("defaults", {})) for step, said in data["steps"].items())
    pipeline = Pipeline(data.get("name", name), steps)
    return list(_faults(pipeline))[:_MOST_FAULTS] or pipeline


def _early(steps: Mapping[str, Any]) -> Iterator[Fault]:
    """What can be told of each step by itself, before there is one."""
    for name, said in steps.items():
        place = ("steps", name)
        work = [word for word in _WORK if word in said]
        if len(work) != 1:
            given = "has none of them" if not work else f"has {' and '.join(work)}"
            yield Fault(place, f"a step has one of {', '.join(_WORK)}, and this one {given}")
        if "parameters" in said and "command" in said:
            yield Fault((*place, "parameters"), "they are for a notebook or template: a command has its own words")
        for number, reference in enumerate(said.get("data", ())):
            if (problem := reference_problem(reference)) is not None:
                yield Fault((*place, "data", number), problem)
        yield from _expression_faults(place, said)
        yield from act_faults(place, said)


def _expression_faults(place: tuple[str, ...], said: Mapping[str, Any]) -> Iterator[Fault]:
    for number, text in enumerate(_listed(said.get("when", []))):
        try:
            read_condition(text)
        except BadExpression as error:
            yield Fault((*place, "when", number) if isinstance(said["when"], list) else (*place, "when"), str(error))
    for variable, text in said.get("metrics", {}).items():
        try:
            read_reference(text)
        except BadExpression as error:
            yield Fault((*place, "metrics", variable), str(error))
    for kind in ("environment", "metrics", "matrix"):
        for variable in said.get(kind, {}):
            if variable.startswith("AIFACTORY_"):
                yield Fault((*place, kind, variable), "names that begin with AIFACTORY_ are the service's")


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _step(name: str, said: Mapping[str, Any], defaults: Mapping[str, Any]) -> Step:
    environment = {**defaults.get("environment", {}), **said.get("environment", {})}
    outputs, cache = said.get("outputs"), said.get("cache", False)
    return Step(
        name=name,
        command=said.get("command", ""),
        notebook=said.get("notebook"),
        template=said.get("template"),
        act=read_act(said),
        engine=said.get("engine"),
        parameters=dict(said.get("parameters", {})),
        profile=said.get("profile", defaults.get("profile")),
        environment={variable: text_of(value) for variable, value in environment.items()},
        needs=tuple(said.get("needs", ())),
        files={step: tuple(patterns) for step, patterns in said.get("files", {}).items()},
        outputs=None if outputs is None else tuple(outputs),
        metrics={variable: read_reference(text) for variable, text in said.get("metrics", {}).items()},
        when=tuple(read_condition(text) for text in _listed(said.get("when", []))),
        matrix={variable: tuple(values) for variable, values in said.get("matrix", {}).items()},
        nodes=said.get("nodes", 1),
        retries=said.get("retries", defaults.get("retries", 0)),
        max_seconds=said.get("max_seconds", defaults.get("max_seconds")),
        data=tuple(said.get("data", ())),
        cache=bool(cache),
        inputs=tuple(cache["inputs"]) if isinstance(cache, Mapping) else (),
    )


def text_of(value: str | int | float | bool) -> str:
    """A value as an environment variable has it: true and false in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _faults(pipeline: Pipeline) -> Iterator[Fault]:
    """What the steps say of each other."""
    known = {step.name: step for step in pipeline.steps}
    for step in pipeline.steps:
        yield from _need_faults(step, known)
        yield from _file_faults(step)
        yield from relation_faults(step, known)
        for condition in step.when:
            yield from _reference_faults(step, ("when",), condition.metric, known)
        for variable, reference in step.metrics.items():
            yield from _reference_faults(step, ("metrics", variable), reference, known)
        if step.jobs > MOST_OF_A_MATRIX:
            message = f"it makes {step.jobs} jobs, and at most {MOST_OF_A_MATRIX} are allowed"
            yield Fault(("steps", step.name, "matrix"), message)
    if sum(step.jobs for step in pipeline.steps) > MOST_JOBS:
        yield Fault(("steps",), f"they make more than {MOST_JOBS} jobs")
    try:
        in_order(pipeline)
    except ValueError as error:
        if not any(set(step.needs) - known.keys() for step in pipeline.steps):
            yield Fault(("steps",), f"these need each other in a circle: {error}")


def _need_faults(step: Step, known: Mapping[str, Step]) -> Iterator[Fault]:
    for number, need in enumerate(step.needs):
        if need not in known:
            yield Fault(("steps", step.name, "needs", number), f"there is no step {need!r}. Steps: {', '.join(known)}")


def _file_faults(step: Step) -> Iterator[Fault]:
    for other in step.files:
        if other not in step.needs:
            yield Fault(("steps", step.name, "files", other), f"it is not among the steps that {step.name} needs")


def _reference_faults(
    step: Step, field: tuple[str, ...], reference: MetricReference, known: Mapping[str, Step]
) -> Iterator[Fault]:
    where = ("steps", step.name, *field)
    if reference.step not in step.needs:
        yield Fault(
            where, f"{reference} is of a step that {step.name} does not need: add {reference.step} to its needs"
        )
    elif reference.step in known and known[reference.step].act is not None:
        yield Fault(where, f"{reference.step} runs no job, so it has no metrics")
    elif reference.step in known and bool(known[reference.step].matrix) != bool(reference.pick):
        several = bool(known[reference.step].matrix)
        message = (
            "it has several jobs: write max(...) or min(...)" if several else "it has one job: leave max and min out"
        )
        yield Fault(where, f"{reference}: {message}")
