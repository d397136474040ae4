"""What the provisioner may do on the host, and what keeps it there: made once by an administrator. Pure.

The provisioner writes no roles. It may bind three that are here by name, each in a team's namespace: its own, the hub's
and the vCluster's. An admission policy keeps what it makes to namespaces of this hub, and another one keeps everybody
from deleting a team's namespace by mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import constants
from .changes import LABEL_REGISTRY
from .manifests import HUB_ACCOUNT, HUB_NAMESPACE, Manifest
from .model import Registry

PROVISIONER = "aifactory-provisioner"
PROVISIONER_TEAM_ROLE = f"{PROVISIONER}-team"
HUB_TEAM_ROLE = f"{HUB_ACCOUNT}-team"
VCLUSTER_ROLE = "aifactory-vcluster"
PROVISIONER_USER = f"system:serviceaccount:{HUB_NAMESPACE}:{PROVISIONER}"
# Whose provisioner made an object that `tenants apply` does not make.
LABEL_PROVISIONED = f"{constants.PREFIX}/provisioned"
# On a team's namespace: a person has said that it is to be deleted, with its uid, and a second one has agreed.
ANNOTATION_PURGE = f"{constants.PREFIX}/purge"
# Beside it: who asked for that, as the host knows them.
ANNOTATION_PURGE_ASKED = f"{constants.PREFIX}/purge-asked-by"

_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_READ = ("get", "list", "watch")
_HEAR = ("list", "watch")
_KEEP = (*_READ, "create", "patch")
_EVERYTHING = (*_READ, "create", "patch", "update", "delete")


def provisioner_objects(registry: Registry) -> list[Manifest]:
    """All of them, in an order in which they can be applied."""
    system, default = HUB_NAMESPACE, "default"
    return [
        _named("v1", "Namespace", system),
        _named("v1", "ServiceAccount", PROVISIONER, system),
        _role("ClusterRole", VCLUSTER_ROLE, vcluster_rules()),
        _role("ClusterRole", HUB_TEAM_ROLE, hub_team_rules()),
        _role("ClusterRole", PROVISIONER_TEAM_ROLE, team_rules()),
        _role("ClusterRole", PROVISIONER, cluster_rules()),
        binding("ClusterRoleBinding", PROVISIONER, "ClusterRole", PROVISIONER, PROVISIONER),
        _role("Role", PROVISIONER, system_rules(), system),
        binding("RoleBinding", PROVISIONER, "Role", PROVISIONER, PROVISIONER, system),
        _role("Role", PROVISIONER, _api_server_rules(), default),
        binding("RoleBinding", PROVISIONER, "Role", PROVISIONER, PROVISIONER, default),
        *_bound(f"{constants.PREFIX}-provisioner-{registry.hub}", _kept_in_bounds(registry.hub)),
        *_bound(f"{constants.PREFIX}-team-namespaces-{registry.hub}", _kept_namespaces(registry.hub)),
    ]


def cluster_rules() -> list[Manifest]:
    """What it may do anywhere: make namespaces and their queues and policies, and bind three roles."""
    return [
        _rule("", ["namespaces"], _KEEP),
        _rule(_RBAC, ["rolebindings"], ["get", "create", "patch"]),
        _rule(_RBAC, ["clusterroles"], ["bind"], [PROVISIONER_TEAM_ROLE, HUB_TEAM_ROLE, VCLUSTER_ROLE]),
        _rule(_ADMISSION, ["validatingadmissionpolicies", "validatingadmissionpolicybindings"], _KEEP),
        _rule("kueue.x-k8s.io", ["cohorts", "clusterqueues"], _KEEP),
        # To hear of changes of what has no secret in it: one watch of each kind, for any number of teams.
        _rule("", ["services", "serviceaccounts", "resourcequotas", "limitranges"], _HEAR),
        _rule(_RBAC, ["rolebindings"], _HEAR),
        _rule("networking.k8s.io", ["networkpolicies"], _HEAR),
        _rule("apps", ["statefulsets"], _HEAR),
        _rule("kueue.x-k8s.io", ["localqueues"], _HEAR),
        _rule("batch", ["jobs"], _HEAR),
    ]


def team_rules() -> list[Manifest]:
    """What it may do in a team's namespace. Secrets are there: the answer to a patch holds the whole object anyway."""
    return [
        _rule("", ["secrets", "services", "serviceaccounts", "resourcequotas", "limitranges"], _KEEP),
        _rule("networking.k8s.io", ["networkpolicies"], _KEEP),
        _rule("apps", ["statefulsets"], _KEEP),
        _rule("kueue.x-k8s.io", ["localqueues"], _KEEP),
        _rule("", ["pods", "persistentvolumeclaims"], ["get", "list"]),
        _rule("batch", ["jobs"], ["get", "list"]),
    ]


