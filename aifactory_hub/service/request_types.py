"""The types of request bodies. Unknown fields and wrong types are refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from ..domain.jobs import LONGEST_BACKOFF, JobState, Priority
from ..domain.metrics import LONGEST_NAME, MOST_POINTS
from ..domain.secrets import MOST_OF_A_JOB
from ..untrusted.json_text import BadJson, read_json
from ..untrusted.manifests import path_problem
from ..untrusted.texts import escaped, unprintable, utf8_size
from .errors import ServiceError, bad_field

# The environment travels in a Secret together with the command, and etcd limits that to 1 MiB.
# Linux takes 128 KiB for one variable, and counts bytes.
_MAX_ENVIRONMENT = 64 * 1024
_MAX_VARIABLES = 256
_MAX_PATTERNS = 64
_MAX_PROVENANCE = 512 * 1024
# Lists of jobs bring these along.
_MAX_SWEEP_PARAMETERS = 4 * 1024
_LONGEST_RUN = 366 * 24 * 3600
_MOST_RETRIES = 100
_MOST_ADDRESSES = 5
_MOST_NODES = 1000
_MOST_PARAMETERS = 100
MOST_AT_ONCE = 200
# Requests without a file of their own, in bytes: a command, an environment, names.
MOST_BODY = 2**20
# An archive of many small files is mostly headers.
PACK_HEADERS = 16 * 2**20
MOST_ASKED = 10_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"[\x21-\x7e]{1,100}")

Model = TypeVar("Model", bound=BaseModel)


def _printable(text: str) -> str:
    if found := unprintable(text):
        raise ValueError(f"it has the control character {found}, which can't be printed")
    return text


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("it has a NUL character")
    return text


def _key(text: str) -> str:
    if _KEY.fullmatch(text) is None:
        raise ValueError("write 1 to 100 printable ASCII characters without spaces")
    return text


def _environment(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if _VARIABLE.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not the name of a variable: letters, digits and _")
        if name.startswith("AIFACTORY_"):
            raise ValueError(f"{name!r} can't be set: names that begin with AIFACTORY_ are the service's")
    if len(variables) > _MAX_VARIABLES or sum(map(utf8_size, variables.values())) > _MAX_ENVIRONMENT:
        raise ValueError(f"at most {_MAX_VARIABLES} variables with {_MAX_ENVIRONMENT} bytes in all, as UTF-8")
    return variables


def _parameters(given: dict[str, str]) -> dict[str, str]:
    if len(given) > _MOST_PARAMETERS or sum(map(utf8_size, given.values())) > _MAX_ENVIRONMENT:
        raise ValueError(f"at most {_MOST_PARAMETERS} parameters with {_MAX_ENVIRONMENT} bytes in all, as UTF-8")
    return given


def _provenance(told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told is not None and len(json.dumps(told)) > _MAX_PROVENANCE:
        raise ValueError(f"it is longer than {_MAX_PROVENANCE} characters as JSON")
    return told


def _sweep_parameters(given: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(given)) > _MAX_SWEEP_PARAMETERS:
        raise ValueError(f"it is longer than {_MAX_SWEEP_PARAMETERS} characters as JSON")
    return given


Text = Annotated[str, AfterValidator(_without_nul)]
Line = Annotated[str, AfterValidator(_printable)]
# What a program says and nobody can correct: names of a job's files, the text of an error.
Escaped = Annotated[str, AfterValidator(escaped)]
SweepValue = (
    bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | Annotated[float, Field(allow_inf_nan=False)] | Line | None
)


class Submission(BaseModel):
    """A job to run. ``files`` is the SHA-256 of a manifest that was sent before, None to run without files.

    Its ``command`` is left out for an engine that runs what the team has published, which ``template`` then names.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    command: Text = ""
    profile: Line | None = None
    name: Line | None = None
    tenant: Line | None = None
    key: Annotated[str, AfterValidator(_key)]
    files: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    outputs: Annotated[list[Line], Field(max_length=_MAX_PATTERNS)] | None = None
    environment: Annotated[dict[str, Text], AfterValidator(_environment)] = {}
    priority: Annotated[Priority, Field(strict=False)] = Priority.NORMAL
    max_seconds: Annotated[int, Field(ge=1, le=_LONGEST_RUN, description="How long an attempt may run.")] | None = None
    retries: Annotated[int, Field(ge=0, le=_MOST_RETRIES, description="How often to try again after a failure.")] = 0
    retry_backoff: Annotated[
        float, Field(ge=1, le=LONGEST_BACKOFF, description="Seconds before the first retry; doubled for each further.")
    ] = 30.0
    sweep: Annotated[str, Field(max_length=64), AfterValidator(_key)] | None = None
    notify: Annotated[
        list[Annotated[Line, Field(max_length=2000)]],
        Field(max_length=_MOST_ADDRESSES, description="Addresses that are told of the job's end."),
    ] = []
    engine: Annotated[Line | None, Field(description="What runs it; by default the service's first engine.")] = None
    nodes: Annotated[
        int, Field(ge=1, le=_MOST_NODES, description="How many nodes, each with the whole profile, all or none.")
    ] = 1
    template: Annotated[
        Annotated[Line, Field(min_length=1, max_length=253)] | None,
        Field(description="What the team has published for the engine: a WorkflowTemplate, a training runtime."),
    ] = None
    parameters: Annotated[
        dict[Annotated[Line, Field(max_length=100)], Text],
        AfterValidator(_parameters),
        Field(description="Of the template."),
    ] = {}
    data: Annotated[
        list[Annotated[Line, Field(max_length=250)]],
        Field(
            max_length=50,
            description="What it reads: <dataset>@<number>, or model:<model>@<alias>.",
        ),
    ] = []
    server: Annotated[
        Annotated[Line, Field(max_length=255)] | None,
        Field(
            description="The notebook server that it comes from, the default one's name being empty: the job runs in "
            "its image. Without it, in the site's."
        ),
    ] = None
    secrets: Annotated[
        list[Annotated[Line, Field(max_length=64)]],
        Field(max_length=MOST_OF_A_JOB, description="Names of secrets that it gets as variables."),
    ] = []
    sweep_parameters: Annotated[
        dict[Annotated[Line, Field(max_length=100)], SweepValue],
        AfterValidator(_sweep_parameters),
        Field(description="What tells it from the others of its sweep, for people to read."),
    ] = {}
    provenance: Annotated[
        dict[str, Any] | None,
        AfterValidator(_provenance),
        Field(description="Where it comes from, for the record: commit, branch, diff, packages."),
    ] = None

    @field_validator("secrets", mode="after")
    @classmethod
    def _names_once(cls, names: list[str], info: ValidationInfo) -> list[str]:
        taken = set(info.data.get("environment", ()))
        for name in names:
            if name in taken:
                raise ValueError(f"{name!r} is there twice, or is a variable of environment too")
            taken.add(name)
        return names


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Wanted(BaseModel):
    """Files that somebody is about to send, by the SHA-256 of their content."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sha256: Annotated[list[Sha256], Field(max_length=MOST_ASKED)]
    tenant: Line | None = None


class Planned(Submission):
    """A job that is only thought of: as Submission, but nothing is stored, so it needs no key."""

    key: Annotated[str, AfterValidator(_key)] = "dry-run"


Cron = Annotated[Line, Field(max_length=100, description="Minute, hour, day, month, weekday.")]
TimeZone = Annotated[Line, Field(max_length=64, description="As in the tz database: Europe/Amsterdam.")]


class Scheduled(Submission):
    """The job of a schedule: as Submission, but its key and tenant are the schedule's."""

    key: Annotated[str, AfterValidator(_key)] = "schedule"


