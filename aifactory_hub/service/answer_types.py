"""The forms of the service's answers. OpenAPI is generated from them, and mypy holds ``answers`` to them.

Typed dictionaries, not models: an answer is made from checked values, so checking it again at run time only costs.
From typing_extensions, because pydantic reads the standard library's ones from Python 3.12 on only.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from ..domain.jobs import EndKind, JobState, Priority, StepState
from ..domain.menu_json import WaitAnswer
from ..domain.metrics import JsonValue

Seconds = Annotated[float, Field(ge=0, description="Seconds.")]
Bytes = Annotated[int, Field(ge=0, description="Bytes.")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 in hexadecimal digits.")]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="UTC, RFC 3339.")]
Money = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$", description="A decimal, in the site's currency.")]
Currency = Annotated[str, Field(description="A code of ISO 4217; null where the site names no currency.")]
Simulated = Annotated[bool, Field(description="Whether the cluster's GPUs are simulated.")]


class NeedAnswer(TypedDict):
    """So many people of a role have to approve."""

    role: str
    count: int


class FindingAnswer(TypedDict):
    """What one rule of the site says."""

    rule: str
    severity: Annotated[str, Field(pattern="^(advisory|soft|hard)$")]
    message: str
    fix: Annotated[str, Field(description="How to mend it.")]
    field: Annotated[str | None, Field(description="The field of the request that it is about.")]
    enforced: Annotated[bool, Field(description="False while the rule is only tried.")]
    refuses: Annotated[bool, Field(description="Whether it stops what is asked.")]
    overridable_by: Annotated[str | None, Field(description="The role that may override it.")]
    override: Annotated[str | None, Field(description="The override by which it passes all the same.")]
    needs: Annotated[list[NeedAnswer], Field(description="Who has to approve; empty: nobody.")]


class Problem(TypedDict):
    """What went wrong, as RFC 9457 has it. ``reason`` is stable, for programs; ``detail`` is a sentence for people.

    A refusal about numbers has them too: ``resource``, ``flavor``, ``asked``, ``used``, ``limit``, ``fits_now``. One by
    the site's rules has what all of them say, and the id under which that is recorded; a dry run's is recorded nowhere.
    """

    type: str
    title: str
    status: int
    detail: str
    reason: str
    field: str | None
    resource: NotRequired[str]
    flavor: NotRequired[str]
    asked: NotRequired[int]
    used: NotRequired[int]
    limit: NotRequired[int]
    fits_now: NotRequired[list[str]]
    findings: NotRequired[list[FindingAnswer]]
    verdict: NotRequired[str]


class Times(TypedDict):
    """When the job came to each state; null for what has not happened."""

    submitted: Moment
    queued: Moment | None
    starting: Moment | None
    running: Moment | None
    finished: Moment | None


class Cost(TypedDict):
    """What a job costs: null where the site sets no price, which is not the same as free.

    ``so_far`` is for the time in which its attempts have had their devices. ``at_most`` is for the longest that the
    present attempt and all retries may still take, and what was before; preemptions may add to it. Of a job that has
    ended it is what it has cost.
    """

    per_hour: Money | None
    currency: Currency | None
    hours: Annotated[
        float, Field(ge=0, description="What ``at_most`` is for: the longest that it may run, with its retries.")
    ]
    at_most: Money | None
    so_far: Money | None


class Unreachable(TypedDict):
    """Since when the cluster can't be asked about the job, and why. What is said of the job is from before."""

    since: Moment
    reason: str


class Progress(TypedDict):
    """What the attempt last said of itself."""

    percent: Annotated[float | None, Field(ge=0, le=100)]
    eta_seconds: Seconds | None
    metrics: Annotated[dict[str, JsonValue], Field(description="The last value of each.")]
    at: Moment


class Retries(TypedDict):
    """How often the job was tried again after a failure, and how often it may be."""

    used: int
    most: int


class CountAnswer(TypedDict):
    """So many devices of one flavor: ``flavor`` names nodes of one GPU model, since slices' names are ambiguous."""

    resource: str
    flavor: str
    count: int


class EarlierAttempt(TypedDict):
    """An attempt that another one followed, and why it ended."""

    attempt: int
    kind: EndKind
    reason: str | None
    exit_code: int | None
    running: Moment | None
    ended: Moment
    log_size: Bytes | None


