"""Every part of a site that can end: how it is ended as a crash would, and how one sees that it is back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.cluster import components, kueue, node, processes, vclusters
from tests.cluster.namespaces import Namespaces
from tests.cluster.settings import TENANTS, Layout, layout

from ..cluster import Cluster
from ..processes import HubUnderTest

# Seconds that a process stays away: longer than the first retries of whoever asks it.
AWAY = 3.0
DEX = "dex"
# Until a part is back, on a busy machine.
TIMEOUT = 180.0


def nothing() -> None:
    """For a part that starts again by itself."""


@dataclass(frozen=True)
class Part:
    """One part. ``end`` ends it at once; ``start`` returns when it answers again.

    ``carries``: requests to notebooks go through it, so those made while it is away fail. ``takes_jobs``: a job can be
    submitted while it is away. ``team``: whose jobs are looked at. ``forgets``: it comes back with new keys and without
    sessions, so everybody signs in again.
    """

    name: str
    end: Callable[[], None]
    start: Callable[[], None] = nothing
    team: str = "nlp"
    carries: bool = False
    takes_jobs: bool = True
    forgets: bool = False
    away: float = AWAY


@dataclass(frozen=True)
class Parts:
    hub: HubUnderTest
    cluster: Cluster
    where: Layout = field(default_factory=layout)

    def all(self) -> list[Part]:
        return [*self._of_the_hub(), *self._pods(), *self._processes()]

    def _of_the_hub(self) -> list[Part]:
        hub = self.hub
        return [
            Part("hub", partial(hub.kill, "hub"), hub.start_hub, takes_jobs=False),
            Part("job service", partial(hub.kill, "service"), hub.start_service, takes_jobs=False),
            Part("proxy", partial(hub.kill, "proxy"), hub.start_proxy, carries=True, takes_jobs=False),
        ]

    def _pods(self) -> list[Part]:
        found = [self._deployment("Kueue", kueue.NAMESPACE, "control-plane=controller-manager")]
        for tenant in TENANTS:
            namespace = vclusters.host_namespace(tenant)
            found.append(self._vcluster(tenant, namespace))
            names = f"vcluster.loft.sh/managed-by={tenant},vcluster.loft.sh/namespace=kube-system"
            found.append(self._deployment(f"CoreDNS of vCluster {tenant}", namespace, names, tenant))
        return found

    def _vcluster(self, tenant: str, namespace: str) -> Part:
        """Its only pod holds its API server, database and syncer."""

        def ready() -> bool:
            return all(Namespaces(self.where).works(list(q)) for _, q in vclusters.ready_checks(self.where, tenant))

        end = partial(self._delete_pods, namespace, f"app=vcluster,release={tenant}")
        return Part(f"vCluster {tenant}", end, partial(wait, f"vCluster {tenant}", ready), tenant, away=0)

    def _deployment(self, name: str, namespace: str, selector: str, team: str = "nlp") -> Part:
        def ready() -> bool:
            pods = self.cluster.get("pods", "-n", namespace, "-l", selector)["items"]
            return bool(pods) and all(is_ready(pod) for pod in pods)

        return Part(name, partial(self._delete_pods, namespace, selector), partial(wait, name, ready), team, away=0)

    def _delete_pods(self, namespace: str, selector: str) -> None:
        """Its processes are killed after a second, whatever they had to finish."""
        self.cluster.run("delete", "pods", "-n", namespace, "-l", selector, "--grace-period=1", "--wait=true")

    def _processes(self) -> list[Part]:
        after = {"kubelet": self._devices_again}
        makers = {
            DEX: components.dex,
            "kube-apiserver": components.apiserver,
            "etcd": components.etcd,
            "kube-scheduler": components.scheduler,
            "kube-controller-manager": components.controller_manager,
            "kubelet": components.kubelet,
            "containerd": components.containerd,
            "kube-proxy": components.kube_proxy,
            "coredns": components.coredns,
            "volumes": components.volumes,
            "network-policies": components.network_policies,
        }
        return [
            # The identity provider of the test cluster keeps all it knows in memory: the worst that one can do.
            Part(
                name,
                partial(self._kill, name),
                partial(self._start, make, after.get(name, nothing)),
                forgets=name == "dex",
            )
            for name, make in makers.items()
        ]

    def _kill(self, name: str) -> None:
        path = self.where.pids / f"{name}.json"
        outer = processes.load(path)
        if outer is None:
            raise RuntimeError(f"{name} does not run")
        for pid in processes.children(outer.pid):
            identity = processes.identify(pid)
            if identity:
                identity.kill(signal.SIGKILL)
        if not processes.wait_gone(outer, 20):
            raise RuntimeError(f"{name} can't be killed")
        path.unlink(missing_ok=True)

    def _start(self, make: Callable[[Layout], components.Component], after: Callable[[], None]) -> None:
        components.start(Namespaces(self.where), make(self.where))
        after()
        wait("the host's API", lambda: Namespaces(self.where).works(list(self._readyz())))

    def _readyz(self) -> tuple[str, ...]:
        return components.kubectl(self.where, "get", "--raw", "/readyz")

    def _devices_again(self) -> None:
        """A kubelet that starts forgets devices for which no plugin has registered; the simulated ones have none."""
        namespaces = Namespaces(self.where)
        node.wait_ready(namespaces)
        node.simulate_gpu(namespaces)


def wait(what: str, ready: Callable[[], bool]) -> None:
    """Raises RuntimeError when it is not ready in time."""
    deadline = time.monotonic() + TIMEOUT
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} is not back after {TIMEOUT:.0f} s")
        time.sleep(0.3)


def is_ready(pod: dict[str, dict[str, object]]) -> bool:
    conditions: list[dict[str, str]] = pod["status"].get("conditions") or []  # type: ignore[assignment]
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
