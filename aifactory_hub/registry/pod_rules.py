"""What a pod that a tenant's syncer makes on the host may be: the rules of its admission policy, as CEL.

All lists are literals. Parameters of a policy (``paramKind``) are not used: the API server can stop reading them and
then enforces an old list (kubernetes/kubernetes#130887, #133827).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import constants
from .cel import Rule, listed, literal, literals, matches

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
# Seconds. Jobs have 45. A pod that is told to end keeps its devices for as long as this.
LONGEST_GRACE = 600
# Which devices a container runtime hands out. Their values "none", "void" and "" mean none.
GRANTING = (
    "NVIDIA_MIG_CONFIG_DEVICES",
    "NVIDIA_MIG_MONITOR_DEVICES",
    "NVIDIA_IMEX_CHANNELS",
    "NVIDIA_GDS",
    "NVIDIA_MOFED",
    "NVIDIA_GDRCOPY",
    "NVIDIA_NVSWITCH",
    "ASCEND_RUNTIME_OPTIONS",
)
# These end like the ones that grant a device, and only hide devices from a process that has them.
HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
# With it NVIDIA's runtime takes an image for one of 2018 and gives it every GPU, unless the Operator says otherwise.
LEGACY = ("CUDA_VERSION",)
# Labels without a prefix belong to the pod's owner by Kubernetes' convention. These are read by others all the same:
# Azure's pod identity, vCluster's own pods in our network policies, Grafana's sidecar.
READ_BY_OTHERS = ("aadpodidbinding", "release", "grafana_dashboard", "grafana_datasource", "grafana_alert")
# Prefixes of labels and annotations that vCluster's syncer, the hub, and the engines of jobs write on pods.
_ENGINES = (
    "batch.kubernetes.io/*",
    "jobset.sigs.k8s.io/*",
    "trainer.kubeflow.org/*",
    "training.kubeflow.org/*",
    "workflows.argoproj.io/*",
    "leaderworkerset.sigs.k8s.io/*",
    "ray.io/*",
)
LABELS = (
    "vcluster.loft.sh/*",
    f"{constants.PREFIX}/*",
    "hub.jupyter.org/*",
    "app.kubernetes.io/*",
    "apps.kubernetes.io/*",
    "statefulset.kubernetes.io/*",
    "helm.sh/*",
    *_ENGINES,
)
ANNOTATIONS = (
    "vcluster.loft.sh/*",
    f"{constants.PREFIX}/*",
    "hub.jupyter.org/*",
    "kubectl.kubernetes.io/*",
    "checksum/*",
    "cluster-autoscaler.kubernetes.io/safe-to-evict",
    "cluster-autoscaler.kubernetes.io/daemonset-pod",
    # The host's own admission writes it where a pod gets sizes from the LimitRange.
    "kubernetes.io/limit-ranger",
    *_ENGINES,
)

# `containers` must be there, the others may.
_CONTAINERS = "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
_LIMITS = "has(c.resources) && has(c.resources.limits)"
_MIG = "c.resources.limits.filter(k, k.startsWith('nvidia.com/mig-'))"
_PLAIN = ("cpu", "memory", "ephemeral-storage")
_PROJECTED = "s.all(p, has(p.secret) || has(p.configMap) || has(p.downwardAPI))"
_KINDS_OF_VOLUMES = ("configMap", "secret", "emptyDir", "downwardAPI", "persistentVolumeClaim")
_UNLIMITED = (
    f"variables.containers.exists(c, !({_LIMITS} && 'memory' in c.resources.limits)"
    " && has(c.volumeMounts) && c.volumeMounts.exists(m, m.name == v.name))"
)


@dataclass(frozen=True, slots=True)
class PodLists:
    """What the pods of one tenant may be made of. ``annotations`` and ``labels`` are those beside our own.

    An entry of ``images``, ``annotations`` and ``labels`` that ends in ``*`` stands for all that begin like it.
    """

    tenant: str
    vcluster: str
    images: Sequence[str]
    devices: Sequence[str]
    tolerations: Sequence[str]
    runtime_classes: Sequence[str] = ()
    priority_classes: Sequence[str] = ()
    schedulers: Sequence[str] = ()
    csi_drivers: Sequence[str] = ()
    annotations: Sequence[str] = ()
    labels: Sequence[str] = ()


def pod_variables(lists: PodLists) -> dict[str, str]:
    """Named expressions of the policy, in the order in which they use each other."""
    return {
        "containers": _CONTAINERS,
        "creates": "request.operation == 'CREATE'",
        "labels": "has(object.metadata.labels) ? object.metadata.labels : {}",
        "volumes": "has(object.spec.volumes) ? object.spec.volumes : []",
        "devices": literals(lists.devices),
        "unlisted": f"variables.containers.filter(c, !{matches('c.image', lists.images)}).map(c, c.image)",
        "foreign": (
            f"variables.containers.filter(c, {_LIMITS}).map(c, c.resources.limits"
            f".filter(k, !(k in {literals(_PLAIN)}) && !(k in variables.devices)).map(k, string(k)))"
            ".filter(l, l.size() > 0)"
        ),
        "asks": (
            f"variables.containers.exists(c, {_LIMITS} && c.resources.limits.exists(k,"
            " k in variables.devices && quantity(c.resources.limits[k]).isGreaterThan(quantity('0'))))"
        ),
        "granting": (
            f"variables.containers.map(c, has(c.env) ? c.env.filter(e, {_granting()}) : []).filter(l, l.size() > 0)"
        ),
        "strange_annotations": strange("annotations", (*ANNOTATIONS, *lists.annotations)),
        "strange_labels": strange("labels", (*LABELS, *lists.labels), unprefixed=True),
        "affinity": "[" + ", ".join(_terms()) + "].map(l, l.filter(t, " + _elsewhere() + ")).filter(l, l.size() > 0)",
    }


def metadata_rules() -> dict[str, Rule]:
    """The rules of labels and annotations, for pods and all other objects alike."""
    return {
        "labels": Rule(
            "variables.strange_labels.size() == 0",
            "'label ' + variables.strange_labels[0] + ' is not allowed here: programs of the host may act on it."
            " A site allows it in isolation.labels'",
        ),
        "annotations": Rule(
            "variables.strange_annotations.size() == 0",
            "'annotation ' + variables.strange_annotations[0] + ' is not allowed here: programs of the host may act"
            " on it. A site allows it in isolation.annotations'",
        ),
    }


def strange(field: str, patterns: Sequence[str], *, unprefixed: bool = False, besides: str = "false") -> str:
    """CEL: keys of the object's labels or annotations that are not on the list.

    A key that the object has already with this value is the host's own (a network plugin's, say), and the syncer only
    brings it back. ``unprefixed``: keys without a prefix pass, but for those that others read. ``besides`` is CEL over
    a key ``k`` that passes as well.
    """
    ours = f"object.metadata.{field}"
    before = f"oldObject.metadata.{field}"
    known = matches("k", patterns)
    if unprefixed:
        known = f"({known} || (!k.contains('/') && !(k in {literals(READ_BY_OTHERS)})))"
    kept = f"(request.operation == 'UPDATE' && has({before}) && k in {before} && {before}[k] == {ours}[k])"
    return f"has({ours}) ? {ours}.filter(k, !{known} && !{kept} && !({besides})).map(k, string(k)) : []"


def granting_name(name: str) -> str:
    """CEL: whether a variable of this name (CEL) makes a container runtime hand out devices."""
    other = f"{name}.endsWith('_VISIBLE_DEVICES') && !({name} in {literals(HIDING)})"
    return f"(({other}) || {name} in {literals(GRANTING)})"


def _granting() -> str:
    none = "(!has(e.valueFrom) && (!has(e.value) || e.value in ['', 'none', 'void']))"
    return f"({granting_name('e.name')} && !{none}) || (e.name in {literals(LEGACY)} && !variables.asks)"


def _terms() -> list[str]:
    """Every list of terms by which a pod chooses its neighbours."""
    found = []
    for kind in ("podAffinity", "podAntiAffinity"):
        required = f"object.spec.?affinity.?{kind}.?requiredDuringSchedulingIgnoredDuringExecution.orValue([])"
        # CEL's lists hold one type: mapped, both are lists of anything.
        found.append(f"{required}.map(p, p)")
        preferred = f"object.spec.?affinity.?{kind}.?preferredDuringSchedulingIgnoredDuringExecution.orValue([])"
        found.append(f"{preferred}.map(p, p.podAffinityTerm)")
    return found


def _elsewhere() -> str:
    return "has(t.namespaceSelector) || (has(t.namespaces) && t.namespaces.exists(n, n != request.namespace))"


def pod_rules(lists: PodLists) -> dict[str, Rule]:
    """The rules by name. Those of fields that never change are asked when the pod is made, so that a stricter list
    leaves alone what runs."""
    return {
        **_placement_rules(lists),
        **_device_rules(lists),
        **_identity_rules(lists),
        **_content_rules(lists),
    }


def _placement_rules(lists: PodLists) -> dict[str, Rule]:
    tolerated = f"(variables.asks && t.key in {literals(lists.tolerations)})"
    return {
        "node": at_creation(
            "!has(object.spec.nodeName) || object.spec.nodeName == ''",
            "'spec.nodeName is set: a pod may not choose its node past the scheduler; remove it'",
        ),
        "tolerations": Rule(
            "!has(object.spec.tolerations) || object.spec.tolerations.all(t, has(t.key) && t.key != ''"
            f" && ({tolerated} || t.key.startsWith('node.kubernetes.io/')))",
            "'a toleration is not allowed here; a pod that asks for a device may tolerate the taints: ' + "
            + listed(lists.tolerations),
        ),
        "priority": _named("spec.priorityClassName", "priority class", lists.priority_classes, "priority_classes"),
        "scheduler": _named("spec.schedulerName", "scheduler", lists.schedulers, "schedulers"),
        "runtime": _named("spec.runtimeClassName", "runtime class", lists.runtime_classes, "runtime_classes"),
        "affinity": at_creation(
            "variables.affinity.size() == 0",
            "'a rule of affinity looks at other namespaces: it could keep the pods of other teams off a node'",
        ),
        "grace": at_creation(
            "!has(object.spec.terminationGracePeriodSeconds)"
            f" || object.spec.terminationGracePeriodSeconds <= {LONGEST_GRACE}",
            f"'spec.terminationGracePeriodSeconds is above {LONGEST_GRACE}: a pod that ends holds its devices so long'",
        ),
    }


def _device_rules(lists: PodLists) -> dict[str, Rule]:
    return {
        "devices": Rule(
            "variables.foreign.size() == 0",
            "'device ' + variables.foreign[0][0] + "
            + literal(f" is not one of tenant {lists.tenant}, which has: ")
            + f" + {listed(lists.devices)}",
        ),
        "one-slice": Rule(
            f"variables.containers.all(c, !({_LIMITS}) || ({_MIG}.size() <= 1"
            f" && {_MIG}.all(k, quantity(c.resources.limits[k]).compareTo(quantity('1')) <= 0)))",
            "'a container may have one MIG slice: CUDA uses no second one; ask for a larger slice'",
        ),
        "claims": at_creation(
            "!has(object.spec.resourceClaims) || object.spec.resourceClaims.size() == 0",
            "'spec.resourceClaims is set: devices by claim are not counted by the quota here; ask for a slice by name'",
        ),
        "device-variables": at_creation(
            "variables.granting.size() == 0",
            "'variable ' + variables.granting[0][0].name + ' makes the container runtime hand out devices past the"
            " quota; remove it, and ask for a device in resources.limits'",
        ),
        "variables-of-others": at_creation(
            "variables.containers.all(c, !has(c.envFrom) || c.envFrom.all(f, !has(f.prefix) || f.prefix == ''))",
            "'envFrom has a prefix: it could put together the name of a variable that hands out devices; leave it out'",
        ),
        "device-mounts": at_creation(
            "variables.containers.all(c, !has(c.volumeMounts)"
            " || c.volumeMounts.all(m, !m.mountPath.contains('nvidia-container-devices')))",
            "'a mount below /var/run/nvidia-container-devices asks for devices past the quota; remove it'",
        ),
    }


def _identity_rules(lists: PodLists) -> dict[str, Rule]:
    namespaces = literals((constants.NOTEBOOKS_NAMESPACE, constants.JOBS_NAMESPACE))
    tenant = constants.LABEL_TENANT
    account = f"vc-workload-{lists.vcluster}"
    return {
        "tenant": Rule(
            f"!({literal(QUEUE_LABEL)} in variables.labels) && (!({literal(tenant)} in variables.labels)"
            f" || variables.labels[{literal(tenant)}] == {literal(lists.tenant)})",
            literal(f"label {tenant} must be {lists.tenant}, and {QUEUE_LABEL} must not be set"),
        ),
        "vcluster": Rule(
            "'vcluster.loft.sh/managed-by' in variables.labels"
            f" && variables.labels['vcluster.loft.sh/managed-by'] == {literal(lists.vcluster)}",
            literal(f"label vcluster.loft.sh/managed-by must be {lists.vcluster}: network policies go by it"),
        ),
        "person": Rule(
            f"!variables.labels.exists(k, k.startsWith('{constants.PREFIX}/') && k != {literal(tenant)})"
            " || ('vcluster.loft.sh/namespace' in variables.labels"
            f" && variables.labels['vcluster.loft.sh/namespace'] in {namespaces})",
            literal(f"labels of {constants.PREFIX} say whose a pod is: only pods in notebooks and jobs carry them"),
        ),
        **metadata_rules(),
        "account": at_creation(
            f"has(object.spec.serviceAccountName) && object.spec.serviceAccountName == {literal(account)}"
            " && has(object.spec.automountServiceAccountToken) && !object.spec.automountServiceAccountToken",
            literal(f"a pod runs as service account {account} here, without its token"),
        ),
        "addresses": Rule(
            "request.?subResource.orValue('') != 'status' || (object.status.?podIP == oldObject.status.?podIP"
            " && object.status.?podIPs == oldObject.status.?podIPs)",
            "'the address of a pod is what the node says, and no tenant changes it'",
        ),
    }


def _content_rules(lists: PodLists) -> dict[str, Rule]:
    kinds = " || ".join(f"has(v.{kind})" for kind in _KINDS_OF_VOLUMES)
    drivers = f"(has(v.csi) && v.csi.driver in {literals(lists.csi_drivers)})"
    projected = f"(has(v.projected) && v.projected.sources.{_PROJECTED.removeprefix('s.')})"
    return {
        "images": Rule(
            "variables.unlisted.size() == 0",
            f"'image ' + variables.unlisted[0] + ' is not allowed here; allowed are: ' + {listed(lists.images)}",
        ),
        "running-image": Rule(
            "request.operation != 'UPDATE' || object.spec.containers.all(c,"
            " oldObject.spec.containers.exists(o, o.name == c.name && o.image == c.image))",
            "'the image of a running pod may not be changed: delete the pod and make a new one'",
        ),
        "ephemeral-containers": Rule(
            "!has(object.spec.ephemeralContainers) || object.spec.ephemeralContainers.size() == 0",
            "'ephemeral containers are not allowed: start a pod of its own instead'",
        ),
        "volumes": at_creation(
            f"variables.volumes.all(v, {kinds} || {projected} || {drivers})",
            "'a volume is of a kind that is not allowed here; use configMap, secret, projected, emptyDir, downwardAPI"
            " or persistentVolumeClaim. A site lists the drivers of CSI volumes in isolation.csi_drivers'",
        ),
        "memory-volumes": at_creation(
            "variables.volumes.all(v, !has(v.emptyDir) || !has(v.emptyDir.medium) || v.emptyDir.medium != 'Memory'"
            f" || has(v.emptyDir.sizeLimit) || !{_UNLIMITED})",
            "'an emptyDir in memory needs a sizeLimit, or a memory limit for each container that mounts it'",
        ),
        "host-aliases": at_creation(
            "!has(object.spec.hostAliases) || object.spec.hostAliases.all(a, has(a.hostnames)"
            " && a.hostnames.all(h, h == 'kubernetes' || h.startsWith('kubernetes.default')))",
            "'spec.hostAliases gives names other addresses than the name servers do; remove it'",
        ),
        "host-users": at_creation(
            "!has(object.spec.hostUsers) || object.spec.hostUsers",
            "'spec.hostUsers is false: with users of its own a pod may be root and do more in the kernel; remove it'",
        ),
        "probes": at_creation(
            f"variables.containers.all(c, {_without_hosts()})",
            "'a probe or a hook names a host: the node would ask it past all network policies; leave the host out'",
        ),
    }


def _without_hosts() -> str:
    """CEL: no probe and no hook of container ``c`` sends the kubelet anywhere but to the pod itself."""
    places = [f"c.?{probe}" for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    places += [f"c.?lifecycle.?{hook}" for hook in ("postStart", "preStop")]
    return " && ".join(
        f"{place}.?{way}.?host.orValue('') == ''" for place in places for way in ("httpGet", "tcpSocket")
    )


def at_creation(expression: str, message: str) -> Rule:
    """A rule for the moment in which an object is made."""
    return Rule(f"!variables.creates || ({expression})", message)


def _named(field: str, what: str, allowed: Sequence[str], key: str) -> Rule:
    """The field is empty, or one of the list. ``field`` is below ``object``, ``key`` the site's key for the list."""
    return at_creation(
        f"!has(object.{field}) || object.{field} == '' || object.{field} in {literals(allowed)}",
        f"'{what} ' + object.{field} + ' is not allowed here; a site allows it in isolation.{key}'",
    )
