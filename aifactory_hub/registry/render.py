"""What follows from the registry on the host cluster: Kueue objects, labels, and the hub's own rights.

Pure: a registry in, Kubernetes objects as dictionaries out. Kueue's API is v1beta2 (0.15 and newer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from aifactory_profiles import Device
from aifactory_profiles.catalogue import PRODUCT_LABEL

from .. import constants
from ..domain.borrowing import Reclaim
from ..domain.gates import Rule
from ..domain.tenants import Tenant
from .homes import home_policies
from .host_quota import control_plane_class, host_quota
from .manifests import HUB_ACCOUNT, HUB_NAMESPACE, Manifest
from .model import Registry
from .policies import POD_SECURITY, tenant_policies
from .rule_objects import rule_objects

# Kueue is installed so that it looks at namespaces with this label only (helm-values/kueue.yaml).
LABEL_TICKETS = f"{constants.PREFIX}/tickets"
# What the queues of a cluster without GPUs cover, because a queue has to cover something. Nobody asks for it.
NO_GPU_FLAVOR = "no-gpu"
NO_GPU_RESOURCE = f"{constants.PREFIX}/no-gpu"

_RECLAIM = {Reclaim.ANY: "Any", Reclaim.LOWER_PRIORITY: "LowerPriority", Reclaim.NEVER: "Never"}
# Whom a ticket that has to borrow may end. All that jobs have is borrowed in Kueue's eyes, and without a policy here it
# does not look at the less urgent ones of their own queue either (seen on 0.19.2). No priority is as low as the
# threshold, so that it looks no further than that.
_NOBODY: Mapping[str, object] = {"policy": "Never"}
_OWN_QUEUE: Mapping[str, object] = {"policy": "LowerPriority", "maxPriorityThreshold": 0}
_KUEUE = "kueue.x-k8s.io/v1beta2"
_RBAC = "rbac.authorization.k8s.io"
_READ = ("get", "list", "watch")


def host_objects(
    registry: Registry, tenants: Iterable[str] | None = None, rules: Sequence[Rule] = ()
) -> list[Manifest]:
    """All objects on the host, in an order in which they can be applied, with policies of the site's ``rules``.

    With ``tenants`` only what belongs to these, without what the cluster has once. Raises KeyError for a tenant
    that is not in the registry.
    """
    chosen = [registry.tenants[name] for name in (registry.tenants if tenants is None else tenants)]
    shared = cluster_objects(registry) if tenants is None else []
    own = [manifest for tenant in chosen for manifest in tenant_objects(registry, tenant)]
    return [*shared, *own, *rule_objects(registry.hub, chosen, rules)]


def cluster_objects(registry: Registry) -> list[Manifest]:
    """What the host cluster has once."""
    rules = [
        _rule("", ["pods"], _READ),
        _rule("kueue.x-k8s.io", ["clusterqueues"], ["get", "list"]),
        _rule("", ["namespaces"], ["get"], _namespaces(registry)),
    ]
    return [
        _manifest("v1", "Namespace", HUB_NAMESPACE),
        _manifest("v1", "ServiceAccount", HUB_ACCOUNT, HUB_NAMESPACE),
        _manifest(f"{_RBAC}/v1", "ClusterRole", HUB_ACCOUNT) | {"rules": rules},
        _binding("ClusterRoleBinding", "ClusterRole", HUB_ACCOUNT, None),
        _manifest(_KUEUE, "Cohort", registry.cluster.cohort) | {"spec": {}},
        *_flavors(registry),
        *(_priority(name, value) for name, value in constants.PRIORITIES.items()),
        control_plane_class(),
        *home_policies(),
    ]


def tenant_objects(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """What the host cluster has for one tenant."""
    namespace = tenant.vcluster.namespace
    labels = {LABEL_TICKETS: "true", constants.LABEL_TENANT: tenant.name, **POD_SECURITY}
    role = _manifest(f"{_RBAC}/v1", "Role", HUB_ACCOUNT, namespace) | {"rules": _tenant_rules(tenant)}
    cluster = registry.cluster
    return [
        _manifest("v1", "Namespace", namespace, labels=labels),
        role,
        _binding("RoleBinding", "Role", HUB_ACCOUNT, namespace),
        *tenant_queues(
            tenant, tenant.name, cluster.cohort, cluster.carved, cluster.reclaim, fair_sharing=cluster.fair_sharing
        ),
        *host_quota(registry, tenant),
        *tenant_policies(registry, tenant),
    ]


def tenant_queues(
    tenant: Tenant,
    name: str,
    cohort: str,
    carved: Iterable[Device],
    reclaim: Reclaim = Reclaim.ANY,
    *,
    fair_sharing: bool = False,
) -> list[Manifest]:
    """The tenant's quota in Kueue, for a cluster with these devices. ``name`` is that of its queues.

    The tenant is a cohort below ``cohort``, with its limits of lending and borrowing. In it are two queues. That of
    notebooks owns the tenant's devices, and unless notebooks borrow it has no more than these: nothing of it is ever
    reclaimed, because Kueue reclaims only from queues that hold more than their own. That of jobs owns nothing: it
    uses what notebooks leave, and what other tenants lend, and gives it back on demand.

    Where Kueue shares fairly, it asks which of the two queues is further over its share, and no longer which ticket is
    less urgent. So the queue of jobs weighs nothing then: beside notebooks that borrow, jobs still go first.
    """
    devices = tuple(carved)
    namespace, own = tenant.vcluster.namespace, f"{cohort}-{tenant.name}"
    bound = {} if tenant.quota.notebooks_borrow else {"borrowingLimit": "0"}
    notebooks = _groups(devices, lambda d: {"nominalQuota": str(tenant.quota.nominal.get(d, 0)), **bound})
    jobs = _groups(devices, lambda d: {"nominalQuota": "0"})
    found = [_manifest(_KUEUE, "Cohort", own) | {"spec": _cohort(tenant, cohort, devices)}]
    weightless = {"fairSharing": {"weight": "0"}} if fair_sharing else {}
    among_jobs = _NOBODY if fair_sharing or reclaim is Reclaim.NEVER else _OWN_QUEUE
    for queue, local, groups, borrower, weight in (
        (name, constants.LOCAL_QUEUE, notebooks, _NOBODY, {}),
        (f"{name}.jobs", constants.JOBS_LOCAL_QUEUE, jobs, among_jobs, weightless),
    ):
        spec = _queue(namespace, own, reclaim, groups, borrower) | weight
        found += [
            _manifest(_KUEUE, "ClusterQueue", queue) | {"spec": spec},
            _manifest(_KUEUE, "LocalQueue", local, namespace) | {"spec": {"clusterQueue": queue}},
        ]
    return found


def _cohort(tenant: Tenant, parent: str, devices: Iterable[Device]) -> Manifest:
    """What the tenant's queues together may have of others, and what they lend."""
    weight = {"fairSharing": {"weight": str(tenant.weight)}} if tenant.weight != 1 else {}
    return {"parentName": parent, **weight, "resourceGroups": _groups(devices, lambda device: _limits(tenant, device))}


