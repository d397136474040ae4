"""The forms of what is asked of deployments. As in ``request_types``, which has the others."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..domain.deployments import MOST_REPLICAS, Framework, place_problem
from ..untrusted.texts import utf8_size
from .model_request_types import Reason
from .request_types import Line, Text

_LONGEST_COMMAND = 16 * 1024
_LONGEST_EXAMPLE = 64 * 1024
# How many hours of usage are answered at most.
_MOST_HOURS = 24 * 31


def _place(text: str) -> str:
    if (problem := place_problem(text)) is not None:
        raise ValueError(problem)
    return text


def _example(said: dict[str, Any] | None) -> dict[str, Any] | None:
    if said is not None and utf8_size(json.dumps(said)) > _LONGEST_EXAMPLE:
        raise ValueError(f"it is longer than {_LONGEST_EXAMPLE} bytes as JSON")
    if said is not None and not isinstance(said.get("inputs"), list):
        raise ValueError("write a request as the Open Inference Protocol has it, with a list of inputs")
    return said


class DeploymentRequest(BaseModel):
    """A model that shall answer. The same again changes nothing; anything else is the next release."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[
        Line,
        AfterValidator(_place),
        Field(description="A model and the alias to follow, or a version: fraud@prod, fraud@3."),
    ]
    profile: Annotated[Line, Field(max_length=100, description="The profile of each replica.")]
    replicas: Annotated[int, Field(ge=1, le=MOST_REPLICAS)] = 1
    framework: Annotated[
        Framework, Field(strict=False, description="What serves the files; auto goes by what they are.")
    ] = Framework.AUTO
    command: Annotated[
        Text,
        Field(
            max_length=_LONGEST_COMMAND,
            description="For framework command: it listens on 127.0.0.1 at the port that AIFACTORY_PORT names.",
        ),
    ] = ""
    example: Annotated[
        dict[str, Any] | None,
        AfterValidator(_example),
        Field(description="A request that a release has to answer before it serves."),
    ] = None
    recreate: Annotated[
        bool,
        Field(description="End the release before first: for a team without quota for two. Nothing answers meanwhile."),
    ] = False


class DeploymentRollback(BaseModel):
    """The release to go back to; by default the one before the present one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    release: Annotated[int | None, Field(ge=1, le=10**9, description="The number of a release.")] = None
    reason: Annotated[Reason, Field(min_length=1)]


class InferRequest(BaseModel):
    """A request of the Open Inference Protocol, version 2."""

    model_config = ConfigDict(extra="allow")

    inputs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=100)]


class UsageQuery(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[int, Field(ge=1, le=_MOST_HOURS, description="The last so many hours.")] = 24
    step: Annotated[int, Field(ge=1, le=1440, description="Minutes that are summed up in one row.")] = 1


class ProblemReport(BaseModel):
    """Why a release can't be served, in its pod's words."""

    model_config = ConfigDict(extra="forbid", strict=True)

    problem: Annotated[Line, Field(min_length=1, max_length=4000)]
