"""Jobs: what may be submitted, and what state the facts put a job in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aifactory_profiles import Catalogue, Profile

from ..untrusted.texts import escaped, utf8_size
from .blocked_pods import REFUSED_GRACE, Blocked
from .engines import EngineChoice, EngineFacts, choose_engine
from .refusals import Refusal, RefusalReason
from .spawns import choose_profile
from .tenants import Tenant
from .tickets import Repair, Ticket, TicketState, repair_of

# A Kubernetes container gets its command in its pod's spec, which etcd limits to 1.5 MiB in all.
# Bytes as UTF-8: Linux takes 128 KiB for one argument, with the NUL at its end.
LONGEST_COMMAND = 96 * 1024
LONGEST_NAME = 100


class JobState(StrEnum):
    """HELD waits for an approval, PENDING is recorded, QUEUED waits for quota, STARTING has it, RUNNING runs, SUSPENDED
    waits for its owner; the other three are final. Of a job that is HELD nothing exists on the cluster."""

    HELD = "HELD"
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


_ENDS = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
# Where a job may go from each state. Nothing leads out of a final one. What ran goes back to PENDING only with a new
# attempt, never to QUEUED or STARTING. From PENDING and QUEUED a job may be seen to run or to be over at once: the
# database may have been restored from before its run was created.
TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.HELD: frozenset({JobState.PENDING, JobState.FAILED, JobState.CANCELLED}),
    JobState.PENDING: _ENDS | {JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.SUSPENDED},
    JobState.QUEUED: _ENDS | {JobState.PENDING, JobState.STARTING, JobState.RUNNING, JobState.SUSPENDED},
    JobState.STARTING: _ENDS | {JobState.PENDING, JobState.QUEUED, JobState.RUNNING, JobState.SUSPENDED},
    JobState.RUNNING: _ENDS | {JobState.PENDING, JobState.SUSPENDED},
    JobState.SUSPENDED: frozenset({JobState.PENDING, JobState.FAILED, JobState.CANCELLED}),
    **{end: frozenset() for end in _ENDS},
}


def sources(target: JobState) -> frozenset[JobState]:
    """The states from which a job may come to ``target``; staying where it is counts, unless that is final."""
    return frozenset(
        state for state in JobState if not state.final and (state is target or target in TRANSITIONS[state])
    )


class Priority(StrEnum):
    """How urgent a job is among its tenant's. No job is as urgent as a notebook: a person waits for that one."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


# A retry waits twice as long as the one before it, up to this many seconds.
LONGEST_BACKOFF = 3600.0


def backoff(base: float, used: int) -> float:
    """Seconds to wait before the retry that follows ``used`` retries."""
    return min(base * 2.0 ** min(used, 60), LONGEST_BACKOFF)


def run_id(job_id: str, attempt: int) -> str:
    """The id of an attempt's run: the job's own for the first. Job ids end in hex digits, so no two jobs share one."""
    return job_id if attempt == 1 else f"{job_id}r{attempt}"


def job_of(run: str) -> str:
    """The job that a run belongs to; the other way of ``run_id``."""
    return run.partition("r")[0]


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a person asks for, as far as it decides whether the job may be queued."""

    command: str
    profile: str | None
    name: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    engine: str | None = None
    nodes: int = 1
    template: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    files: bool = False


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What will run, where, and with what."""

    tenant: Tenant
    profile: Profile
    command: str
    name: str
    environment: Mapping[str, str]
    engine: EngineFacts
    nodes: int = 1


def plan_job(
    request: JobRequest, tenant: Tenant, catalogue: Catalogue, engines: Mapping[str, EngineFacts]
) -> JobPlan | Refusal:
    """Whether the job may be queued at all. A job that must wait for quota is queued, not refused;
    one that the team can never hold is refused at once."""
    engine = choose_engine(_engine_choice(request), engines)
    if isinstance(engine, Refusal):
        return engine
    if engine.runs_commands and not request.command.strip():
        return Refusal(RefusalReason.BAD_FIELD, "The command is empty: say what to run.", field="command")
    if utf8_size(request.command) > LONGEST_COMMAND:
        message = f"The command is longer than {LONGEST_COMMAND} bytes: put it into a file and run that."
        return Refusal(RefusalReason.TOO_LARGE, message, field="command")
    name = request.name or _name_of(request.command.strip() or str(request.template))
    if len(name) > LONGEST_NAME:
        message = f"The name is longer than {LONGEST_NAME} characters."
        return Refusal(RefusalReason.TOO_LARGE, message, field="name")
    profile = choose_profile(request.profile, tenant, catalogue)
    if isinstance(profile, Refusal):
        return profile
    too_much = never_fits(tenant, profile, request.nodes)
    if too_much is not None:
        return too_much
    return JobPlan(tenant, profile, request.command, name, dict(request.environment), engine, request.nodes)


def _name_of(command: str) -> str:
    """A command's first line, as a name: nothing in it moves a cursor or turns the direction of text."""
    return escaped(command.splitlines()[0])[:LONGEST_NAME]


