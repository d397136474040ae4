"""Why a pod does not start, and whether waiting helps."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.blocked_pods import Blocked, StartEvent, Wait, read_events, wait_of_events, wait_of_pod
from aifactory_hub.domain.pods import PodFact

POD = {"host_namespace": "vc-nlp", "vcluster": "nlp", "namespace": "jobs", "uid": "u", "host_name": "h"}
DENIED = (
    "pods \"x\" is forbidden: policy 'aifactory-hub.io-tenant-pods' denied the request: "
    "image evil:1 is not allowed here"
)


def pod(**changes: object) -> PodFact:
    return PodFact(**{**POD, "name": "job-j1-abcde", "phase": "Pending", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "blocked", "said"),
    [
        (None, None, None),
        (pod(waiting="ContainerCreating"), None, None),
        (pod(waiting="ImagePullBackOff", waiting_message="no such image"), Blocked.STUCK, "ImagePullBackOff: no such"),
        (pod(waiting="ErrImagePull"), Blocked.STUCK, "ErrImagePull"),
        (pod(unscheduled="0/3 nodes are available: 3 had taint. preemption: no"), Blocked.STUCK, "3 had taint"),
    ],
)
def test_a_pod_that_waits_says_for_what(seen: PodFact | None, blocked: Blocked | None, said: str | None) -> None:
    wait = wait_of_pod(seen)
    assert wait.blocked is blocked
    assert (wait.reason is None) if said is None else (said in str(wait.reason))
    assert "preemption" not in str(wait.reason)


@pytest.mark.parametrize(
    ("events", "blocked"),
    [
        ([], None),
        ([StartEvent("Scheduled", "placed")], None),
        ([StartEvent("SyncError", DENIED)], Blocked.REFUSED),
        ([StartEvent("FailedCreate", 'pods "x" is forbidden: violates PodSecurity')], Blocked.REFUSED),
        ([StartEvent("SyncError", 'pods "x" is forbidden: exceeded quota: tenant')], Blocked.STUCK),
        ([StartEvent("SyncError", DENIED), StartEvent("SyncError", "the object has been modified")], Blocked.STUCK),
    ],
)
def test_a_refusal_is_told_from_what_may_mend(events: list[StartEvent], blocked: Blocked | None) -> None:
    wait = wait_of_events(events)
    assert wait.blocked is blocked
    assert (wait == Wait()) is (blocked is None)


def test_only_events_about_the_run_count() -> None:
    def event(about: str) -> dict[str, object]:
        return {"reason": "SyncError", "message": "no", "involvedObject": {"name": about}}

    listed = [event("job-j1"), event("job-j1-abcde"), event("job-j12-abcde"), event("job-j1r2-abcde"), {}]
    assert [each.about for each in read_events(listed, "job-j1")] == ["job-j1", "job-j1-abcde"]
