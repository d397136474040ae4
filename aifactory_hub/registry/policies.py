"""What guards one tenant from another on the host cluster: network, Pod Security, admission.

A tenant may be administrator of its vCluster, so nothing in there guards anything. All of this is on the host, where
a tenant's only hand is its vCluster's syncer: a service account of the tenant's namespace. Pure: a registry in,
Kubernetes objects as dictionaries out. ``registry.networks`` has the network policies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import constants
from ..domain.images import repository
from ..domain.tenants import Tenant
from .manifests import HUB_NAMESPACE, Manifest
from .model import Registry
from .networks import HUB_PORT, NOTEBOOK_PORT, network_policies

__all__ = ["HUB_PORT", "NOTEBOOK_PORT", "POD_SECURITY", "policy_objects", "shared_policies", "tenant_policies"]

# Labels of a tenant's namespace. Pod Security refuses what would leave the container: privilege, the host's files,
# network and processes, root.
POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}

_API = "admissionregistration.k8s.io/v1"
_POLICY = "ValidatingAdmissionPolicy"
_PODS = f"{constants.PREFIX}-tenant-pods"
_SERVICES = f"{constants.PREFIX}-tenant-services"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"

# Every field that a pod's containers are in; `containers` must be there, the others may.
_CONTAINERS = "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
_LIMITS = "has(c.resources) && has(c.resources.limits)"
_MIG = "c.resources.limits.filter(k, k.startsWith('nvidia.com/mig-'))"


def policy_objects(registry: Registry, tenants: Iterable[str] | None = None) -> list[Manifest]:
    """All policies, in an order in which they can be applied: what the cluster has once, then each tenant's.

    With ``tenants`` only what belongs to these. Raises KeyError for a tenant that is not in the registry.
    """
    chosen = [registry.tenants[name] for name in (registry.tenants if tenants is None else tenants)]
    shared = shared_policies() if tenants is None else []
    return [*shared, *(each for tenant in chosen for each in tenant_policies(registry, tenant))]


def shared_policies() -> list[Manifest]:
    """What the cluster has once: rules without the names of tenants, images or devices."""
    return [_pods_policy(), _services_policy()]


def tenant_policies(registry: Registry, tenant: Tenant) -> list[Manifest]:
    """What guards this tenant, and the others from it."""
    return [
        _parameters(registry, tenant),
        *(_binding(tenant, policy) for policy in (_PODS, _SERVICES)),
        *network_policies(registry, tenant),
    ]


def allowed_images(registry: Registry) -> list[str]:
    """Images that a tenant's pods may have; an entry that ends in ``*`` stands for all that begin like it.

    That of notebooks also by digest: a job runs in the very image of its notebook, whatever the tag means by then.
    """
    notebook = registry.notebook.image
    found = [notebook, f"{repository(notebook)}@sha256:*", registry.jobs.image, *registry.isolation.images]
    return list(dict.fromkeys(found))


def allowed_devices(registry: Registry, tenant: Tenant) -> list[str]:
    """Device resources that the tenant's pods may ask for: those of its profiles."""
    profiles = [registry.catalogue.profile(name) for name in tenant.profiles]
    return sorted({device for profile in profiles for device in profile.requests.devices})


