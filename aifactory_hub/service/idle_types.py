"""What is asked and answered about idle servers. As in ``request_types`` and ``answer_types``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from .request_types import Line
from .usage_answer_types import Amount, At, Devices

_MOST_WHAT, _LONGEST_WHAT = 20, 200


def _with_zone(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("say the time zone, as in 2026-11-30T09:12:00+00:00")
    return at


class ActivityReport(BaseModel):
    """What a server says of itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    server: Annotated[Line, Field(max_length=255, description="Its name; empty for the default server.")]
    kind: Literal["lab", "code", "marimo", "command"]
    busy: Annotated[bool, Field(description="Whether something in it works now.")]
    last_used: Annotated[
        datetime, Field(strict=False, description="When something last worked in it."), AfterValidator(_with_zone)
    ]
    what: Annotated[
        list[Annotated[Line, Field(max_length=_LONGEST_WHAT)]],
        Field(max_length=_MOST_WHAT, description="What works, in short sentences."),
    ] = []


class KeepRequest(BaseModel):
    """Which server is to stay."""

    model_config = ConfigDict(extra="forbid", strict=True)

    server: Annotated[Line, Field(max_length=255, description="Its name; empty for the default server.")]


class SiteIdleQuery(BaseModel):
    """Whose servers."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(max_length=255, description="The user's name at the hub.")]


Judged = Annotated[
    Literal["busy", "idle", "unknown"], Field(description="Unknown: nobody can say, and nothing follows from it.")
]


class IdleNotice(TypedDict):
    """What is about to happen to an idle server."""

    why: str
    until: At
    stops: Annotated[bool, Field(description="False: the site only tries it out, or only tells.")]
    keep_seconds: int
    keeps_left: int


class ActivityAnswer(TypedDict):
    """What the service thinks of the server. ``watched``: it holds a GPU, and the site looks at such ones."""

    watched: bool
    verdict: Judged
    why: str
    notice: IdleNotice | None


class IdleServer(TypedDict):
    """A server that holds a GPU."""

    tenant: str
    user: str
    server: Annotated[str, Field(description="Null: it has not spoken, so only its pod is known.")] | None
    pod: str
    profile: str
    verdict: Judged
    since: At | None
    why: Annotated[list[str], Field(description="What shows it, sentence by sentence.")]
    notice: IdleNotice | None
    kept_until: At | None
    keeps: int
    simulated: Devices


class IdleActAnswer(TypedDict):
    """One step that was taken."""

    act: Literal["noticed", "kept", "cleared", "would-stop", "stopped", "not-stopped", "used"]
    at: At
    until: At | None
    since: At | None
    tenant: str
    user: str
    server: str
    pod: str
    profile: str
    evidence: list[str]
    note: str
    by: str


class IdleServers(TypedDict):
    """Who holds a GPU and uses it or not. ``trouble`` is why there are no samples now."""

    action: Literal["off", "dry-run", "notify", "stop"]
    after: int
    trouble: str | None
    servers: list[IdleServer]
    acts: list[IdleActAnswer]
    saved_seconds: Annotated[int, Field(description="Of the last 30 days: what stops in a dry run would have saved.")]


class SizeAdvice(TypedDict):
    """A smaller size that would do for what somebody runs."""

    tenant: str
    user: str
    kind: Annotated[str, Field(description="server, job, or pod.")]
    instead_of: str
    profile: str
    text: str
    memory: Annotated[int, Field(description="The most bytes of GPU memory that were in use.")]
    engine: Annotated[float, Field(ge=0, description="How much of the slice's compute was used, without the top 5 %.")]
    month: Amount | None
    gpu_seconds: Annotated[int, Field(description="Of whole GPUs, in 30 days: what others would have.")]
    simulated: Devices


class AdviceAnswer(TypedDict):
    """All advice, and its sums."""

    as_of: At
    currency: str | None
    advice: list[SizeAdvice]
    month: Annotated[Amount, Field(description="A month less, of all whose prices are known.")] | None
    gpu_seconds: int
