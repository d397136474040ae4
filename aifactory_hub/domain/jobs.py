"""Jobs: what may be submitted, and what state the facts put a job in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aifactory_profiles import Catalogue, Profile

from .refusals import Refusal, RefusalReason
from .spawns import choose_profile
from .tenants import Tenant
from .tickets import Ticket, TicketState

# A Kubernetes container gets its command in its pod's spec, which etcd limits to 1.5 MiB in all.
LONGEST_COMMAND = 32 * 1024
LONGEST_NAME = 100


class JobState(StrEnum):
    """PENDING is recorded, QUEUED waits for quota, STARTING has it, RUNNING runs; the other three are final."""

    PENDING = "PENDING"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a person submits. ``key`` is the idempotency key: the same key from the same user is the same job."""

    command: str
    profile: str | None
    name: str | None = None
    key: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What will run, where, and with what."""

    tenant: Tenant
    profile: Profile
    command: str
    name: str
    environment: Mapping[str, str]


def plan_job(request: JobRequest, tenant: Tenant, catalogue: Catalogue) -> JobPlan | Refusal:
    """Whether the job may be queued at all. A job that must wait for quota is queued, not refused;
    one that the team can never hold is refused at once."""
    if not request.command.strip():
        return Refusal(RefusalReason.BAD_FIELD, "The command is empty: say what to run.", field="command")
    if len(request.command) > LONGEST_COMMAND:
        message = f"The command is longer than {LONGEST_COMMAND} characters: put it into a file and run that."
        return Refusal(RefusalReason.TOO_LARGE, message, field="command")
    name = request.name or request.command.strip().splitlines()[0][:LONGEST_NAME]
    if len(name) > LONGEST_NAME:
        message = f"The name is longer than {LONGEST_NAME} characters."
        return Refusal(RefusalReason.TOO_LARGE, message, field="name")
    profile = choose_profile(request.profile, tenant, catalogue)
    if isinstance(profile, Refusal):
        return profile
    for device, asked in profile.takes.items():
        limit = tenant.quota.limit(device)
        if asked > limit:
            message = (
                f"Profile {profile.name} asks {asked} of {device}; team {tenant.name} can hold {limit} at most, "
                "so this job could never start."
            )
            return Refusal(
                RefusalReason.NEVER_FITS,
                message,
                field="profile",
                resource=device.resource,
                flavor=device.flavor,
                asked=asked,
                used=0,
                limit=limit,
            )
    return JobPlan(tenant, profile, request.command, name, dict(request.environment))


@dataclass(frozen=True, slots=True)
class JobRun:
    """What the engine says of a job's run in the tenant: ``exists`` False only when the tenant's API said so.

    ``state`` is PENDING (no pod yet), RUNNING, SUCCEEDED or FAILED.
    """

    exists: bool
    uid: str | None = None
    state: JobState = JobState.PENDING
    exit_code: int | None = None
    reason: str | None = None
    pod: str | None = None


class JobStep(StrEnum):
    """What to do next for a job. Each step can be repeated without harm."""

    FILE_TICKET = "file-ticket"
    WAIT = "wait"
    CREATE_RUN = "create-run"
    STOP_RUN = "stop-run"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class JobDecision:
    """The state that the job is in now, why, and the next step."""

    state: JobState
    step: JobStep
    reason: str | None = None
    exit_code: int | None = None


def decide_job(
    state: JobState, *, cancel_asked: bool, run_created: bool, ticket: Ticket | None, run: JobRun | None
) -> JobDecision:
    """The next step for a live job. ``ticket`` or ``run`` None means unknown (its API did not answer): wait.

    ``run_created`` is what we recorded: that the run was created once. A run that was and is no more ended
    without a word, which is a failure; one that never was is created.
    """
    if run is not None and run.state in (JobState.SUCCEEDED, JobState.FAILED):
        return JobDecision(run.state, JobStep.FINISH, run.reason, run.exit_code)
    if cancel_asked:
        if run is None:
            return JobDecision(state, JobStep.WAIT, "cancelling; the team's vCluster does not answer now")
        step = JobStep.STOP_RUN if run.exists else JobStep.FINISH
        return JobDecision(JobState.CANCELLED if step is JobStep.FINISH else state, step, "cancelled")
    if ticket is None:
        return JobDecision(state, JobStep.WAIT, "the cluster does not answer now")
    return _decide_by_ticket(state, run_created, ticket, run)


def _decide_by_ticket(state: JobState, run_created: bool, ticket: Ticket, run: JobRun | None) -> JobDecision:
    if ticket.state is TicketState.GONE and not run_created:
        return JobDecision(JobState.PENDING, JobStep.FILE_TICKET)
    if ticket.state is TicketState.QUEUED and not run_created:
        return JobDecision(JobState.QUEUED, JobStep.WAIT, ticket.message or "waiting for quota")
    if run is None:
        return JobDecision(state, JobStep.WAIT, "the team's vCluster does not answer now")
    if ticket.state is TicketState.EVICTED:
        step = JobStep.STOP_RUN if run.exists else JobStep.FINISH
        reason = f"stopped to give its quota back: {ticket.message}"
        return JobDecision(JobState.FAILED if step is JobStep.FINISH else state, step, reason)
    if run.exists:
        shown = JobState.RUNNING if run.state is JobState.RUNNING else JobState.STARTING
        return JobDecision(shown, JobStep.WAIT, run.reason)
    if run_created:
        return JobDecision(JobState.FAILED, JobStep.FINISH, "its run was removed from the team's vCluster")
    if ticket.state is TicketState.FINISHED:
        # A ticket that is over holds no quota any more: a run on it would take what is another's.
        return JobDecision(JobState.FAILED, JobStep.FINISH, "its ticket ended before it could run")
    return JobDecision(JobState.STARTING, JobStep.CREATE_RUN)
