"""Who reaches whom: real connections from real pods, under the policies that are rendered for every site."""

from __future__ import annotations

import json
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aifactory_hub.registry.manifests import HUB_NAMESPACE
from tests.cluster.settings import BRIDGE_ADDRESS

from .walls import Object, Walls

METADATA = "169.254.169.254"
NOTEBOOK = 8888
# Of the host under test; whoever listens there already is as good as our own listener.
HUB, PUBLIC = 8081, 8000
BESIDE = ((BRIDGE_ADDRESS, HUB), (BRIDGE_ADDRESS, PUBLIC))


@dataclass(frozen=True)
class Attempt:
    """One connection: from whom to whom, and whether it has to come through."""

    source: str
    target: str
    address: tuple[str, int, str]
    allowed: bool
    found: str = ""

    @property
    def good(self) -> bool:
        return (self.found == "reached") is self.allowed

    def line(self) -> str:
        verdict = "ok" if self.good else "WRONG"
        return (
            f"{self.source:24} | {self.target:44} | {'yes' if self.allowed else 'no':3} | {self.found:28} | {verdict}"
        )


HEADER = f"{'from':24} | {'to':44} | may | what happened"


def reach_table(walls: Walls) -> list[Attempt]:
    """Every connection that matters, tried."""
    with metadata_service(), listeners(BESIDE), hub_pods(walls) as hub:
        for tenant in ("nlp", "vision"):
            walls.create(tenant, [walls.pod("notebook")])
        walls.create("nlp", [walls.pod("neighbour")])
        pods = {
            name: walls.running(*name) for name in (("nlp", "notebook"), ("nlp", "neighbour"), ("vision", "notebook"))
        }
        found: list[Attempt] = []
        for tenant, other in (("nlp", "vision"), ("vision", "nlp")):
            found += tried(walls, f"vc-{tenant}", pods[tenant, "notebook"], from_a_notebook(walls, tenant, other, pods))
        for name, pod in hub.items():
            found += tried(walls, HUB_NAMESPACE, pod, from_the_hub_s_namespace(walls, name, pods))
        return found


def tried(walls: Walls, namespace: str, pod: Object, attempts: list[Attempt]) -> list[Attempt]:
    answers = walls.connect(namespace, pod["metadata"]["name"], [each.address for each in attempts])
    return [
        Attempt(a.source, a.target, a.address, a.allowed, answer) for a, answer in zip(attempts, answers, strict=True)
    ]


def from_a_notebook(walls: Walls, tenant: str, other: str, pods: dict[tuple[str, str], Object]) -> list[Attempt]:
    source = f"notebook of {tenant}"

    def to(target: str, host: str, port: int, allowed: bool, kind: str = "tcp") -> Attempt:
        return Attempt(source, target, (host, port, kind), allowed)

    own, others = (api_of(walls, name) for name in (tenant, other))
    attempts = [
        to("the hub's API", BRIDGE_ADDRESS, HUB, True),
        to("the proxy, and behind it the job service", BRIDGE_ADDRESS, PUBLIC, True),
        to("a name of its vCluster", "kubernetes.default.svc", 443, True, "name"),
        to("its own vCluster's API", own[0], 443, True),
        to(f"a notebook of {other}", address(pods[other, "notebook"]), NOTEBOOK, False),
        to(f"the API of {other}'s vCluster, its Service", others[0], 443, False),
        to(f"the API of {other}'s vCluster, its pod", others[1], 8443, False),
        to(f"the name server of {other}", others[2], 1053, False),
        to("the host's API, its Service", "10.96.0.1", 443, False),
        to("the host's API, its address", BRIDGE_ADDRESS, 6443, False),
        to("the node's kubelet", BRIDGE_ADDRESS, 10250, False),
        to("the identity provider beside the hub", BRIDGE_ADDRESS, 5556, False),
        to("the cloud's metadata address", METADATA, 80, False),
    ]
    if (tenant, "neighbour") in pods:
        attempts.append(to("another pod of its team", address(pods[tenant, "neighbour"]), NOTEBOOK, True))
    return attempts


def from_the_hub_s_namespace(walls: Walls, name: str, pods: dict[tuple[str, str], Object]) -> list[Attempt]:
    notebook, (_, control_plane, _) = address(pods["nlp", "notebook"]), api_of(walls, "nlp")
    return [
        Attempt(f"a {name} pod", "a notebook", (notebook, NOTEBOOK, "tcp"), name in ("hub", "proxy")),
        Attempt(f"a {name} pod", "a vCluster's API", (control_plane, 8443, "tcp"), name == "hub"),
    ]


def api_of(walls: Walls, tenant: str) -> tuple[str, str, str]:
    """Addresses of a vCluster: its Service, its control plane's pod, its name server's pod."""
    service = walls.cluster.get("service", tenant, "-n", f"vc-{tenant}")["spec"]["clusterIP"]
    pod = walls.cluster.get("pod", f"{tenant}-0", "-n", f"vc-{tenant}")
    query = ("pods", "-n", f"vc-{tenant}", "-l", "vcluster.loft.sh/namespace=kube-system")
    return service, address(pod), address(walls.cluster.get(*query)["items"][0])


def address(pod: Object) -> str:
    return str(pod["status"]["podIP"])


@contextmanager
def hub_pods(walls: Walls) -> Iterator[dict[str, Object]]:
    """Pods in the hub's namespace with the chart's labels, and one without."""
    names = ("hub", "proxy", "foreign")
    objects = []
    for name in names:
        pod = walls.pod(f"{walls.mark}-{name}")
        pod["metadata"] |= {"namespace": HUB_NAMESPACE, "labels": {"walls": walls.mark, "component": name}}
        objects.append(pod)
    try:
        for pod in objects:
            walls.cluster.run("create", "-f", "-", stdin=json.dumps(pod))
        for pod in objects:
            ready = ("wait", "-n", HUB_NAMESPACE, f"pod/{pod['metadata']['name']}", "--for=condition=Ready")
            walls.cluster.run(*ready, "--timeout=50s")
        yield dict(zip(names, objects, strict=True))
    finally:
        walls.cluster.run("delete", "pods", "-n", HUB_NAMESPACE, "-l", f"walls={walls.mark}", "--wait=false")


class _Hello(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"hello\n")


@contextmanager
def listeners(
    places: tuple[tuple[str, int], ...] = ((BRIDGE_ADDRESS, HUB), (BRIDGE_ADDRESS, PUBLIC)),
) -> Iterator[None]:
    """Somebody at these addresses of the node, unless there is already."""
    servers = []
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    for place in places:
        try:
            server = socketserver.ThreadingTCPServer(place, _Hello)
        except OSError:
            continue
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextmanager
def metadata_service() -> Iterator[None]:
    """A stand-in for a cloud's metadata service: at its real address, so that without a policy it would answer."""
    subprocess.run(["ip", "address", "replace", f"{METADATA}/32", "dev", "lo"], check=True)
    try:
        with listeners(((METADATA, 80),)):
            yield
    finally:
        subprocess.run(["ip", "address", "del", f"{METADATA}/32", "dev", "lo"], check=False)
