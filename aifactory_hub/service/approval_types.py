"""The forms of what is asked and answered of approvals. As in ``request_types`` and ``answer_types``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..domain.approvals import LONGEST_COMMENT, ApprovalState
from .answer_types import NeedAnswer
from .request_types import MOST_AT_ONCE, Line

When = Annotated[str, Field(description="ISO 8601, in UTC.")]


class ApprovalQuery(BaseModel):
    """Which approvals."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str | None, Field(description="One team's only; by default all that the caller may see.")] = None
    state: Annotated[list[ApprovalState], Field(description="In one of these states; may come several times.")] = []
    subject: Annotated[str | None, Field(max_length=255, description="Of this job or model version only.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 50


class VoteRequest(BaseModel):
    """A vote."""

    model_config = ConfigDict(extra="forbid")

    vote: Literal["yes", "no"]
    digest: Annotated[
        str, Field(pattern="^[0-9a-f]{64}$", description="The approval's digest, as it was shown to the person.")
    ]
    comment: Annotated[Line, Field(max_length=LONGEST_COMMENT, description="Seen by everybody who sees it.")] = ""
    emergency: Annotated[
        bool, Field(description="Approve alone: for the site's emergency group, and with a comment that says why.")
    ] = False


class SiteApprovalsQuery(BaseModel):
    """Who is to vote, and for which teams."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(max_length=255, description="The user's name at the hub.")]


class WaitingApprovals(TypedDict):
    """How many approvals wait for a person's vote."""

    waiting: Annotated[int | None, Field(description="null: the hub does not say now what roles the person has.")]


class HoldingRule(TypedDict):
    """Why it has to be approved."""

    rule: str
    message: str


class VoteAnswer(TypedDict):
    """A person's vote. ``counts`` null: nobody can say now whether they may still vote, or the approval is over."""

    voter: str
    vote: Literal["yes", "no"]
    comment: str
    at: When
    emergency: bool
    counts: bool | None


class ApprovalAnswer(TypedDict):
    """One approval. ``parts`` are all that decides what would run; ``missing`` is who is still needed.

    ``why_not`` says why the caller can't vote on it; null: they can, in a browser.
    """

    id: str
    tenant: str
    kind: str
    subject: str
    verb: str
    title: str
    digest: str
    parts: dict[str, str]
    state: ApprovalState
    why: str | None
    needs: list[NeedAnswer]
    missing: list[NeedAnswer]
    needs_text: str
    rules: list[HoldingRule]
    asked_by: str
    excluded: list[str]
    asked_at: When
    expires_at: When
    ended_at: When | None
    votes: list[VoteAnswer]
    why_not: str | None
    emergency: Annotated[bool, Field(description="Whether the caller may approve it alone in an emergency.")]


class ApprovalPage(TypedDict):
    """Approvals, the newest first. ``waiting`` is how many of them wait for the caller's vote."""

    approvals: list[ApprovalAnswer]
    waiting: int
