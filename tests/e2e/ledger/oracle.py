"""What etcd saw of the tenants' pods, and how long each held its devices: by these few lines and none of the product's.

Every version of every pod comes from a watch of ``kubectl``. A pod holds from the second in which the scheduler chose
its node to the second in which its last container ended.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..cluster import Cluster


@dataclass
class Truth:
    """One pod. ``end`` None: it goes on. ``gone``: it was deleted without a word of its end, and when that was seen."""

    name: str
    start: int | None = None
    end: int | None = None
    gone: float | None = None


@dataclass
class Oracle:
    """Watches from ``start`` to ``stop``."""

    cluster: Cluster
    pods: dict[str, Truth] = field(default_factory=dict)
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argv = [
            str(self.cluster.kubectl), "--kubeconfig", str(self.cluster.kubeconfig), "get", "pods", "-A",
            "-l", "vcluster.loft.sh/managed-by", "--watch", "--output-watch-events", "-o", "json",
        ]  # fmt: skip
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self._thread = threading.Thread(target=self._read, name="oracle", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._thread.join(10)
            assert self._process.stdout is not None
            self._process.stdout.close()

    @property
    def sees(self) -> bool:
        """Whether it has seen every version so far."""
        return self._process is not None and self._process.poll() is None and self._thread.is_alive()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self.take(event["type"], event["object"])

    def take(self, kind: str, pod: dict[str, Any]) -> None:
        """One version."""
        metadata, status = pod["metadata"], pod.get("status") or {}
        if metadata.get("annotations", {}).get("vcluster.loft.sh/object-namespace") == "kube-system":
            return
        truth = self.pods.setdefault(metadata["uid"], Truth(metadata["name"]))
        for condition in status.get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "True":
                truth.start = seconds(condition["lastTransitionTime"])
        states = [each.get("state") or {} for each in status.get("containerStatuses") or ()]
        ends = [each["terminated"].get("finishedAt") for each in states if "terminated" in each]
        if states and len(ends) == len(states) and all(ends) and status.get("phase") in ("Succeeded", "Failed"):
            truth.end = max(seconds(end) for end in ends)
        if kind == "DELETED" and truth.end is None and truth.start is not None:
            truth.gone = time.time()


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