def system_rules() -> list[Manifest]:
    """What it writes down in the hub's own namespace: each team's state, and which replica works."""
    return [
        _rule("", ["configmaps"], _KEEP),
        _rule("coordination.k8s.io", ["leases"], ["get", "create", "update", "patch"]),
    ]


def _api_server_rules() -> list[Manifest]:
    return [
        _rule("", ["services"], ["get"], ["kubernetes"]),
        _rule("discovery.k8s.io", ["endpointslices"], ["list"]),
    ]


def hub_team_rules() -> list[Manifest]:
    """What the hub may do in a team's namespace: its two credentials, addresses, tickets."""
    return [
        _rule("", ["secrets"], ["get"], [constants.NOTEBOOKS_SECRET, constants.JOBS_SECRET]),
        _rule("", ["services"], ["get"]),
        _rule("apps", ["statefulsets"], ["get"]),
        _rule("batch", ["jobs"], [*_READ, "create", "patch", "delete"]),
        _rule("batch", ["jobs/status"], ["patch"]),
        _rule("kueue.x-k8s.io", ["workloads"], [*_READ, "patch"]),
        _rule("kueue.x-k8s.io", ["localqueues"], ["get", "list"]),
        _rule("visibility.kueue.x-k8s.io", ["localqueues/pendingworkloads"], ["get"]),
    ]


def vcluster_rules() -> list[Manifest]:
    """What a vCluster's syncer needs in its namespace with the values that the hub renders.

    Source: the role of vCluster's chart 0.33.1 with these values (templates/role.yaml).
    """
    objects = ["configmaps", "secrets", "services", "pods", "persistentvolumeclaims"]
    return [
        _rule("", [*objects, "pods/attach", "pods/portforward", "pods/exec"], _EVERYTHING),
        _rule("", ["pods/status", "pods/ephemeralcontainers", "pods/resize"], ["patch", "update"]),
        _rule("apps", ["statefulsets", "replicasets", "deployments"], _READ),
        _rule("", ["endpoints"], _EVERYTHING),
        _rule("", ["pods/log"], _READ),
        _rule("discovery.k8s.io", ["endpointslices"], _EVERYTHING),
        _rule("", ["events"], ["create", "get", "list", "watch"]),
        _rule("events.k8s.io", ["events"], ["create", "get", "list", "watch"]),
    ]


def _kept_in_bounds(hub: str) -> Manifest:
    """What the provisioner makes is this hub's, and its bindings are in teams' namespaces, for whom they are meant."""
    ours = f"has(object.metadata.labels) && object.metadata.labels[?'{LABEL_REGISTRY}'] == optional.of('{hub}')"
    was = f"oldObject.metadata.?labels['{LABEL_REGISTRY}'] == optional.of('{hub}')"
    namespace = "object.kind == 'Namespace'"
    teams = f"namespaceObject.metadata.?labels['{LABEL_REGISTRY}'] == optional.of('{hub}')"
    subjects = {
        PROVISIONER_TEAM_ROLE: _subject(PROVISIONER, f"'{HUB_NAMESPACE}'"),
        HUB_TEAM_ROLE: _subject(HUB_ACCOUNT, f"'{HUB_NAMESPACE}'"),
        VCLUSTER_ROLE: "s.kind == 'ServiceAccount' && s.namespace == request.namespace && s.name.startsWith('vc-')",
    }
    meant = " || ".join(
        f"(object.roleRef.name == '{role}' && object.subjects.all(s, {check}))" for role, check in subjects.items()
    )
    checks = [
        (f"{namespace} ? ({ours}) : true", f"the provisioner makes namespaces of hub {hub} only"),
        (
            f"{namespace} && request.operation == 'UPDATE' ? ({was}) : true",
            f"the namespace is not one of hub {hub}: `aifactory-hub tenants apply` gives it to the hub",
        ),
        (f"{namespace} ? true : ({teams})", f"the provisioner binds roles in namespaces of hub {hub}'s teams only"),
        (f"{namespace} ? true : ({meant})", "the provisioner binds each of its roles to whom it is meant for only"),
    ]
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                _on("", ["namespaces"], ["CREATE", "UPDATE"]),
                _on(_RBAC, ["rolebindings"], ["CREATE", "UPDATE"]),
            ]
        },
        "matchConditions": [
            {"name": "by-the-provisioner", "expression": f"request.userInfo.username == '{PROVISIONER_USER}'"}
        ],
        "validations": [_check(*each) for each in checks],
    }