def _limits(tenant: Tenant, device: Device) -> dict[str, str]:
    quota = tenant.quota
    lending = {"lendingLimit": str(quota.lending[device])} if device in quota.lending else {}
    return {"nominalQuota": "0", "borrowingLimit": str(quota.borrowing.get(device, 0)), **lending}


def _queue(
    namespace: str, cohort: str, reclaim: Reclaim, groups: list[Manifest], borrower: Mapping[str, object]
) -> Manifest:
    """Within a queue the more urgent goes before, and what was lent comes back as ``reclaim`` says.

    Nobody takes what another tenant owns: ``borrower`` is whom a ticket may end that has to borrow.
    """
    return {
        "cohortName": cohort,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "queueingStrategy": "BestEffortFIFO",
        "preemption": {
            "reclaimWithinCohort": _RECLAIM[reclaim],
            "withinClusterQueue": "LowerPriority",
            "borrowWithinCohort": dict(borrower),
        },
        "resourceGroups": groups,
    }


def _groups(carved: Iterable[Device], quota: Callable[[Device], dict[str, str]]) -> list[Manifest]:
    """Every carved resource, also what the tenant has none of.

    Kueue 0.19.2 takes a queue without any resource group for one that needs topology-aware scheduling, and admits
    nothing to it (seen on a real cluster). So each queue has a group, for tenants without devices as well. Quotas are
    text, which is how the API server keeps quantities: a number would differ from what it answers.
    """
    groups = flavor_groups(carved) or [((NO_GPU_FLAVOR,), (NO_GPU_RESOURCE,))]
    return [
        {
            "coveredResources": list(resources),
            "flavors": [
                {"name": flavor, "resources": [{"name": name} | quota(Device(flavor, name)) for name in resources]}
                for flavor in flavors
            ],
        }
        for flavors, resources in groups
    ]


