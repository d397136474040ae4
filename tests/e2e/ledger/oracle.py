"""What etcd saw of the tenants' pods, and how long each held its devices: by these few lines and none of the product's.

Every version of every pod comes from a watch of ``kubectl``. A pod holds from the second in which the scheduler chose
its node to the second in which its last container ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..cluster import Cluster
from ..pod_watch import PodWatch


@dataclass
class Truth:
    """One pod. ``end`` None: it goes on. ``gone``: it was deleted without a word of its end, and when that was seen."""

    name: str
    start: int | None = None
    end: int | None = None
    gone: float | None = None


class Oracle:
    """Watches from ``start`` to ``stop``."""

    def __init__(self, cluster: Cluster) -> None:
        self.pods: dict[str, Truth] = {}
        self._watch = PodWatch(cluster, "vcluster.loft.sh/managed-by", self.take)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    @property
    def sees(self) -> bool:
        """Whether it has seen every version so far."""
        return self._watch.sees

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
