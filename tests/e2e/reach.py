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

# Where clouds give credentials away, and what stands for the rest of the internet, which isolation.egress opens.
METADATA = {
    "the cloud's metadata address": "169.254.169.254",
    "the cloud's credentials for tasks (AWS)": "169.254.170.2",
    "the cloud's host agent (Azure)": "168.63.129.16",
    "the cloud's metadata address (Alibaba)": "100.100.100.200",
    "the cloud's metadata address (Oracle)": "192.0.0.192",
}
INTERNET = "192.0.2.80"
NOTEBOOK, OTHER_PORT = 8888, 9000
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
    with outside(), listeners(BESIDE), hub_pods(walls) as hub, strange_pods(walls) as strange:
        for tenant in ("nlp", "vision"):
            walls.create(tenant, [walls.pod("notebook")])
        walls.create("nlp", [walls.pod("neighbour")])
        pods = {
            name: walls.running(*name) for name in (("nlp", "notebook"), ("nlp", "neighbour"), ("vision", "notebook"))
        }
        detour = service_to(walls, "vision", address(pods["nlp", "notebook"]))
        found: list[Attempt] = []
        for tenant, other in (("nlp", "vision"), ("vision", "nlp")):
            attempts = from_a_notebook(walls, tenant, other, pods)
            attempts += [
                Attempt(f"notebook of {tenant}", what, (address(strange[name]), 53, "tcp"), name == "name-server")
                for name, what in (("name-server", "a name server's pod"), ("no-name-server", "another pod beside it"))
            ]
            if tenant == "vision":
                what = "a notebook of nlp, by a Service of its own"
                attempts.append(Attempt("notebook of vision", what, (detour, NOTEBOOK, "tcp"), allowed=False))
            found += tried(walls, f"vc-{tenant}", pods[tenant, "notebook"], attempts)
        found += tried(walls, "vc-vision", strange["control-plane"], from_a_control_plane(walls, strange, pods))
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
        to("the internet", INTERNET, 80, True),
        *(to(what, there, 80, False) for what, there in METADATA.items()),
    ]
    if (tenant, "neighbour") in pods:
        neighbour = address(pods[tenant, "neighbour"])
        attempts.append(to("another pod of its team", neighbour, OTHER_PORT, True))
        attempts.append(to("a colleague's notebook", neighbour, NOTEBOOK, False))
    return attempts


def from_the_hub_s_namespace(walls: Walls, name: str, pods: dict[tuple[str, str], Object]) -> list[Attempt]:
    notebook, (_, control_plane, _) = address(pods["nlp", "notebook"]), api_of(walls, "nlp")
    return [
        Attempt(f"a {name} pod", "a notebook", (notebook, NOTEBOOK, "tcp"), name in ("hub", "proxy")),
        Attempt(f"a {name} pod", "a vCluster's API", (control_plane, 8443, "tcp"), name == "hub"),
    ]


def from_a_control_plane(
    walls: Walls, strange: dict[str, Object], pods: dict[tuple[str, str], Object]
) -> list[Attempt]:
    """From a pod that has the labels of vision's control plane, as the administrator of the host could make one."""

    def to(target: str, host: str, port: int, allowed: bool) -> Attempt:
        return Attempt("control plane of vision", target, (host, port, "tcp"), allowed)

    return [
        to("the host's API, its address", BRIDGE_ADDRESS, 6443, True),
        to("the internet", INTERNET, 443, False),
        to("the API of nlp's vCluster, its Service", api_of(walls, "nlp")[0], 443, False),
        to("another pod of kube-system", address(strange["no-name-server"]), 443, False),
        to("a notebook of nlp", address(pods["nlp", "notebook"]), NOTEBOOK, False),
    ]


def service_to(walls: Walls, tenant: str, target: str) -> str:
    """The address of a Service on the host that this tenant's vCluster points at an address of its choice."""
    metadata = {"name": "detour"}
    ports = [{"name": "http", "port": NOTEBOOK, "protocol": "TCP"}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "detour"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [target]}],
        "ports": ports,
    }
    walls.create(tenant, [service, slices])
    name = f"detour-x-{walls.mark}-x-{tenant}"
    where = ("-n", f"vc-{tenant}")

    def pointed() -> bool:
        items = walls.cluster.get("endpointslices", *where)["items"]
        mine = [each for each in items if each["metadata"]["labels"].get("kubernetes.io/service-name") == name]
        return any(target in end["addresses"] for each in mine for end in each.get("endpoints") or ())

    if not walls.cluster.wait(pointed, 60):
        raise AssertionError(f"no EndpointSlice of {name} on the host")
    return str(walls.cluster.get("service", name, *where)["spec"]["clusterIP"])


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
def strange_pods(walls: Walls) -> Iterator[dict[str, Object]]:
    """Pods of the host that listen at ports of others: two in kube-system, one like vision's control plane."""
    listen = "import socketserver as s, threading as t\n" + "\n".join(
        f"t.Thread(target=s.ThreadingTCPServer(('', {port}), s.BaseRequestHandler).serve_forever).start()"
        for port in (53, 443)
    )
    made: dict[str, Object] = {}
    for name, namespace, labels in (
        ("name-server", "kube-system", {"k8s-app": "kube-dns"}),
        ("no-name-server", "kube-system", {"k8s-app": "other"}),
        ("control-plane", "vc-vision", {"app": "vcluster", "release": "vision"}),
    ):
        pod = walls.pod(f"{walls.mark}-{name}")
        pod["metadata"] |= {"namespace": namespace, "labels": {"walls": walls.mark, **labels}}
        # Never ready: the Service of vision's API selects these labels, and would send half of its connections here.
        pod["spec"]["readinessGates"] = [{"conditionType": "test.aifactory-hub.io/never"}]
        if namespace == "kube-system":
            pod["spec"]["containers"][0]["command"] = ["python3", "-c", listen]
            # Ports below 1024.
            pod["spec"]["securityContext"] = {"runAsUser": 0}
            pod["spec"]["containers"][0]["securityContext"] = {}
        made[name] = pod
    try:
        for pod in made.values():
            walls.cluster.run("create", "-f", "-", stdin=json.dumps(pod))
        yield {name: _listening(walls, pod) for name, pod in made.items()}
    finally:
        for namespace in ("kube-system", "vc-vision"):
            gone = ("delete", "pods", "-n", namespace, "-l", f"walls={walls.mark},!vcluster.loft.sh/managed-by")
            walls.cluster.run(*gone, "--wait=false")


def _listening(walls: Walls, pod: Object) -> Object:
    metadata = pod["metadata"]
    ready = ("wait", "-n", metadata["namespace"], f"pod/{metadata['name']}", "--for=condition=ContainersReady")
    walls.cluster.run(*ready, "--timeout=50s")
    return walls.cluster.get("pod", metadata["name"], "-n", metadata["namespace"])


@contextmanager
def outside() -> Iterator[None]:
    """Stand-ins at the real addresses, so that without a policy they would answer."""
    places = [(there, 80) for there in METADATA.values()] + [(INTERNET, 80), (INTERNET, 443)]
    addresses = list(dict.fromkeys(there for there, _ in places))
    for there in addresses:
        subprocess.run(["ip", "address", "replace", f"{there}/32", "dev", "lo"], check=True)
    try:
        with listeners(tuple(places)):
            yield
    finally:
        for there in addresses:
            subprocess.run(["ip", "address", "del", f"{there}/32", "dev", "lo"], check=False)