def _engine_choice(request: JobRequest) -> EngineChoice:
    return EngineChoice(
        request.engine, request.nodes, request.template, request.parameters, request.command, request.files
    )


def never_fits(tenant: Tenant, profile: Profile, nodes: int) -> Refusal | None:
    """The first device of which ``nodes`` of the profile take more than the team can ever hold."""
    for device, each in profile.takes.items():
        asked, limit = each * nodes, tenant.quota.limit(device)
        if asked > limit:
            on = f" on {nodes} nodes" if nodes > 1 else ""
            message = (
                f"Profile {profile.name}{on} asks {asked} of {device}; team {tenant.name} can hold {limit} at most, "
                "so this could never start."
            )
            return Refusal(
                RefusalReason.NEVER_FITS,
                message,
                field="nodes" if nodes > 1 and each <= limit else "profile",
                resource=device.resource,
                flavor=device.flavor,
                asked=asked,
                used=0,
                limit=limit,
            )
    return None


class StepState(StrEnum):
    """WAITING is for somebody's approval."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step of a run that has several, or one of its nodes. Times are RFC 3339, as the engine has them."""

    name: str
    state: StepState
    reason: str | None = None
    started: str | None = None
    finished: str | None = None
    pod: str | None = None

    def to_json(self) -> dict[str, str | None]:
        return {f: getattr(self, f) for f in ("name", "state", "reason", "started", "finished", "pod")}


@dataclass(frozen=True, slots=True)
class JobRun:
    """What the engine says of an attempt's run: ``exists`` False only when the tenant's API said so. ``reason`` of one
    that does not exist is why it may have gone, where the engine knows.

    ``state`` is PENDING (no pod yet), RUNNING, SUCCEEDED or FAILED; ``overdue`` says that it ran longer than it may.
    ``blocked`` says that it has not started for a ``reason`` that may last, or, with ``blocked_after``, that a step of
    it has not, which was to begin so many seconds after the run was made: the cluster's clock is compared with itself
    only. ``steps`` are in the order of their begin. ``nodes`` are the cluster's nodes that its pods are on, by name.
    """

    exists: bool
    uid: str | None = None
    state: JobState = JobState.PENDING
    exit_code: int | None = None
    reason: str | None = None
    pod: str | None = None
    overdue: bool = False
    blocked: Blocked | None = None
    blocked_after: float | None = None
    steps: tuple[RunStep, ...] = ()
    nodes: tuple[str, ...] = ()


class JobStep(StrEnum):
    """What to do next for a job. Each step can be repeated without harm."""

    FILE_TICKET = "file-ticket"
    WAIT = "wait"
    HOLD_TICKET = "hold-ticket"
    CREATE_RUN = "create-run"
    STOP_RUN = "stop-run"
    END_ATTEMPT = "end-attempt"
    FINISH = "finish"


class EndKind(StrEnum):
    """Why an attempt ends while the job goes on."""

    PREEMPTED = "preempted"
    RETRY = "retry"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class JobDecision:
    """The state that the job is in now, why, and the next step.

    ``kind`` is set with END_ATTEMPT. ``unknown`` says what could not be asked: the job then stays as it is.
    """

    state: JobState
    step: JobStep
    reason: str | None = None
    exit_code: int | None = None
    kind: EndKind | None = None
    unknown: str | None = None


def decide_job(
    state: JobState,
    *,
    cancel_asked: bool,
    run_created: bool,
    ticket: Ticket | None,
    run: JobRun | None,
    suspend_asked: bool = False,
    held_back: str | None = None,
    retries_left: int = 0,
    starting_for: float = 0.0,
    start_timeout: float = 600.0,
) -> JobDecision:
    """The next step for a live job. ``ticket`` or ``run`` None means unknown (its API did not answer): wait.

    ``starting_for`` is how long it has had its devices, in seconds: a run that is blocked gives them back after
    ``start_timeout``, or sooner where nothing but a change of rules would help.

    ``run_created`` is what we recorded: that the attempt's run was created once. A run that was and is no more ended
    without a word, which is a failure; one that never was is created. ``held_back`` says until when a retry waits.
    """
    if state is JobState.HELD:
        # Its approval alone lets it go on: see service.job_approvals.
        over = cancel_asked and run is not None and not run.exists
        return JobDecision(JobState.CANCELLED, JobStep.FINISH) if over else JobDecision(state, JobStep.WAIT)
    if run is not None and run.state is JobState.SUCCEEDED:
        return JobDecision(run.state, JobStep.FINISH, run.reason, run.exit_code)
    if run is not None and run.state is JobState.FAILED:
        # What ran longer than it may would do so again.
        again = retries_left > 0 and not cancel_asked and not run.overdue
        return _failed(state, run.reason, again=again, exit_code=run.exit_code)
    if cancel_asked:
        if run is None:
            return JobDecision(state, JobStep.WAIT, unknown=_TENANT_SILENT)
        step = JobStep.STOP_RUN if run.exists else JobStep.FINISH
        return JobDecision(JobState.CANCELLED if step is JobStep.FINISH else state, step, "cancelled")
    if ticket is None:
        return JobDecision(state, JobStep.WAIT, unknown="the cluster does not answer now")
    if suspend_asked:
        return _decide_suspension(state, run_created, ticket, run)
    if held_back is not None and ticket.state is TicketState.GONE and not run_created:
        return JobDecision(JobState.PENDING, JobStep.WAIT, held_back)
    if run is not None and _never_starts(state, ticket, run, starting_for, start_timeout):
        # Another attempt would meet the same.
        return JobDecision(JobState.FAILED, JobStep.FINISH, f"it could not start: {run.reason}")
    return _decide_by_ticket(state, run_created, ticket, run, again=retries_left > 0)