def _subject(name: str, namespace: str) -> str:
    return f"s.kind == 'ServiceAccount' && s.name == '{name}' && s.namespace == {namespace}"


def _kept_namespaces(hub: str) -> Manifest:
    """A team's namespace is deleted only after `aifactory-hub tenants purge` by two people, in their own names."""
    team = f"oldObject.metadata.?labels['{LABEL_REGISTRY}'] == optional.of('{hub}')"
    team += f" && '{constants.LABEL_TENANT}' in oldObject.metadata.labels"
    said = f"oldObject.metadata.?annotations['{ANNOTATION_PURGE}'] == optional.of(oldObject.metadata.uid)"
    message = (
        "it holds a team's vCluster and its people's homes: `aifactory-hub tenants purge` ends it, with two people"
    )
    update, me = "request.operation == 'UPDATE'", "request.userInfo.username"
    asked, was_asked = _annotation("object", ANNOTATION_PURGE_ASKED), _annotation("oldObject", ANNOTATION_PURGE_ASKED)
    purge, was_purge = _annotation("object", ANNOTATION_PURGE), _annotation("oldObject", ANNOTATION_PURGE)
    agreed = f"{was_asked} != '' && {was_asked} != {me} && {asked} == {was_asked}"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_on("", ["namespaces"], ["UPDATE", "DELETE"])]},
        "matchConditions": [{"name": "of-a-team", "expression": team}],
        "validations": [
            _check(f"{update} || {said}", message),
            _check(
                f"!({update}) || {asked} in ['', {was_asked}, {me}]",
                f"{ANNOTATION_PURGE_ASKED} is who asks: everybody asks in their own name",
            ),
            _check(
                f"!({update}) || {purge} in ['', {was_purge}] || ({agreed})",
                f"{ANNOTATION_PURGE} takes two people: one has asked, and another one agrees",
            ),
        ],
    }


def _annotation(of: str, name: str) -> str:
    """CEL for an annotation's value, '' without it."""
    return f"{of}.metadata.?annotations['{name}'].orValue('')"


def _check(expression: str, message: str) -> Manifest:
    return {"expression": expression, "message": message, "reason": "Forbidden"}


def _on(group: str, resources: Sequence[str], operations: Sequence[str]) -> Manifest:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": list(resources),
    }


def _bound(name: str, spec: Manifest) -> list[Manifest]:
    bound = {"policyName": name, "validationActions": ["Deny"]}
    api = f"{_ADMISSION}/v1"
    return [
        _named(api, "ValidatingAdmissionPolicy", name) | {"spec": spec},
        _named(api, "ValidatingAdmissionPolicyBinding", name) | {"spec": bound},
    ]


def binding(
    kind: str, name: str, role_kind: str, role: str, account: str, namespace: str = "", of: str = HUB_NAMESPACE
) -> Manifest:
    """A binding of ``role`` to the service account ``account`` of namespace ``of``."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": of}
    reference = {"apiGroup": _RBAC, "kind": role_kind, "name": role}
    return _named(f"{_RBAC}/v1", kind, name, namespace) | {"roleRef": reference, "subjects": [subject]}


def _role(kind: str, name: str, rules: list[Manifest], namespace: str = "") -> Manifest:
    return _named(f"{_RBAC}/v1", kind, name, namespace) | {"rules": rules}


def _named(api: str, kind: str, name: str, namespace: str = "") -> Manifest:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def _rule(group: str, resources: list[str], verbs: Iterable[str], names: Sequence[str] = ()) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})
