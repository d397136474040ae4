"""What a tenant tries against the others and the host, on the real cluster: ``python -m tests.e2e.attacks``.

The attacker is the worst that there is: administrator of her own vCluster. For each attempt the table says who refused
it and with what words; then who reaches whom by real connections from real pods.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.settings import RESTRICTED

from .reach import HEADER, reach_table
from .rig import open_rig
from .walls import Object, Walls, walls

POD_SECURITY = "Pod Security, on the host"
ADMISSION = "admission policy, on the host"
QUOTA = "resource quota, on the host"
TENANT_API = "the vCluster's API"
OTHER_API = "the other vCluster's API"
HOST_API = "the host's API"
SYNC = "never synced to the host"
# A refused pod is tried again by the syncer; the first refusal comes within a second, on a busy machine within a few.
PATIENCE = 60


@dataclass(frozen=True)
class Outcome:
    """One attempt: who has to refuse it, the words it was refused with (empty: it was not), and what was left."""

    attack: str
    refused_by: str
    words: str
    harmless: bool

    @property
    def good(self) -> bool:
        return bool(self.words) and self.harmless

    def line(self) -> str:
        verdict = "refused" if self.good else "WENT THROUGH"
        return f"{self.attack:44} | {self.refused_by:29} | {verdict:12} | {shortened(self.words)}"


@dataclass(frozen=True)
class BadPod:
    """A pod that must not come to the host, and words that the refusal has."""

    name: str
    attack: str
    refused_by: str
    words: str
    change: Callable[[Object], None]


def container(**changes: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"]["containers"][0].update(changes)


def spec(**changes: Any) -> Callable[[Object], None]:
    return lambda pod: pod["spec"].update(changes)


def label(name: str, value: str) -> Callable[[Object], None]:
    return lambda pod: pod["metadata"]["labels"].update({name: value})


def limits(**devices: int) -> Callable[[Object], None]:
    wanted = {f"nvidia.com/mig-{name}": str(count) for name, count in devices.items()}
    return lambda pod: pod["spec"]["containers"][0]["resources"]["limits"].update(wanted)


PRIVILEGED = {"privileged": True, "allowPrivilegeEscalation": True}
HOST_FILES = [{"name": "host", "hostPath": {"path": "/"}}]
CONTROL_PLANE = [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
# Tried by an administrator of vision, whose only profile is mig-1g.10gb.
BAD_PODS = (
    BadPod("privileged", "a privileged container", POD_SECURITY, "privileged", container(securityContext=PRIVILEGED)),
    BadPod("host-files", "the host's files (hostPath)", POD_SECURITY, "hostPath", spec(volumes=HOST_FILES)),
    BadPod("host-network", "the host's network", POD_SECURITY, "host namespaces", spec(hostNetwork=True)),
    BadPod("host-processes", "the host's processes", POD_SECURITY, "host namespaces", spec(hostPID=True)),
    BadPod("root", "root in the container", POD_SECURITY, "runAsNonRoot", spec(securityContext={"runAsUser": 0})),
    BadPod("node-name", "a node of its own choice", ADMISSION, "may not choose its node", spec(nodeName="node1")),
    BadPod("image", "an image that is not listed", ADMISSION, "is not allowed here", container(image="x/y:1")),
    BadPod("two-slices", "two slices in one container", ADMISSION, "one MIG slice", limits(**{"1g.10gb": 2})),
    BadPod("foreign-slice", "a slice that its profiles lack", ADMISSION, "is not one of", limits(**{"3g.40gb": 1})),
    BadPod("whole-gpu", "a whole GPU", ADMISSION, "is not one of", lambda pod: whole_gpu(pod)),
    BadPod("forged", "the label of another team", ADMISSION, "must be vision", label("aifactory-hub.io/tenant", "nlp")),
    BadPod("queued", "Kueue's label, to be admitted by it", ADMISSION, "must not be set",
           label("kueue.x-k8s.io/queue-name", "gpu")),
    BadPod("taint", "a node that is tainted for others", ADMISSION, "toleration", spec(tolerations=CONTROL_PLANE)),
)  # fmt: skip


def whole_gpu(pod: Object) -> None:
    pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] = "1"


def bad_pods(w: Walls) -> list[Outcome]:
    """All at once; then each one's refusal is looked for."""
    objects = []
    for each in BAD_PODS:
        pod = w.pod(each.name)
        each.change(pod)
        objects.append(pod)
    w.create("vision", [w.pod("harmless"), w.pod("watched"), *objects])
    # The good one among them shows that it is not just everything that is refused.
    w.running("vision", "harmless")
    return [refusal(w, each) for each in BAD_PODS]


