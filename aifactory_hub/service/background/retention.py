"""Removes what jobs left once its time is over; their records stay."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ...registry.model import JobsConfig
from ...store import Deliveries, Jobs, Outbox
from ...store.files import JOURNAL, LEDGER_JOURNAL
from ...store.job_files import JobFiles
from ..executors import reconciling

log = logging.getLogger(__name__)

_AT_ONCE = 200
_KEEP_MESSAGES = 30 * 86400.0
# Events of jobs that every consumer has passed: so long it can be seen what they were.
_KEEP_EVENTS = 7 * 86400.0
# A backup of the database that is older than this is not made whole any more.
_KEEP_JOURNAL = 30 * 86400.0


@dataclass(frozen=True)
class Retention:
    """Inputs, logs with metrics, and artifacts, each kept as long after a job's end as the registry says."""

    limits: Callable[[], JobsConfig]
    jobs: Jobs
    files: JobFiles
    deliveries: Deliveries
    clock: Callable[[], float]

    async def tick(self) -> None:
        """Remove what is due, the oldest first, a few hundred at a time."""
        await reconciling.run(self._tick)

    def _tick(self) -> None:
        limits = self.limits()
        kept = {"inputs": limits.keep_inputs, "log": limits.keep_logs, "artifacts": limits.keep_artifacts}
        now = self.clock()
        for kind, seconds in kept.items():
            old = self.jobs.kept_past(kind, before=now - seconds, limit=_AT_ONCE)
            for job in old:
                if kind == "log":  # what a job reported of itself is kept as long as what it printed
                    self.jobs.metrics.forget(job.id)
                self.files.drop(job.id, kind, now=now)
            if old:
                log.info("%s of %d jobs removed: they ended more than %d s ago", kind, len(old), seconds)
        self.deliveries.forget(before=now - _KEEP_MESSAGES)
        Outbox(self.jobs.db).forget(before=now - _KEEP_EVENTS)
        for journal in (JOURNAL, LEDGER_JOURNAL):
            self.files.files.journal_drop(older_than=now - _KEEP_JOURNAL, of=journal)
