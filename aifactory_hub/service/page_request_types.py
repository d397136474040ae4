"""The forms of questions that the pages ask. As in ``request_types``, which has the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# An address with more than 1,000 parameters is refused before anybody reads it.
MOST_TEAMS = 900


class CancelQuery(BaseModel):
    """What to say to the job's owner."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[
        str, Field(max_length=500, description="A word to the job's owner, who sees it with the job.")
    ] = ""


class SiteJobsQuery(BaseModel):
    """Whose jobs, in which teams, and how many of the newest."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(max_length=255, description="The user's name at the hub.")]
    tenant: Annotated[
        list[str], Field(max_length=MOST_TEAMS, description="Jobs of this team; may come several times.")
    ] = []
    limit: Annotated[int, Field(ge=1, le=20, description="How many at most.")] = 5
