"""What the administrator of the test cluster sees: the witness that the hub under test can't influence."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aifactory_hub import constants

TEAMS = ("nlp", "vision")


@dataclass(frozen=True)
class Ticket:
    """A ticket as it is on the host."""

    name: str
    owner: str
    admitted: bool
    active: bool


@dataclass(frozen=True)
class Pod:
    """A tenant's pod as it is on the host."""

    name: str
    ip: str
    node: str
    running: bool
    devices: dict[str, str]
    made: float  # seconds since 1970


@dataclass(frozen=True)
class Cluster:
    """The running test cluster, read with its administrator's credentials."""

    kubectl: Path
    kubeconfig: Path
    node: str

    def get(self, *arguments: str, kubeconfig: Path | None = None) -> dict[str, Any]:
        return dict(json.loads(self.run("get", *arguments, "-o", "json", kubeconfig=kubeconfig)))

    def run(self, *arguments: str, kubeconfig: Path | None = None, stdin: str | None = None) -> str:
        argv = [str(self.kubectl), "--kubeconfig", str(kubeconfig or self.kubeconfig), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, input=stdin)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def inside(self, tenant: str, *arguments: str, stdin: str | None = None) -> str:
        """kubectl in the tenant's vCluster, as its administrator, past any proxy that stands in front of it."""
        kubeconfig = self.kubeconfig.parent / f"{tenant}-admin.kubeconfig"
        address = self.get("pod", f"{tenant}-0", "-n", f"vc-{tenant}")["status"].get("podIP")
        if not address:
            raise RuntimeError(f"the control plane of {tenant} has no address yet")
        past = [f"--server=https://{address}:8443", "--tls-server-name=kubernetes.default.svc"]
        return self.run(*past, *arguments, kubeconfig=kubeconfig, stdin=stdin)

    def pod_names(self) -> frozenset[str]:
        """All pods that the teams of this hub have on the host, whoever made them."""
        items = [item for team in TEAMS for item in self._tenant_pods(team)]
        return frozenset(f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in items)

    def virtual_pod_names(self, tenant: str) -> list[str]:
        return [_virtual_name(item) for item in self._tenant_pods(tenant)]

    def has_pod(self, tenant: str, namespace: str, owner: str) -> bool:
        return bool(self._find(tenant, namespace, owner))

    def pod(self, tenant: str, namespace: str, owner: str) -> Pod:
        found = self._find(tenant, namespace, owner)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} pods of {owner} in {tenant}, not one")
        status, container = found[0]["status"], found[0]["spec"]["containers"][0]
        limits = container["resources"].get("limits", {})
        return Pod(
            name=found[0]["metadata"]["name"],
            ip=status.get("podIP", ""),
            node=found[0]["spec"].get("nodeName", ""),
            running=status["phase"] == "Running",
            devices={name: count for name, count in limits.items() if name.startswith("nvidia.com/")},
            made=datetime.fromisoformat(found[0]["metadata"]["creationTimestamp"]).timestamp(),
        )

    def tickets(self, tenant: str) -> list[Ticket]:
        items = self.get("jobs", "-n", f"vc-{tenant}", "-l", constants.LABEL_OWNER)["items"]
        return [
            Ticket(
                name=item["metadata"]["name"],
                owner=item["metadata"]["labels"][constants.LABEL_OWNER],
                admitted=item["spec"].get("suspend") is False,
                active=item.get("status", {}).get("active", 0) == 1,
            )
            for item in items
        ]

    def has_claim(self, tenant: str, namespace: str, owner: str) -> bool:
        items = self.get("pvc", "-n", f"vc-{tenant}", "-l", "vcluster.loft.sh/managed-by")["items"]
        return any(owner in _virtual_name(item) and item["status"]["phase"] == "Bound" for item in items)

    def tenant_rights(self, tenant: str, secret: str) -> Callable[[str, str, str], bool]:
        """Asks the tenant's API what the credential in this Secret may do: ``may(verb, resource, namespace)``."""
        stored = self.get("secret", secret, "-n", f"vc-{tenant}")["data"]["config"]
        address = self.get("service", tenant, "-n", f"vc-{tenant}")["spec"]["clusterIP"]
        with tempfile.NamedTemporaryFile("wb", suffix=".kubeconfig", delete=False) as file:
            file.write(base64.b64decode(stored))
        path = Path(file.name)
        self.run(
            "config",
            "set-cluster",
            _first_cluster(self, path),
            f"--server=https://{address}:443",
            kubeconfig=path,
        )

        def may(verb: str, resource: str, namespace: str) -> bool:
            where = ["-n", namespace] if namespace else []
            argv = [str(self.kubectl), "--kubeconfig", str(path), "auth", "can-i", verb, resource, *where]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            answer = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
            if answer not in ("yes", "no"):
                raise RuntimeError(f"no answer to {argv[3:]}: {done.stdout} {done.stderr}")
            return answer == "yes"

        return may

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
        return True

    def _tenant_pods(self, tenant: str) -> list[dict[str, Any]]:
        return list(self.get("pods", "-n", f"vc-{tenant}", "-l", f"vcluster.loft.sh/managed-by={tenant}")["items"])

    def _find(self, tenant: str, namespace: str, owner: str) -> list[dict[str, Any]]:
        return [
            item
            for item in self._tenant_pods(tenant)
            if item["metadata"]["annotations"].get("vcluster.loft.sh/object-namespace") == namespace
            and item["metadata"]["labels"].get(constants.LABEL_OWNER) == owner
        ]


def _virtual_name(item: dict[str, Any]) -> str:
    return str(item["metadata"].get("annotations", {}).get("vcluster.loft.sh/object-name", ""))


def _first_cluster(cluster: Cluster, kubeconfig: Path) -> str:
    view = json.loads(cluster.run("config", "view", "-o", "json", kubeconfig=kubeconfig))
    return str(view["clusters"][0]["name"])
