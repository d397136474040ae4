"""What is stored of a job, as values that leave the database session behind."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.attempts import Attempt
from ..domain.job_spec import JobSpec
from ..domain.jobs import EndKind, JobState, run_id


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that a job's runner gave back. ``name`` is its path in the job's work folder; ``size`` in bytes."""

    name: str
    size: int
    sha256: str
    created_at: float


@dataclass(frozen=True, slots=True)
class LiveRun:
    """An attempt that may still have something on the cluster."""

    id: str
    tenant: str
    attempt: int

    @property
    def run_id(self) -> str:
        return run_id(self.id, self.attempt)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. ``states`` and ``ids`` empty: all; ``text`` is looked for in name and command, or is a
    whole id."""

    owner: str | None = None
    states: tuple[JobState, ...] = ()
    text: str = ""
    ids: tuple[str, ...] = ()
    sweep: str | None = None
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job: what was asked, its attempts and its state. All times are epoch seconds, None for what has not happened.

    ``attempt`` is the number of the present attempt. ``attempts`` are those that have begun, oldest first: the present
    one joins them with its first step. ``not_before`` holds it back. ``exit_code`` is the last attempt's once the job
    has ended.
    ``cleaned_at`` is when the run was removed and the ticket given back; until then the job needs attention,
    even if its state is final. ``unreachable_since`` says since when the cluster can't be asked about it, which is
    no state: nothing is known, so nothing is concluded. ``revision`` counts the changes of the job and its attempts.
    """

    id: str
    tenant: str
    owner: str
    key: str
    request_digest: str
    submitted_at: float
    spec: JobSpec
    retry_of: str | None = None
    schedule: str | None = None
    state: JobState = JobState.PENDING
    reason: str | None = None
    exit_code: int | None = None
    attempt: int = 1
    attempts: tuple[Attempt, ...] = ()
    not_before: float | None = None
    unreachable_since: float | None = None
    unreachable: str | None = None
    cancel_asked_at: float | None = None
    cancel_asked_by: str | None = None
    cancel_word: str | None = None
    suspend_asked_at: float | None = None
    suspend_asked_by: str | None = None
    finished_at: float | None = None
    cleaned_at: float | None = None
    inputs_dropped_at: float | None = None
    log_dropped_at: float | None = None
    artifacts_dropped_at: float | None = None
    revision: int = 1

    @property
    def current(self) -> Attempt:
        """The present attempt; one of which nothing is known where it has not begun."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.number == self.attempt else Attempt(self.attempt)

    @property
    def earlier(self) -> tuple[Attempt, ...]:
        """The attempts before the present one."""
        return tuple(attempt for attempt in self.attempts if attempt.number < self.attempt)

    def of_number(self, number: int) -> Attempt | None:
        """The attempt of this number, if it has begun."""
        return next((attempt for attempt in self.attempts if attempt.number == number), None)

    @property
    def retries_used(self) -> int:
        """How often it was tried again after a failure."""
        return sum(attempt.kind is EndKind.RETRY for attempt in self.earlier)

    @property
    def preemptions(self) -> int:
        """How often it was stopped to give its devices back."""
        return sum(attempt.kind is EndKind.PREEMPTED for attempt in self.earlier)

    @property
    def run_id(self) -> str:
        """The id of the attempt's run: derived, so that a restarted service looks for the same one."""
        return run_id(self.id, self.attempt)

    @property
    def ticket_name(self) -> str:
        """The attempt's ticket: derived, so that a restarted service asks for the same one."""
        return f"job-{self.run_id}"

    @property
    def live(self) -> bool:
        """Whether something of the job may still be on the cluster."""
        return self.cleaned_at is None
