"""Removes what jobs gave back, but for the files that versions of models refer to."""

from __future__ import annotations

from dataclasses import dataclass

from .files import FileStore
from .jobs import Jobs
from .model_registry import ModelRegistry


@dataclass(frozen=True)
class JobFiles:
    """The one door through which files of jobs are removed. Methods block."""

    jobs: Jobs
    files: FileStore
    models: ModelRegistry

    def drop(self, job_id: str, kind: str, *, now: float) -> None:
        """Remove a job's ``kind`` (inputs, log, artifacts) and record it. Files that versions refer to stay.

        Nobody can register a file meanwhile that is just being removed. Inputs are only recorded: jobs share them, and
        they go when none needs them (see Snapshots.collect).
        """
        with self.models.holding:
            held = self.models.held_files(job_id) if kind == "artifacts" else set()
            # The files first: a kill between the two only means that they are removed again.
            if kind != "inputs":
                self.files.drop(job_id, kind, keep={self.files.artifact(job_id, name) for name in held})
            self.jobs.mark_dropped(job_id, kind, now=now)
