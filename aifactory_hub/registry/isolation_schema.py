"""The section of ``tenants.yaml`` about what guards tenants: as in ``schema``, which has the others."""

from __future__ import annotations

from .scalars import (
    Label,
    Names,
    Network,
    Patterns,
    PodsPlace,
)
from .section import Section, key


class IsolationSection(Section):
    egress: list[Network] = key(
        "Networks that notebooks and jobs may reach; private ones only where they are named.", "[0.0.0.0/0]", default=[]
    )
    dns: list[Network] = key("Name servers that are no pods.", "[169.254.20.10/32]", default=[])
    dns_pods: list[PodsPlace] = key(
        "Name servers that are pods: namespace, label and value.",
        "[kube-system/k8s-app=kube-dns]",
        default=["kube-system/k8s-app=kube-dns"],
    )
    api_servers: list[Network] = key(
        "Where the host's API servers are; `tenants apply` asks the host when left out.", "[10.0.0.10/32]", default=[]
    )
    images: Names = key(
        "Images of tenants' pods beside notebooks' and jobs'; `*` at the end for any that begins so.",
        "[coredns/coredns:*]",
        default=["coredns/coredns:*"],
    )
    tolerations: Names = key(
        "Taints of GPU nodes: notebooks and jobs that ask for a device tolerate them, and no others are allowed.",
        "[nvidia.com/gpu]",
        default=["nvidia.com/gpu"],
    )
    runtime_classes: Names = key("Runtime classes that pods may name.", "[nvidia]", default=[])
    priority_classes: Names = key(
        "Kubernetes' priority classes that pods may have; a default class of the cluster belongs here.",
        "[standard]",
        default=[],
    )
    schedulers: Names = key("Schedulers that pods may name.", "[default-scheduler]", default=["default-scheduler"])
    storage_classes: list[Label] = key(
        "Storage classes of claims beside `notebook.storage_class`; any when neither is given.", "[fast]", default=[]
    )
    csi_drivers: Names = key(
        "Drivers of CSI volumes that pods may have without a claim.", "[secrets-store.csi.k8s.io]", default=[]
    )
    annotations: Patterns = key(
        "Annotations that pods and other objects may carry to the host beside our own list; `*` at the end for any.",
        "[prometheus.io/*]",
        default=[],
    )
    labels: Patterns = key(
        "Labels with a prefix that pods and other objects may carry to the host, in the same way.",
        "[example.org/*]",
        default=[],
    )
