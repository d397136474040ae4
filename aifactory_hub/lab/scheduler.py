"""jupyter-scheduler's own pages on top of the job service: its "notebook job" is a job of the team.

    c.SchedulerApp.scheduler_class = "aifactory_hub.lab.scheduler.AIFactoryScheduler"
    c.SchedulerApp.environment_manager_class = "aifactory_hub.lab.scheduler.Profiles"

A profile takes the place of an environment. Nothing is stored here: jupyter-scheduler's own database stays empty.
Needs jupyter-scheduler 2.x (``pip install aifactory-hub[jupyter-scheduler]``).
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

from jupyter_scheduler.environments import EnvironmentManager
from jupyter_scheduler.exceptions import InputUriError, SchedulerError
from jupyter_scheduler.models import (
    DescribeJob,
    ListJobDefinitionsResponse,
    ListJobsResponse,
    RuntimeEnvironment,
    Status,
)
from jupyter_scheduler.scheduler import BaseScheduler

from ..client import api as client
from ..client.errors import ClientError
from ..client.session import Session, read_account
from .subjects import NotASubject, below
from .submitting import Form, Submitting

# jupyter-scheduler's addresses want an id with a hyphen in it.
_PREFIX = "aifactory-"
_FORMATS = {"ipynb": "Notebook"}
# Seconds. A person waits.
_TIMEOUT = 15.0
_PAGE = 100
# What the commands of notebooks have in them, so that pages of other jobs are not asked for.
_NOTEBOOKS = "aifactory_hub.runner.notebook"
_STATES: Mapping[str, str] = {
    "HELD": "CREATED",
    "PENDING": "CREATED",
    "QUEUED": "QUEUED",
    "SUSPENDED": "QUEUED",
    "STARTING": "IN_PROGRESS",
    "RUNNING": "IN_PROGRESS",
    "SUCCEEDED": "COMPLETED",
    "FAILED": "FAILED",
    "CANCELLED": "STOPPED",
}
_NO_DEFINITIONS = (
    "Schedules are not made here: the job service has its own (POST /services/aifactory/api/v1/schedules), which know "
    "the team's quota and end when you leave the team."
)


@contextmanager
def _asking() -> Iterator[Session]:
    """The job service, as this server. Its words become jupyter-scheduler's."""
    try:
        with closing(Session(read_account(), timeout=_TIMEOUT)) as session:
            yield session
    except (ClientError, NotASubject) as error:
        raise SchedulerError(str(error)) from error


class Profiles(EnvironmentManager):
    """The team's profiles, as what a job can run in."""

    def list_environments(self) -> list[Any]:
        """Those that the team may have; what is free now is in the description."""
        with _asking() as session:
            account = session.account
            menu = session.get(f"/tenants/{account.tenant}/profiles")
        own = [offer for offer in menu["profiles"] if offer["availability"] not in ("never", "unavailable")]
        # This server's own first: the form chooses the first one.
        own.sort(key=lambda offer: offer["profile"] != account.profile)
        return [
            RuntimeEnvironment(
                name=offer["profile"],
                label=offer["profile"],
                description=offer["reason"],
                file_extensions=["ipynb"],
                output_formats=list(_FORMATS),
                metadata={},
                compute_types=None,
                default_compute_type=None,
                utc_only=None,
            )
            for offer in own
        ]

    def manage_environments_command(self) -> str:
        """None: profiles are the site's."""
        return ""

    def output_formats_mapping(self) -> dict[str, str]:
        """The notebook as it ran."""
        return dict(_FORMATS)


