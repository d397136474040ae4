"""Offers objects to the host's admission in the name of each team's syncer: what it says, not what its policies are.

Server-side dry runs: nothing is stored. Policies that look right may not be in force, because the API server reads
them from caches of its own.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .. import constants
from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..clusters.impersonation import dry_run_as
from ..domain.site_walls import AdmissionTry, admission_try
from ..domain.tenants import Tenant
from ..registry import Registry

_UNLISTED = "aifactory-doctor.invalid/unlisted:1"


async def try_admission(registry: Registry, api: KubeApi) -> list[AdmissionTry]:
    """One pod that has to pass, one pod and one Service that must not, for each team."""
    teams = await asyncio.gather(*(_team(registry, tenant, api) for tenant in registry.tenants.values()))
    return [each for team in teams for each in team]


async def _team(registry: Registry, tenant: Tenant, api: KubeApi) -> list[AdmissionTry]:
    pods, objects = (f"{constants.PREFIX}-{what}-{tenant.name}" for what in ("pods", "objects"))
    tries = (
        ("a pod with the notebooks' image", "", "pods", pod(tenant, registry.notebook.image)),
        ("a pod with an unlisted image", pods, "pods", pod(tenant, _UNLISTED)),
        ("a Service with a port of every node", objects, "services", node_port(tenant)),
    )
    return list(await asyncio.gather(*(_try(tenant, api, *each) for each in tries)))


async def _try(tenant: Tenant, api: KubeApi, what: str, policy: str, plural: str, body: dict[str, Any]) -> AdmissionTry:
    namespace = tenant.vcluster.namespace
    syncer = f"system:serviceaccount:{namespace}:vc-{tenant.vcluster.name}"
    try:
        await dry_run_as(api, syncer, f"/api/v1/namespaces/{namespace}/{plural}", body)
    except ApiError as error:
        return admission_try(tenant.name, what, policy, (error.status, error.message))
    except ApiUnreachable as error:
        return AdmissionTry(tenant.name, what, policy, untried=error.reason)
    return admission_try(tenant.name, what, policy, None)


def pod(tenant: Tenant, image: str) -> dict[str, Any]:
    """A pod as the team's syncer makes them of a notebook."""
    container = {
        "name": "doctor",
        "image": image,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"aifactory-doctor-x-{tenant.vcluster.name}", "labels": _labels(tenant)},
        "spec": {
            "serviceAccountName": f"vc-workload-{tenant.vcluster.name}",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }


def node_port(tenant: Tenant) -> dict[str, Any]:
    """A Service that would open a port of every node."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"aifactory-doctor-x-{tenant.vcluster.name}", "labels": _labels(tenant)},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    }


def _labels(tenant: Tenant) -> dict[str, str]:
    return {
        "vcluster.loft.sh/managed-by": tenant.vcluster.name,
        "vcluster.loft.sh/namespace": constants.NOTEBOOKS_NAMESPACE,
        constants.LABEL_TENANT: tenant.name,
    }
