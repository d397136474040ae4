"""Workloads on their way: submitted by their teams' people, disturbed, and followed to their ends."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from aifactory_hub.client.api import submit
from aifactory_hub.client.errors import ClientError, Refused, UnknownJob
from aifactory_hub.client.job import Job
from aifactory_hub.client.session import Account, Session

from ..cluster import Cluster
from ..steps import wait_until
from .verdict import Done, PodSeen, Told
from .witness import Place, Witness
from .workloads import Act, Kind, Workload, arguments, write_files

# Until a job has ended, in seconds: all have less than a minute of work, and wait for each other and for what is away.
TIMEOUT = 420.0
_SUSPENDED_FOR = 2.0


@dataclass
class Outcome:
    """What is known of a workload from this side."""

    workload: Workload
    job: Job | None = None
    ids: list[str] = field(default_factory=list)
    done: Done | None = None
    problem: str = ""
    submitted: float = 0.0


@dataclass(frozen=True)
class People:
    """Whoever submits: ``tokens`` are theirs, by team."""

    url: str
    tokens: Mapping[str, str]
    folder: Path
    cluster: Cluster
    witness: Witness

    def session(self, team: str) -> Session:
        account = Account(f"{self.url}/services/aifactory", self.tokens[team], tenant=team, user=f"{team}-user")
        return Session(account, timeout=150)

    def see_through(self, workload: Workload, begun: float) -> Outcome:
        """From the submission to the end, whatever happens meanwhile."""
        outcome = Outcome(workload)
        time.sleep(max(0.0, begun + workload.at - time.time()))
        try:
            with_files = self.folder / workload.name
            write_files(workload, with_files)
            session = self.session(workload.team)
            outcome.submitted = time.time()
            outcome.job = self._submit(workload, with_files, session, outcome)
            self._act(outcome)
            if not wait_until(lambda: _final(outcome.job), TIMEOUT):
                outcome.problem = f"not at its end after {TIMEOUT:.0f} s"
        except (ClientError, RuntimeError) as error:
            outcome.problem = f"{type(error).__name__}: {error}"
        return outcome

    def ask(self, outcome: Outcome) -> Told | None:
        """What the service says at the end."""
        if outcome.job is None:
            return None
        try:
            job = outcome.job.refresh()
            return Told(job.data, job.logs(), tuple(outcome.ids))
        except UnknownJob:
            return None

    def _submit(self, workload: Workload, folder: Path, session: Session, outcome: Outcome) -> Job:
        job = _submit(workload, folder, session)
        outcome.ids.append(job.id)
        if workload.twice:
            time.sleep(random.Random(workload.number).uniform(0, 3))
            outcome.ids.append(_submit(workload, folder, session).id)
        return job

    def _act(self, outcome: Outcome) -> None:
        workload, job = outcome.workload, outcome.job
        assert job is not None
        if workload.act is Act.NOTHING:
            return
        if workload.act.is_hit:
            self._hit(outcome, job)
            return
        time.sleep(max(0.0, outcome.submitted + workload.act_after - time.time()))
        if workload.act is Act.CANCEL:
            job.cancel()
            outcome.done = Done(time.time(), _attempt(job))
            return
        try:
            job.suspend()
        except Refused:
            return  # it had ended
        outcome.done = Done(time.time(), _attempt(job))
        wait_until(lambda: job.status == "SUSPENDED" or job.final, 120)
        time.sleep(_SUSPENDED_FOR)
        if job.state == "SUSPENDED":
            job.resume()

    def _hit(self, outcome: Outcome, job: Job) -> None:
        workload = outcome.workload
        # Before its command has begun nothing can be said of its log; while the service is away that takes a while.
        if not wait_until(lambda: "begin" in job.logs() or _final(job), TIMEOUT):
            return
        time.sleep(workload.act_after)
        found = self.witness.running(job.id)
        if found is None:
            return
        pod, place = found
        at = time.time()
        struck = self._delete(place) if workload.act is Act.DELETE_POD else kill_container(job.id)
        if struck:
            outcome.done = Done(at, attempt_of(pod))

    def _delete(self, place: Place) -> bool:
        def delete() -> bool:
            try:
                self.cluster.inside(place.team, "delete", "pod", place.name, "-n", "jobs", "--wait=false")
            except RuntimeError as error:
                return "not found" in str(error).lower()
            return True

        return wait_until(delete, 40)


def attempt_of(pod: PodSeen) -> int:
    return int(pod.run_id.partition("r")[2] or 1)


def kill_container(job_id: str) -> bool:
    """Kill the first process of the job's container, as a node in need does; whether there was one."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"aifactory_hub.runner" in words and f"AIFACTORY_JOB_ID={job_id}".encode() in environment:
            os.kill(int(folder.name), signal.SIGKILL)
            return True
    return False


def _submit(workload: Workload, folder: Path, session: Session) -> Job:
    options: dict[str, Any] = {
        "profile": workload.profile,
        "name": workload.name,
        "files": folder,
        "retries": workload.retries,
        "retry_backoff": 1.0,
        "max_duration": workload.max_seconds,
        "idempotency_key": f"{folder.parent.name}-{workload.name}",
        "engine": workload.engine,
        "nodes": workload.nodes,
        "session": session,
    }
    asked = arguments(workload)
    if workload.kind is Kind.FUNCTION:
        made = submit(_function(folder), args=asked, **options)
    elif workload.kind is Kind.NOTEBOOK:
        made = submit(folder / "work.ipynb", parameters={"asked": asked}, **options)
    else:
        import json
        import shlex

        made = submit(f"python3 work.py {shlex.quote(json.dumps(asked))}", **options)
    assert isinstance(made, Job)
    return made


def _function(folder: Path) -> Any:
    """The function of the folder's module, which travels as the module's file."""
    spec = spec_from_file_location("work", folder / "work.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["work"] = module
    spec.loader.exec_module(module)
    return module.work


def _attempt(job: Job) -> int:
    """The attempt that ran when the service answered; 0 when none did."""
    return int(job.data["attempt"]) if job.state == "RUNNING" else 0


def _final(job: Job | None) -> bool:
    assert job is not None
    return job.refresh().final
