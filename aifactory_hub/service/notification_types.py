"""Requests and answers about what one is told by mail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

LevelName = Literal["off", "failures", "all"]


class NotificationChoice(BaseModel):
    """How much one wants to be told."""

    model_config = ConfigDict(extra="forbid", strict=True)

    level: Annotated[
        LevelName | None,
        Field(description="failures: what failed, and what waits for one; null: what the site's default says."),
    ]


class NotificationsAnswer(TypedDict):
    """What one is told by mail."""

    level: Annotated[LevelName, Field(description="How much one is told.")]
    chosen: Annotated[LevelName | None, Field(description="What one chose; null: nothing, the default holds.")]
    default: Annotated[LevelName, Field(description="What those get who chose nothing.")]
    mail: Annotated[bool, Field(description="Whether the site sends mail at all.")]
    address: Annotated[str | None, Field(description="Where it goes; null: the identity provider gives no address.")]