class ScheduleRequest(BaseModel):
    """A job that is to be submitted whenever ``cron`` names the time in ``time_zone``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, AfterValidator(_key)]
    tenant: Line | None = None
    cron: Cron
    time_zone: TimeZone = "UTC"
    overlap: Annotated[
        Literal["skip", "allow"], Field(description="Whether a job is made while the one before still goes on.")
    ] = "skip"
    job: Scheduled


class SchedulePatch(BaseModel):
    """What may change of a schedule."""

    model_config = ConfigDict(extra="forbid", strict=True)

    paused: bool


class RetryRequest(BaseModel):
    """The key of the job that is to be made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: Annotated[str, AfterValidator(_key)]


class TenantQuery(BaseModel):
    """Which team's."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str | None, Field(description="A team's name; by default the token's own.")] = None


class HealthQuery(BaseModel):
    """What to look at."""

    model_config = ConfigDict(extra="forbid")

    database: Annotated[bool, Field(description="Also whether the database answers.")] = True


class EventQuery(BaseModel):
    """What to hear of a job."""

    model_config = ConfigDict(extra="forbid")

    log: Annotated[bool, Field(description="Also what it prints, as events `log`.")] = False
    after: Annotated[int, Field(ge=0, lt=2**50, description="Of its output, what comes after so many bytes.")] = 0


class PieceQuery(BaseModel):
    """Where in the output a piece belongs."""

    model_config = ConfigDict(extra="forbid")

    offset: Annotated[int, Field(ge=0, lt=2**50, description="How many bytes were printed before it.")]


class JobQuery(BaseModel):
    """Which jobs, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str | None, Field(description="One team's only; by default all of the token's.")] = None
    mine: Annotated[bool, Field(description="Only one's own.")] = False
    state: Annotated[list[JobState], Field(description="In one of these states; may come several times.")] = []
    text: Annotated[str, Field(max_length=200, description="Something in the name or command, or a whole id.")] = ""
    id: Annotated[
        list[str], Field(max_length=MOST_AT_ONCE, description="With one of these ids; may come several times.")
    ] = []
    sweep: Annotated[str | None, Field(max_length=64, description="Of this sweep.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 50
    before: Annotated[str | None, Field(description="Those after this one: `next` of the page before.")] = None


class LogQuery(BaseModel):
    """Whose log."""

    model_config = ConfigDict(extra="forbid")

    attempt: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="The attempt; by default the last.")] = None


