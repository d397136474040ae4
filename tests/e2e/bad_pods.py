"""Pods that must not come to the host, whoever makes them in a vCluster. Each breaks one rule of the walls."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

POD_SECURITY = "Pod Security, on the host"
ADMISSION = "admission policy, on the host"
QUOTA = "resource quota, on the host"


@dataclass(frozen=True)
class BadPod:
    """A pod that must not come to the host, and words that the refusal has. ``rule`` is the policy's, if it is one."""

    name: str
    attack: str
    refused_by: str
    words: str
    change: Callable[[Object], None]
    rule: str = ""


def container(**changes: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"]["containers"][0].update(copy.deepcopy(changes))


def spec(**changes: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"].update(copy.deepcopy(changes))


def label(name: str, value: str) -> Callable[[Object], None]:
    return lambda pod: pod["metadata"]["labels"].update({name: value})


def annotation(name: str, value: str) -> Callable[[Object], None]:
    return lambda pod: pod["metadata"].setdefault("annotations", {}).update({name: value})


def limits(**devices: int) -> Callable[[Object], None]:
    wanted = {f"nvidia.com/mig-{name}": str(count) for name, count in devices.items()}
    return lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update(wanted)


def both(**amounts: str) -> Callable[[Object], None]:
    """Requested, and as the limit."""
    wanted = {name.replace("_", "-"): amount for name, amount in amounts.items()}

    def change(pod: Object) -> None:
        for side in ("requests", "limits"):
            pod["spec"]["containers"][0]["resources"][side].update(wanted)

    return change


def variable(name: str, value: str | None = "all") -> Callable[[Object], None]:
    """``value`` None: from a Secret, whose content no policy knows."""
    secret = {"secretKeyRef": {"name": "settings", "key": "x", "optional": True}}
    return container(env=[{"name": name, **({"valueFrom": secret} if value is None else {"value": value})}])


def volume(*, mounted: str = "/somewhere", **source: Any) -> Callable[[Object], None]:
    def change(pod: Object) -> None:
        spec(volumes=[{"name": "v", **source}])(pod)
        container(volumeMounts=[{"name": "v", "mountPath": mounted}])(pod)

    return change


def whole_gpu(pod: Object) -> None:
    pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"


def memory_without_end(pod: Object) -> None:
    del pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    volume(emptyDir={"medium": "Memory"})(pod)


PRIVILEGED = {"privileged": True, "allowPrivilegeEscalation": True}
HOST_FILES = [{"name": "host", "hostPath": {"path": "/"}}]
CONTROL_PLANE = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
GPU_NODES = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
ALIAS = [{"ip": "10.88.0.1", "hostnames": ["hub.example.org"]}]
PREFIXED = [{"prefix": "NVIDIA_", "configMapRef": {"name": "settings", "optional": True}}]
IMDS = {"httpGet": {"host": "169.254.169.254", "port": 80, "path": "/"}}
# Of this name on host and vClusters while the walls are tried.
RUNTIME_CLASS = "walls-gpu"
# Tried by an administrator of vision, whose only profile is mig-1g.10gb.
BAD_PODS = (
    BadPod("privileged", "a privileged container", POD_SECURITY, "privileged", container(securityContext=PRIVILEGED)),
    BadPod("host-files", "the host's files (hostPath)", POD_SECURITY, "hostPath", spec(volumes=HOST_FILES)),
    BadPod("host-network", "the host's network", POD_SECURITY, "host namespaces", spec(hostNetwork=True)),
    BadPod("host-processes", "the host's processes", POD_SECURITY, "host namespaces", spec(hostPID=True)),
    BadPod("root", "root in the container", POD_SECURITY, "runAsNonRoot", spec(securityContext={"runAsUser": 0})),
    BadPod("node-name", "a node of its own choice", ADMISSION, "may not choose its node", spec(nodeName="node1"),
           "node"),
    BadPod("image", "an image that is not listed", ADMISSION, "is not allowed here", container(image="x/y:1"),
           "images"),
    BadPod("two-slices", "two slices in one container", ADMISSION, "one MIG slice", limits(**{"1g.10gb": 2}),
           "one-slice"),
    BadPod("foreign-slice", "a slice that its profiles lack", ADMISSION, "is not one of", limits(**{"3g.40gb": 1}),
           "devices"),
    BadPod("whole-gpu", "a whole GPU", ADMISSION, "is not one of", whole_gpu, "devices"),
    BadPod("forged", "the label of another team", ADMISSION, "must be vision", label("aifactory-hub.io/tenant", "nlp"),
           "tenant"),
    BadPod("queued", "Kueue's label, to be admitted by it", ADMISSION, "must not be set",
           label("kueue.x-k8s.io/queue-name", "gpu"), "tenant"),
    BadPod("taint", "a node that is tainted for others", ADMISSION, "toleration", spec(tolerations=CONTROL_PLANE),
           "tolerations"),
    # Devices past their resource.
    BadPod("gpu-taint", "a GPU node, without asking for a device", ADMISSION, "toleration", spec(tolerations=GPU_NODES),
           "tolerations"),
    BadPod("all-gpus", "all GPUs, by NVIDIA's variable", ADMISSION, "hand out devices",
           variable("NVIDIA_VISIBLE_DEVICES"), "device-variables"),
    BadPod("hidden-gpus", "the same, its value in a Secret", ADMISSION, "hand out devices",
           variable("NVIDIA_VISIBLE_DEVICES", None), "device-variables"),
    BadPod("imex", "channels between GPUs, by NVIDIA's variable", ADMISSION, "hand out devices",
           variable("NVIDIA_IMEX_CHANNELS", "0"), "device-variables"),
    BadPod("old-cuda", "all GPUs, as an image of old CUDA", ADMISSION, "hand out devices",
           variable("CUDA_VERSION", "9.0"), "device-variables"),
    BadPod("gaudi", "all devices of another maker (Gaudi)", ADMISSION, "hand out devices",
           variable("HABANA_VISIBLE_DEVICES"), "device-variables"),
    BadPod("prefixed", "such a variable put together by envFrom", ADMISSION, "envFrom has a prefix",
           container(envFrom=PREFIXED), "variables-of-others"),
    BadPod("device-mount", "all GPUs, by a mount", ADMISSION, "nvidia-container-devices",
           volume(mounted="/var/run/nvidia-container-devices/all", emptyDir={}), "device-mounts"),
    BadPod("cdi", "all GPUs, by an annotation (CDI)", ADMISSION, "annotation cdi.k8s.io/gpu",
           annotation("cdi.k8s.io/gpu", "nvidia.com/gpu=all"), "annotations"),
    BadPod("cri-o", "a device, by an annotation (CRI-O)", ADMISSION, "annotation io.kubernetes.cri-o.Devices",
           annotation("io.kubernetes.cri-o.Devices", "/dev/nvidia0"), "annotations"),
    BadPod("runtime", "a runtime class that is not listed", ADMISSION, "runtime class",
           spec(runtimeClassName=RUNTIME_CLASS), "runtime"),
    # What other programs of the host act on.
    BadPod("multus", "another network (Multus)", ADMISSION, "annotation k8s.v1.cni.cncf.io/networks",
           annotation("k8s.v1.cni.cncf.io/networks", "kube-system/underlay"), "annotations"),
    BadPod("fixed-address", "an address of its own choice (CNI)", ADMISSION, "annotation cni.projectcalico.org/ipAddrs",
           annotation("cni.projectcalico.org/ipAddrs", '["10.88.0.9"]'), "annotations"),
    BadPod("kube2iam", "a role of the cloud (kube2iam)", ADMISSION, "annotation iam.amazonaws.com/role",
           annotation("iam.amazonaws.com/role", "admin"), "annotations"),
    BadPod("azure-identity", "an identity of the cloud (Azure)", ADMISSION, "label azure.workload.identity/use",
           label("azure.workload.identity/use", "true"), "labels"),
    BadPod("aad-identity", "the same by the older label", ADMISSION, "label aadpodidbinding",
           label("aadpodidbinding", "admin"), "labels"),
    BadPod("person", "the label of another person", ADMISSION, "say whose a pod is",
           label("aifactory-hub.io/user", "nlp-user"), "person"),
    # Fields of a pod that reach further than the pod.
    BadPod("scheduler", "a scheduler that is not listed", ADMISSION, "scheduler other", spec(schedulerName="other"),
           "scheduler"),
    BadPod("aliases", "other addresses for names (hostAliases)", ADMISSION, "hostAliases", spec(hostAliases=ALIAS),
           "host-aliases"),
    BadPod("users", "users of its own (hostUsers)", ADMISSION, "hostUsers", spec(hostUsers=False), "host-users"),
    BadPod("csi", "a CSI volume without a claim", ADMISSION, "csi_drivers",
           volume(csi={"driver": "secrets-store.csi.k8s.io"}), "volumes"),
    BadPod("image-volume", "an unlisted image as a volume", ADMISSION, "of a kind that is not allowed",
           volume(image={"reference": "x/y:1"}), "volumes"),
    BadPod("memory", "memory without an end (emptyDir)", ADMISSION, "needs a sizeLimit", memory_without_end,
           "memory-volumes"),
    BadPod("slow-end", "an end that takes hours", ADMISSION, "terminationGracePeriodSeconds",
           spec(terminationGracePeriodSeconds=36_000), "grace"),
    BadPod("probe", "the node asks the metadata address for it", "Pod Security or admission, on the host",
           "robe", container(livenessProbe=IMDS), "probes"),
    # More than its share.
    BadPod("cores", "a thousand cores", QUOTA, "exceeded quota", both(cpu="1000")),
    BadPod("terabytes", "ten terabytes of memory", QUOTA, "exceeded quota", both(memory="10Ti")),
    BadPod("disk", "the disk of its node", QUOTA, "exceeded quota", both(ephemeral_storage="100Ti")),
)  # fmt: skip