def _never_starts(state: JobState, ticket: Ticket, run: JobRun, waited: float, most: float) -> bool:
    if ticket.state is TicketState.EVICTED or not run.exists or run.blocked is None:
        return False
    if state is JobState.RUNNING and run.blocked_after is None:
        return False
    return waited > (min(most, REFUSED_GRACE) if run.blocked is Blocked.REFUSED else most)


_TENANT_SILENT = "the team's vCluster does not answer now"


def _failed(state: JobState, reason: str | None, *, again: bool, exit_code: int | None = None) -> JobDecision:
    if again:
        return JobDecision(state, JobStep.END_ATTEMPT, reason, exit_code, EndKind.RETRY)
    return JobDecision(JobState.FAILED, JobStep.FINISH, reason, exit_code)


def _decide_suspension(state: JobState, run_created: bool, ticket: Ticket, run: JobRun | None) -> JobDecision:
    if run is None:
        return JobDecision(state, JobStep.WAIT, unknown=_TENANT_SILENT)
    if ticket.state is TicketState.GONE and not run.exists:
        if run_created:
            return JobDecision(state, JobStep.END_ATTEMPT, "suspended", kind=EndKind.SUSPENDED)
        return JobDecision(JobState.SUSPENDED, JobStep.WAIT, "suspended")
    return JobDecision(state, JobStep.END_ATTEMPT, "suspended", kind=EndKind.SUSPENDED)


def _uncounted(state: JobState, ticket: Ticket) -> JobDecision | None:
    """What to do about a run on which no ticket counts, because somebody deleted or ended it; None when one does."""
    match repair_of(ticket):
        case Repair.FILE:
            return JobDecision(state, JobStep.FILE_TICKET, "its ticket was deleted while it ran: a new one is filed")
        case Repair.HOLD:
            return JobDecision(state, JobStep.HOLD_TICKET, "its new ticket is held")
        case Repair.GIVE_WAY:
            reason = f"stopped, because its ticket was deleted and its devices are needed elsewhere: {ticket.message}"
            return JobDecision(state, JobStep.END_ATTEMPT, reason, kind=EndKind.PREEMPTED)
    return None


def _decide_by_ticket(
    state: JobState, run_created: bool, ticket: Ticket, run: JobRun | None, *, again: bool
) -> JobDecision:
    if ticket.state is TicketState.GONE and not run_created:
        return JobDecision(JobState.PENDING, JobStep.FILE_TICKET)
    if ticket.state is TicketState.QUEUED and not run_created:
        return JobDecision(JobState.QUEUED, JobStep.WAIT, ticket.message or "waiting for quota")
    if run is None:
        return JobDecision(state, JobStep.WAIT, unknown=_TENANT_SILENT)
    if ticket.state is TicketState.EVICTED:
        reason = f"stopped to give its quota back: {ticket.message}"
        return JobDecision(state, JobStep.END_ATTEMPT, reason, kind=EndKind.PREEMPTED)
    if run.exists:
        if (uncounted := _uncounted(state, ticket)) is not None:
            return uncounted
        # Its pod may be out of sight for a moment: what ran has started.
        runs = run.state is JobState.RUNNING or state is JobState.RUNNING
        return JobDecision(JobState.RUNNING if runs else JobState.STARTING, JobStep.WAIT, run.reason)
    if run_created:
        return _failed(state, run.reason or "its run was removed from the team's vCluster", again=again)
    if ticket.state is TicketState.FINISHED:
        # A ticket that is over holds no quota any more: a run on it would take what is another's.
        return _failed(state, "its ticket ended before it could run", again=again)
    return JobDecision(JobState.STARTING, JobStep.CREATE_RUN)


@dataclass(frozen=True, slots=True)
class Onward:
    """How a job goes on after an attempt: PENDING (not before ``not_before``) or SUSPENDED."""

    state: JobState
    reason: str
    not_before: float | None


def after_attempt(kind: EndKind, *, reason: str | None, retries_used: int, base: float, now: float) -> Onward:
    """Where a job goes once nothing of its attempt is left, after ``retries_used`` retries before. A preemption costs
    no retry: it was not its fault."""
    if kind is EndKind.SUSPENDED:
        return Onward(JobState.SUSPENDED, "suspended", None)
    if kind is EndKind.PREEMPTED:
        return Onward(JobState.PENDING, f"preempted: {reason}", None)
    return Onward(JobState.PENDING, f"failed: {reason}", now + backoff(base, retries_used))
