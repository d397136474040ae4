"""Pods and credentials from which the walls between tenants are tried. What they find is real: nothing is mocked."""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.access import Access
from tests.cluster.settings import RESTRICTED, RESTRICTED_POD

from .bad_pods import RUNTIME_CLASS
from .cluster import Cluster

Object = dict[str, Any]

# Answers at the notebook's port and at another, so that there is somebody to reach.
LISTEN = """\
import http.server as h, threading as t
for port in (9000, 8888):
    t.Thread(target=h.ThreadingHTTPServer(("", port), h.BaseHTTPRequestHandler).serve_forever).start()
"""
# Tries all addresses at once. A refused connection was let through: there is just nobody at home.
CONNECT = """\
import concurrent.futures as f, json, socket, sys
def one(target):
    host, port, kind = target
    try:
        if kind == "name":
            socket.getaddrinfo(host, port)
        else:
            socket.create_connection((host, port), 4).close()
        return "reached"
    except ConnectionRefusedError:
        return "reached"
    except OSError as error:
        return "blocked: " + (str(error) or type(error).__name__)
targets = json.loads(sys.argv[1])
with f.ThreadPoolExecutor(32) as pool:
    print(json.dumps(list(pool.map(one, targets))))
"""


@dataclass
class Walls:
    """One run's pods, each with a name of this run, so that two runs never meet."""

    cluster: Cluster
    found: Access
    mark: str = field(default_factory=lambda: f"walls-{secrets.token_hex(3)}")
    # Seconds. The syncer tries a refused object again; the first refusal comes within a second, on a busy machine
    # within a few.
    timeout: float = 60

    def admin(self, tenant: str) -> Path:
        """The credential of the tenant's own administrator: everything, inside its vCluster."""
        return self.found.tenants[tenant].admin_kubeconfig

    def pod(self, name: str, **changes: Any) -> Object:
        """A harmless pod, as the hub makes them, with ``changes`` to its spec."""
        container = {
            "name": "main",
            "image": self.found.notebook_image,
            "command": ["python3", "-c", LISTEN],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}},
            "securityContext": dict(RESTRICTED),
        }
        spec = {
            "containers": [container],
            "securityContext": dict(RESTRICTED_POD),
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
        }
        metadata = {"name": name, "labels": {"walls": self.mark}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**copy.deepcopy(spec), **changes}}

    def create(self, tenant: str, objects: Iterable[Object], namespace: str | None = None) -> None:
        text = "\n---\n".join(json.dumps(each) for each in objects)
        where = namespace or self.mark
        self.cluster.run("create", "-n", where, "-f", "-", kubeconfig=self.admin(tenant), stdin=text)

    def host_pod(self, tenant: str, name: str) -> Object | None:
        """The pod on the host that stands for this one of the tenant's; None when there is none."""
        items = self.cluster.get("pods", "-n", f"vc-{tenant}", "-l", f"walls={self.mark}")["items"]
        named = (each for each in items if each["metadata"]["annotations"]["vcluster.loft.sh/object-name"] == name)
        return next(named, None)

    def running(self, tenant: str, name: str) -> Object:
        """The host's pod, once it runs and has an address."""
        seen: list[Object | None] = [None]

        def runs() -> bool:
            pod = seen[0] = self.host_pod(tenant, name)
            return pod is not None and pod["status"].get("phase") == "Running" and bool(pod["status"].get("podIP"))

        if not self.cluster.wait(runs, 120):
            raise AssertionError(f"{name} of {tenant} does not run: {self.events(tenant, name)}")
        assert seen[0] is not None
        return seen[0]

    def events(self, tenant: str, name: str) -> list[str]:
        query = ("events", "-n", self.mark, "--field-selector", f"involvedObject.name={name}")
        return [each["message"] for each in self.cluster.get(*query, kubeconfig=self.admin(tenant))["items"]]

    def said(self, tenant: str, name: str, words: str) -> str:
        """The first event about this object that has these words; empty when none comes."""
        found = [""]

        def heard() -> bool:
            found[0] = next((text for text in self.events(tenant, name) if words in text), "")
            return bool(found[0])

        self.cluster.wait(heard, self.timeout)
        return found[0]

    def logged(self, tenant: str, pattern: str) -> str:
        """What the syncer's log says of a refusal for which it makes no event."""
        found = [""]

        def there() -> bool:
            log = self.cluster.run("logs", "-n", f"vc-{tenant}", f"{tenant}-0", "--since=90s")
            match = re.search(pattern, log)
            found[0] = match[0] if match else ""
            return bool(found[0])

        self.cluster.wait(there, self.timeout)
        return found[0]

    def inside(self, namespace: str, pod: str, script: str, *arguments: str) -> str:
        """What the script prints when it runs in this pod of the host."""
        return self.cluster.run("exec", "-n", namespace, pod, "--", "python3", "-c", script, *arguments)

    def connect(self, namespace: str, pod: str, targets: list[tuple[str, int, str]]) -> list[str]:
        found: list[str] = json.loads(self.inside(namespace, pod, CONNECT, json.dumps(targets)))
        return found


@contextmanager
def walls(cluster: Cluster, found: Access) -> Iterator[Walls]:
    """With a namespace of this run in each tenant's vCluster; all is removed at the end."""
    made = Walls(cluster, found)
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": RUNTIME_CLASS}}
    places = [None, *(made.admin(tenant) for tenant in found.tenants)]
    try:
        for tenant in found.tenants:
            cluster.run("create", "namespace", made.mark, kubeconfig=made.admin(tenant))
        for place in places:
            cluster.run("apply", "-f", "-", kubeconfig=place, stdin=json.dumps({**runtime, "handler": "nvidia"}))
        yield made
    finally:
        for place in places:
            cluster.run("delete", "runtimeclass", RUNTIME_CLASS, "--ignore-not-found", kubeconfig=place)
        for tenant in found.tenants:
            gone = ("delete", "namespace", made.mark, "--ignore-not-found", "--wait=false")
            cluster.run(*gone, kubeconfig=made.admin(tenant))
        for tenant in found.tenants:
            empty = ("get", "pods", "-n", f"vc-{tenant}", "-l", f"walls={made.mark}", "-o", "name")
            cluster.wait(lambda empty=empty: not cluster.run(*empty).strip(), 60)  # type: ignore[misc]
