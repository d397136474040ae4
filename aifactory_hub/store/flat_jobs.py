"""Jobs as they were stored before attempts had rows of their own: for the migration and for old journals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.jobs import JobState

# What such a job said of its present attempt, under the same names.
PRESENT = (
    *("queued_at", "starting_at", "running_at", "token_hash", "run_intended_at", "run_created_at", "run_uid"),
    *("steps", "progress_percent", "eta_seconds", "metrics", "progress_at", "report", "log_size", "log_sha256"),
)
_ENDED = tuple(state.value for state in JobState if state.final)


def attempts_of_flat(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The attempts of such a job as the values of their rows, without its id: those of its ``history``, then the
    present one if something had happened in it."""
    return [*(_earlier(entry) for entry in job.get("history") or ()), *_present(job)]


def _earlier(entry: Mapping[str, Any]) -> dict[str, Any]:
    told = ("kind", "reason", "exit_code", "running_at", "ended_at", "log_size")
    return {"number": entry["attempt"], **{name: entry.get(name) for name in told}}


def _present(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    known = {name: job[name] for name in PRESENT if job.get(name) not in (None, [])}
    ending = job.get("ending")
    if ending:
        known |= {name: ending.get(name) for name in ("kind", "reason", "exit_code")} | {"ended_at": ending.get("at")}
    if not known:
        return []
    if job["state"] in _ENDED:
        known |= {"kind": None, "ended_at": job.get("finished_at")}
        known |= {name: job.get(name) for name in ("reason", "exit_code")}
    return [{"number": job.get("attempt", 1), **known}]
