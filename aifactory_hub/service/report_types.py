"""The types of what runners report. As in ``request_types``, which has the others."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..domain.metrics import LARGEST_STEP, LONGEST_NAME, MOST_NAMES
from .request_types import Escaped, Line

# Points of one metric in one report.
_MOST_NEW = 20_000
# JSON has no numbers for the last three.
MetricValue = Annotated[float, Field(allow_inf_nan=False)] | Literal["NaN", "Infinity", "-Infinity"]
MetricName = Annotated[Line, Field(max_length=LONGEST_NAME)]


class RunnerSeries(BaseModel):
    """New points of a metric, in order: how many were reported before each, steps, ages in seconds, values."""

    model_config = ConfigDict(extra="ignore")

    numbers: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_STEP)]], Field(max_length=_MOST_NEW)]
    steps: Annotated[list[Annotated[int, Field(ge=-LARGEST_STEP, le=LARGEST_STEP)]], Field(max_length=_MOST_NEW)]
    ages: Annotated[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(max_length=_MOST_NEW)]
    values: Annotated[list[MetricValue], Field(max_length=_MOST_NEW)]

    @model_validator(mode="after")
    def _matching(self) -> RunnerSeries:
        if len({len(each) for each in (self.numbers, self.steps, self.ages, self.values)}) > 1:
            raise ValueError("numbers, steps, ages and values have not the same length")
        if any(after <= before for before, after in pairwise(self.numbers)):
            raise ValueError("the numbers do not count up")
        return self


class RunnerProgress(BaseModel):
    """How far a run says it is. Unknown fields are passed over: images are of any age."""

    model_config = ConfigDict(extra="ignore")

    progress: Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False, description="Per cent.")] = None
    eta: Annotated[float | None, Field(ge=0, allow_inf_nan=False, description="Seconds.")] = None
    metrics: (
        Annotated[dict[MetricName, MetricValue], Field(max_length=MOST_NAMES, description="The last value of each.")]
        | None
    ) = None
    series: Annotated[
        dict[MetricName, RunnerSeries] | None,
        Field(max_length=MOST_NAMES, description="New points of each; runners of earlier versions send none."),
    ] = None


class RunnerResult(BaseModel):
    """How a run ended, in its runner's words. Unknown fields are passed over: images are of any age."""

    model_config = ConfigDict(extra="ignore")

    exit_code: Annotated[int, Field(ge=0, le=255)]
    left: Annotated[dict[Escaped, Escaped], Field(max_length=1000)] = {}
    problem: Annotated[Escaped, Field(max_length=4000)] | None = None