def flavor_groups(devices: Iterable[Device]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Flavors and resources of each of Kueue's resource groups.

    Kueue has a resource in one group only, and each flavor of a group has all of its resources. So flavors that share
    a resource are together; which of them a ticket gets, its node selector says.
    """
    groups: list[list[Device]] = []
    for device in devices:
        near = [group for group in groups if any({*device} & {*other} for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), device])
    return [(_distinct(d.flavor for d in group), _distinct(d.resource for d in group)) for group in groups]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _tenant_rules(tenant: Tenant) -> list[Manifest]:
    """Least privilege in the tenant's host namespace: its two credentials, its address, its tickets."""
    return [
        _rule("", ["secrets"], ["get"], [constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET]),
        _rule("", ["services"], ["get"], [tenant.vcluster.name]),
        # To say of a vCluster that does not answer that it is paused.
        _rule("apps", ["statefulsets"], ["get"], [tenant.vcluster.name]),
        _rule("batch", ["jobs"], [*_READ, "create", "patch", "delete"]),
        _rule("batch", ["jobs/status"], ["patch"]),
        _rule("kueue.x-k8s.io", ["workloads"], [*_READ, "patch"]),
        _rule("kueue.x-k8s.io", ["localqueues"], ["get", "list"]),
        _rule("visibility.kueue.x-k8s.io", ["localqueues/pendingworkloads"], ["get"]),
    ]


def _flavors(registry: Registry) -> list[Manifest]:
    """One flavor for each GPU model; tickets get its node label, because slice names are ambiguous across models."""
    products = {model: registry.catalogue.card(model).products[0] for model in registry.cluster.gpu_models}
    flavors = [
        _manifest(_KUEUE, "ResourceFlavor", model) | {"spec": {"nodeLabels": {PRODUCT_LABEL: product}}}
        for model, product in products.items()
    ]
    without = [] if registry.cluster.carved else [_manifest(_KUEUE, "ResourceFlavor", NO_GPU_FLAVOR) | {"spec": {}}]
    return flavors + without


def _priority(name: str, value: int) -> Manifest:
    return _manifest(_KUEUE, "WorkloadPriorityClass", name) | {"value": value}


def _binding(kind: str, role_kind: str, name: str, namespace: str | None) -> Manifest:
    subject = {"kind": "ServiceAccount", "name": HUB_ACCOUNT, "namespace": HUB_NAMESPACE}
    reference = {"apiGroup": _RBAC, "kind": role_kind, "name": name}
    return _manifest(f"{_RBAC}/v1", kind, name, namespace) | {"roleRef": reference, "subjects": [subject]}


def _rule(group: str, resources: list[str], verbs: Iterable[str], names: Sequence[str] = ()) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


def _namespaces(registry: Registry) -> list[str]:
    return [tenant.vcluster.namespace for tenant in registry.tenants.values()]


def _manifest(
    api_version: str,
    kind: str,
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    metadata: Manifest = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
