"""What is stored of a job, as values that leave the database session behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..domain.jobs import JobState


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that a job's runner gave back. ``name`` is its path in the job's work folder; ``size`` in bytes."""

    name: str
    size: int
    sha256: str
    created_at: float


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list. ``states`` empty: all; ``text`` is looked for in name and command, or is a whole id."""

    owner: str | None = None
    states: tuple[JobState, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. All times are epoch seconds, None for what has not happened.

    ``run_intended_at`` is written before the run is created and ``run_created_at`` once the tenant's API has
    shown it, so a crash between the two leaves a record that says: look first, then create under the same name.
    ``cleaned_at`` is when the run was removed and the ticket given back; until then the job needs attention,
    even if its state is final.
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
    state: JobState = JobState.PENDING
    reason: str | None = None
    exit_code: int | None = None
    token_hash: str | None = None
    cancel_asked_at: float | None = None
    cancel_asked_by: str | None = None
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

    @property
    def ticket_name(self) -> str:
        """The job's ticket: derived, so that a restarted service asks for the same one."""
        return f"job-{self.id}"

    @property
    def live(self) -> bool:
        """Whether something of the job may still be on the cluster."""
        return self.cleaned_at is None
