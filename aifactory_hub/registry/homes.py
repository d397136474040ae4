"""Keeps people's home volumes when a vCluster is uninstalled, reinstalled or comes back empty. Pure.

The host's claim of a home belongs to the vCluster's Service (an owner reference), so ``helm uninstall`` has Kubernetes'
garbage collector delete it; and a vCluster whose own storage was lost deletes, through its syncer, every claim that it
does not know. One admission policy refuses both. A claim goes with its namespace, or once a person has marked it:
``aifactory-hub tenants remove`` does, after having said how many there are.
"""

from __future__ import annotations

from .. import constants
from .manifests import Manifest

HOME_POLICY = f"{constants.PREFIX}-homes"
# On a claim of the host: a person said that this home is to be deleted.
ANNOTATION_DELETE_HOME = f"{constants.PREFIX}/delete-home"
# How a home's claim is known on the host: the name inside the vCluster is in the syncer's annotation.
VIRTUAL_NAME = "vcluster.loft.sh/object-name"
VIRTUAL_NAMESPACE = "vcluster.loft.sh/namespace"

_API = "admissionregistration.k8s.io/v1"
# The garbage collector, also where all controllers share one account.
_COLLECTORS = ("system:serviceaccount:kube-system:generic-garbage-collector", "system:kube-controller-manager")
_METADATA = "oldObject.metadata"


def home_policies() -> list[Manifest]:
    """The policy and its binding. Without parameters, so that there is no list of them to be out of date."""
    by_machine = " || ".join(
        [
            *(f"request.userInfo.username == '{name}'" for name in _COLLECTORS),
            "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')",
        ]
    )
    home = (
        f"has({_METADATA}.labels) && '{VIRTUAL_NAMESPACE}' in {_METADATA}.labels"
        f" && {_METADATA}.labels['{VIRTUAL_NAMESPACE}'] == '{constants.NOTEBOOKS_NAMESPACE}'"
        f" && {_METADATA}.name.startsWith('{constants.HOME_PREFIX}')"
    )
    marked = (
        f"has({_METADATA}.annotations) && '{ANNOTATION_DELETE_HOME}' in {_METADATA}.annotations"
        f" && {_METADATA}.annotations['{ANNOTATION_DELETE_HOME}'] == {_METADATA}.uid"
    )
    # Whoever deletes the namespace has said so of all that is in it.
    allowed = f"has(namespaceObject.metadata.deletionTimestamp) || ({marked})"
    message = (
        "'claim ' + oldObject.metadata.name + ' is a person\\'s home: it stays when its vCluster goes; "
        "`aifactory-hub tenants remove` deletes homes'"
    )
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["DELETE"],
        "resources": ["persistentvolumeclaims"],
    }
    policy: Manifest = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": HOME_POLICY},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [
                {"name": "a-home", "expression": home},
                {"name": "not-by-a-person", "expression": by_machine},
            ],
            "validations": [{"expression": allowed, "messageExpression": message, "reason": "Forbidden"}],
        },
    }
    selector = {"matchExpressions": [{"key": constants.LABEL_TENANT, "operator": "Exists"}]}
    binding: Manifest = {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": HOME_POLICY},
        "spec": {
            "policyName": HOME_POLICY,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }
    return [policy, binding]