class AIFactoryScheduler(BaseScheduler):
    """jupyter-scheduler's calls, asked of the job service as this server."""

    # jupyter-scheduler's application looks at it: nothing is run from here.
    task_runner = None

    def create_job(self, model: Any) -> str:
        """Submit a notebook; its folder travels. Raises SchedulerError with the service's words."""
        with _asking() as session:
            place = below(self._root, model.input_uri)
            if not place.is_file():
                raise InputUriError(model.input_uri)
            parameters = {name: _value(text) for name, text in (model.parameters or {}).items()}
            fields = {
                "name": model.name,
                "profile": model.runtime_environment_name,
                "command": client.notebook_command(place.name, parameters),
                "key": model.idempotency_token or uuid4().hex,
            }
            folder = place.parent.relative_to(self._root).as_posix().removeprefix(".")
            form = Form(folder, fields, place.relative_to(self._root).as_posix())
            return _PREFIX + str(Submitting(session.account, self._root).submit(form)["id"])

    def update_job(self, job_id: str, model: Any) -> None:
        """Nothing of a job can be changed but that it goes on."""
        if model.status == Status.STOPPED:
            self.stop_job(job_id)
        else:
            raise SchedulerError("A submitted job can't be changed. Stop it, and submit it anew.")

    def list_jobs(self, query: Any) -> Any:
        """My notebooks among the jobs, the newest first."""
        params: dict[str, str] = {"mine": "true", "limit": str(min(int(query.max_items or _PAGE), _PAGE))}
        if query.next_token:
            params["before"] = query.next_token
        params["text"] = query.name or _NOTEBOOKS
        with _asking() as session:
            page = session.get("/jobs", params)
        jobs = [self._described(job) for job in page["jobs"] if _notebook(job) is not None]
        wanted = [job for job in jobs if query.status is None or job.status == query.status]
        return ListJobsResponse(jobs=wanted, total_count=len(wanted), next_token=page["next"])

    def count_jobs(self, query: Any) -> int:
        """How many of my newest are in this state."""
        with _asking() as session:
            page = session.get("/jobs", {"mine": "true", "limit": str(_PAGE), "text": _NOTEBOOKS})
        return sum(_STATES[job["state"]] == str(query.status) for job in page["jobs"])

    def get_job(self, job_id: str, job_files: bool | None = True) -> Any:
        """One job. Raises SchedulerError."""
        with _asking() as session:
            return self._described(session.get(f"/jobs/{_id(job_id)}"), files=bool(job_files))

    def stop_job(self, job_id: str) -> None:
        """Cancel it."""
        with _asking() as session:
            session.delete(f"/jobs/{_id(job_id)}")

    def delete_job(self, job_id: str) -> None:
        """Cancel one that goes on. The service keeps what has ended for as long as the site says."""
        self.stop_job(job_id)
        shutil.rmtree(self._staging(job_id), ignore_errors=True)

    def get_staging_paths(self, model: Any) -> dict[str, str]:
        """Where jupyter-scheduler copies a job's files from: they are fetched from the service now."""
        staging = self._staging(model.job_id)
        staging.mkdir(parents=True, exist_ok=True)
        name = Path(model.input_filename).stem
        found: dict[str, str] = {}
        with _asking() as session:
            artifacts = client.get(_id(model.job_id), session=session).artifacts
            for kind, wanted in (("ipynb", f"{name}.out.ipynb"), ("input", model.input_filename)):
                artifact = artifacts.get(wanted)
                target = staging / wanted
                if artifact is not None:
                    artifact.save(target)
                elif kind == "input" and (own := below(self._root, self._path(model.job_id, session))).is_file():
                    # What was sent is kept for retries, not to be had back: what is there now goes by its name.
                    shutil.copyfile(own, target)
                else:
                    raise SchedulerError(f"The job has given back no {wanted}: see its log in the panel AI Factory.")
                found[kind] = str(target)
        return found

    # Schedules: the service has its own.

    def create_job_definition(self, model: Any) -> str:
        """Not here."""
        raise SchedulerError(_NO_DEFINITIONS)

    def update_job_definition(self, job_definition_id: str, model: Any) -> None:
        """Not here."""
        raise SchedulerError(_NO_DEFINITIONS)

    def delete_job_definition(self, job_definition_id: str) -> None:
        """Not here."""
        raise SchedulerError(_NO_DEFINITIONS)

    def get_job_definition(self, job_definition_id: str) -> Any:
        """Not here."""
        raise SchedulerError(_NO_DEFINITIONS)

    def list_job_definitions(self, query: Any) -> Any:
        """None are here."""
        return ListJobDefinitionsResponse(job_definitions=[], total_count=0, next_token=None)

    def create_job_from_definition(self, job_definition_id: str, model: Any) -> str:
        """Not here."""
        raise SchedulerError(_NO_DEFINITIONS)

    @property
    def _root(self) -> Path:
        return Path(self.root_dir).resolve()

    def _staging(self, job_id: str) -> Path:
        return Path(self.staging_path) / _id(job_id)

    def _path(self, job_id: str, session: Session) -> str:
        told = session.get(f"/jobs/{_id(job_id)}/provenance")["provenance"] or {}
        return str(told.get("path", ""))

    def _described(self, job: Mapping[str, Any], *, files: bool = True) -> Any:
        times, path = job["times"], _notebook(job) or ""
        described = DescribeJob(
            job_id=_PREFIX + job["id"],
            url=f"/jobs/{_PREFIX}{job['id']}",
            name=job["name"],
            input_filename=PurePosixPath(path).name,
            runtime_environment_name=job["profile"],
            runtime_environment_parameters=None,
            output_formats=list(_FORMATS),
            parameters={name: str(value) for name, value in _parameters(job).items()},
            create_time=_milliseconds(times["submitted"]),
            update_time=_milliseconds(times["finished"] or times["running"] or times["submitted"]),
            start_time=_milliseconds(times["running"]),
            end_time=_milliseconds(times["finished"]),
            status=Status(_STATES[job["state"]]),
            status_message=job["reason"],
            # It always travels.
            package_input_folder=True,
        )
        if files and job["state"] == "SUCCEEDED":
            self.add_job_files(described)
        return described


def _id(job_id: str) -> str:
    return job_id.removeprefix(_PREFIX)


def _milliseconds(moment: str | None) -> int | None:
    return None if moment is None else int(datetime.fromisoformat(moment).timestamp() * 1000)


def _value(text: str) -> Any:
    """Numbers and the like as such: jupyter-scheduler hands over all of them as text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _words(job: Mapping[str, Any]) -> list[str]:
    try:
        return shlex.split(job["command"])
    except ValueError:
        return []


def _notebook(job: Mapping[str, Any]) -> str | None:
    """The notebook that a job runs; None for one that runs something else."""
    # Clients of an earlier version did not say -P.
    words = [word for word in _words(job) if word != "-P"]
    return words[3] if words[:3] == ["python3", "-m", _NOTEBOOKS] and len(words) > 3 else None


def _parameters(job: Mapping[str, Any]) -> dict[str, Any]:
    words = _words(job)
    try:
        found = json.loads(words[words.index("--parameters") + 1])
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}
