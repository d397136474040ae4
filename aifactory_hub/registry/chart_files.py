"""Files of the chart `charts/aifactory-hub` that follow from what is rendered: no right stands in two places.

Pure. The files are kept in the repository; a test compares them.
"""

from __future__ import annotations

from .manifests import HUB_ACCOUNT, HUB_NAMESPACE, Manifest
from .model import Registry
from .output import yaml_documents
from .render_provisioner import binding, provisioner_objects

APPLY_ACCOUNT = "aifactory-apply"
# What the chart replaces by the hub's name.
HUB_MARK = "@HUB@"

_RBAC = "rbac.authorization.k8s.io"
_KEEP = ["get", "list", "create", "patch"]
# Earlier versions' policies are removed once those of today are enforced.
_REPLACE = [*_KEEP, "delete"]


def chart_files(registry: Registry) -> dict[str, str]:
    """Path inside of the chart -> text. ``registry`` is any; only its hub's name is used, and marked."""
    rights = yaml_documents([each for each in provisioner_objects(registry) if each["kind"] != "Namespace"])
    return {
        "files/apply-rights.yaml": yaml_documents(apply_rights()),
        "files/provisioner-rights.yaml": _marked(rights, registry.hub),
    }


def apply_rights() -> list[Manifest]:
    """What the account of `aifactory-hub tenants apply` may do on the host: make what is rendered, and no other role.

    It may write any rights into roles of one name, which are the hub's. Secrets, pods and jobs it may not touch.
    """
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": APPLY_ACCOUNT}}
    return [
        role | {"rules": apply_rules()},
        binding("ClusterRoleBinding", APPLY_ACCOUNT, "ClusterRole", APPLY_ACCOUNT, APPLY_ACCOUNT),
    ]


def apply_rules() -> list[Manifest]:
    """The rules of :func:`apply_rights`."""
    roles, bindings = ["roles", "clusterroles"], ["rolebindings", "clusterrolebindings"]
    admission = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"]
    kueue = ["cohorts", "resourceflavors", "workloadpriorityclasses", "clusterqueues", "localqueues"]
    return [
        _rule("", ["namespaces", "serviceaccounts", "resourcequotas", "limitranges"], _KEEP),
        _rule("", ["configmaps"], ["get", "list", "delete"]),
        _rule("networking.k8s.io", ["networkpolicies"], _KEEP),
        _rule("scheduling.k8s.io", ["priorityclasses"], _KEEP),
        _rule("kueue.x-k8s.io", kueue, _KEEP),
        _rule("admissionregistration.k8s.io", admission, _REPLACE),
        _rule(_RBAC, [*roles, *bindings], ["get", "list", "create"]),
        _rule(_RBAC, [*roles, *bindings], ["patch"], HUB_ACCOUNT),
        _rule(_RBAC, roles, ["bind", "escalate"], HUB_ACCOUNT),
        _rule("", ["services"], ["get"], "kubernetes"),
        _rule("discovery.k8s.io", ["endpointslices"], ["list"]),
    ]


def _rule(group: str, resources: list[str], verbs: list[str], name: str = "") -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    return rule | ({"resourceNames": [name]} if name else {})


def _marked(text: str, hub: str) -> str:
    """The text with the hub's name replaced, where it stands for the hub.

    Raises ValueError where the name is part of another word, so that replacing it would spoil that.
    """
    if hub in (HUB_NAMESPACE, HUB_ACCOUNT) or len(hub) < len("unmistakable"):
        raise ValueError(f"the hub's name {hub!r} can't be told from other words: give a longer one")
    return text.replace(hub, HUB_MARK)
