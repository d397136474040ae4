"""The tenants' vClusters, from vCluster's own chart, and the credentials for them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from . import kueue, pki
from .components import kubectl, wait_for
from .console import ClusterError, NotReady, step
from .namespaces import Namespaces
from .programs import MODULES, module_folder
from .settings import HELM_VALUES, RENDERED, VALUES, Layout

SECRETS = ("hub-notebooks", "hub-jobs")


def host_namespace(tenant: str) -> str:
    return f"vc-{tenant}"


def install(namespaces: Namespaces, tenant: str, rendered: Path | None = None) -> None:
    """With what was rendered for it; that of the two tenants of every cluster is kept beside the other values."""
    where = namespaces.where
    # Until the quota's first count the host refuses what it counts, Helm's own Secret as well.
    counted = ("wait", "resourcequota", "--all", "--for=jsonpath={.status.hard}", "--timeout=1s")
    query = kubectl(where, "-n", host_namespace(tenant), *counted)
    wait_for(namespaces, f"vcluster {tenant}: quotas counted", query, 60)
    chart = module_folder(where, MODULES[0], "github.com/loft-sh/vcluster") / "chart"
    values = (HELM_VALUES / "vcluster.yaml", VALUES / "vcluster.yaml", rendered or RENDERED / f"vcluster-{tenant}.yaml")
    with step(f"vcluster {tenant}: chart installed"):
        kueue.helm_install(namespaces, tenant, host_namespace(tenant), chart, *values)


def wait_ready(namespaces: Namespaces, tenant: str) -> None:
    """Ready: its control plane, its own DNS, and the two Secrets with credentials for the hub."""
    where, namespace = namespaces.where, host_namespace(tenant)
    with step(f"vcluster {tenant}"):
        for what, query in ready_checks(where, tenant):
            try:
                wait_for(namespaces, f"vcluster {tenant}: {what}", query, 240)
            except NotReady as error:
                raise ClusterError(f"{error}\n{_explain(namespaces, namespace)}") from None
        write_admin_kubeconfig(namespaces, tenant)


def ready_checks(where: Layout, tenant: str) -> list[tuple[str, tuple[str, ...]]]:
    host = ("-n", host_namespace(tenant))
    dns = ("wait", "pod", "-l", "vcluster.loft.sh/namespace=kube-system", "--for=condition=Ready", "--timeout=1s")
    return [
        ("control plane", kubectl(where, *host, "rollout", "status", f"statefulset/{tenant}", "--timeout=1s")),
        ("credentials", kubectl(where, *host, "get", "secret", f"vc-{tenant}", *SECRETS)),
        ("DNS", kubectl(where, *host, *dns)),
    ]


def _explain(namespaces: Namespaces, namespace: str) -> str:
    parts = []
    for argv in (("get", "pods,pvc"), ("events", "--types=Warning"), ("logs", "-l", "app=vcluster", "--tail=15")):
        try:
            parts.append(namespaces.output(list(kubectl(namespaces.where, "-n", namespace, *argv))))
        except ClusterError as error:
            parts.append(str(error))
    return "\n".join(part[-2500:] for part in parts)


def get(namespaces: Namespaces, tenant: str, kind: str, name: str) -> dict[str, Any]:
    query = kubectl(namespaces.where, "-n", host_namespace(tenant), "get", kind, name, "-o", "json")
    found: dict[str, Any] = json.loads(namespaces.output(list(query)))
    return found


def api_address(namespaces: Namespaces, tenant: str) -> str:
    """Host processes don't resolve Service names; the certificate holds the ClusterIP too."""
    return f"https://{get(namespaces, tenant, 'service', tenant)['spec']['clusterIP']}:443"


def write_admin_kubeconfig(namespaces: Namespaces, tenant: str) -> None:
    data = get(namespaces, tenant, "secret", f"vc-{tenant}")["data"]
    user = {f"{key}-data": data[key] for key in ("client-certificate", "client-key")}
    path = namespaces.where.kubeconfig(f"{tenant}-admin")
    pki.write_kubeconfig(path, api_address(namespaces, tenant), data["certificate-authority"], user)


def write_hub_kubeconfig(namespaces: Namespaces) -> None:
    """The host credential of the hub under test."""
    where = namespaces.where
    ask = kubectl(where, "-n", "aifactory-system", "create", "token", "aifactory-hub", "--duration=720h")
    token = namespaces.output(list(ask)).strip()
    authority = base64.b64encode((where.pki / "ca.crt").read_bytes()).decode()
    pki.write_kubeconfig(where.kubeconfig("hub"), "https://127.0.0.1:6443", authority, {"token": token})
