"""The forms of the answers about schedules and messages. As in ``answer_types``, which has the others."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from ..domain.jobs import JobState
from .answer_types import Moment


class ScheduleAnswer(TypedDict):
    """A schedule. ``next`` is null while it is paused; ``problem`` says why the last time made no job.

    ``last_state`` is the state of ``last_job``, null when that job is no longer kept.
    """

    id: str
    tenant: str
    owner: str
    cron: str
    time_zone: str
    overlap: Literal["skip", "allow"]
    paused: bool
    name: str | None
    command: str
    profile: str | None
    created: Moment
    next: Moment | None
    last: Moment | None
    last_job: str | None
    last_state: JobState | None
    problem: str | None


class SchedulePage(TypedDict):
    """Schedules, the newest first. ``next`` is what to pass as ``before`` for those after; null at the end."""

    schedules: list[ScheduleAnswer]
    next: str | None


class SchedulePreview(TypedDict):
    """What a schedule would do: its cron expression in words, and its first times."""

    words: str
    times: list[Moment]


class MessageAnswer(TypedDict):
    """A message to a webhook. With neither ``delivered`` nor ``next_try`` it was given up."""

    id: str
    event: str
    url: str
    created: Moment
    tries: int
    delivered: Moment | None
    next_try: Moment | None
    problem: str | None


class MessagesAnswer(TypedDict):
    """The messages about a job, the oldest first."""

    messages: list[MessageAnswer]


class WebhookSecret(TypedDict):
    """For the header webhook-signature, as the Standard Webhooks specification has it."""

    tenant: str
    secret: str