class MetricsQuery(BaseModel):
    """Which of a job's metrics."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str | None, Field(max_length=LONGEST_NAME, description="One metric; by default all.")] = None
    attempt: Annotated[int | None, Field(ge=1, le=2**31 - 1, description="One attempt; by default all.")] = None
    since: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="`cursor` of an earlier answer: only what came after it.")
    ] = 0
    points: Annotated[
        int, Field(ge=10, le=MOST_POINTS, description="Of each series at most so many, thinned to that.")
    ] = MOST_POINTS


class ScheduleQuery(BaseModel):
    """Which schedules, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str | None, Field(description="One team's only; by default all of the token's.")] = None
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 50
    before: Annotated[str | None, Field(description="Those after this one: `next` of the page before.")] = None


class PreviewQuery(BaseModel):
    """When a schedule would submit."""

    model_config = ConfigDict(extra="forbid")

    cron: Cron
    time_zone: TimeZone = "UTC"
    count: Annotated[int, Field(ge=1, le=10, description="How many times at most.")] = 3


def parse(model: type[Model], body: bytes) -> Model:
    """``body`` as ``model``. Raises ServiceError (400) that names the first wrong field and says what is wrong."""
    return checked(model, read_body(body))


def read_body(body: bytes) -> Any:
    """The JSON value of a request's body. Raises ServiceError (400)."""
    try:
        return read_json(body)
    except BadJson as error:
        raise bad_json(error) from error


def checked(model: type[Model], value: Any) -> Model:
    """A JSON value as ``model``. Raises ServiceError (400) that names the first wrong field and says what is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _first_problem(error.errors(include_url=False, include_context=False), model) from error


def bad_json(error: BadJson) -> ServiceError:
    """The answer to a body that can't be read."""
    place = error.field or "body"
    return bad_field(place, f"{place}: {error.problem}.")


def artifact_name(text: str) -> str:
    """A file's path below a job's work folder. Raises ServiceError (400)."""
    if problem := path_problem(text):
        raise bad_field("name", f"{ascii(text)[:80]}: {problem}.")
    return text


def parse_query(model: type[Model], arguments: Mapping[str, Sequence[bytes]]) -> Model:
    """A URL's parameters as ``model``: of one that comes twice the last counts, unless a list is wanted.

    Raises ServiceError (400) that names the parameter.
    """
    given: dict[str, Any] = {}
    for name, values in arguments.items():
        texts = [_query_text(name, value) for value in values]
        about = model.model_fields.get(name)
        many = about is not None and get_origin(about.annotation) is list
        given[name] = [part for text in texts for part in text.split(",") if part] if many else texts[-1]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _first_problem(error.errors(include_url=False, include_context=False), model) from error


def _query_text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise bad_field(ascii(name)[1:-1][:80], "The parameter is not UTF-8.") from error
    if found := unprintable(text):
        raise bad_field(name, f"The parameter {name} has the control character {found}.")
    return text


def _first_problem(problems: list[Any], model: type[BaseModel]) -> ServiceError:
    problem = problems[0]
    place = ".".join(str(part) for part in problem["loc"])
    if not place:
        return bad_field("body", f"The request's body is not a JSON object of the right form: {problem['msg']}.")
    # Only what was given, cut short: an echo of a large value helps nobody.
    given = json.dumps(problem["input"], default=str)[:80]
    said = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return bad_field(place, f"There is no field {place!r}. Fields: {known}.")
    if problem["type"] == "missing":
        return bad_field(place, f"The field {place!r} is missing.")
    if place.startswith(("environment", "value")):
        return bad_field(place, f"{place}: {said}.")  # values may be secrets
    return bad_field(place, f"{place} is {given}: {said}.")
