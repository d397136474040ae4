"""Jobs on engines with their own controllers, steered while they run: the job service, Kueue, JobSet, Trainer and Argo
are real, each engine's objects are made and removed by them alone."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client import Job, run_template, submit
from aifactory_hub.client.session import Account, Session

from ..cluster import engines
from ..cluster.settings import NODE as NODE_NAME
from ..cluster.settings import layout
from ..support.real_cluster import running_cluster
from ..support.real_runs import TENANT, install_engines
from ..support.service_process import ADA, HUB, service_on_cluster
from .cluster import Cluster
from .jobs_under_faults.witness import Witness
from .steps import wait_until

pytestmark = pytest.mark.cluster

SLICE = "mig-1g.10gb"
# More than half of what the team owns: a second job like it does not fit beside it.
NODES = 2
MOST = 40
# Counts on from what it finds among its checkpoints.
COUNT = f"""\
kept="$AIFACTORY_CHECKPOINTS/count"
n=$(cat "$kept" 2>/dev/null || echo 0)
echo "from $n"
while [ "$n" -lt {MOST} ]; do
  n=$((n + 1)); echo "$n" >"$kept.new"; mv "$kept.new" "$kept"; echo "count $n"; sleep 0.5
done
echo done
"""
# The objects that an engine makes, beside pods.
KINDS = {
    "jobset": "jobsets.jobset.x-k8s.io",
    "trainjob": "trainjobs.trainer.kubeflow.org",
    "argo-workflow": "workflows.argoproj.io",
}


def _says(words: str) -> dict[str, Any]:
    """A step's container. It gets what the ticket was for, whatever stands here."""
    image = running_cluster().notebook_image
    return {"image": image, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c"], "args": [words]}


def workflow_template() -> dict[str, Any]:
    """One step, then two beside each other. A workflow has no checkpoints: each attempt of it begins anew."""
    steps = [[{"name": "load", "template": "load"}], [{"name": n, "template": "count"} for n in ("left", "right")]]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": "counts", "namespace": "jobs"},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "steps": steps},
                {"name": "load", "container": _says("echo loaded")},
                {"name": "count", "container": _says(f"for n in $(seq {MOST}); do echo count $n; sleep 0.5; done")},
            ],
        },
    }


@dataclass
class Steered:
    """A job on an engine, and what the cluster's administrator sees of it."""

    engine: str
    session: Session
    cluster: Cluster
    witness: Witness
    job: Job | None = None

    def submit(self) -> Job:
        """A job of two nodes, or a workflow of which two steps run at once, that waits for nobody."""
        if self.engine == "argo-workflow":
            self.job = run_template("counts", profile=SLICE, nodes=NODES, priority="low", session=self.session)
        else:
            template = "plain" if self.engine == "trainjob" else None
            asked: dict[str, Any] = {"engine": self.engine, "nodes": NODES, "template": template, "priority": "low"}
            self.job = submit(COUNT, profile=SLICE, files=None, session=self.session, **asked)
        return self.job

    def counts(self, number: int = 3) -> bool:
        """Whether all that is to run beside each other does, and has counted so far."""
        assert self.job is not None
        job = self.job.refresh()
        running = [step["name"] for step in job.steps if step["state"] == "RUNNING"]
        return job.state == "RUNNING" and len(running) == NODES and f"count {number}\n" in job.logs()

    def left(self) -> list[str]:
        """What of the job is on the cluster: engine's objects, pods and their secrets, ticket."""
        assert self.job is not None
        inside = self.cluster.inside(TENANT, "get", f"{KINDS[self.engine]},pods,secrets", "-n", "jobs", *_OURS)
        items = json.loads(inside)["items"] + self.cluster.get("jobs", "-n", f"vc-{TENANT}", *_OURS[:2])["items"]
        names = [f"{item['kind']} {item['metadata']['name']}" for item in items]
        return [name for name in names if self.job.id in name]

    def check_attempts(self, *, last_ran_well: bool) -> None:
        """By the host's pods: no attempt began before the one before it was over, none ran with more than it may."""
        assert self.job is not None
        pods = [pod for pod in self.witness.pods(self.job.id) if pod.started is not None]
        most = NODES + (self.engine == "argo-workflow")  # and its first step
        attempts = {1: self.job.id, 2: f"{self.job.id}r2"}
        assert Counter(pod.run_id for pod in pods) == dict.fromkeys(attempts.values(), most), pods
        first, second = ([pod for pod in pods if pod.run_id == run_id] for run_id in attempts.values())
        over = max(pod.finished or float("inf") for pod in first)
        assert over <= min(pod.started or 0.0 for pod in second) + 1.5, (first, second)
        assert not last_ran_well or {pod.exit_code for pod in second} == {0}, second


