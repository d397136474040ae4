"""The forms of answers about deployments. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from ..domain.deployments import DeploymentState, Framework, ReleaseCause, ReleaseState
from .answer_types import FindingAnswer, Moment, NeedAnswer, Sha256, Simulated
from .model_answer_types import Number
from .usage_answer_types import Amount, AsOf, Currency, GpuSeconds, Uncertain, Whole


class ReleaseAnswer(TypedDict):
    """One version as a deployment serves it, or has served it."""

    number: Number
    version: Number
    digest: Sha256
    state: ReleaseState
    reason: Annotated[str, Field(description="Why it waits, failed or ended; empty where all is well.")]
    cause: ReleaseCause
    by: str
    why: Annotated[str, Field(description="The word of whoever wanted it.")]
    profile: str
    replicas: int
    framework: Framework
    created_at: Moment
    serving_at: Moment | None
    ended_at: Moment | None


class DeploymentAnswer(TypedDict):
    """A model that answers under a name. ``back`` is the release that a rollback would go to."""

    tenant: str
    name: str
    state: DeploymentState
    reason: Annotated[str, Field(description="What is not as it was asked for; empty where all is well.")]
    model: str
    at: Annotated[str, Field(description="The alias that it follows, or the number of a version.")]
    profile: str
    replicas: int
    framework: Framework
    recreate: bool
    example: dict[str, Any] | None
    by: str
    created_at: Moment
    changed_at: Moment
    serving: ReleaseAnswer | None
    newest: ReleaseAnswer | None
    back: Number | None


class DeploymentsAnswer(TypedDict):
    """A team's deployments."""

    deployments: list[DeploymentAnswer]
    enabled: Annotated[bool, Field(description="Whether this site deploys models.")]
    simulated: Simulated


class DeploymentDetail(TypedDict):
    """A deployment with its releases, the newest first."""

    deployment: DeploymentAnswer
    releases: list[ReleaseAnswer]
    simulated: Simulated


class DeployAnswer(TypedDict):
    """The outcome of a request. ``needs`` says who has to approve it first: then nothing was changed."""

    deployment: DeploymentAnswer | None
    held: bool
    needs: list[NeedAnswer]
    warnings: list[FindingAnswer]


class InferAnswer(TypedDict):
    """An answer of the Open Inference Protocol, version 2."""

    model_name: str
    model_version: str
    outputs: list[dict[str, Any]]


class UsageMinute(TypedDict):
    """What was asked in the minute that begins then, or in the ``step`` minutes from then on. Times in milliseconds:
    the bound under which so many of the answers came; null above the last bound."""

    at: Moment
    asked: int
    failed: int
    p50: int | None
    p95: int | None


class ReleaseHeldAnswer(TypedDict):
    """What the pods of one release have held since it began, as the ledger has it."""

    release: Number
    seconds: Whole
    gpu_seconds: GpuSeconds
    pods: int
    uncertain_seconds: Uncertain
    amount: Amount | None


class DeploymentUsageAnswer(TypedDict):
    """What a deployment was asked through the service: whoever asks it inside the team is not counted. ``p50`` and
    ``p95`` are those of all the minutes as one. ``held`` is what its releases have held and cost in all, the newest
    first, up to ``as_of``."""

    minutes: list[UsageMinute]
    asked: int
    failed: int
    p50: int | None
    p95: int | None
    held: list[ReleaseHeldAnswer]
    as_of: AsOf
    currency: Currency | None
    simulated: Simulated


class ProblemHeard(TypedDict):
    """The service has it."""

    id: str
