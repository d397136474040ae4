"""Builders of Kubernetes objects as API servers answer them."""

from __future__ import annotations

import base64
from typing import Any

from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant, VCluster
from aifactory_profiles import Device

Json = dict[str, Any]

SMALL = Device("h100-80gb", "nvidia.com/mig-1g.10gb")
LARGE = Device("h100-80gb", "nvidia.com/mig-3g.40gb")


def make_tenant(
    name: str = "nlp", *, nominal: dict[Device, int] | None = None, borrowing: dict[Device, int] | None = None
) -> Tenant:
    quota = Quota({SMALL: 3, LARGE: 1} if nominal is None else nominal, borrowing or {})
    return Tenant(name, name.upper(), VCluster(f"vc-{name}", name), (), ("mig-1g.10gb",), quota)


def host_pod(vcluster: VCluster, name: str, namespace: str = "notebooks", **changes: Any) -> Json:
    """A pod as vCluster's syncer makes it on the host, running."""
    host_name = f"{name}-x-{namespace}-x-{vcluster.name}"
    pod: Json = {
        "metadata": {
            "name": host_name,
            "namespace": vcluster.namespace,
            "labels": {"vcluster.loft.sh/managed-by": vcluster.name, "component": "singleuser-server"},
            "annotations": {
                "vcluster.loft.sh/object-name": name,
                "vcluster.loft.sh/object-namespace": namespace,
                "vcluster.loft.sh/token-abc": "guest token that nobody may keep",
            },
        },
        "spec": {"containers": [{"name": "notebook"}, {"name": "sidecar"}], "nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "podIP": "10.88.0.12",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "sidecar", "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
                {"name": "notebook", "state": {"running": {"startedAt": "2026-11-22T10:00:00Z"}}},
            ],
        },
    }
    pod["status"].update(changes)
    return pod


def kubeconfig(ca: str, token: str, server: str = "https://localhost:8443") -> str:
    """A kubeconfig as vCluster writes it."""
    authority = base64.b64encode(ca.encode()).decode()
    return f"""
apiVersion: v1
kind: Config
current-context: my-vcluster
contexts: [{{name: my-vcluster, context: {{cluster: my-vcluster, user: my-vcluster}}}}]
clusters: [{{name: my-vcluster, cluster: {{server: "{server}", certificate-authority-data: {authority}}}}}]
users: [{{name: my-vcluster, user: {{token: "{token}"}}}}]
"""


def secret(name: str, config: str) -> Json:
    return {"metadata": {"name": name}, "data": {"config": base64.b64encode(config.encode()).decode()}}


def service(name: str, port: int, address: str = "127.0.0.1") -> Json:
    return {"metadata": {"name": name}, "spec": {"clusterIP": address, "ports": [{"name": "https", "port": port}]}}
