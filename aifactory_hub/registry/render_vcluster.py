"""What follows from the registry for a tenant's vCluster: values for its Helm chart (0.33 and newer, OSS image).

Images, telemetry and the like are the site's: ``helm-values/vcluster.yaml``. Both files go to ``helm install``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from .. import constants
from ..domain.engines import Account, EngineNeeds, Rule
from ..domain.tenants import Tenant
from .host_quota import CONTROL_PLANE_CLASS
from .manifests import Manifest
from .model import Addresses
from .output import yaml_documents

NOTEBOOKS_ACCOUNT = "aifactory-notebooks"
JOBS_ACCOUNT = "aifactory-jobs"

_SERVICE = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)\.svc(\.cluster\.local)?")
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]


def vcluster_values(tenant: Tenant, addresses: Addresses, engines: Iterable[EngineNeeds] = ()) -> Manifest:
    """The Helm values of the tenant's vCluster, with what these engines need in it."""
    engines = tuple(engines)
    services = sorted({name for url in (addresses.hub_api, addresses.service) if (name := _host_service(url))})
    return {
        # On an emptyDir a restarted control plane comes back empty and deletes the tenant's running pods.
        "controlPlane": {
            # Its priority class keeps it out of the quota of the tenant's pods, so that it always fits.
            "statefulSet": {
                "persistence": {"volumeClaim": {"enabled": True}},
                "scheduling": {"priorityClassName": CONTROL_PLANE_CLASS},
            },
            **_api_server([argument for engine in engines for argument in engine.api_server]),
        },
        "sync": {
            "toHost": {
                "pods": {
                    "enabled": True,
                    # Else the tokens of the tenant's pods stand in annotations on the host.
                    "useSecretsForSATokens": True,
                    # Else a pod with a subdomain, as a JobSet has, gets a container whose image no policy allows.
                    "rewriteHosts": {"enabled": False},
                },
                "persistentVolumeClaims": {"enabled": True},
                # Native policies add up: one of the tenant's that allows everything would widen ours.
                "networkPolicies": {"enabled": False},
            },
            "fromHost": {"nodes": {"enabled": False}},
        },
        # Names of the host's Services mean nothing inside; where the hub is one, it gets the same name there.
        "networking": {"replicateServices": {"fromHost": [{"from": name, "to": name} for name in services]}},
        # With real nodes and snapshots left out the syncer has no cluster-wide right on the host: above all no
        # nodes/proxy, through which one tenant could read the pods and logs of all.
        "rbac": {"enableVolumeSnapshotRules": {"enabled": False}},
        "exportKubeConfig": {
            "additionalSecrets": [
                _credential(tenant, constants.NOTEBOOKS_SECRET, NOTEBOOKS_ACCOUNT, constants.NOTEBOOKS_NAMESPACE),
                _credential(tenant, constants.JOBS_SECRET, JOBS_ACCOUNT, constants.JOBS_NAMESPACE),
            ]
        },
        "experimental": {"deploy": {"vcluster": {"manifests": yaml_documents(seeded_objects(tenant, engines))}}},
    }


def _api_server(arguments: list[str]) -> Manifest:
    return {"distro": {"k8s": {"apiServer": {"extraArgs": arguments}}}} if arguments else {}


def seeded_objects(tenant: Tenant, engines: Iterable[EngineNeeds] = ()) -> list[Manifest]:
    """What a tenant's vCluster has from its first minute: two namespaces, and for each an account that can do
    what the hub does there, and no more.

    Notebooks and jobs have separate accounts, so the service that runs jobs can't touch a notebook. Rights on an
    engine's objects are there only where ``engines`` has what it needs.
    """
    engines = tuple(engines)
    notebooks = [
        _rule("", ["pods"], [*_READ, "create", "delete"]),
        _rule("", ["persistentvolumeclaims"], ["get", "list", "create"]),
        _rule("", ["events"], _READ),
    ]
    jobs = [
        _rule("batch", ["jobs"], [*_READ, "create", "delete"]),
        _rule("", ["pods"], _READ),
        _rule("", ["pods/log"], ["get"]),
        _rule("", ["secrets"], ["create", "get", "delete"]),
        _rule("", ["events"], _READ),
    ]
    jobs += _rules(rule for engine in engines for rule in engine.rules)
    reporters = [engine.reporter for engine in engines if engine.reporter is not None]
    return [
        *_account(tenant, constants.NOTEBOOKS_NAMESPACE, NOTEBOOKS_ACCOUNT, notebooks),
        *_account(tenant, constants.JOBS_NAMESPACE, JOBS_ACCOUNT, jobs),
        *(each for reporter in reporters for each in _reporter(reporter)),
    ]


def _reporter(reporter: Account) -> list[Manifest]:
    """The account that an engine's own container in a pod reports with, and its token, a Secret of Argo's naming."""
    metadata = {"name": reporter.name, "namespace": constants.JOBS_NAMESPACE}
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"{reporter.name}.service-account-token",
            "namespace": constants.JOBS_NAMESPACE,
            "annotations": {"kubernetes.io/service-account.name": reporter.name},
        },
        "type": "kubernetes.io/service-account-token",
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    return [account, *_role(metadata, _rules(reporter.rules)), token]


def _host_service(url: str) -> str | None:
    """``namespace/name`` of ``http://name.namespace.svc...``; None for an address that is no Service's name."""
    match = _SERVICE.fullmatch(urlsplit(url).hostname or "")
    return f"{match['namespace']}/{match['name']}" if match else None


def _credential(tenant: Tenant, secret: str, account: str, namespace: str) -> Manifest:
    # No clusterRole: with one, vCluster makes the account itself and binds it cluster-wide.
    return {
        "name": secret,
        "context": secret,
        "server": f"https://{tenant.vcluster.name}.{tenant.vcluster.namespace}.svc:443",
        "serviceAccount": {"name": account, "namespace": namespace},
    }


def _account(tenant: Tenant, namespace: str, account: str, rules: Sequence[Manifest]) -> list[Manifest]:
    metadata = {"name": account, "namespace": namespace}
    labels = {constants.LABEL_TENANT: tenant.name}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        *_role(metadata, rules),
    ]


def _role(metadata: Manifest, rules: Sequence[Manifest]) -> list[Manifest]:
    """The rights of the account of the same name."""
    reference = {"apiGroup": _RBAC, "kind": "Role", "name": metadata["name"]}
    subject = {"kind": "ServiceAccount", "name": metadata["name"], "namespace": metadata["namespace"]}
    binding = {"apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": metadata}
    return [
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)},
        {**binding, "roleRef": reference, "subjects": [subject]},
    ]


def _rules(rules: Iterable[Rule]) -> list[Manifest]:
    return [_rule(rule.group, list(rule.resources), list(rule.verbs)) for rule in rules]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}
