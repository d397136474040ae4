"""The types of requests about the site's rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .request_types import Line

# Days of requests that a rule is tried on at most.
MOST_DAYS = 90
MOST_VERDICTS = 100


class ImpactQuery(BaseModel):
    """On what a rule is tried."""

    model_config = ConfigDict(extra="forbid")

    days: Annotated[int, Field(ge=1, le=MOST_DAYS, description="What was asked in so many days.")] = 30


class VerdictQuery(BaseModel):
    """Which verdicts, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    mine: Annotated[bool, Field(description="Only to one's own requests; who is no admin of the team sees these.")] = (
        False
    )
    limit: Annotated[int, Field(ge=1, le=MOST_VERDICTS, description="How many at most.")] = 50
    before: Annotated[
        str | None, Field(max_length=40, description="Those after this one: `next` of the page before.")
    ] = None


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("say why, in a sentence: it is kept with the override")
    return text.strip()


class OverrideRequest(BaseModel):
    """Let one soft rule pass for exactly what was asked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    verdict: Annotated[Line, Field(max_length=40, description="The refusal: `verdict` of its answer.")]
    rule: Annotated[Line, Field(max_length=64, description="Which of its findings.")]
    reason: Annotated[Line, Field(max_length=500), AfterValidator(_reason)]
    until: Annotated[int, Field(ge=0, lt=2**40, description="When it ends, in seconds since 1970.")]
