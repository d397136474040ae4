"""What else a tenant's syncer may make on the host: Services, claims, ConfigMaps, Secrets, endpoints. Rules as CEL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import constants
from .cel import Rule, literal, literals
from .pod_rules import LABELS, LEGACY, at_creation, granting_name, metadata_rules, strange

# Of Services, claims, ConfigMaps, Secrets and endpoints, as vCluster, Helm and Kubernetes' own controllers write them.
_LABELS = (*LABELS, "kubernetes.io/*", "endpointslice.kubernetes.io/*", "service.kubernetes.io/*")
_ANNOTATIONS = (
    "vcluster.loft.sh/*",
    f"{constants.PREFIX}/*",
    "hub.jupyter.org/*",
    "kubectl.kubernetes.io/*",
    "meta.helm.sh/*",
    "checksum/*",
    "kubernetes.io/description",
    "kubernetes.io/service-account.name",
    "kubernetes.io/service-account.uid",
    "endpoints.kubernetes.io/*",
    "control-plane.alpha.kubernetes.io/leader",
    "jobset.sigs.k8s.io/*",
    "trainer.kubeflow.org/*",
    "workflows.argoproj.io/*",
)
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
# Group and resources that the policy looks at: all that the syncer's Role may create, beside pods and events.
OBJECTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("services", "persistentvolumeclaims", "configmaps", "secrets", "endpoints")),
    ("discovery.k8s.io", ("endpointslices",)),
)


@dataclass(frozen=True, slots=True)
class ObjectLists:
    """``storage_classes`` are those that claims may have; none means any. ``annotations`` and ``labels`` are beside
    our own."""

    vcluster: str
    storage_classes: Sequence[str] = ()
    annotations: Sequence[str] = ()
    labels: Sequence[str] = ()


def object_variables(lists: ObjectLists) -> dict[str, str]:
    """Named expressions of the policy."""
    return {
        "creates": "request.operation == 'CREATE'",
        "kind": "request.resource.resource",
        # The class of a claim, by its field and by the annotation of old, which KubeSpawner writes still.
        "classes": (
            "variables.kind == 'persistentvolumeclaims' ? ((has(object.spec.storageClassName)"
            " ? [string(object.spec.storageClassName)] : []) + (has(object.metadata.annotations)"
            f" && '{_OLD_CLASS}' in object.metadata.annotations"
            f" ? [string(object.metadata.annotations['{_OLD_CLASS}'])] : [])) : []"
        ),
        "strange_annotations": strange(
            "annotations", (*_ANNOTATIONS, *lists.annotations), besides=_besides(lists.vcluster)
        ),
        "strange_labels": strange("labels", (*_LABELS, *lists.labels), unprefixed=True),
        "granting": (
            "variables.kind in ['configmaps', 'secrets'] && has(object.data)"
            f" ? object.data.filter(k, {granting_name('k')} || k in {literals(LEGACY)}).map(k, string(k)) : []"
        ),
    }


def _besides(vcluster: str) -> str:
    """CEL: annotations of one kind of object that pass.

    vCluster writes two into its sources for the Service of its own name servers. A Prometheus that goes by them asks
    port 9153 there, which network policies open to nobody. The class of a claim is judged by a rule of its own.
    """
    name = literal(f"kube-dns-x-kube-system-x-{vcluster}")
    wanted = "{'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true'}"
    same = f"k in {wanted} && {wanted}[k] == object.metadata.annotations[k]"
    name_servers = f"variables.kind == 'services' && object.metadata.name == {name} && {same}"
    return f"({name_servers}) || (variables.kind == 'persistentvolumeclaims' && k == '{_OLD_CLASS}')"


def object_rules(lists: ObjectLists) -> dict[str, Rule]:
    """The rules by name."""
    return {**metadata_rules(), **_service_rules(), **_claim_rules(lists), **_data_rules()}


def _service_rules() -> dict[str, Rule]:
    return {
        "service-type": _of(
            "services",
            "!has(object.spec.type) || object.spec.type in ['ClusterIP', 'ExternalName']",
            "'a Service of type ' + object.spec.type + ' would open a port of the host; use ClusterIP'",
        ),
        "external-addresses": _of(
            "services",
            "!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0",
            "'spec.externalIPs is set: it would take traffic that is meant for others; remove it'",
        ),
    }


def _claim_rules(lists: ObjectLists) -> dict[str, Rule]:
    claims = "persistentvolumeclaims"
    rules = {
        "volume-name": _of(
            claims,
            "!has(object.spec.volumeName) || object.spec.volumeName == '' || (request.operation == 'UPDATE'"
            " && has(oldObject.spec.volumeName) && oldObject.spec.volumeName == object.spec.volumeName)",
            "'spec.volumeName is set: a claim may not choose a volume, which may be another team\\'s; remove it'",
        ),
        "volume-selector": _of(
            claims,
            "!has(object.spec.selector)",
            "'spec.selector is set: a claim may not choose among volumes; remove it'",
        ),
        "data-source": _of(
            claims,
            "!variables.creates || (!has(object.spec.dataSource) && !has(object.spec.dataSourceRef))",
            "'spec.dataSource is set: a claim begins empty here, not as a copy of another; remove it'",
        ),
        "volume-attributes": _of(
            claims,
            "!has(object.spec.volumeAttributesClassName) || object.spec.volumeAttributesClassName == ''",
            "'spec.volumeAttributesClassName is set: a claim may not change what its storage class says; remove it'",
        ),
    }
    if lists.storage_classes:
        allowed = literals(lists.storage_classes)
        rules["storage-class"] = _of(
            claims,
            f"!variables.creates || (variables.classes.size() > 0 && variables.classes.all(c, c in {allowed}))",
            "'storage class ' + (variables.classes.size() > 0 ? variables.classes.join(', ') : '(none)')"
            f" + {literal(' is not allowed here; allowed are: ' + ', '.join(lists.storage_classes))}",
        )
    return rules


def _data_rules() -> dict[str, Rule]:
    return {
        "device-variables": Rule(
            "variables.granting.size() == 0",
            "'key ' + variables.granting[0] + ' is the name of a variable that makes the container runtime hand out"
            " devices: a pod could take it with envFrom; give it another name'",
        ),
        "secret-type": at_creation(
            "variables.kind != 'secrets' || !has(object.type) || object.type != 'kubernetes.io/service-account-token'",
            "'the host would put a token of its own into a Secret of this type'",
        ),
    }


def _of(kind: str, expression: str, message: str) -> Rule:
    """A rule of one kind of object; every other passes."""
    return Rule(f"variables.kind != '{kind}' || ({expression})", message)
