"""The host watch as kubespawner expects it: a mapping of "namespace/name" to the little of a pod that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aifactory_hub.domain.pods import PodFact, exit_code
from aifactory_hub.domain.tenants import VCluster

# kubespawner's name for the container of the server.
CONTAINER = "notebook"


class PodWatch(Protocol):
    """What is needed of clusters.HostWatch here."""

    def pod(self, vcluster: VCluster, namespace: str, name: str) -> PodFact | None: ...

    def pods(self, vcluster: VCluster | None = None) -> list[PodFact]: ...


@dataclass(frozen=True, slots=True)
class HostPods(Mapping[str, Any]):
    """The pods of one tenant's vCluster, named as inside it. Never another tenant's."""

    watch: PodWatch
    vcluster: VCluster
    port: int

    def __getitem__(self, key: str) -> dict[str, Any]:
        namespace, name = key.split("/", 1)
        pod = self.watch.pod(self.vcluster, namespace, name)
        if pod is None:
            raise KeyError(key)
        return pod_as_dict(pod, self.port)

    def __iter__(self) -> Iterator[str]:
        return iter([f"{pod.namespace}/{pod.name}" for pod in self.watch.pods(self.vcluster)])

    def __len__(self) -> int:
        return len(self.watch.pods(self.vcluster))


@dataclass(frozen=True, slots=True)
class PodReader:
    """Stands where kubespawner has a reflector."""

    pods: HostPods


def pod_as_dict(pod: PodFact, port: int) -> dict[str, Any]:
    """The fields of a pod object that kubespawner 7 reads."""
    code = exit_code(pod)
    state: dict[str, Any] = {"running": {}} if pod.phase == "Running" else {"waiting": {"reason": pod.waiting}}
    if code is not None:
        state = {"terminated": {"exitCode": code, "reason": pod.reason}}
    metadata: dict[str, Any] = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
    if pod.deleting:
        metadata["deletionTimestamp"] = "set"
    ports = [{"name": "notebook-port", "containerPort": port}]
    return {
        "metadata": {**metadata, "labels": dict(pod.labels)},
        "spec": {"containers": [{"name": CONTAINER, "ports": ports}]},
        "status": {
            "phase": pod.phase,
            "podIP": pod.ip,
            "containerStatuses": [{"name": CONTAINER, "ready": pod.ready, "state": state}],
        },
    }
