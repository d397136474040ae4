"""What is stored of a job, as values that leave the database session behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..domain.jobs import JobState, Priority, run_id


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
    """Which jobs to list. ``states`` empty: all; ``text`` is looked for in name and command, or is a whole id."""

    owner: str | None = None
    states: tuple[JobState, ...] = ()
    text: str = ""
    sweep: str | None = None
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. All times are epoch seconds, None for what has not happened.

    ``attempt`` counts from 1; ``history`` tells of the attempts before it. ``not_before`` holds the next one back.
    ``ending`` says that the attempt is being ended, and how the job goes on: written before anything is removed.
    ``run_intended_at`` is written before the attempt's run is created and ``run_created_at`` once the tenant's API
    has shown it, so a crash between the two leaves a record that says: look first, then create under the same name.
    ``backend`` is the engine, None in jobs of old services for their first one; ``steps`` are its run's, see
    domain.jobs.RunStep.
    ``cleaned_at`` is when the run was removed and the ticket given back; until then the job needs attention,
    even if its state is final. ``unreachable_since`` says since when the cluster can't be asked about it, which is
    no state: nothing is known, so nothing is concluded. ``revision`` counts the record's changes.
    """

    id: str
    tenant: str
    owner: str
    name: str
    command: str
    profile: str
    key: str
    request_digest: str
    submitted_at: float
    environment: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    input_sha256: str | None = None
    input_size: int = 0
    backend: str | None = None
    image: str | None = None
    priority: str = Priority.NORMAL.value
    max_seconds: int | None = None
    max_retries: int = 0
    retry_backoff: float = 30.0
    notify: tuple[str, ...] = ()
    nodes: int = 1
    template: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] | None = None
    retry_of: str | None = None
    schedule: str | None = None
    sweep: str | None = None
    state: JobState = JobState.PENDING
    reason: str | None = None
    exit_code: int | None = None
    attempt: int = 1
    retries_used: int = 0
    preemptions: int = 0
    not_before: float | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    ending: Mapping[str, Any] | None = None
    unreachable_since: float | None = None
    unreachable: str | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    progress_percent: float | None = None
    eta_seconds: float | None = None
    metrics: Mapping[str, Any] | None = None
    progress_at: float | None = None
    cancel_asked_at: float | None = None
    cancel_asked_by: str | None = None
    suspend_asked_at: float | None = None
    suspend_asked_by: str | None = None
    token_hash: str | None = None
    run_intended_at: float | None = None
    run_created_at: float | None = None
    run_uid: str | None = None
    queued_at: float | None = None
    starting_at: float | None = None
    running_at: float | None = None
    finished_at: float | None = None
    cleaned_at: float | None = None
    log_size: int | None = None
    log_sha256: str | None = None
    report: Mapping[str, Any] | None = None
    inputs_dropped_at: float | None = None
    log_dropped_at: float | None = None
    artifacts_dropped_at: float | None = None
    revision: int = 1

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


def attempt_told(job: JobRecord, now: float) -> dict[str, Any]:
    """The job's attempt, which is over, as an entry of its ``history``."""
    ending = job.ending or {}
    return {
        "attempt": job.attempt,
        "kind": ending.get("kind"),
        "reason": ending.get("reason"),
        "exit_code": ending.get("exit_code"),
        "running_at": job.running_at,
        "ended_at": ending.get("at", now),
        "log_size": job.log_size,
    }
