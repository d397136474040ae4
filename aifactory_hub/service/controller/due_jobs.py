"""When each live job is looked at next, so that ten thousand jobs that only run cost next to nothing."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from ...domain.jobs import JobState
from ...store import JobRecord

# A job that waits for something that tells nobody, such as a person's own limit or a vCluster that is away, in seconds.
# A job that is held for an approval is looked at this often, in seconds.
_HELD = 60.0
_AGAIN = 5.0


@dataclass
class DueJobs:
    """One tenant's live jobs and when each is due, by the caller's monotonic clock. Rebuilt from the database at any
    time: nothing is lost with it."""

    _due: dict[str, float] = field(default_factory=dict)
    _queue: list[tuple[float, str]] = field(default_factory=list)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._due

    def __len__(self) -> int:
        return len(self._due)

    def put(self, job_id: str, at: float, *, sooner: bool = False) -> None:
        """The job is due ``at``; with ``sooner`` only if that is earlier than what was said before."""
        known = self._due.get(job_id)
        if known is None or at < known or (at > known and not sooner):
            self._due[job_id] = at
            heapq.heappush(self._queue, (at, job_id))

    def drop(self, job_id: str) -> None:
        """It needs no look any more."""
        self._due.pop(job_id, None)

    def jobs(self) -> list[str]:
        """All of them."""
        return list(self._due)

    def next(self) -> float | None:
        """When the first one is due; None without any."""
        while self._queue and self._due.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def due(self, now: float) -> list[str]:
        """Those whose time has come, in its order. They stay until something else is said of them."""
        found: list[str] = []
        while (at := self.next()) is not None and at <= now:
            found.append(heapq.heappop(self._queue)[1])
        for job_id in found:
            heapq.heappush(self._queue, (self._due[job_id], job_id))
        return found


def pause_after(job: JobRecord, *, quiet: float, tick: float, now: float) -> float:
    """Seconds until a job that could go no further is looked at again, if nothing is heard of it before.

    ``quiet`` is for what tells of its changes: a run by the watch of the host's pods, a ticket by that of tickets.
    """
    if (
        job.state.final
        or job.current.kind is not None
        or job.state is JobState.STARTING
        or job.cancel_asked_at is not None
    ):
        return tick
    if job.suspend_asked_at is not None and job.state is not JobState.SUSPENDED:
        return tick
    if job.current.report is not None:
        return tick  # its command has ended: whoever waits for it waits for what the cluster says of that
    if job.unreachable is not None:
        return min(_AGAIN, quiet)
    if job.state is JobState.HELD:
        return min(_HELD, quiet)  # a vote wakes it; only its time ends unheard
    if job.state is JobState.PENDING:
        held = (job.not_before or now) - now
        return min(held, quiet) if held > 0 else min(_AGAIN, quiet)
    # What has steps is told by its engine's controller, a moment after its pods.
    return min(_AGAIN, quiet) if job.current.steps else quiet
