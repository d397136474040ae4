"""The types of request bodies about triggers. As in ``request_types``, which has the others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..domain.git_hooks import Provider
from ..pipeline_file import PATH
from ..untrusted.manifests import path_problem
from .request_types import Cron, Line, TimeZone, _key

_Pattern = Annotated[Line, Field(min_length=1, max_length=255)]
_Patterns = Annotated[list[_Pattern], Field(max_length=50)]


def _path(text: str) -> str:
    if problem := path_problem(text):
        raise ValueError(problem)
    return text


class TriggerRequest(BaseModel):
    """A repository that is to start a pipeline of its own whenever a branch or tag changes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, AfterValidator(_key)]
    url: Annotated[Line, Field(min_length=1, max_length=1000, description="The repository, by https.")]
    provider: Annotated[Provider, Field(strict=False, description="Whose deliveries it takes.")]
    name: Annotated[Line, Field(max_length=255)] = ""
    pipeline: Annotated[Line, AfterValidator(_path), Field(description="The pipeline file in the repository.")] = PATH
    branches: Annotated[_Patterns, Field(description="Patterns: * within slashes, ** over them.")] = ["main"]
    tags: Annotated[_Patterns, Field(description="Patterns; by default no tag starts anything.")] = []
    paths: Annotated[_Patterns, Field(description="Patterns of files of which one has to have changed.")] = []
    username: Annotated[Line, Field(max_length=255, description="For signing in; by default git.")] = ""
    token: Annotated[Line, Field(max_length=4096, description="For signing in; it is never shown again.")] = ""
    status_token: Annotated[
        Line, Field(max_length=4096, description="For telling the host how commits stand; left out, it is not told.")
    ] = ""
    quiet: Annotated[float, Field(ge=0, le=3600, description="Seconds that a ref has to stay what it is.")] = 3.0
    per_hour: Annotated[int, Field(ge=1, le=1000, description="Runs in an hour, after which it is paused.")] = 20
    ignore_authors: Annotated[_Patterns, Field(description="Mail addresses whose commits start nothing.")] = []
    skip_mark: Annotated[bool, Field(description="Whether [skip factory] in a message starts nothing.")] = False
    cancel_on_delete: Annotated[bool, Field(description="Whether runs of a branch end with it.")] = False
    cron: Annotated[Cron | Literal[""], Field(description="Times at which each branch is run as it is then.")] = ""
    time_zone: TimeZone = "UTC"
    pushes: Annotated[bool, Field(description="Whether changes start a run; false: its times alone do.")] = True


class TriggerPatch(BaseModel):
    """What may change of a trigger."""

    model_config = ConfigDict(extra="forbid", strict=True)

    paused: bool


class TriggerTestRequest(BaseModel):
    """The branch or tag to try a trigger with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ref: Annotated[Line, Field(min_length=1, max_length=255)] = "main"
