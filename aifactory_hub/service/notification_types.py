"""Requests and answers about what one is told by mail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..domain.channels import Level, MessageFormat
from ..domain.notifications import Kind

LevelName = Literal["off", "failures", "all"]
KindName = Literal[
    "job.failed",
    "job.cancelled",
    "job.held",
    "approval.emergency",
    "approval.waits",
    "approval.refused",
    "server.idle",
    "budget.step",
    "team.refused",
    "team.granted",
    "job.succeeded",
]


class NotificationChoice(BaseModel):
    """How much one wants to be told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    level: Annotated[
        LevelName | None,
        Field(description="failures: what failed, and what waits for one; null: what the site's default says."),
    ]
    kinds: Annotated[
        dict[KindName, bool],
        Field(description="Of which kinds one wants to be told, or not, whatever the level says."),
    ] = {}


class KindAnswer(TypedDict):
    """One kind of what one may be told."""

    kind: Kind
    words: Annotated[str, Field(description="What it tells, for people.")]
    told: Annotated[bool, Field(description="Whether one is told of it.")]
    chosen: Annotated[bool | None, Field(description="What one chose of this kind; null: what the level says.")]


class ChannelAnswer(TypedDict):
    """The chat of a team that the caller administers. Its address is a secret of the chat, so it is not here."""

    tenant: str
    format: Annotated[MessageFormat | None, Field(description="What it takes; null: the team has no chat.")]
    level: Annotated[Level | None, Field(description="How much it is told.")]


class NotificationsAnswer(TypedDict):
    """What one is told by mail."""

    level: Annotated[LevelName, Field(description="How much one is told.")]
    chosen: Annotated[LevelName | None, Field(description="What one chose; null: nothing, the default holds.")]
    default: Annotated[LevelName, Field(description="What those get who chose nothing.")]
    mail: Annotated[bool, Field(description="Whether the site sends mail at all.")]
    address: Annotated[str | None, Field(description="Where it goes; null: see why_not.")]
    why_not: Annotated[str | None, Field(description="Why no mail can go to one, and what to do; null: it can.")]
    kinds: Annotated[list[KindAnswer], Field(description="All kinds; those of failures first.")]
    channels: Annotated[list[ChannelAnswer], Field(description="Of the teams that the caller administers.")]