def _parameters(registry: Registry, tenant: Tenant) -> Manifest:
    """What the policies compare with. In the hub's namespace, where no tenant's syncer can write."""
    data = {
        "tenant": tenant.name,
        "images": "\n".join(allowed_images(registry)),
        "devices": "\n".join(allowed_devices(registry, tenant)),
        "tolerations": "\n".join(registry.isolation.tolerations),
    }
    metadata = {"name": _parameters_name(tenant), "namespace": HUB_NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _parameters_name(tenant: Tenant) -> str:
    return f"tenant-{tenant.name}"


def _binding(tenant: Tenant, policy: str) -> Manifest:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": tenant.vcluster.namespace}}
    spec: Manifest = {
        "policyName": policy,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": namespace},
        # Without its parameters nothing is known to be allowed.
        "paramRef": {
            "name": _parameters_name(tenant),
            "namespace": HUB_NAMESPACE,
            "parameterNotFoundAction": "Deny",
        },
    }
    return {
        "apiVersion": _API,
        "kind": f"{_POLICY}Binding",
        "metadata": {"name": f"{policy}-{tenant.name}"},
        "spec": spec,
    }


def _pods_policy() -> Manifest:
    variables = {
        "containers": _CONTAINERS,
        "images": "params.data.images.split('\\n')",
        "devices": "params.data.devices.split('\\n')",
        "tolerations": "params.data.tolerations.split('\\n')",
        "unlisted": (
            "variables.containers.filter(c, !variables.images.exists(p, p.endsWith('*')"
            " ? c.image.startsWith(p.substring(0, p.size() - 1)) : c.image == p)).map(c, c.image)"
        ),
        "foreign": (
            f"variables.containers.filter(c, {_LIMITS}).map(c, c.resources.limits"
            ".filter(k, k.contains('/') && !(k in variables.devices)).map(k, string(k))).filter(l, l.size() > 0)"
        ),
    }
    checks = [
        _check(
            "request.operation != 'CREATE' || !has(object.spec.nodeName) || object.spec.nodeName == ''",
            "'spec.nodeName is set: a pod may not choose its node past the scheduler; remove it'",
        ),
        _check(
            "variables.unlisted.size() == 0",
            "'image ' + variables.unlisted[0] + ' is not allowed here; allowed are: ' + variables.images.join(', ')",
        ),
        _check(
            "request.operation != 'UPDATE' || object.spec.containers.all(c,"
            " oldObject.spec.containers.exists(o, o.name == c.name && o.image == c.image))",
            "'the image of a running pod may not be changed: delete the pod and make a new one'",
        ),
        _check(
            "!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.size() == 0",
            "'ephemeral containers are not allowed: start a pod of its own instead'",
        ),
        _check(
            "variables.foreign.size() == 0",
            "'device ' + variables.foreign[0][0] + ' is not one of tenant ' + params.data.tenant + ', which has: '"
            " + variables.devices.join(', ')",
        ),
        _check(
            f"variables.containers.all(c, !({_LIMITS}) || ({_MIG}.size() <= 1"
            f" && {_MIG}.all(k, quantity(c.resources.limits[k]).compareTo(quantity('1')) <= 0)))",
            "'a container may have one MIG slice: CUDA uses no second one; ask for a larger slice'",
        ),
        _check(
            "!has(object.spec.resourceClaims) || object.spec.resourceClaims.size() == 0",
            "'spec.resourceClaims is set: devices by claim are not counted by the quota here; ask for a slice by name'",
        ),
        _check(
            "!has(object.spec.tolerations) || object.spec.tolerations.all(t, has(t.key) && t.key != ''"
            " && (t.key in variables.tolerations || t.key.startsWith('node.kubernetes.io/')))",
            "'a toleration is not allowed here; allowed are the taints: ' + variables.tolerations.join(', ')",
        ),
        _check(
            f"!has(object.metadata.labels) || (!('{QUEUE_LABEL}' in object.metadata.labels)"
            f" && (!('{constants.LABEL_TENANT}' in object.metadata.labels)"
            f" || object.metadata.labels['{constants.LABEL_TENANT}'] == params.data.tenant))",
            f"'label {constants.LABEL_TENANT} must be ' + params.data.tenant + ', and {QUEUE_LABEL} must not be set'",
        ),
    ]
    return _policy(_PODS, ["pods", "pods/ephemeralcontainers"], checks, variables)


def _services_policy() -> Manifest:
    checks = [
        _check(
            "!has(object.spec.type) || object.spec.type in ['ClusterIP', 'ExternalName']",
            "'a Service of type ' + object.spec.type + ' would open a port of the host; use ClusterIP'",
        ),
        _check(
            "!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0",
            "'spec.externalIPs is set: it would take traffic that is meant for others; remove it'",
        ),
    ]
    return _policy(_SERVICES, ["services"], checks, {})


def _policy(name: str, resources: list[str], checks: list[Manifest], variables: dict[str, str]) -> Manifest:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": resources}
    # What a tenant can do on the host is done by its syncer. The control plane's own pod is made by Kubernetes.
    syncer = "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "by-the-syncer", "expression": syncer}],
        "variables": [{"name": key, "expression": value} for key, value in variables.items()],
        "validations": checks,
    }
    if not variables:
        del spec["variables"]
    return {"apiVersion": _API, "kind": _POLICY, "metadata": {"name": name}, "spec": spec}


def _check(expression: str, message: str) -> Manifest:
    return {"expression": expression, "messageExpression": message, "reason": "Forbidden"}
