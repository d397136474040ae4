"""The types of request bodies about pipelines. As in ``request_types``, which has the others."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..pipeline_file import LARGEST
from .request_types import MOST_AT_ONCE, Line, Sha256, Text, _key

PipelineText = Annotated[Text, Field(max_length=LARGEST, description="The text of the pipeline file.")]


class PipelineCheckRequest(BaseModel):
    """A pipeline that is only thought of."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pipeline: PipelineText


class PipelineRunRequest(BaseModel):
    """A pipeline to run now. ``files`` is the SHA-256 of a manifest that was sent before, None to run without files.

    Without ``cache`` no step takes the result of an earlier job.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, AfterValidator(_key)]
    pipeline: PipelineText
    files: Sha256 | None = None
    cache: bool = True


class PipelineRetryRequest(BaseModel):
    """From which step on to run again; without one, from what did not succeed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, AfterValidator(_key)]
    step: Annotated[Line, Field(max_length=64)] | None = None


class PipelineComparisonQuery(BaseModel):
    """Which run to compare with."""

    model_config = ConfigDict(extra="forbid")

    before: Annotated[str, Field(max_length=40, description="The id of the run that is the measure.")]


class PipelineRunQuery(BaseModel):
    """Which runs, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    trigger: Annotated[str | None, Field(max_length=40, description="Those that this trigger started.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 50
    before: Annotated[
        str | None, Field(max_length=40, description="Those after this one: `next` of the page before.")
    ] = None