def refusal(w: Walls, bad: BadPod) -> Outcome:
    found = [""]

    def refused() -> bool:
        found[0] = next((text for text in w.events("vision", bad.name) if bad.words in text), "")
        return bool(found[0])

    w.cluster.wait(refused, PATIENCE)
    return Outcome(bad.attack, bad.refused_by, found[0], w.host_pod("vision", bad.name) is None)


def running_pods(w: Walls) -> list[Outcome]:
    """What is tried with pods that run already; each with its own, because the syncer stops at the first refusal."""
    other = "docker.io/aifactory-hub/coredns:1.12.4"  # listed, so that only the change is in question
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": other}]
    container = {"name": "debug", "image": w.found.notebook_image, "securityContext": RESTRICTED}
    debug = {"spec": {"ephemeralContainers": [container]}}
    before = {name: w.running("vision", name) for name in ("harmless", "watched")}
    admin, where = w.admin("vision"), ("-n", w.mark, "pod")
    w.cluster.run("patch", *where, "harmless", "--type=json", "-p", json.dumps(image), kubeconfig=admin)
    w.cluster.run(
        "patch", *where, "watched", "--subresource=ephemeralcontainers", "-p", json.dumps(debug), kubeconfig=admin
    )
    words = [said(w, "harmless", "may not be changed"), logged(w, "ephemeral containers are not allowed: [a-z ]*")]
    after = {name: w.host_pod("vision", name) or {"spec": {}} for name in before}
    images = [pods["harmless"]["spec"]["containers"][0]["image"] for pods in (before, after)]
    return [
        Outcome("another image in a running pod", ADMISSION, words[0], images[0] == images[1]),
        Outcome("an ephemeral container", ADMISSION, words[1], not after["watched"]["spec"].get("ephemeralContainers")),
    ]


# Of vision's only slice; each pod one, so that no other rule is in the way.
VISIONS_QUOTA = 3


def more_than_its_quota(w: Walls) -> list[Outcome]:
    """Pods past the hub, so past Kueue too: the host's own quota holds."""
    names = [f"greedy-{number}" for number in range(VISIONS_QUOTA + 1)]
    pods = [w.pod(name) for name in names]
    for pod in pods:
        limits(**{"1g.10gb": 1})(pod)
    w.create("vision", pods)
    found = [""]

    def refused() -> bool:
        heard = (text for name in names for text in w.events("vision", name) if "exceeded quota" in text)
        found[0] = next(heard, "")
        return bool(found[0])

    w.cluster.wait(refused, PATIENCE)
    made = [name for name in names if w.host_pod("vision", name)]
    w.cluster.run("delete", "pods", "-n", w.mark, *names, "--wait=false", kubeconfig=w.admin("vision"))
    return [Outcome("more slices than its quota", QUOTA, found[0], len(made) <= VISIONS_QUOTA)]


def said(w: Walls, name: str, words: str) -> str:
    found = [""]

    def heard() -> bool:
        found[0] = next((text for text in w.events("vision", name) if words in text), "")
        return bool(found[0])

    w.cluster.wait(heard, PATIENCE)
    return found[0]


def logged(w: Walls, pattern: str) -> str:
    """What the syncer says of a refusal for which it makes no event."""
    found = [""]

    def there() -> bool:
        log = w.cluster.run("logs", "-n", "vc-vision", "vision-0", "--since=90s")
        match = re.search(pattern, log)
        found[0] = match[0] if match else ""
        return bool(found[0])

    w.cluster.wait(there, PATIENCE)
    return found[0]


# A Service is made on the host before the vCluster says yes, so the administrator reads the refusal at once.
BAD_SERVICES: dict[str, tuple[str, Object, str]] = {
    "node-port": ("a port of every node (NodePort)", {"type": "NodePort"}, "use ClusterIP"),
    "balancer": ("a load balancer", {"type": "LoadBalancer"}, "use ClusterIP"),
    "external-ip": ("the hub's address (externalIPs)", {"externalIPs": ["10.88.0.1"]}, "externalIPs"),
}


def services(w: Walls) -> list[Outcome]:
    outcomes = []
    for name, (attack, change, expected) in BAD_SERVICES.items():
        service = {"ports": [{"port": 80}], "selector": {"a": "b"}, **change}
        wanted = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": service}
        words = ""
        try:
            w.create("vision", [wanted])
        except RuntimeError as error:
            words = str(error).partition("denied request: ")[2] if expected in str(error) else ""
        there = w.cluster.run("get", "services", "-n", "vc-vision", "-o", "name")
        outcomes.append(Outcome(attack, ADMISSION, words, f"{name}-x-{w.mark}" not in there))
    return outcomes