class AttemptAnswer(TypedDict):
    """An attempt that has begun. Times, and ``nodes``, are null or empty for what has not happened or is not known.

    ``kind`` is null for the last attempt, which no other one follows.
    """

    attempt: Annotated[int, Field(ge=1)]
    kind: EndKind | None
    reason: str | None
    exit_code: int | None
    queued: Moment | None
    starting: Moment | None
    running: Moment | None
    ended: Moment | None
    held_seconds: Annotated[float | None, Field(ge=0, description="How long it had its devices; null before its end.")]
    nodes: Annotated[list[str], Field(description="The cluster's nodes that it was seen on.")]
    devices: Annotated[list[CountAnswer], Field(description="What it holds or held of the team's quota.")]
    log_size: Bytes | None


class OwnJob(TypedDict):
    """A person's job, as the hub's Home page shows it."""

    id: str
    name: str
    tenant: str
    state: JobState
    reason: str | None
    times: Times


class OwnJobs(TypedDict):
    """A person's newest jobs."""

    jobs: list[OwnJob]


class StepAnswer(TypedDict):
    """One step of a job that has several, or one of its nodes."""

    name: str
    state: StepState
    reason: str | None
    started: str | None
    finished: str | None


class JobAnswer(TypedDict):
    """A job as its team mates may see it: of its environment the names only, because values may be secrets."""

    id: str
    name: str
    tenant: str
    owner: str
    command: str
    profile: str
    environment: Annotated[list[str], Field(description="The names of its variables.")]
    outputs: list[str] | None
    files: Annotated[str | None, Field(description="The SHA-256 of what travelled with it.")]
    files_size: Bytes
    state: JobState
    final: Annotated[bool, Field(description="Whether the state will not change any more.")]
    reason: str | None
    exit_code: int | None
    position: Annotated[int | None, Field(description="How many of the team's requests are ahead of it in the queue.")]
    expected_wait: WaitAnswer | None
    cost: Cost | None
    cancel_asked: bool
    cancelled_by: Annotated[str | None, Field(description="Who asked for it to be cancelled, unless it ended before.")]
    cancel_word: Annotated[str | None, Field(description="What they said to its owner.")]
    suspend_asked: bool
    unreachable: Unreachable | None
    attempt: Annotated[int, Field(ge=1, description="Counts up with each retry, preemption and suspension.")]
    retries: Retries
    preemptions: Annotated[int, Field(ge=0, description="How often it was stopped to give its devices back.")]
    history: Annotated[list[EarlierAttempt], Field(description="The attempts before this one.")]
    attempts: Annotated[list[AttemptAnswer], Field(description="All that have begun, the first one first.")]
    priority: Priority
    max_seconds: Annotated[int, Field(description="How long an attempt may run, in seconds.")]
    progress: Progress | None
    retry_of: Annotated[str | None, Field(description="The ended job that this one tries again.")]
    schedule: Annotated[str | None, Field(description="The schedule that submitted it.")]
    sweep: Annotated[str | None, Field(description="What it was submitted together with.")]
    sweep_parameters: Annotated[
        dict[str, bool | int | float | str | None], Field(description="What tells it from the others of its sweep.")
    ]
    engine: Annotated[str, Field(description="What runs it.")]
    nodes: Annotated[int, Field(ge=1, description="How many nodes it has, each with the whole profile.")]
    image: Annotated[str, Field(description="What it runs in.")]
    own_image: Annotated[bool, Field(description="Whether that is the image of the notebook that it came from.")]
    secrets: Annotated[list[str], Field(description="The names of the secrets that it is given.")]
    template: Annotated[str | None, Field(description="What the team has published that it runs.")]
    parameters: Annotated[dict[str, str], Field(description="Of the template.")]
    steps: Annotated[list[StepAnswer], Field(description="Of the attempt's run, in the order of their begin.")]
    times: Times
    log_size: Bytes | None
    left: Annotated[dict[str, str], Field(description="Files that were not brought back, each with why.")]
    simulated: Simulated


