"""Steps of a pipeline that the service does itself, without a job: register a model, promote it, deploy it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .deployments import Framework, ServingPlan, deployment_name_problem, plan_problem
from .models import alias_problem, name_problem
from .pipeline_conditions import BadExpression, MetricReference, read_reference, value_of
from .pipeline_runs import Standing
from .pipeline_schema import Fault
from .pipelines import DeployAct, PromoteAct, RegisterAct, Step

ACTS = ("register", "promote", "deploy")
_WORDS: Mapping[type, str] = {RegisterAct: "register", PromoteAct: "promote", DeployAct: "deploy"}
# What else such a step may say.
_WITH_ACTS = (*ACTS, "needs", "when")


def act_faults(place: tuple[str, ...], said: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a step that is an act, by itself; nothing for other steps."""
    acts = [word for word in ACTS if word in said]
    for field in said if acts else ():
        if field not in _WITH_ACTS:
            yield Fault((*place, field), f"a step that has {acts[0]} runs no job, so it has no {field}")
    if "register" in said:
        yield from _register_faults((*place, "register"), _fields(said["register"], "model"))
    if "promote" in said:
        alias = _fields(said["promote"], "alias")["alias"]
        if (problem := alias_problem(alias)) is not None:
            yield Fault((*place, "promote"), f"the alias is {alias!r}: {problem}")
    if "deploy" in said:
        yield from _deploy_faults((*place, "deploy"), said["deploy"])
    for act in acts:
        if not said.get("needs"):
            yield Fault((*place, "needs"), f"it is missing: {act} takes what another step made")


def _deploy_faults(place: tuple[str, ...], said: Mapping[str, Any]) -> Iterator[Fault]:
    if (problem := deployment_name_problem(said["name"])) is not None:
        yield Fault((*place, "name"), f"the name is {said['name']!r}: {problem}")
    if (wrong := plan_problem(_plan(said))) is not None:
        yield Fault((*place, wrong[0]), wrong[1])
    if "example" in said and not isinstance(said["example"].get("inputs"), list):
        yield Fault((*place, "example"), "write a request with a list of inputs")


def _plan(said: Mapping[str, Any]) -> ServingPlan:
    return ServingPlan(
        profile=said["profile"],
        replicas=said.get("replicas", 1),
        framework=Framework(said.get("framework", "auto")),
        command=said.get("command", ""),
        example=said.get("example"),
        recreate=said.get("recreate", False),
    )


def _register_faults(place: tuple[str, ...], said: Mapping[str, Any]) -> Iterator[Fault]:
    if (problem := name_problem(said["model"])) is not None:
        yield Fault(place, f"the model is {said['model']!r}: {problem}")
    try:
        _best(said)
    except BadExpression as error:
        yield Fault((*place, "best"), str(error))


def read_act(said: Mapping[str, Any]) -> RegisterAct | PromoteAct | DeployAct | None:
    """The act of a step whose fields have no faults; None for a step that becomes jobs."""
    needs = said.get("needs", ())
    only = needs[0] if len(needs) == 1 else ""
    if "register" in said:
        asked = _fields(said["register"], "model")
        step = asked.get("step", only)
        return RegisterAct(asked["model"], step, asked.get("files", ""), asked.get("note", ""), _best(asked))
    if "promote" in said:
        asked = _fields(said["promote"], "alias")
        return PromoteAct(asked["alias"], asked.get("step", only), asked.get("reason", ""))
    if "deploy" in said:
        wish = said["deploy"]
        return DeployAct(wish["name"], wish.get("step", only), _plan(wish))
    return None


def relation_faults(step: Step, known: Mapping[str, Step]) -> Iterator[Fault]:
    """What an act says wrongly of the steps that it needs."""
    act = step.act
    if act is None:
        return
    word = _WORDS[type(act)]
    place = ("steps", step.name, word)
    if not act.step:
        yield Fault(place, f"it needs several steps: say which of them is meant, as step: {step.needs[0]}")
    elif act.step not in step.needs:
        yield Fault((*place, "step"), f"{act.step!r} is not among the steps that {step.name} needs")
    elif act.step in known:
        other = known[act.step]
        if isinstance(act, RegisterAct):
            yield from _register_relations(place, act, other)
        else:
            yield from _takes_a_version(word, place, other)


def _takes_a_version(word: str, place: tuple[str, ...], other: Step) -> Iterator[Fault]:
    if isinstance(other.act, RegisterAct) or (word == "deploy" and isinstance(other.act, PromoteAct)):
        return
    made = "register made" if word == "promote" else "promote or register made"
    yield Fault(place, f"step {other.name} registers no model: {word} takes what a step with {made}")


def _register_relations(place: tuple[str, ...], act: RegisterAct, other: Step) -> Iterator[Fault]:
    if other.act is not None:
        yield Fault(place, f"step {other.name} runs no job, so it gives no files back")
    elif bool(other.matrix) != (act.best is not None):
        several = "has several jobs: say which, as best: max(" + other.name + ".accuracy)"
        yield Fault((*place, "best"), f"{other.name} {several if other.matrix else 'has one job: leave best out'}")
    elif act.best is not None and (act.best.step != other.name or not act.best.pick):
        yield Fault((*place, "best"), f"write max or min of a metric of {other.name}, not {act.best}")


def best_job(best: MetricReference, standings: Sequence[Standing]) -> Standing | str:
    """The job whose metric is the largest (or smallest) of all, the first of several; or why there is none."""
    value = value_of(best, {best.step: [each.metrics for each in standings]})
    if value is None:
        return f"not every job of {best.step} reported a number for {best.metric}"
    return next(each for each in standings if each.metrics.get(best.metric) == value)


def act_words(act: RegisterAct | PromoteAct | DeployAct) -> str:
    """What the step does, for people."""
    if isinstance(act, RegisterAct):
        return f"register {act.model} from {act.step}"
    if isinstance(act, DeployAct):
        return f"deploy as {act.name} with {act.plan.profile}"
    return f"promote to {act.alias}"


def _best(said: Mapping[str, Any]) -> MetricReference | None:
    return read_reference(said["best"]) if "best" in said else None


def _fields(said: str | Mapping[str, Any], main: str) -> Mapping[str, Any]:
    return {main: said} if isinstance(said, str) else said
