"""What the syncer itself could write on the host, past vCluster's own program: whoever is administrator of a vCluster
may come to be its syncer. Tried by server-side dry run in the syncer's name, with the pod that it made of a good one.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from aifactory_hub.registry.host_quota import CONTROL_PLANE_CLASS

from .bad_pods import ADMISSION, BadPod, label, spec, volume
from .outcome import Outcome
from .walls import Object, Walls

EVERYWHERE = {"labelSelector": {"matchLabels": {"component": "hub"}}, "namespaceSelector": {},
              "topologyKey": "kubernetes.io/hostname"}  # fmt: skip
KEEP_OFF = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [EVERYWHERE]}}
DEVICE = [{"name": "gpu", "resourceClaimName": "gpu"}]


def control_plane_class(pod: Object) -> None:
    pod["spec"]["priorityClassName"] = CONTROL_PLANE_CLASS
    pod["spec"].pop("priority", None)


BAD_BY_HAND = (
    BadPod("h-class", "a vCluster's priority, past the quota", ADMISSION, "priority class", control_plane_class,
           "priority"),
    BadPod("h-affinity", "a node that other teams' pods are kept off", ADMISSION, "affinity", spec(affinity=KEEP_OFF),
           "affinity"),
    BadPod("h-account", "the syncer's own service account", ADMISSION, "runs as service account",
           spec(serviceAccountName="vc-vision"), "account"),
    BadPod("h-token", "a token of the host", ADMISSION, "of a kind that is not allowed",
           volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}), "volumes"),
    BadPod("h-claim", "a device by claim (DRA)", ADMISSION, "devices by claim", spec(resourceClaims=DEVICE), "claims"),
    BadPod("h-unmanaged", "the label that policies go by, of another", ADMISSION, "managed-by must be",
           label("vcluster.loft.sh/managed-by", "nlp"), "vcluster"),
    BadPod("h-release", "the label of a vCluster's own pods", ADMISSION, "label release", label("release", "vision"),
           "labels"),
)  # fmt: skip
# Objects beside pods: name -> what it is, the object, words of the refusal, the rule.
BAD_OBJECTS_BY_HAND: dict[str, tuple[str, Object, str, str]] = {
    "token-secret": (
        "a Secret that the host fills with a token",
        {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
         "metadata": {"name": "walls-token", "annotations": {"kubernetes.io/service-account.name": "vc-vision"}}},
        "a token of its own", "secret-type"),
    "fast-claim": (
        "a volume that is faster than its class",
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "walls-fast"},
         "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "local", "volumeAttributesClassName": "fast",
                  "resources": {"requests": {"storage": "1Mi"}}}},
        "volumeAttributesClassName", "volume-attributes"),
}  # fmt: skip


def by_the_syncer(w: Walls) -> list[Outcome]:
    """Each in the syncer's name; a good pod passes, which shows that it is not just everything that is refused."""
    good = as_the_syncer_makes_it(w)
    if words := tried(w, "vc-vision", good):
        raise AssertionError(f"a good pod is refused too: {words}")
    found = []
    for bad in BAD_BY_HAND:
        words = tried(w, "vc-vision", changed(good, bad))
        found.append(Outcome(bad.attack, bad.refused_by, words if bad.words in words else "", harmless=True))
    for attack, wanted, expected, _ in BAD_OBJECTS_BY_HAND.values():
        words = tried(w, "vc-vision", wanted)
        found.append(Outcome(attack, ADMISSION, words if expected in words else "", harmless=True))
    return [*found, address_of_a_pod(w)]


def as_the_syncer_makes_it(w: Walls, name: str = "harmless") -> Object:
    """The host's pod of a good one, ready to be made once more."""
    pod = copy.deepcopy(w.running("vision", name))
    metadata = pod["metadata"]
    spec = {key: value for key, value in pod["spec"].items() if key not in ("nodeName", "priority")}
    kept: dict[str, Any] = {"labels": metadata["labels"], "annotations": metadata["annotations"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "walls-by-hand", **kept}, "spec": spec}


def changed(good: Object, bad: BadPod) -> Object:
    pod = copy.deepcopy(good)
    bad.change(pod)
    return pod


def tried(w: Walls, namespace: str, wanted: Object) -> str:
    """The words with which the host refuses it to the syncer; empty when it would be made."""
    try:
        w.cluster.run("create", "--dry-run=server", "-n", namespace, *syncer(namespace), "-f", "-",
                      stdin=json.dumps(wanted))  # fmt: skip
    except RuntimeError as error:
        return str(error).partition("denied request: ")[2] or str(error)
    return ""


def syncer(namespace: str) -> tuple[str, ...]:
    """In whose name. What it may do at all is another matter: it may do all here, so that only the rules refuse it."""
    return f"--as=system:serviceaccount:{namespace}:vc-vision", "--as-group=system:masters"


def address_of_a_pod(w: Walls) -> Outcome:
    """The syncer may write the status of its pods; network policies go by the address in there."""
    pod = w.running("vision", "harmless")["metadata"]["name"]
    forged = json.dumps({"status": {"podIP": "10.88.0.1", "podIPs": [{"ip": "10.88.0.1"}]}})
    words = ""
    try:
        w.cluster.run("patch", "pod", pod, "-n", "vc-vision", "--subresource=status", "--type=merge", "-p", forged,
                      "--dry-run=server", *syncer("vc-vision"))  # fmt: skip
    except RuntimeError as error:
        words = str(error) if "no tenant changes it" in str(error) else ""
    return Outcome(
        "the address of another for its pod", ADMISSION, words.partition("denied request: ")[2], harmless=True
    )