def wide_open_policy(w: Walls) -> list[Outcome]:
    """A policy in the vCluster that allows everything: if it came to the host it would widen ours."""
    allow = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "wide-open"},
        "spec": {"podSelector": {}, "ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]},
    }
    w.create("vision", [allow])
    there = w.cluster.run("get", "networkpolicies", "-n", "vc-vision", "-o", "name")
    words = "the host has ours only"
    return [Outcome("a network policy that allows everything", SYNC, words, "wide-open" not in there)]


def other_apis(w: Walls) -> list[Outcome]:
    """What the tenant's own credential is worth elsewhere, and what its own API gives away of the host."""
    own, nodes = w.found.tenants["vision"], ("get", "--raw", "/api/v1/nodes/node1/proxy/pods")
    secrets, quota = ("get", "secrets", "-A"), ("delete", "resourcequota", "-n", own.namespace, "--all")
    nlp, host = w.admin("nlp"), w.found.admin_kubeconfig
    attempts = (
        ("other teams' pods through nodes/proxy", TENANT_API, nodes, None, "orbidden"),
        ("another team's secrets", OTHER_API, secrets, nlp, "nauthorized|logged in"),
        ("the host's secrets", HOST_API, secrets, host, "nauthorized|logged in"),
        ("its quota on the host, deleted", HOST_API, quota, host, "nauthorized|logged in"),
    )
    return [
        Outcome(attack, by, *refused(w, own.admin_kubeconfig, argv, there, words))
        for attack, by, argv, there, words in attempts
    ]


def refused(w: Walls, own: Path, argv: tuple[str, ...], there: Path | None, words: str) -> tuple[str, bool]:
    """Use the tenant's own credential, at the API of another kubeconfig if one is given."""
    with tempfile.NamedTemporaryFile("wb", suffix=".crt") as authority:
        place: tuple[str, ...] = ()
        if there is not None:
            view = json.loads(w.cluster.run("config", "view", "--raw", "--flatten", "-o", "json", kubeconfig=there))
            cluster = view["clusters"][0]["cluster"]
            authority.write(base64.b64decode(cluster["certificate-authority-data"]))
            authority.flush()
            place = ("--server", cluster["server"], "--certificate-authority", authority.name)
        try:
            w.cluster.run(*argv, *place, kubeconfig=own)
        except RuntimeError as error:
            found = str(error).partition(".crt: ")[2] or str(error)
            return (found, True) if re.search(words, found) else ("", False)
    return "", False


# What a process in a notebook finds around it.
LOOK = """\
import os, pathlib
mounted = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()
rights = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff"))
print(mounted, os.getuid(), int(rights, 16))
"""


def from_inside(w: Walls) -> list[Outcome]:
    """From a process in a notebook's pod: what lies around there, and what it is good for."""
    pod = w.running("vision", "harmless")["metadata"]["name"]
    plain = w.inside("vc-vision", pod, LOOK).split() == ["False", "1000", "0"]
    words = "no token is mounted; not root, no capabilities" if plain else ""
    return [Outcome("a service account's token in a notebook", "the pod as the hub makes it", words, plain)]


def token_annotations(w: Walls) -> list[Outcome]:
    """Tokens of other pods, where vCluster puts them on the host when it is not told otherwise."""
    items = w.cluster.get("pods", "-n", "vc-vision")["items"]
    tokens = [key for each in items for key in each["metadata"].get("annotations", {}) if "token" in key]
    return [Outcome("tokens in annotations on the host", SYNC, "none is there" if not tokens else "", not tokens)]


ATTACKS: tuple[Callable[[Walls], list[Outcome]], ...] = (
    bad_pods,
    running_pods,
    more_than_its_quota,
    services,
    wide_open_policy,
    other_apis,
    from_inside,
    token_annotations,
)


def attack_table(w: Walls) -> list[Outcome]:
    return [outcome for attack in ATTACKS for outcome in attack(w)]


def shortened(text: str, length: int = 200) -> str:
    plain = " ".join(text.split())
    for noise in ("Error syncing to host cluster: ", "create object: "):
        plain = plain.replace(noise, "")
    plain = re.sub(r"ValidatingAdmissionPolicy '[^']+' with binding '[^']+' denied request: ", "", plain)
    return plain if len(plain) <= length else plain[: length - 3] + "..."


def main() -> int:
    rig = open_rig()
    with walls(rig.cluster, rig.found) as w:
        attacks = attack_table(w)
        reached = reach_table(w)
    print(f"{'attack':44} | {'has to be refused by':29} | {'outcome':12} | words")
    for outcome in attacks:
        print(outcome.line())
    print(f"\n{HEADER}")
    for attempt in reached:
        print(attempt.line())
    good = sum(each.good for each in attacks) + sum(each.good for each in reached)
    print(f"attacks: {good} of {len(attacks) + len(reached)} as they should be")
    return 0 if good == len(attacks) + len(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
