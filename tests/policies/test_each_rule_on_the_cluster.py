"""Each rule of the admission policies on the real API server: with all of them an attack is refused, and without the
one that is against it, it would go through. Server-side dry runs in the syncer's name; nothing is made but policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.object_rules import object_rules
from aifactory_hub.registry.pod_rules import pod_rules
from aifactory_hub.registry.policies import admission_policies, object_lists, pod_lists
from tests.cluster.access import access
from tests.cluster.settings import NODE
from tests.e2e.bad_objects import BAD_CLAIMS, BAD_CONFIGMAPS, BAD_SERVICES, claim, configmap, service
from tests.e2e.bad_pods import BAD_PODS, BadPod
from tests.e2e.by_hand import BAD_BY_HAND, BAD_OBJECTS_BY_HAND, as_the_syncer_makes_it, changed, tried
from tests.e2e.cluster import Cluster
from tests.e2e.rig import TENANTS_FILE, apply_registry
from tests.e2e.walls import Walls, walls

pytestmark = pytest.mark.cluster

REGISTRY = load_registry(TENANTS_FILE)
VISION = REGISTRY.tenants["vision"]
RULES = {
    "pods": list(pod_rules(pod_lists(REGISTRY, VISION))),
    "objects": list(object_rules(object_lists(REGISTRY, VISION))),
}
# What is refused by two rules at once goes through only without both.
BESIDE = {"queued": {"labels"}}


@dataclass(frozen=True)
class Attack:
    """``wanted`` is the object, or how a pod has to be changed. ``rules`` refuse it."""

    name: str
    policy: str
    rules: frozenset[str]
    words: str
    wanted: Mapping[str, Any] | BadPod


def attacks() -> list[Attack]:
    found = [
        Attack(each.name, "pods", frozenset({each.rule, *BESIDE.get(each.name, ())}), each.words, each)
        for each in (*BAD_PODS, *BAD_BY_HAND)
        if each.rule
    ]
    objects = [(name, claim(name, c[1], c[2]), c[3], c[5]) for name, c in BAD_CLAIMS.items() if c[5]]
    objects += [(name, service(name, s[1], s[2]), s[3], s[4]) for name, s in BAD_SERVICES.items()]
    objects += [(name, configmap(name, m[1], m[2]), m[3], m[4]) for name, m in BAD_CONFIGMAPS.items()]
    objects += [(name, h[1], h[2], h[3]) for name, h in BAD_OBJECTS_BY_HAND.items()]
    return found + [
        Attack(name, "objects", frozenset({rule, *BESIDE.get(name, ())}), words, wanted)
        for name, wanted, words, rule in objects
    ]


ATTACKS = attacks()
ALL = frozenset[str]()


@pytest.fixture(scope="module")
def bench() -> Iterator[tuple[Walls, dict[tuple[str, frozenset[str]], str], dict[str, Any]]]:
    """A namespace for each set of rules that is left out, and the host's pod of a good one of vision's."""
    found = access()
    cluster = Cluster(found.kubectl, found.admin_kubeconfig, NODE)  # type: ignore[arg-type]
    apply_registry(cluster, TENANTS_FILE)
    with walls(cluster, found) as w:
        w.create("vision", [w.pod("harmless")])
        good = as_the_syncer_makes_it(w)
        sets = sorted({(policy, ALL) for policy in RULES} | {(each.policy, each.rules) for each in ATTACKS}, key=str)
        places = {left_out: f"{w.mark}-{number}" for number, left_out in enumerate(sets)}
        objects = [made for left_out, place in places.items() for made in without(*left_out, place)]
        text = "\n---\n".join(map(json.dumps, objects))
        try:
            cluster.run("apply", "--server-side", "-f", "-", stdin=text)
            # The API server takes up new policies within seconds; the fullest ones tell when it has.
            for policy in RULES:
                bad = next(each for each in ATTACKS if each.policy == policy)
                place = places[policy, ALL]
                assert cluster.wait(lambda p=place, b=bad: bool(tried(w, p, made(b, good))), 30), policy  # type: ignore[misc]
            yield w, places, good
        finally:
            names = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Namespace"}
            gone = [each for each in objects if each["kind"] in names]
            rest = "\n---\n".join(map(json.dumps, gone))
            cluster.run("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=rest)


def without(policy: str, rules: frozenset[str], place: str) -> list[dict[str, Any]]:
    """A namespace with one of vision's policies, these rules left out, and the accounts that pods there name."""
    made, binding = (
        admission_policies(REGISTRY, VISION)[:2] if policy == "pods" else admission_policies(REGISTRY, VISION)[2:]
    )
    known = RULES[policy]
    assert rules <= set(known), rules
    checks = made["spec"]["validations"]
    kept = [check for name, check in zip(known, checks, strict=True) if name not in rules]
    made = {**made, "metadata": {"name": place}, "spec": {**made["spec"], "validations": kept}}
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}}}
    spec = {**binding["spec"], "policyName": place, "matchResources": selector}
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": place}}
        for name in ("vc-workload-vision", "vc-vision")
    ]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}
    return [namespace, *accounts, made, {**binding, "metadata": {"name": place}, "spec": spec}]


def made(attack: Attack, good: dict[str, Any]) -> dict[str, Any]:
    return changed(good, attack.wanted) if isinstance(attack.wanted, BadPod) else dict(attack.wanted)


def test_every_rule_has_an_attack_that_it_is_against() -> None:
    against = {(each.policy, rule) for each in ATTACKS for rule in each.rules}
    # These two look at changes of a pod that runs; the table of attacks tries them there.
    beside = {("pods", "running-image"), ("pods", "ephemeral-containers"), ("pods", "addresses")}
    assert {(policy, rule) for policy, rules in RULES.items() for rule in rules} == against | beside


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_refused_and_would_not_be_without_its_rule(attack: Attack, bench: Any) -> None:
    w, places, good = bench
    wanted = made(attack, good)
    assert attack.words in tried(w, places[attack.policy, ALL], wanted)
    assert tried(w, places[attack.policy, attack.rules], wanted) == "", "something else refuses it too"