class JobPage(TypedDict):
    """Jobs, the newest first. ``next`` is what to pass as ``before`` for those after; null at the end."""

    jobs: list[JobAnswer]
    next: str | None
    simulated: Simulated


class MetricSeries(TypedDict):
    """One metric of one attempt: for each point, in order, its step, its time and its value.

    ``whole`` false: these come after those that an earlier answer had. ``thinned`` true: of the ``reported`` points not
    all are kept or told; the first, the last, the lowest and the highest always are.
    """

    name: str
    attempt: Annotated[int, Field(ge=1)]
    reported: Annotated[int, Field(ge=1, description="How many points were reported in all.")]
    thinned: bool
    whole: bool
    steps: list[int]
    times: Annotated[list[float], Field(description="Seconds since 1970, UTC.")]
    values: list[JsonValue]


class MetricsAnswer(TypedDict):
    """What a job has reported of itself. ``cursor`` is what to pass as ``since`` for what comes after."""

    cursor: int
    series: list[MetricSeries]
    simulated: Simulated


class Verdict(TypedDict):
    """What one check says of a job that is not submitted yet."""

    check: Annotated[str, Field(description='"profile", "quota" or "files".')]
    ok: bool
    detail: str


class DryRun(TypedDict):
    """What would happen if this job were submitted now. Nothing was stored or created.

    ``accepted`` says whether the service would take it; if not, ``refusal`` says why. ``quota_left`` is what the
    team has left now by device, null when the quota engine does not answer. Secret values are left out of
    ``manifest``.
    """

    accepted: bool
    refusal: Problem | None
    verdicts: list[Verdict]
    findings: Annotated[list[FindingAnswer], Field(description="What the site's rules say, also what stops nothing.")]
    profile: str | None
    devices: dict[str, int]
    manifest: list[dict[str, Any]]
    cost: Cost | None
    quota_left: list[CountAnswer] | None
    position: int | None
    expected_wait: WaitAnswer | None
    simulated: Simulated


class ArtifactAnswer(TypedDict):
    """One file that a job gave back."""

    name: str
    size: Bytes
    sha256: Sha256
    created: Moment


class ProvenanceAnswer(TypedDict):
    """Where a job comes from; null for what its client did not say."""

    id: str
    files: str | None
    image: str
    provenance: dict[str, Any] | None


class ArtifactsAnswer(TypedDict):
    """All files that a job gave back."""

    artifacts: list[ArtifactAnswer]
    simulated: Simulated


class DeviceAnswer(TypedDict):
    """What a tenant may hold of one device; ``used`` null when it is not known."""

    resource: str
    flavor: str
    nominal: int
    borrowing: int
    limit: int
    used: int | None


class HolderAnswer(TypedDict):
    """Who holds what."""

    kind: Annotated[str, Field(description='"server" or "job".')]
    owner: str
    user: str
    devices: list[CountAnswer]


class MenuLine(TypedDict):
    """One profile; ``room`` is how many more fit now, null when not known or without a limit."""

    profile: str
    display_name: str
    description: str
    devices: dict[str, int]
    flavor: str
    price_per_hour: Money | None
    currency: Currency | None
    room: int | None


class QuotaAnswer(TypedDict):
    """What the tenant may hold, holds, and what fits now. ``known`` false: the quota engine does not answer."""

    tenant: str
    display_name: str
    known: bool
    devices: list[DeviceAnswer]
    holders: list[HolderAnswer]
    menu: list[MenuLine]
    simulated: Simulated


class TenantsFileAnswer(TypedDict):
    """Whether the service works with tenants.yaml as it is; ``trouble`` says why not, and is empty when it does."""

    digest: Annotated[str, Field(description="SHA-256 of the text that the service works with.")]
    read_at: Annotated[float | None, Field(description="When it was last read, in seconds since 1970.")]
    trouble: str
    waits: Annotated[bool, Field(description="The file is good, and some of its keys take a restart.")]


class HealthAnswer(TypedDict):
    """Whether the service works, and what it can reach."""

    status: str
    version: str
    database: bool | None
    host: NotRequired[bool]
    tenants: NotRequired[int]
    tenants_reachable: NotRequired[int]
    tenants_file: Annotated[str, Field(description='"in use"; "refused" or "waits" while the one before is.')]
    simulated: Simulated
