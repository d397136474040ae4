"""Removes runs of pipelines once their time is over, with what their triggers heard."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ...domain.run_retention import removable
from ...registry.model import JobsConfig
from ...store.kept_runs import KeptRuns, Place
from ..executors import reconciling

log = logging.getLogger(__name__)

# A run has at most some hundred steps, which are removed in the same transaction.
_AT_ONCE = 20
_BATCHES = 20
_CALLS_AT_ONCE = 200


class RunRetention:
    """Runs are kept as long after their end as the registry says, and longer while something refers to them."""

    def __init__(self, limits: Callable[[], JobsConfig], runs: KeptRuns, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._runs = runs
        self._clock = clock
        # Behind this one the next call goes on: what is kept does not keep others from being looked at.
        self._after: Place | None = None

    async def tick(self) -> None:
        """Remove what is due, the oldest first, some hundred at most."""
        keep = self._limits().keep_runs
        before = self._clock() - keep
        for _ in range(_BATCHES):
            removed = await reconciling.run(self._batch, before)
            if removed:
                shown = ", ".join(removed)
                log.info("%d runs of pipelines removed: they ended more than %d s ago: %s", len(removed), keep, shown)
            if self._after is None:
                break
        calls = await reconciling.run(self._forget_calls, before)
        if calls:
            log.info("%d calls and changes of triggers removed: they are older than %d s", calls, keep)

    def _batch(self, before: float) -> tuple[str, ...]:
        """Look at the next few runs; those that were removed."""
        found = self._runs.ended(before=before, after=self._after, limit=_AT_ONCE)
        self._after = found[-1] if len(found) == _AT_ONCE else None
        due = removable(self._runs.references([run for _, run in found])) if found else ()
        if due:
            self._runs.remove(due)
        return due

    def _forget_calls(self, before: float) -> int:
        return self._runs.forget_calls(before=before, limit=_CALLS_AT_ONCE)
