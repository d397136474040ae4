"""Engines that run jobs: what may be asked of each, and whether a request fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .refusals import Refusal, RefusalReason

DEFAULT_ENGINE = "kubernetes-job"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One engine.

    ``publishes`` is the kind of what a team publishes for it ("WorkflowTemplate"), None when it has no such thing;
    a job names one as its ``template``. ``runs_commands`` is False when the template says all that is to run.
    ``most_nodes`` is how many nodes, each with the whole profile, one job may have.
    """

    name: str
    summary: str
    publishes: str | None = None
    runs_commands: bool = True
    most_nodes: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a Kubernetes Role: the ``verbs`` that are allowed on ``resources`` of an API ``group``."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """A service account of a vCluster's namespace for jobs, and what it may do there."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class EngineNeeds:
    """What an engine needs in a team's vCluster.

    ``rules`` are rights of the job service's account, beside those that every engine has (Jobs, pods, logs, Secrets,
    events). ``api_server`` are arguments of the vCluster's API server. ``reporter`` is an account of the engine's own
    containers in a pod; its token is a Secret.
    """

    rules: tuple[Rule, ...] = ()
    api_server: tuple[str, ...] = ()
    reporter: Account | None = None


# What the job service does with objects that stand for a run, and with those that a team publishes.
RUN_VERBS = ("get", "list", "create", "delete")
READ_VERBS = ("get", "list")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a published template lets be set. Without ``default`` it must be."""

    name: str
    default: str | None = None
    description: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A template that a team has published for an engine. ``version`` is another one once its content changes."""

    engine: str
    name: str
    description: str | None = None
    parameters: tuple[Parameter, ...] = ()
    version: str | None = None


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """What a request says of its engine."""

    engine: str | None = None
    nodes: int = 1
    template: str | None = None
    parameters: Mapping[str, str] | None = None
    command: str = ""
    files: bool = False


def choose_engine(choice: EngineChoice, engines: Mapping[str, EngineFacts]) -> EngineFacts | Refusal:
    """The engine of a request, if there is one of that name and it can do what is asked.

    Without a name it is the first of ``engines``.
    """
    name = choice.engine or next(iter(engines))
    facts = engines.get(name)
    if facts is None:
        return _bad("engine", f"There is no engine {name!r} here. Engines: {', '.join(engines)}.")
    if choice.nodes > facts.most_nodes:
        wide = ", ".join(e.name for e in engines.values() if e.most_nodes > facts.most_nodes)
        more = f" Engines that run on more: {wide}." if wide else ""
        what = "one node" if facts.most_nodes == 1 else f"{facts.most_nodes} nodes at most"
        return _bad("nodes", f"nodes is {choice.nodes}: engine {name} runs a job on {what}.{more}")
    if facts.publishes is None and (choice.template or choice.parameters):
        field = "template" if choice.template else "parameters"
        return _bad(field, f"Engine {name} has no templates: leave {field} out, or name another engine.")
    if facts.publishes is not None and not choice.template:
        return _bad("template", f"Engine {name} runs what the team has published: name a {facts.publishes}.")
    return _check_command(choice, facts) or facts


def _check_command(choice: EngineChoice, facts: EngineFacts) -> Refusal | None:
    if facts.runs_commands:
        return None
    for field, given in (("command", bool(choice.command.strip())), ("files", choice.files)):
        if given:
            message = f"Engine {facts.name} runs a {facts.publishes}, which says what is to run: leave {field} out."
            return _bad(field, message)
    return None


def check_template(
    engine: EngineFacts, name: str, given: Mapping[str, str], published: Iterable[Published]
) -> Refusal | None:
    """Why a template of this name can't be run with these parameters; None when it can."""
    known = {template.name: template for template in published}
    if name not in known:
        names = f"It has: {', '.join(known)}." if known else "It has none."
        return _bad("template", f"The team has published no {engine.publishes} {name!r}. {names}")
    return _check_parameters(known[name], given)


def _check_parameters(published: Published, given: Mapping[str, str]) -> Refusal | None:
    known = {parameter.name: parameter for parameter in published.parameters}
    named = f"{published.name} has: {', '.join(known)}" if known else f"{published.name} has none"
    for name in given:
        if name not in known:
            return _bad("parameters", f"There is no parameter {name!r}; {named}.")
    for parameter in published.parameters:
        value = given.get(parameter.name)
        if value is None and parameter.default is None:
            return _bad("parameters", f"The parameter {parameter.name!r} of {published.name} has no default: set it.")
        if value is not None and parameter.choices and value not in parameter.choices:
            choices = ", ".join(parameter.choices)
            return _bad("parameters", f"The parameter {parameter.name} is {value!r}: choose one of {choices}.")
    return None


def _bad(field: str, message: str) -> Refusal:
    return Refusal(RefusalReason.BAD_FIELD, message, field=field)
