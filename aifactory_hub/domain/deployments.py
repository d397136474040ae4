"""Deployments: models that answer, release by release, and which release is to be made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .models import alias_problem, name_problem, number_of

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
MOST_REPLICAS = 50


class Framework(StrEnum):
    """What serves the files: AUTO goes by what they are, COMMAND is any program that listens."""

    AUTO = "auto"
    SKLEARN = "sklearn"
    ONNX = "onnx"
    PYTHON = "python"
    COMMAND = "command"


class ReleaseState(StrEnum):
    """PENDING is recorded, QUEUED waits for quota, STARTING has it, SERVING answers, STANDBY has answered and runs on
    so that a return takes one step; FAILED and RETIRED are final."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    SERVING = "SERVING"
    STANDBY = "STANDBY"
    FAILED = "FAILED"
    RETIRED = "RETIRED"

    @property
    def final(self) -> bool:
        return self in (ReleaseState.FAILED, ReleaseState.RETIRED)

    @property
    def coming(self) -> bool:
        """Whether it has not answered yet and may."""
        return self in (ReleaseState.PENDING, ReleaseState.QUEUED, ReleaseState.STARTING)


class ReleaseCause(StrEnum):
    """Why a release was made: somebody deployed, the alias led elsewhere, or somebody rolled back."""

    DEPLOY = "deploy"
    ALIAS = "alias"
    ROLL_BACK = "rollback"


class DeploymentState(StrEnum):
    """What people read. UPDATING: one release answers while the next one comes. DEGRADED: it answers, and something of
    it is not as it was asked for."""

    STARTING = "STARTING"
    READY = "READY"
    UPDATING = "UPDATING"
    DEGRADED = "DEGRADED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """How a version is served: the profile of each replica, how many, with what, and a request that has to be answered
    before anybody else's is; None: to be ready is enough. ``command`` is empty but for COMMAND. ``recreate``: the
    release before gives its devices back first, for teams without quota for both; nothing answers meanwhile."""

    profile: str
    replicas: int = 1
    framework: Framework = Framework.AUTO
    command: str = ""
    example: Mapping[str, Any] | None = None
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """A name in a team under which a model answers. ``at`` is an alias that it follows, or the number of a version.
    ``problem`` says why no release is made of what it leads to. Times are epoch seconds."""

    id: str
    tenant: str
    name: str
    model: str
    at: str
    plan: ServingPlan
    by: str
    created_at: float
    changed_at: float
    stopped_at: float | None = None
    problem: str = ""

    @property
    def alias(self) -> str | None:
        """The alias that it follows; None where it stays with one version."""
        return None if number_of(self.at) is not None else self.at


@dataclass(frozen=True, slots=True)
class Release:
    """One version as one deployment serves it. All but its state and what was seen of it never changes.

    ``number`` counts from 1 for each deployment. ``wish_at`` is when what it carries out was asked for: a later wish is
    another release. ``cleaned_at``: nothing of it is left on the cluster.
    """

    id: str
    deployment: str
    number: int
    version: str
    digest: str
    plan: ServingPlan
    cause: ReleaseCause
    by: str
    why: str
    created_at: float
    wish_at: float
    state: ReleaseState = ReleaseState.PENDING
    reason: str = ""
    problem: str = ""
    intended_at: float | None = None
    started_at: float | None = None
    serving_at: float | None = None
    ended_at: float | None = None
    cleaned_at: float | None = None

    @property
    def live(self) -> bool:
        """Whether something of it may still be on the cluster."""
        return self.cleaned_at is None


@dataclass(frozen=True, slots=True)
class NextRelease:
    """A release that is to be made."""

    version: str
    cause: ReleaseCause
    why: str


def next_release(deployment: Deployment, wanted: str | None, releases: Sequence[Release]) -> NextRelease | None:
    """Whether a release is to be made: for what was asked since, or because the alias leads elsewhere.

    ``wanted`` is the id of the version that the deployment's alias or number leads to now, None where it leads
    nowhere; ``releases`` are the deployment's, in any order. A version that failed as the newest release is not tried
    again until somebody asks.
    """
    if deployment.stopped_at is not None or wanted is None:
        return None
    newest = max(releases, key=lambda each: each.number, default=None)
    if newest is None or newest.wish_at < deployment.changed_at:
        return NextRelease(wanted, ReleaseCause.DEPLOY, "")
    if newest.state is ReleaseState.FAILED and newest.version == wanted:
        return None
    going = [each for each in releases if not each.state.final]
    if max(going, key=lambda each: each.number, default=newest).version == wanted:
        return None
    return NextRelease(wanted, ReleaseCause.ALIAS, f"{deployment.at} leads to another version")


def serving_of(releases: Sequence[Release]) -> Release | None:
    """The release that answers."""
    return next((each for each in releases if each.state is ReleaseState.SERVING), None)


def release_before(releases: Sequence[Release]) -> Release | None:
    """The release that a rollback goes to: the last one before the present that has served another version or plan."""
    now = serving_of(releases) or max(releases, key=lambda each: each.number, default=None)
    if now is None:
        return None
    served = [
        each
        for each in releases
        if each.serving_at is not None
        and each.number < now.number
        and each.state is not ReleaseState.FAILED
        and (each.version, each.plan) != (now.version, now.plan)
    ]
    return max(served, key=lambda each: each.number, default=None)


def deployment_state(deployment: Deployment, releases: Sequence[Release]) -> DeploymentState:
    """What people read of it."""
    if deployment.stopped_at is not None:
        return DeploymentState.STOPPED
    serving = serving_of(releases)
    newest = max(releases, key=lambda each: each.number, default=None)
    if serving is None:
        failed = newest is not None and newest.state is ReleaseState.FAILED
        return DeploymentState.FAILED if failed else DeploymentState.STARTING
    if newest is not None and newest.state.coming:
        return DeploymentState.UPDATING
    return DeploymentState.DEGRADED if serving.reason else DeploymentState.READY


def place_problem(text: str) -> str | None:
    """Why this is not MODEL@ALIAS or MODEL@NUMBER; None when it is."""
    name, mark, at = text.partition("@")
    if not mark:
        return "write a model and where it leads, such as fraud@prod or fraud@3"
    if (problem := name_problem(name)) is not None:
        return f"the model is {name!r}: {problem}"
    return None if number_of(at) is not None else alias_problem(at)


def deployment_name_problem(text: str) -> str | None:
    """Why this can't be the name of a deployment; None when it can. It is a part of a Kubernetes Service's name."""
    if _NAME.fullmatch(text):
        return None
    return "write 1 to 40 lower-case letters, digits and '-' that begin with a letter and end with none of '-'"


def plan_problem(plan: ServingPlan) -> tuple[str, str] | None:
    """The field of a plan that contradicts another, and why; None when none does."""
    if plan.framework is Framework.COMMAND and not plan.command.strip():
        return "command", "framework is 'command': say which command listens on the port that AIFACTORY_PORT names"
    if plan.framework is not Framework.COMMAND and plan.command:
        return "command", f"framework is {plan.framework.value!r}: leave command out, or write framework 'command'"
    return None
