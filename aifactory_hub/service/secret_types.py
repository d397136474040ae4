"""Requests and answers about secrets. No answer has a value."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..domain.secrets import LARGEST_VALUE

Team = Annotated[bool, Field(description="Of the whole team, which its admins set, instead of one's own.")]


class SecretValue(BaseModel):
    """A secret's value. It is never told again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    value: Annotated[str, Field(max_length=LARGEST_VALUE, repr=False)]
    team: Team = False


class SecretQuery(BaseModel):
    """Whose secret is meant."""

    model_config = ConfigDict(extra="forbid")

    team: Team = False


class UsesQuery(SecretQuery):
    """How much of a secret's history is wanted."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 50


class SecretAnswer(TypedDict):
    """All that is told of a secret. ``used`` null: no job was given it yet."""

    name: str
    team: Annotated[bool, Field(description="Whether it is the team's, and not one's own.")]
    changed: str
    changed_by: str
    revision: Annotated[int, Field(ge=1, description="Counts up with each value.")]
    used: str | None


class SecretList(TypedDict):
    """What the caller's jobs in the team may list. Of two of one name a job gets the caller's own."""

    secrets: list[SecretAnswer]


class SecretRemoved(TypedDict):
    """What was forgotten."""

    name: str
    team: bool


class SecretUseAnswer(TypedDict):
    """A job was given the secret."""

    job: str
    attempt: int
    user: str
    revision: Annotated[int, Field(ge=1, description="The value that it was given.")]
    at: str


class SecretUses(TypedDict):
    """The newest first."""

    uses: list[SecretUseAnswer]
