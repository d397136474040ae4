"""From the submit call to the running container, on the test cluster, beside ``kubectl create`` of a Job.

Both make a pod of the same image in the same vCluster, in turns. Ours goes through the service's database, a ticket of
Kueue's and the runner. kubectl makes the Job and nothing else, with the security context without which the platform
refuses its pod; ``kubectl create job`` itself has no way to ask for one. The client is on the cluster's machine, not in
a notebook. Run it inside the cluster's network:
``python3 -m tests.cluster exec -- .venv/bin/python -m benchmarks.jobs_start``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aifactory_hub import constants
from aifactory_hub.client import Job, submit
from aifactory_hub.client.session import Account, Session
from tests.cluster.access import Access, access
from tests.support.service_process import ADA, service_on_cluster

from .frame import Report, summary

STARTS = 20
NAMESPACE = "bench-kubectl"
_TIMEOUT = 120.0
_COLUMNS = "custom-columns=NAME:.metadata.name,PHASE:.status.phase"


class Watch:
    """When pods of a namespace were first seen running, by the clock of this process."""

    def __init__(self, kubectl: list[str], namespace: str) -> None:
        argv = [*kubectl, "get", "pods", "-n", namespace, "--watch", "--no-headers", "-o", _COLUMNS]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._seen: dict[str, float] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def began(self, prefix: str) -> float:
        """When the pod whose name begins so was seen running."""
        give_up = time.monotonic() + _TIMEOUT
        while time.monotonic() < give_up:
            for name, at in list(self._seen.items()):
                if name.startswith(prefix):
                    return at
            time.sleep(0.005)
        raise RuntimeError(f"no pod {prefix}... runs after {_TIMEOUT:g} s")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            name, phase = line.split()
            if phase in ("Running", "Succeeded"):
                self._seen.setdefault(name, time.monotonic())


@contextmanager
def watching(kubectl: list[str], namespace: str) -> Iterator[Watch]:
    watch = Watch(kubectl, namespace)
    try:
        yield watch
    finally:
        watch.process.kill()
        watch.process.wait()


def plain(kubectl: list[str], watch: Watch, image: str, number: int) -> dict[str, float]:
    """One Job by kubectl."""
    name, began = f"plain-{number}-{os.getpid()}", time.monotonic()
    manifest = json.dumps(_job(name, image))
    argv = [*kubectl, "create", "-n", NAMESPACE, "-f", "-"]
    subprocess.run(argv, input=manifest, text=True, check=True, stdout=subprocess.DEVNULL)
    taken = time.monotonic()
    return {"taken": taken - began, "running": watch.began(name) - began}


def _job(name: str, image: str) -> dict[str, Any]:
    context = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "main", "image": image, "command": ["sleep", "1"], "securityContext": context}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
    }


def ours(session: Session, watch: Watch) -> dict[str, float]:
    """One job by the client. It is waited for, so that the next one finds the quota free."""
    began = time.monotonic()
    job: Job = submit("sleep 1", profile="mig-1g.10gb", files=None, session=session)
    taken = time.monotonic()
    running = watch.began(f"job-{job.id}")
    state = job.wait(_TIMEOUT, progress=False, poll=0.2)
    if state != "SUCCEEDED":
        raise RuntimeError(f"{job}")
    return {"taken": taken - began, "running": running - began}


def measure(found: Access, url: str, starts: int) -> dict[str, list[dict[str, float]]]:
    """In turns; the first of each is left out."""
    inside = [found.kubectl, f"--kubeconfig={found.tenants['nlp'].admin_kubeconfig}"]
    raw: dict[str, list[dict[str, float]]] = {"kubectl create": [], "submit": []}
    session = Session(Account(url, ADA, tenant="nlp"))
    subprocess.run([*inside, "create", "namespace", NAMESPACE], check=True, stdout=subprocess.DEVNULL)
    try:
        with watching(inside, NAMESPACE) as theirs, watching(inside, constants.JOBS_NAMESPACE) as mine:
            for number in range(starts + 1):
                raw["kubectl create"].append(plain(inside, theirs, found.notebook_image, number))
                raw["submit"].append(ours(session, mine))
    finally:
        session.close()
        gone = [*inside, "delete", "namespace", NAMESPACE, "--timeout=60s"]
        subprocess.run(gone, check=False, stdout=subprocess.DEVNULL)
    return {name: each[1:] for name, each in raw.items()}


async def run(starts: int) -> dict[str, list[dict[str, float]]]:
    found = access()
    with tempfile.TemporaryDirectory() as folder:
        async with service_on_cluster(found, Path(folder)) as service:
            return await asyncio.to_thread(measure, found, service.url, starts)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=STARTS)
    starts = parser.parse_args().starts
    raw = asyncio.run(run(starts))
    rows: list[dict[str, Any]] = []
    for name, each in raw.items():
        for what, told in {"taken": "the call comes back", "running": "the container runs"}.items():
            milliseconds = [one[what] * 1000 for one in each]
            rows.append({"what": f"{name}, until {told} (ms)", **summary(milliseconds, digits=0)})
    question = f"How long from the call to a running container? {starts} each, in turns"
    notes = ["kubectl's time has its own start in it; running is when a watch of the vCluster tells of it, for both"]
    simulated = ["the GPU: a slice behind which there is no device", "the hub, which knows one token"]
    Report("jobs_start", question, rows, dict(raw), notes, simulated=simulated, packages=("httpx", "tornado")).finish()


if __name__ == "__main__":
    main()
