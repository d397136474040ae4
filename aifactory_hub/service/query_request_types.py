"""The types of what is asked of Prometheus, by the names that Prometheus gives its parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..telemetry.promql import LONGEST_QUERY

# Selectors of one question.
MOST_SELECTORS = 20
Time = Annotated[str, Field(max_length=40, description="Seconds since 1970, or a time as RFC 3339 has it.")]
Text = Annotated[
    str, Field(description=f"PromQL, {LONGEST_QUERY} characters at most. Each selector is written with the team.")
]
Limit = Annotated[int | None, Field(ge=1, le=10_000, description="How many at most, where Prometheus knows it.")]


class InstantQuery(BaseModel):
    """A question about one moment."""

    model_config = ConfigDict(extra="forbid")

    query: Text
    time: Annotated[Time | None, Field(description="The moment; by default now.")] = None


class RangeQuery(BaseModel):
    """A question about moments at the same distance."""

    model_config = ConfigDict(extra="forbid")

    query: Text
    start: Time
    end: Time
    step: Annotated[str, Field(max_length=40, description="Seconds between two moments, or a duration such as 5m.")]


class SelectorQuery(BaseModel):
    """Which series, or whose labels."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    selectors: Annotated[
        list[str],
        Field(alias="match[]", max_length=MOST_SELECTORS, description="Selectors; by default all series of the team."),
    ] = []
    start: Annotated[Time | None, Field(description="By default a day before the end.")] = None
    end: Annotated[Time | None, Field(description="By default now.")] = None
    limit: Limit = None


class PrometheusAnswer(TypedDict):
    """As Prometheus answers. ``warnings``: the answer may not be whole."""

    status: Literal["success"]
    data: Any
    warnings: list[str]
