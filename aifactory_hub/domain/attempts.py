"""Attempts of a job: what is known of each, and how long they held their devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aifactory_profiles import Device

from .jobs import EndKind


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to run a job. Times are epoch seconds, None for what has not happened.

    ``number`` counts from 1. ``kind`` says why the attempt ends while the job goes on, and is None for the last one; it
    is written with ``ended_at`` before anything of the attempt is removed. ``nodes`` are the cluster's nodes that its
    pods were seen on, ``devices`` what its ticket counted.
    ``run_intended_at`` is written before the run is created and ``run_created_at`` once the tenant's API has shown it,
    so a crash between the two leaves a record that says: look first, then create under the same name.
    ``token_hash`` is that of the run's token, ``steps`` are the run's (see domain.jobs.RunStep), ``report`` is what the
    runner said at its end. The log of ``log_size`` bytes is in the file store; None: there is none.
    """

    number: int
    queued_at: float | None = None
    starting_at: float | None = None
    running_at: float | None = None
    ended_at: float | None = None
    kind: EndKind | None = None
    reason: str | None = None
    exit_code: int | None = None
    nodes: tuple[str, ...] = ()
    devices: Mapping[Device, int] = field(default_factory=dict)
    token_hash: str | None = None
    run_intended_at: float | None = None
    run_created_at: float | None = None
    run_uid: str | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    progress_percent: float | None = None
    eta_seconds: float | None = None
    metrics: Mapping[str, Any] | None = None
    progress_at: float | None = None
    report: Mapping[str, Any] | None = None
    log_size: int | None = None
    log_sha256: str | None = None

    def held_seconds(self, now: float) -> float:
        """How long it has had its devices. Of an attempt recorded by an old service only the time that it ran is
        known."""
        since = self.running_at if self.starting_at is None else self.starting_at
        if since is None:
            return 0.0
        return max(0.0, (now if self.ended_at is None else self.ended_at) - since)


def held_seconds(attempts: Iterable[Attempt], now: float) -> float:
    """How long all of them together have had their devices."""
    return sum(attempt.held_seconds(now) for attempt in attempts)


def most_seconds(attempts: Iterable[Attempt], *, longest: float, retries_left: int, now: float) -> float:
    """How long a job's attempts may have their devices in all: those that are over as long as they had them, the
    present one and each retry as long as an attempt may run.

    ``longest`` is in seconds. How often the job will be preempted is not known and not counted.
    """
    over = [attempt for attempt in attempts if attempt.ended_at is not None]
    going = held_seconds((attempt for attempt in attempts if attempt.ended_at is None), now)
    return held_seconds(over, now) + max(going, longest) + longest * retries_left
