"""The judge of what etcd saw finds what is broken."""

from __future__ import annotations

from typing import Any

from aifactory_hub.constants import KIND_JOB, KIND_SERVER, LABEL_OWNER_KIND
from aifactory_hub.domain.quota import Quota

from ..support.kube_objects import SMALL
from .history import Judge, Version

QUOTAS = {"nlp": Quota({SMALL: 2}, {SMALL: 1}), "vision": Quota({SMALL: 1})}
NAMESPACES = {"vc-nlp": "nlp", "vc-vision": "vision"}


def ticket(
    revision: int,
    name: str,
    *,
    runs: bool,
    active: int = 0,
    kind: str = KIND_JOB,
    space: str = "vc-nlp",
    count: int = 1,
) -> Version:
    container = {"resources": {"requests": {SMALL.resource: str(count)}}}
    body: dict[str, Any] = {
        "metadata": {"labels": {LABEL_OWNER_KIND: kind}},
        "spec": {"suspend": not runs, "template": {"spec": {"containers": [container]}}},
        "status": {"active": active},
    }
    return Version(revision, "Job", (space, name), True, body)


def pod(revision: int, name: str, *, there: bool = True) -> Version:
    return Version(revision, "ConfigMap", ("vc-nlp", name), there, {})


def judged(*versions: Version) -> list[str]:
    judge = Judge(QUOTAS, NAMESPACES)
    for version in versions:
        judge.take(version)
    return judge.broken


def test_a_good_life_breaks_nothing() -> None:
    life = [
        ticket(1, "a", runs=False),
        ticket(2, "a", runs=True),
        ticket(3, "a", runs=True, active=1),
        pod(4, "a"),
        ticket(5, "a", runs=False, active=1),
        pod(6, "a", there=False),
        ticket(7, "a", runs=False),
    ]
    assert judged(*life) == []


def test_one_moment_with_too_much_is_found() -> None:
    mine = ticket(1, "a", runs=True, count=3)
    theirs = ticket(2, "b", runs=True, space="vc-vision")
    after = ticket(3, "b", runs=False, space="vc-vision")
    broken = judged(mine, theirs, after)
    assert broken and all(each.startswith("revision 2:") for each in broken)
    assert judged(mine) == [], "one of them is borrowed"


def test_what_an_evicted_one_still_holds_counts() -> None:
    assert judged(ticket(1, "a", runs=False, active=1, count=3), ticket(2, "b", runs=True, space="vc-vision"))


def test_notebooks_over_their_own_and_evicted_ones_are_found() -> None:
    assert "over its own 2" in judged(ticket(1, "a", runs=True, kind=KIND_SERVER, count=3))[0]
    evicted = judged(ticket(1, "a", runs=True, kind=KIND_SERVER), ticket(2, "a", runs=False, kind=KIND_SERVER))
    assert evicted == ["revision 2: notebook ('vc-nlp', 'a') was evicted"]


def test_a_pod_that_nothing_is_held_for_is_found() -> None:
    assert "without a ticket" in judged(ticket(1, "a", runs=True), pod(2, "a"))[0]
