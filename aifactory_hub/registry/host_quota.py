"""The hard ceiling of a tenant's namespace on the host: what its pods and other objects may take, however made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aifactory_profiles import Device, parse_memory

from .. import constants
from ..domain.tenants import Tenant, TenantLimits
from .manifests import HUB_ACCOUNT, Manifest
from .model import Registry

# The control plane of a vCluster has this priority class, which no synced pod may have: the quota of pods is not its.
CONTROL_PLANE_CLASS = f"{constants.PREFIX}-vcluster"
_CONTROL_PLANE_PRIORITY = 1_000_000
PODS_QUOTA = f"{HUB_ACCOUNT}-pods"

# What a container gets that says nothing: a namespace with a quota refuses it otherwise.
_DEFAULT_REQUEST = {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "100Mi"}
_DISK_OF_A_CONTAINER = 20 * 2**30
_DEFAULT_LIMIT = {"ephemeral-storage": "20Gi"}
# What a tenant may have when tenants.yaml does not say, beside its devices' share.
_WITHOUT_DEVICE = 50  # servers and jobs without a device, of its largest profile without one
_FACTOR = 2
_LEAST_CPU = 32_000
_LEAST_MEMORY = 128 * 2**30
_PODS = 200
_CLAIMS = 200
_OBJECTS = 2000
_SERVICES = 200
# What a vCluster has for itself, its volume and its own objects, on top of each limit.
_OWN_STORAGE = 50 * 2**30
_OWN_DISK = 50 * 2**30
_OWN_OBJECTS = 100
_EVENTS = 50_000


def host_quota(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """The tenant's limits as the host keeps them: two quotas, and what a container gets that names no size.

    Devices: what the tenant may ever hold, nominal and borrowed, and none of those that it has no quota for. The
    second quota counts pods, CPU and memory of all but the vCluster's control plane, so that this always fits.
    """
    namespace = tenant.vcluster.namespace
    hard = device_ceiling(tenant, registry.cluster.carved) | _objects(registry, tenant.limits)
    defaults = {"type": "Container", "defaultRequest": dict(_DEFAULT_REQUEST), "default": dict(_DEFAULT_LIMIT)}
    apart = {"scopeName": "PriorityClass", "operator": "NotIn", "values": [CONTROL_PLANE_CLASS]}
    pods = {"hard": _pods(registry, tenant), "scopeSelector": {"matchExpressions": [apart]}}
    return [
        _manifest("LimitRange", HUB_ACCOUNT, namespace, {"limits": [defaults]}),
        _manifest("ResourceQuota", HUB_ACCOUNT, namespace, {"hard": hard}),
        _manifest("ResourceQuota", PODS_QUOTA, namespace, pods),
    ]


def control_plane_class() -> Manifest:
    """The priority class of the vClusters' control planes, once for the cluster."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": CONTROL_PLANE_CLASS},
        "value": _CONTROL_PLANE_PRIORITY,
        "description": "Control planes of the teams' vClusters; no pod of a team may have it.",
    }


def device_ceiling(tenant: Tenant, carved: Iterable[Device]) -> dict[str, str]:
    """The most that pods of the tenant may ask for of each resource, over all flavors, as a ResourceQuota says it."""
    devices: Counter[str] = Counter()
    for device in carved:
        devices[f"requests.{device.resource}"] += tenant.quota.limit(device)
    return {name: count(most) for name, most in devices.items()}


def default_compute(registry: Registry, tenant: Tenant) -> tuple[int, int]:
    """CPU (in thousandths of a core) and memory (in bytes) that a tenant may have when tenants.yaml does not say.

    Twice what its profiles ask for with all of its devices in use and 50 servers or jobs without one; at least 32
    cores and 128 GiB.
    """
    profiles = [registry.catalogue.profile(name) for name in tenant.profiles]
    cpu = memory = 0
    for device in registry.cluster.carved:
        most = tenant.quota.limit(device)
        mine = [each.requests for each in profiles if device.resource in each.requests.devices]
        cpu += most * max((each.cpu_millicores for each in mine), default=0)
        memory += most * max((each.memory_bytes for each in mine), default=0)
    plain = [each.requests for each in profiles if not each.requests.devices]
    cpu += _WITHOUT_DEVICE * max((each.cpu_millicores for each in plain), default=0)
    memory += _WITHOUT_DEVICE * max((each.memory_bytes for each in plain), default=0)
    return max(_FACTOR * cpu, _LEAST_CPU), max(_FACTOR * memory, _LEAST_MEMORY)


def _pods(registry: Registry, tenant: Tenant) -> dict[str, str]:
    """With what a vCluster's own pods take, its name servers above all, which are pods like the tenant's."""
    own, limits = registry.cluster.overhead, tenant.limits
    cpu, memory = default_compute(registry, tenant)
    return {
        "pods": count(_or(limits.pods, _PODS) + own.pods),
        "requests.cpu": cores(_or(limits.cpu_millicores, cpu) + own.cpu_millicores),
        "requests.memory": size(_or(limits.memory_bytes, memory) + own.memory_bytes),
    }


def _objects(registry: Registry, limits: TenantLimits) -> dict[str, str]:
    claims, services = _or(limits.claims, _CLAIMS), _or(limits.services, _SERVICES) + _OWN_OBJECTS
    storage = _or(limits.storage_bytes, claims * parse_memory(registry.notebook.storage)) + _OWN_STORAGE
    disk = _or(limits.disk_bytes, _or(limits.pods, _PODS) * _DISK_OF_A_CONTAINER) + _OWN_DISK
    return {
        "requests.storage": size(storage),
        "persistentvolumeclaims": count(claims + _OWN_OBJECTS),
        "limits.ephemeral-storage": size(disk),
        "secrets": count(_or(limits.secrets, _OBJECTS) + _OWN_OBJECTS),
        "configmaps": count(_or(limits.configmaps, _OBJECTS) + _OWN_OBJECTS),
        "services": count(services),
        "count/endpoints": count(services),
        "count/endpointslices.discovery.k8s.io": count(4 * services),
        "count/events": count(_EVENTS),
    }


# As the API server writes quantities, so that what it answers is what was rendered.


def count(number: int) -> str:
    """A number of things."""
    for power, suffix in ((9, "G"), (6, "M"), (3, "k")):
        if number and number % 10**power == 0:
            return f"{number // 10**power}{suffix}"
    return str(number)


def cores(millicores: int) -> str:
    """CPU."""
    return count(millicores // 1000) if millicores % 1000 == 0 else f"{millicores}m"


def size(number: int) -> str:
    """Bytes."""
    for power, suffix in ((40, "Ti"), (30, "Gi"), (20, "Mi"), (10, "Ki")):
        if number and number % 2**power == 0:
            return f"{number // 2**power}{suffix}"
    return count(number)


def _or(limit: int | None, otherwise: int) -> int:
    return otherwise if limit is None else limit


def _manifest(kind: str, name: str, namespace: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
