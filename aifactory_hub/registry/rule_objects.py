"""The site's rules about pods as admission policies of the host: their text as it is, word for word.

A rule is one policy for all teams, and a binding for each team that it is about. Hard ones deny and are audited. Soft
and advisory ones are audited alone: the host honours no override, because a mark on a pod could be forged by a team's
administrator, and a warning would go to the syncer, where no person sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .. import constants
from ..domain.gates import Rule
from ..domain.tenants import Tenant
from ..domain.verdicts import Severity, Target
from .manifests import Manifest

_API = "admissionregistration.k8s.io/v1"
_POLICY = "ValidatingAdmissionPolicy"
# What a tenant can do on the host is done by its syncer. The control plane's own pod is made by Kubernetes.
BY_THE_SYNCER = "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
# What runs goes on: of a pod that is there, only other images are judged.
_STARTS = (
    "request.operation == 'CREATE'"
    " || object.spec.containers.map(c, c.image) != oldObject.spec.containers.map(c, c.image)"
)


def rule_objects(hub: str, tenants: Iterable[Tenant], rules: Sequence[Rule]) -> list[Manifest]:
    """The policies of all rules about pods, and their bindings to these tenants' namespaces."""
    tenants = list(tenants)
    made = []
    for rule in rules:
        if rule.target is Target.POD:
            made.append(rule_policy(hub, rule))
            made += [_binding(hub, rule, tenant) for tenant in tenants if _about(rule, tenant)]
    return made


def rule_policy(hub: str, rule: Rule) -> Manifest:
    """One rule. Where its condition can't be evaluated the rule isn't met, so it is no part of an "or"."""
    holds = f"({rule.condition}) ? ({rule.holds}) : true" if rule.condition else rule.holds
    check = {
        "expression": holds,
        "messageExpression": rule.message,
        "message": f"{rule.title}.",
        "reason": "Forbidden",
    }
    spec: Manifest = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
            ]
        },
        "matchConditions": [
            {"name": "by-the-syncer", "expression": BY_THE_SYNCER},
            {"name": "starts-something", "expression": _STARTS},
        ],
        "variables": [{"name": name, "expression": text} for name, text in rule.variables.items()],
        "validations": [check],
    }
    return {"apiVersion": _API, "kind": _POLICY, "metadata": {"name": _name(hub, rule)}, "spec": spec}


def _binding(hub: str, rule: Rule, tenant: Tenant) -> Manifest:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": tenant.vcluster.namespace}}
    spec: Manifest = {
        "policyName": _name(hub, rule),
        "validationActions": ["Deny", "Audit"] if rule.severity is Severity.HARD else ["Audit"],
        "matchResources": {"namespaceSelector": namespace},
    }
    name = f"{_name(hub, rule)}.{tenant.name}"
    return {"apiVersion": _API, "kind": f"{_POLICY}Binding", "metadata": {"name": name}, "spec": spec}


def _about(rule: Rule, tenant: Tenant) -> bool:
    return not rule.teams or tenant.name in rule.teams


def _name(hub: str, rule: Rule) -> str:
    return f"{constants.PREFIX}-rule-{hub}.{rule.id}"
