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
from pathlib import Path

from tests.cluster.settings import RESTRICTED

from .bad_objects import claims, configmaps, services
from .bad_pods import ADMISSION, BAD_PODS, QUOTA, BadPod, limits
from .by_hand import by_the_syncer
from .outcome import Outcome
from .reach import HEADER, reach_table
from .rig import open_rig
from .walls import Walls, walls

TENANT_API = "the vCluster's API"
OTHER_API = "the other vCluster's API"
HOST_API = "the host's API"
SYNC = "never synced to the host"


def bad_pods(w: Walls) -> list[Outcome]:
    """All at once; then each one's refusal is looked for."""
    objects = []
    for each in BAD_PODS:
        pod = w.pod(each.name)
        each.change(pod)
        objects.append(pod)
    sizeless = w.pod("sizeless")
    sizeless["spec"]["containers"][0]["resources"] = {}
    w.create("vision", [w.pod("harmless"), w.pod("watched"), sizeless, *objects])
    # The good ones among them show that it is not just everything that is refused.
    w.running("vision", "harmless")
    w.running("vision", "sizeless")
    return [refusal(w, each) for each in BAD_PODS]


def refusal(w: Walls, bad: BadPod) -> Outcome:
    words = w.said("vision", bad.name, bad.words)
    return Outcome(bad.attack, bad.refused_by, words, w.host_pod("vision", bad.name) is None)


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
    words = [
        w.said("vision", "harmless", "may not be changed"),
        w.logged("vision", "ephemeral containers are not allowed: [a-z ]*"),
    ]
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

    w.cluster.wait(refused, w.timeout)
    made = [name for name in names if w.host_pod("vision", name)]
    w.cluster.run("delete", "pods", "-n", w.mark, *names, "--wait=false", kubeconfig=w.admin("vision"))
    return [Outcome("more slices than its quota", QUOTA, found[0], len(made) <= VISIONS_QUOTA)]


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
    claims,
    services,
    configmaps,
    by_the_syncer,
    wide_open_policy,
    other_apis,
    from_inside,
    token_annotations,
)


def attack_table(w: Walls) -> list[Outcome]:
    return [outcome for attack in ATTACKS for outcome in attack(w)]


def main() -> int:
    rig = open_rig()
    with walls(rig.cluster, rig.found) as w:
        attacks = attack_table(w)
        reached = reach_table(w)
    print(f"{'attack':48} | {'has to be refused by':29} | {'outcome':12} | words")
    for outcome in attacks:
        print(outcome.line())
    print(f"\n{HEADER}")
    for attempt in reached:
        print(attempt.line())
    refused = sum(each.good for each in attacks) + sum(each.good for each in reached if not each.allowed)
    tried = len(attacks) + sum(not each.allowed for each in reached)
    open_ways = [each for each in reached if each.allowed]
    print(f"connections that have to come through: {sum(each.good for each in open_ways)} of {len(open_ways)} did")
    print(f"attacks: {refused} of {tried} refused")
    return 0 if refused == tried and all(each.good for each in open_ways) else 1


if __name__ == "__main__":
    sys.exit(main())
