"""What this pod is to do, read from its environment and its secret files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class BadTask(Exception):
    """The pod was set up wrongly; the text says what is missing. Nothing was run."""


@dataclass(frozen=True, slots=True)
class Task:
    """One job. Sizes in bytes. ``outputs`` are patterns of files to keep, None for all that are new or changed."""

    job_id: str
    url: str
    token: str = field(repr=False)
    command: str
    work: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    outputs: tuple[str, ...] | None = None
    input_sha256: str | None = None
    max_artifacts: int = 0
    max_files: int = 1000
    max_log: int = 0


def read_task(environment: Mapping[str, str]) -> Task:
    """The task that ``environment`` and the folder it names describe. Raises BadTask."""
    try:
        url, secrets = environment["AIFACTORY_SERVICE_URL"], Path(environment["AIFACTORY_SECRETS"])
        work = Path(environment["AIFACTORY_WORK"])
    except KeyError as error:
        raise BadTask(f"the environment variable {error.args[0]} is missing") from error
    try:
        token = (secrets / "token").read_text().strip()
        job: dict[str, Any] = json.loads((secrets / "job.json").read_text())
        outputs = job["outputs"]
        return Task(
            job_id=job["id"],
            url=url.rstrip("/"),
            token=token,
            command=job["command"],
            work=work,
            environment=job["environment"],
            secrets=job.get("secrets", {}),
            outputs=None if outputs is None else tuple(outputs),
            input_sha256=job["input_sha256"],
            max_artifacts=job["max_artifacts"],
            max_files=job.get("max_files", 1000),
            max_log=job["max_log"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise BadTask(f"the job's description in {secrets} can't be read: {error!r}") from error


def child_environment(own: Mapping[str, str], task: Task) -> dict[str, str]:
    """The environment of the command: the pod's, without what is the runner's business, plus what the person gave and
    the secrets that the job lists.

    The runner's token and the folder that it is in are not named to the command.
    """
    kept = {name: value for name, value in own.items() if not name.startswith("AIFACTORY_")}
    marks = {
        "AIFACTORY_JOB_ID": task.job_id,
        "AIFACTORY_ATTEMPT": own.get("AIFACTORY_ATTEMPT", "1"),
        "AIFACTORY_CHECKPOINTS": str(task.work / "checkpoints"),
        "AIFACTORY_MODELS": str(task.work / "models"),
        "PYTHONUNBUFFERED": "1",
    }
    return {**kept, **marks, **task.environment, **task.secrets}
