"""Counts what releases are asked, in memory first: one write for all of a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ...domain.deployment_usage import Minute, minute_of, share_of
from ...domain.deployments import Release
from ...domain.release_steps import Share
from ...store.deployments import Deployments


class RequestCounter:
    """Of this process, which alone asks releases."""

    def __init__(self, stored: Deployments, clock: Callable[[], float]) -> None:
        self._stored = stored
        self._clock = clock
        self._pending: dict[tuple[str, int], Minute] = {}
        self._turn = threading.Lock()

    def note(self, release: str, millis: float, *, failed: bool) -> None:
        """One request."""
        minute = minute_of(self._clock())
        with self._turn:
            before = self._pending.get((release, minute), Minute(release, minute))
            self._pending[release, minute] = before.with_one(millis, failed=failed)

    def flush(self) -> None:
        """Write what was counted; blocks."""
        with self._turn:
            pending, self._pending = self._pending, {}
        if pending:
            self._stored.add_requests(pending.values())

    def share(self, release: Release) -> Share:
        """What the release was asked since it serves; blocks."""
        if release.serving_at is None:
            return Share()
        self.flush()
        minutes = self._stored.requests([release.id], since=minute_of(release.serving_at))
        return share_of(minutes, release.id, release.serving_at)

    def minutes(self, releases: Mapping[str, Release], since: int) -> list[Minute]:
        """What these releases were asked from that minute on; blocks."""
        self.flush()
        return self._stored.requests(list(releases), since=since)
