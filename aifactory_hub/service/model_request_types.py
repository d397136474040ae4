"""The forms of what is asked of models. As in ``request_types``, which has the others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..domain.lineage import MOST_DEPTH
from ..domain.models import number_of
from .request_types import MOST_AT_ONCE, Line

_REASON = 1000


def _version(text: str) -> str:
    if number_of(text) is None:
        raise ValueError("write the number of a version, such as 3")
    return text


Reason = Annotated[Line, Field(max_length=_REASON, description="Why, for whoever reads the history.")]
Number = Annotated[Line, AfterValidator(_version), Field(description="The number of a version, as text.")]
Team = Annotated[str | None, Field(description="A team's name; by default the token's own.")]


class ModelListQuery(BaseModel):
    """Whose models."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str | None, Field(description="One team's only; by default all of the token's.")] = None


class ModelQuery(BaseModel):
    """Which team's model, and how many of its versions."""

    model_config = ConfigDict(extra="forbid")

    tenant: Team = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many versions at most.")] = 50
    before: Annotated[
        int | None, Field(ge=1, le=10**9, description="Those after this one: `next` of the page before.")
    ] = None


class Registration(BaseModel):
    """Files that a job gave back, to be a version of a model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    job: Annotated[Line, Field(max_length=40, description="The id of a job that succeeded.")]
    files: Annotated[
        Line, Field(max_length=500, description="A folder or a file among what the job gave back; empty for all.")
    ] = ""
    note: Annotated[Line, Field(max_length=_REASON, description="A word about it, for people.")] = ""


def _plain_uri(text: str) -> str:
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise ValueError("it has a name or password before the @: leave that out, it would be signed and shown")
    return text


class DatasetRequest(BaseModel):
    """A name for data of the team, and how sensitive it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[Line, Field(max_length=63)]
    tenant: Line | None = None
    uri: Annotated[
        Line,
        Field(max_length=500, description="Where people find it; the service never reads it."),
        AfterValidator(_plain_uri),
    ] = ""
    data_class: Annotated[
        Literal["public", "internal", "personal", "secret"], Field(description="How sensitive it is.")
    ] = "internal"
    description: Annotated[Line, Field(max_length=_REASON)] = ""


class DatasetVersionRequest(BaseModel):
    """A dataset as it is, by a digest of the given kind."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["content", "listing", "dvc", "lakefs"]
    digest: Annotated[Line, Field(max_length=128)]
    count: Annotated[int, Field(ge=0, lt=2**50, description="How many files.")] | None = None
    size: Annotated[int, Field(ge=0, lt=2**60, description="In bytes.")] | None = None


class Promotion(BaseModel):
    """The version that an alias shall lead to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Number
    reason: Reason = ""


class Rollback(BaseModel):
    """The version that an alias shall lead to again; by default the one before the present one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: Number | None = None
    reason: Annotated[Reason, Field(min_length=1)]


class AliasChange(BaseModel):
    """Why an alias is frozen or thawed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Reason = ""


class LineageQuery(BaseModel):
    """The lineage of what."""

    model_config = ConfigDict(extra="forbid")

    of: Annotated[
        str,
        Field(
            max_length=300,
            description="model:<name>@<alias or number>, job:<id>, dataset:<name>@<number>, deployment:<name>, or "
            "commit:, files:, image: or key: with a digest.",
        ),
    ]
    tenant: Team = None
    direction: Annotated[
        Literal["up", "down", "both"], Field(description="To what it came from, to what came from it, or both.")
    ] = "both"
    depth: Annotated[int, Field(ge=1, le=MOST_DEPTH, description="How many steps at most.")] = 4


class LineageExportQuery(BaseModel):
    """In which form a lineage is exported."""

    model_config = ConfigDict(extra="forbid")

    tenant: Team = None
    format: Annotated[
        Literal["openlineage", "cyclonedx"],
        Field(description="Events of OpenLineage, or a bill of materials in CycloneDX 1.6."),
    ] = "openlineage"


class RemovalQuery(BaseModel):
    """Why an alias is removed."""

    model_config = ConfigDict(extra="forbid")

    tenant: Team = None
    reason: Annotated[str, Field(max_length=_REASON, description="Why, for whoever reads the history.")] = ""


class Revocation(BaseModel):
    """Why nothing that a key has signed is believed any more."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Annotated[Reason, Field(min_length=1)]


class Restoration(BaseModel):
    """Why a version is taken back into use."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reason: Annotated[Reason, Field(min_length=1)]
