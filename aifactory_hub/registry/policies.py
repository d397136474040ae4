"""What guards one tenant from another on the host cluster: network, Pod Security, admission.

A tenant may be administrator of its vCluster, so nothing in there guards anything. All of this is on the host, where
a tenant's only hand is its vCluster's syncer: a service account of the tenant's namespace. Pure: a registry in,
Kubernetes objects as dictionaries out. ``registry.networks`` has the network policies, ``pod_rules`` and
``object_rules`` what the admission policies ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .. import constants
from ..domain.gates import Rule as SiteRule
from ..domain.images import repository
from ..domain.tenants import Tenant
from .cel import Rule
from .manifests import HUB_NAMESPACE, Manifest
from .model import Registry
from .network_policies import HUB_PORT, NOTEBOOK_PORT, network_policies
from .object_rules import OBJECTS, ObjectLists, object_rules, object_variables
from .pod_rules import PodLists, pod_rules, pod_variables
from .rule_objects import BY_THE_SYNCER, rule_objects

__all__ = ["HUB_PORT", "NOTEBOOK_PORT", "POD_SECURITY", "policy_objects", "replaced_objects", "tenant_policies"]

# Labels of a tenant's namespace. Pod Security refuses what would leave the container: privilege, the host's files,
# network and processes, root.
POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}

_API = "admissionregistration.k8s.io/v1"
_POLICY = "ValidatingAdmissionPolicy"
_PODS: tuple[tuple[str, tuple[str, ...]], ...] = (("", ("pods", "pods/ephemeralcontainers", "pods/status")),)
# Of earlier versions: all tenants shared two policies, whose parameters were ConfigMaps of the hub's namespace.
_SHARED = (f"{constants.PREFIX}-tenant-pods", f"{constants.PREFIX}-tenant-services")


def policy_objects(
    registry: Registry, tenants: Iterable[str] | None = None, rules: Sequence[SiteRule] = ()
) -> list[Manifest]:
    """The policies of all tenants, in an order in which they can be applied, with those of the site's ``rules``.

    With ``tenants`` only what belongs to these. Raises KeyError for a tenant that is not in the registry.
    """
    chosen = [registry.tenants[name] for name in (registry.tenants if tenants is None else tenants)]
    own = [each for tenant in chosen for each in tenant_policies(registry, tenant)]
    return [*own, *rule_objects(registry.hub, chosen, rules)]


def tenant_policies(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """What guards this tenant, and the others from it. Every list is in the policies themselves."""
    return [*admission_policies(registry, tenant), *network_policies(registry, tenant)]


def admission_policies(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """The tenant's two admission policies and their bindings: for pods, and for all else that its syncer makes."""
    pods, objects = pod_lists(registry, tenant), object_lists(registry, tenant)
    return [
        *_bound(tenant, "pods", _PODS, pod_variables(pods), pod_rules(pods)),
        *_bound(tenant, "objects", OBJECTS, object_variables(objects), object_rules(objects)),
    ]


def replaced_objects(tenants: Iterable[Tenant]) -> list[Manifest]:
    """What earlier versions rendered for these tenants in the place of the above: kind and name of each.

    The policies that all tenants shared are not among them: :data:`SHARED_POLICIES`.
    """
    found: list[Manifest] = []
    for tenant in tenants:
        bindings = [{"name": f"{policy}-{tenant.name}"} for policy in _SHARED]
        found += [{"apiVersion": _API, "kind": f"{_POLICY}Binding", "metadata": each} for each in bindings]
        parameters = {"name": f"tenant-{tenant.name}", "namespace": HUB_NAMESPACE}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": parameters})
    return found


# Rendered by earlier versions, once for all tenants of all hubs on a cluster.
SHARED_POLICIES: tuple[Manifest, ...] = tuple(
    {"apiVersion": _API, "kind": _POLICY, "metadata": {"name": name}} for name in _SHARED
)


def allowed_images(registry: Registry) -> list[str]:
    """Images that a tenant's pods may have; an entry that ends in ``*`` stands for all that begin like it.

    That of notebooks also by digest: a job runs in the very image of its notebook, whatever the tag means by then.
    """
    notebook = registry.notebook.image
    found = [notebook, f"{repository(notebook)}@sha256:*", registry.jobs.image, *registry.isolation.images]
    found += registry.server_images
    return list(dict.fromkeys(found))


def allowed_devices(registry: Registry, tenant: Tenant) -> list[str]:
    """Device resources that the tenant's pods may ask for: those of its profiles."""
    profiles = [registry.catalogue.profile(name) for name in tenant.profiles]
    return sorted({device for profile in profiles for device in profile.requests.devices})


def pod_lists(registry: Registry, tenant: Tenant) -> PodLists:
    """What the tenant's pods may be made of."""
    isolation = registry.isolation
    return PodLists(
        tenant=tenant.name,
        vcluster=tenant.vcluster.name,
        images=allowed_images(registry),
        devices=allowed_devices(registry, tenant),
        tolerations=isolation.tolerations,
        runtime_classes=isolation.runtime_classes,
        priority_classes=isolation.priority_classes,
        schedulers=isolation.schedulers,
        csi_drivers=isolation.csi_drivers,
        annotations=isolation.annotations,
        labels=isolation.labels,
    )


def object_lists(registry: Registry, tenant: Tenant) -> ObjectLists:
    """What else the tenant's syncer may make."""
    isolation = registry.isolation
    named = () if registry.notebook.storage_class is None else (registry.notebook.storage_class,)
    return ObjectLists(
        vcluster=tenant.vcluster.name,
        storage_classes=list(dict.fromkeys((*named, *isolation.storage_classes))),
        annotations=isolation.annotations,
        labels=isolation.labels,
    )


def _bound(
    tenant: Tenant,
    what: str,
    resources: Sequence[tuple[str, Sequence[str]]],
    variables: Mapping[str, str],
    rules: Mapping[str, Rule],
) -> list[Manifest]:
    """A policy of the tenant's own, and what binds it to the tenant's namespace."""
    metadata = {"name": f"{constants.PREFIX}-{what}-{tenant.name}"}
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": tenant.vcluster.namespace}}
    policy: Manifest = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_rule(group, kinds) for group, kinds in resources]},
        "matchConditions": [{"name": "by-the-syncer", "expression": BY_THE_SYNCER}],
        "variables": [{"name": key, "expression": value} for key, value in variables.items()],
        "validations": [rule.manifest() for rule in rules.values()],
    }
    binding: Manifest = {
        "policyName": metadata["name"],
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": namespace},
    }
    return [
        {"apiVersion": _API, "kind": _POLICY, "metadata": metadata, "spec": policy},
        {"apiVersion": _API, "kind": f"{_POLICY}Binding", "metadata": dict(metadata), "spec": binding},
    ]


def _rule(group: str, resources: Sequence[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": list(resources),
    }