_OURS = ("-l", f"aifactory-hub.io/hub={HUB},aifactory-hub.io/owner-kind=job", "-o", "json")


async def _steer(folder: Path, engine: str, body: Callable[[Steered], None]) -> None:
    """Let ``body`` steer a job through a service that knows this engine, and remove what is left if it fails."""
    install_engines(*(["jobset"] if engine == "trainjob" else []), engine)
    if engine == "argo-workflow":
        engines.allow_service(layout(), TENANT, json.dumps(workflow_template()))
    found = running_cluster()
    cluster = Cluster(Path(found.kubectl), found.admin_kubeconfig, NODE_NAME)
    async with service_on_cluster(found, folder, ["kubernetes-job", engine]) as service:
        steered = Steered(engine, Session(Account(service.url, ADA, tenant=TENANT)), cluster, Witness(cluster, HUB))
        steered.witness.start()
        try:
            await asyncio.to_thread(_steer_and_clear, steered, body)
        finally:
            service.print_logs()
            steered.witness.stop()
            steered.session.close()


def _steer_and_clear(steered: Steered, body: Callable[[Steered], None]) -> None:
    try:
        body(steered)
    finally:
        if steered.job is not None:
            steered.job.cancel()
        assert wait_until(lambda: not steered.left(), 90), steered.left()


def _suspend_resume_cancel(steered: Steered) -> None:
    job = steered.submit()
    assert wait_until(steered.counts, 120), (job.refresh(), job.steps, job.logs())
    job.suspend()
    assert wait_until(lambda: job.status == "SUSPENDED", 60), job
    assert wait_until(lambda: not steered.left(), 10), "a suspended job has nothing on the cluster"
    assert [entry["kind"] for entry in job.data["history"]] == ["suspended"]
    job.resume()
    assert wait_until(lambda: steered.counts(MOST // 2) and job.data["attempt"] == 2, 120), (job, job.logs())
    _check_goes_on(steered, job)
    steered.check_attempts(last_ran_well=False)
    job.cancel()
    assert wait_until(lambda: job.refresh().final, 60), job
    assert (job.state, job.reason) == ("CANCELLED", "cancelled by ada")
    assert wait_until(lambda: not steered.left(), 60), steered.left()
    assert f"count {MOST // 2}\n" in job.logs(), "its log is kept"


def _check_goes_on(steered: Steered, job: Job) -> None:
    if steered.engine == "argo-workflow":
        assert [step["name"] for step in job.steps] == ["load", "left", "right"]
        return
    begun = int(re.findall(r"^from (\d+)$", job.logs(), re.M)[0])
    assert 3 <= begun < MOST, "its second attempt goes on from the checkpoint of the first"
    assert [step["name"] for step in job.steps] == [f"node {n}" for n in range(NODES)]


def _preempt(steered: Steered) -> None:
    job = steered.submit()
    assert wait_until(steered.counts, 120), (job.refresh(), job.steps, job.logs())
    # As many devices, more urgent, on the engine that needs nothing: what is tried is the one that gives way.
    urgent = [
        submit("sleep 6; echo mine", profile=SLICE, files=None, priority="high", session=steered.session)
        for _ in range(NODES)
    ]
    assert wait_until(lambda: job.refresh().data["preemptions"] == 1, 60), job
    (ended,) = job.data["history"]
    assert ended["kind"] == "preempted", ended
    assert wait_until(lambda: job.status == "QUEUED" and "preempted and queued again" in str(job.reason), 30), job
    assert wait_until(lambda: all(each.refresh().final for each in urgent), 120), urgent
    assert [each.state for each in urgent] == ["SUCCEEDED"] * NODES
    assert wait_until(lambda: steered.counts(MOST // 2) and job.data["attempt"] == 2, 120), (job, job.logs())
    _check_goes_on(steered, job)
    assert wait_until(lambda: job.refresh().final, 120), job
    assert (job.state, job.data["retries"]["used"]) == ("SUCCEEDED", 0)
    assert f"count {MOST}\n" in job.logs()
    steered.check_attempts(last_ran_well=True)


@pytest.mark.parametrize("engine", list(KINDS))
async def test_a_running_job_is_suspended_resumed_and_cancelled(tmp_path: Path, engine: str) -> None:
    await _steer(tmp_path, engine, _suspend_resume_cancel)


@pytest.mark.parametrize("engine", list(KINDS))
async def test_a_running_job_gives_way_to_a_more_urgent_one_says_so_and_runs_again(tmp_path: Path, engine: str) -> None:
    await _steer(tmp_path, engine, _preempt)
