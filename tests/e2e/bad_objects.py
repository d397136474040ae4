"""Claims, Services and ConfigMaps that must not come to the host, tried by an administrator of vision's vCluster."""

from __future__ import annotations

import re
from typing import Any

from .bad_pods import ADMISSION, QUOTA
from .outcome import Outcome
from .walls import Object, Walls

# Name -> what it is, changes to a good claim's spec, its annotations, words of the refusal, who refuses, the rule.
BAD_CLAIMS: dict[str, tuple[str, Object, Object, str, str, str]] = {
    "foreign-volume": ("another team's volume, by its name", {"volumeName": "pvc-of-nlp"}, {}, "volumeName", ADMISSION,
                       "volume-name"),
    "chosen-volume": ("another team's volume, by its labels", {"selector": {"matchLabels": {"team": "nlp"}}}, {},
                      "spec.selector", ADMISSION, "volume-selector"),
    "copy": ("a copy of another claim", {"dataSource": {"kind": "PersistentVolumeClaim", "name": "home"}}, {},
             "dataSource", ADMISSION, "data-source"),
    "other-class": ("a storage class that is not listed", {"storageClassName": "other"}, {}, "storage class other",
                    ADMISSION, "storage-class"),
    "old-class": ("the same by an annotation", {"storageClassName": None},
                  {"volume.beta.kubernetes.io/storage-class": "other"}, "storage class other", ADMISSION,
                  "storage-class"),
    "other-node": ("a volume on a node of its own choice", {}, {"volume.kubernetes.io/selected-node": "node1"},
                   "annotation volume.kubernetes.io/selected-node", ADMISSION, "annotations"),
    "huge": ("a hundred terabytes of storage", {"resources": {"requests": {"storage": "100Ti"}}}, {}, "exceeded quota",
             QUOTA, ""),
}  # fmt: skip
# The same of Services: changes to the spec, annotations, words, the rule.
BAD_SERVICES: dict[str, tuple[str, Object, Object, str, str]] = {
    "node-port": ("a port of every node (NodePort)", {"type": "NodePort"}, {}, "use ClusterIP", "service-type"),
    "balancer": ("a load balancer", {"type": "LoadBalancer"}, {}, "use ClusterIP", "service-type"),
    "external-ip": ("the hub's address (externalIPs)", {"externalIPs": ["10.88.0.1"]}, {}, "externalIPs",
                    "external-addresses"),
    "public-name": ("a name of the company (external-dns)", {},
                    {"external-dns.alpha.kubernetes.io/hostname": "hub.example.org"}, "annotation external-dns",
                    "annotations"),
}  # fmt: skip
# And of ConfigMaps: data, labels, words, the rule.
BAD_CONFIGMAPS: dict[str, tuple[str, Object, Object, str, str]] = {
    "all-gpus-map": ("all GPUs, by a ConfigMap that becomes variables", {"NVIDIA_VISIBLE_DEVICES": "all"}, {},
                     "key NVIDIA_VISIBLE_DEVICES is the name", "device-variables"),
    "dashboard": ("a dashboard of its own in the site's Grafana", {"x.json": "{}"}, {"grafana_dashboard": "1"},
                  "label grafana_dashboard is not allowed", "labels"),
}  # fmt: skip


def claim(name: str, changes: Object | None = None, annotations: Object | None = None) -> Object:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "local",
        "resources": {"requests": {"storage": "1Mi"}},
        **(changes or {}),
    }
    metadata = {"name": name, "annotations": dict(annotations or {})}
    kept = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": kept}


def service(name: str, changes: Object, annotations: Object) -> Object:
    spec = {"ports": [{"port": 80}], "selector": {"a": "b"}, **changes}
    metadata = {"name": name, "annotations": dict(annotations)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def configmap(name: str, data: Object, labels: Object) -> Object:
    metadata = {"name": name, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def claims(w: Walls) -> list[Outcome]:
    """A good one among them comes to the host."""
    w.create("vision", [claim("good"), *(claim(name, each[1], each[2]) for name, each in BAD_CLAIMS.items())])
    found = []
    for name, (attack, _, _, expected, by, _) in BAD_CLAIMS.items():
        words = w.said("vision", name, expected)
        found.append(Outcome(attack, by, words, not on_host(w, "persistentvolumeclaims", name)))
    if not w.cluster.wait(lambda: on_host(w, "persistentvolumeclaims", "good"), 30):
        raise AssertionError("a good claim was not made on the host either")
    return found


def services(w: Walls) -> list[Outcome]:
    """A Service is made on the host before the vCluster says yes, so the administrator reads the refusal at once."""
    outcomes = []
    for name, (attack, change, notes, expected, _) in BAD_SERVICES.items():
        words = ""
        try:
            w.create("vision", [service(name, change, notes)])
        except RuntimeError as error:
            words = str(error).partition("denied request: ")[2] if expected in str(error) else ""
        outcomes.append(Outcome(attack, ADMISSION, words, not on_host(w, "services", name)))
    return outcomes


def configmaps(w: Walls) -> list[Outcome]:
    """The syncer copies those that a pod uses; it says in its log that the host refused one."""
    pods = []
    for name in BAD_CONFIGMAPS:
        pod = w.pod(f"uses-{name}")
        pod["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": name}}]
        pods.append(pod)
    maps = [configmap(name, each[1], each[2]) for name, each in BAD_CONFIGMAPS.items()]
    w.create("vision", [*maps, *pods])
    found = []
    for name, (attack, _, _, expected, _) in BAD_CONFIGMAPS.items():
        words = w.logged("vision", re.escape(expected) + '[^"\\\\]*')
        found.append(Outcome(attack, ADMISSION, words, not on_host(w, "configmaps", name)))
    return found


def on_host(w: Walls, kind: str, name: str) -> bool:
    items: list[Any] = w.cluster.get(kind, "-n", "vc-vision")["items"]
    return any(each["metadata"]["name"].startswith(f"{name}-x-{w.mark}") for each in items)
