"""Objects of any kind on the host: read, server-side applied, listed by label, deleted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .api import KubeApi
from .errors import ApiError

Json = dict[str, Any]

# Where each kind lives, and whether it lives in a namespace. Only kinds that follow from the tenant registry: what
# `tenants apply` makes, and what the provisioner does.
_KINDS = {
    "Namespace": ("/api/v1", "namespaces", False),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "LimitRange": ("/api/v1", "limitranges", True),
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", False),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", True),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", True),
    "ValidatingAdmissionPolicy": (
        "/apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
        False,
    ),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        False,
    ),
    "PriorityClass": ("/apis/scheduling.k8s.io/v1", "priorityclasses", False),
    "Cohort": ("/apis/kueue.x-k8s.io/v1beta2", "cohorts", False),
    "ResourceFlavor": ("/apis/kueue.x-k8s.io/v1beta2", "resourceflavors", False),
    "WorkloadPriorityClass": ("/apis/kueue.x-k8s.io/v1beta2", "workloadpriorityclasses", False),
    "ClusterQueue": ("/apis/kueue.x-k8s.io/v1beta2", "clusterqueues", False),
    "Secret": ("/api/v1", "secrets", True),
    "Service": ("/api/v1", "services", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
    "LocalQueue": ("/apis/kueue.x-k8s.io/v1beta2", "localqueues", True),
}

_API_SERVICE = "/api/v1/namespaces/default/services/kubernetes"
_API_SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


class HostObjects:
    """Every method raises ApiError when the host says no, and ApiUnreachable when it does not answer."""

    def __init__(self, host: KubeApi, manager: str) -> None:
        self._host = host
        self._manager = manager

    async def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """The object; None when there is none."""
        try:
            return await self._host.get(f"{_collection(kind, namespace)}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def apply(self, manifest: Json, *, dry_run: bool) -> Json | None:
        """What the object is after a server-side apply; None for a trial run in a namespace that does not exist yet."""
        metadata = manifest["metadata"]
        path = f"{_collection(manifest['kind'], metadata.get('namespace', ''))}/{metadata['name']}"
        try:
            return await self._host.apply(path, manifest, manager=self._manager, dry_run=dry_run)
        except ApiError as error:
            if dry_run and error.status == 404:
                return None
            raise

    async def patch(self, kind: str, namespace: str, name: str, changes: Json) -> Json:
        """A JSON merge patch, for what is said in a word and owned by nobody else."""
        return await self._host.merge_patch(f"{_collection(kind, namespace)}/{name}", changes)

    async def in_namespace(self, path: str, namespace: str, selector: str = "") -> list[Json]:
        """All objects of one collection such as ``/api/v1/pods`` in a namespace."""
        group, plural = path.rsplit("/", 1)
        params = {"labelSelector": selector} if selector else None
        answer = await self._host.get(f"{group}/namespaces/{namespace}/{plural}", params)
        return list(answer.get("items") or ())

    async def marked(self, kinds: Iterable[str], selector: str) -> list[Json]:
        """All objects of these kinds that carry the label, in every namespace."""
        found: list[Json] = []
        for kind in kinds:
            answer = await self._host.get(_collection(kind, ""), {"labelSelector": selector})
            found += [{"apiVersion": "", "kind": kind, **item} for item in answer.get("items") or ()]
        return found

    async def api_servers(self) -> tuple[Json | None, list[Json]]:
        """The Service of the host's API servers, and what its EndpointSlices say of them."""
        try:
            service: Json | None = await self._host.get(_API_SERVICE)
        except ApiError as error:
            if error.status != 404:
                raise
            service = None
        slices = await self._host.get(_API_SLICES, {"labelSelector": "kubernetes.io/service-name=kubernetes"})
        return service, list(slices.get("items") or ())

    async def delete(self, kind: str, namespace: str, name: str) -> None:
        """One that is gone is no error."""
        await self._host.delete(f"{_collection(kind, namespace)}/{name}")


def _collection(kind: str, namespace: str) -> str:
    """The path of a kind's objects: in one namespace, or all of them where ``namespace`` is empty."""
    group, plural, namespaced = _KINDS[kind]
    return f"{group}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{group}/{plural}"
