"""The judge of what etcd saw finds what is broken."""

from __future__ import annotations

from typing import Any

from aifactory_hub.admission.translate import JOB_UID_LABEL
from aifactory_hub.constants import KIND_JOB, KIND_SERVER, LABEL_OWNER_KIND
from aifactory_hub.domain.quota import Quota

from ..support.kube_objects import SMALL
from .history import OVER_ADMITTED, Version
from .history import judged as judge_of
from .real_hub import OURS, THEIRS, WHOSE

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
        "metadata": {"uid": name, "labels": {LABEL_OWNER_KIND: kind}},
        "spec": {"suspend": not runs, "template": {"spec": {"containers": [container]}}},
        "status": {"active": active},
    }
    return Version(revision, "Job", (space, name), True, body)


def pod(revision: int, name: str, *, there: bool = True, whose: str = OURS, count: int = 1) -> Version:
    container = {"resources": {"requests": {SMALL.resource: str(count)}}}
    body = {"metadata": {"labels": {WHOSE: whose}}, "spec": {"containers": [container]}}
    return Version(revision, "Pod", ("vc-nlp", name), there, body)


def judged(*versions: Version) -> list[str]:
    return judge_of(QUOTAS, NAMESPACES, versions).broken


def over_ceiling(*versions: Version) -> list[str]:
    return judge_of(QUOTAS, NAMESPACES, versions).over_ceiling


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


def workload(revision: int, name: str, reserved: str) -> Version:
    metadata = {"labels": {JOB_UID_LABEL: name}}
    status = {"conditions": [{"type": "QuotaReserved", "status": reserved}]}
    return Version(revision, "Workload", ("vc-nlp", f"job-{name}"), True, {"metadata": metadata, "status": status})


def test_what_kueue_has_taken_back_counts_only_if_something_runs_on_it() -> None:
    mine = [ticket(1, "a", runs=True, count=3), workload(2, "a", "True"), workload(3, "a", "False")]
    theirs = ticket(4, "b", runs=True, space="vc-vision")
    assert judged(*mine, theirs) == []
    held = ticket(5, "a", runs=True, active=1, count=3)
    assert judged(*mine, theirs, held) == [], "a hub that dies here has started nothing"
    broken = judged(*mine, theirs, held, pod(6, "a", count=3))
    assert broken and all(each.startswith("revision 6:") for each in broken)


def test_what_kueue_has_reserved_counts_before_the_job_says_so() -> None:
    mine = [ticket(1, "a", runs=False, count=3), workload(2, "a", "True")]
    assert judged(*mine, ticket(3, "b", runs=True, space="vc-vision"))


def test_notebooks_over_their_own_and_evicted_ones_are_found() -> None:
    assert "over its own 2" in judged(ticket(1, "a", runs=True, kind=KIND_SERVER, count=3))[0]
    evicted = judged(ticket(1, "a", runs=True, kind=KIND_SERVER), ticket(2, "a", runs=False, kind=KIND_SERVER))
    assert evicted == ["revision 2: notebook ('vc-nlp', 'a') was evicted"]


def test_a_pod_that_nothing_is_held_for_is_found() -> None:
    assert "without a ticket" in judged(ticket(1, "a", runs=True), pod(2, "a"))[0]


def test_a_pod_that_uses_more_than_its_ticket_holds_is_found() -> None:
    assert "other devices" in judged(ticket(1, "a", runs=True, active=1), pod(2, "a", count=2))[0]


def test_what_the_tenant_makes_itself_needs_no_ticket_and_stays_below_the_ceiling_together_with_ours() -> None:
    theirs = pod(3, "b", whose=THEIRS, count=2)
    ours = [ticket(1, "a", runs=True, active=1), pod(2, "a")]
    assert judged(*ours, theirs) == over_ceiling(*ours, theirs) == [], "two of its own and one borrowed"
    more, gone = pod(4, "c", whose=THEIRS), pod(6, "c", whose=THEIRS, there=False)
    told = over_ceiling(*ours, theirs, more, ticket(5, "x", runs=False), gone)
    assert told == [f"revision 4: pods of nlp ask for 4 of {SMALL}, over its ceiling"], "once, however long it lasts"
    assert judged(*ours, theirs, more) == []


def test_a_kueue_that_was_killed_may_admit_too_much_and_no_pod_may_run_on_it() -> None:
    mine = [ticket(1, "a", runs=True, active=1, count=3), pod(2, "a", count=3)]
    theirs = ticket(3, "b", runs=True, space="vc-vision")
    assert judged(*mine, theirs)
    judge = judge_of(QUOTAS, NAMESPACES, [*mine, theirs], kueue_dies=True)
    assert (judge.broken, judge.seen[OVER_ADMITTED]) == ([], 1)
    held = ticket(4, "b", runs=True, active=1, space="vc-vision")
    started = Version(5, "Pod", ("vc-vision", "b"), True, pod(5, "b").body)
    assert judge_of(QUOTAS, NAMESPACES, [*mine, theirs, held, started], kueue_dies=True).broken
