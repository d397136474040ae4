"""What the cluster's administrator sees of the hub's job pods: a watch on the host that the service can't influence."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aifactory_hub import constants

from ..cluster import Cluster
from ..pod_watch import PodWatch
from .verdict import PodSeen


@dataclass(frozen=True)
class Place:
    """Where a pod is: its vCluster, and its name there and on the host."""

    team: str
    name: str
    host_name: str


class Witness:
    """Remembers every pod of this hub's jobs, those that are gone too. ``start`` it before the first submission."""

    def __init__(self, cluster: Cluster, hub: str) -> None:
        selector = f"{constants.LABEL_HUB}={hub},{constants.LABEL_OWNER_KIND}=job"
        self._watch = PodWatch(cluster, selector, self._take)
        self._pods: dict[str, PodSeen] = {}
        self._places: dict[str, Place] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        self._watch.stop()

    @property
    def sees(self) -> bool:
        """Whether it has seen everything so far, and anything at all."""
        return bool(self._pods) and self._watch.sees

    def pods(self, job_id: str) -> list[PodSeen]:
        """All pods that ever were for a job."""
        with self._lock:
            return [pod for pod in self._pods.values() if pod.run_id.partition("r")[0] == job_id]

    def running(self, job_id: str) -> tuple[PodSeen, Place] | None:
        """The job's pod that runs now."""
        for pod in self.pods(job_id):
            if pod.started is not None and pod.finished is None:
                return pod, self._places[pod.uid]
        return None

    def _take(self, kind: str, pod: dict[str, Any]) -> None:
        seen, metadata = read_pod(pod), pod["metadata"]
        annotations = metadata.get("annotations") or {}
        with self._lock:
            if kind == "DELETED" and seen.started is not None and seen.finished is None:
                seen = replace(seen, finished=time.time())
            known = self._pods.get(seen.uid)
            if known is not None and known.finished is not None and seen.finished is None:
                return
            self._pods[seen.uid] = seen
            name = annotations.get("vcluster.loft.sh/object-name", "")
            self._places[seen.uid] = Place(metadata["namespace"].removeprefix("vc-"), name, metadata["name"])


def read_pod(pod: dict[str, Any]) -> PodSeen:
    """Pure."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    state = (status.get("containerStatuses") or [{}])[0].get("state") or {}
    ended, runs = state.get("terminated") or {}, state.get("running") or {}
    return PodSeen(
        uid=metadata["uid"],
        run_id=metadata["labels"][constants.LABEL_OWNER],
        started=_moment(ended.get("startedAt") or runs.get("startedAt")),
        finished=_moment(ended.get("finishedAt")),
        exit_code=ended.get("exitCode"),
    )


def _moment(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
