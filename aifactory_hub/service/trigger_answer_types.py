"""The forms of the answers about triggers. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from ..domain.commit_statuses import CommitState
from ..domain.git_hooks import Provider
from ..domain.triggers import EventState
from .answer_types import Moment
from .pipeline_answer_types import PipelineCheckAnswer


class TriggerAnswer(TypedDict):
    """A trigger, without what it signs in with. ``problem`` says why it starts nothing, or why its repository could not
    be asked, since ``unreachable_since``. ``refused`` counts calls with a wrong signature.

    ``hook`` is where the Git host calls, below the service's own address; null for a folder of this machine.
    """

    id: str
    tenant: str
    owner: str
    name: str
    provider: Provider
    url: str
    pipeline: str
    branches: list[str]
    tags: list[str]
    paths: list[str]
    quiet: float
    per_hour: int
    ignore_authors: list[str]
    skip_mark: bool
    cancel_on_delete: bool
    cron: str | None
    time_zone: str
    next: Annotated[Moment | None, Field(description="When its branches are run as they are then.")]
    pushes: Annotated[bool, Field(description="Whether changes start a run; false: its times alone do.")]
    signs_in: bool
    tells: Annotated[bool, Field(description="Whether its host is told how commits stand.")]
    hook: str | None
    created: Moment
    paused: bool
    problem: str | None
    seen: Moment | None
    unreachable_since: Moment | None
    refused: int
    refused_last: Moment | None


class TriggerSecretAnswer(TypedDict):
    """A trigger, and what its Git host is to sign with: shown now and at the next change alone."""

    trigger: TriggerAnswer
    secret: str | None


class TriggersAnswer(TypedDict):
    """A team's triggers, the oldest first."""

    triggers: list[TriggerAnswer]


class TriggerEventAnswer(TypedDict):
    """A change of a branch or tag, and what became of it. ``commit`` is null when it was deleted, ``before`` when it is
    new. ``by`` and ``forced`` are null where they are not known."""

    ref: str
    number: int
    before: str | None
    commit: str | None
    seen: Moment
    state: EventState
    reason: str | None
    run: str | None
    by: str | None
    forced: bool | None
    scheduled: Annotated[bool, Field(description="Nothing changed: its time had come.")]
    told: Annotated[CommitState | None, Field(description="What the Git host was told of the commit last.")]
    told_problem: Annotated[str | None, Field(description="Why it could not be told more.")]


class DeliveryAnswer(TypedDict):
    """A call of the Git host that was signed rightly."""

    at: Moment
    delivery: str
    event: str
    ref: str
    by: str


class TriggerEventsAnswer(TypedDict):
    """What was seen in a trigger's repository and what its host said of it, the newest first."""

    events: list[TriggerEventAnswer]
    deliveries: list[DeliveryAnswer]


class TriggerTestAnswer(TypedDict):
    """What a trigger would start now. ``refused`` says why nothing, before any step was looked at."""

    ref: str | None
    commit: str | None
    refused: str | None
    left: list[str]
    check: PipelineCheckAnswer | None
