"""Looking at a pod that starts: when to wait, when to stop waiting, and what to tell."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.domain.blocked_pods import SYNC_ERROR_GRACE
from aifactory_hub.domain.pods import PodFact
from aifactory_spawner.host_pods import pod_as_dict
from aifactory_spawner.pod_diagnosis import SCHEDULER_GRACE, Outcome, PodEvent, diagnose, pod_messages, read_events
from aifactory_spawner.start_log import StartLog

QUOTA = PodEvent("SyncError", 'pods "nb" is forbidden: exceeded quota: mig')
UNFIT = (
    "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, "
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
FULL = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. preemption: x"
HICCUP = PodEvent("SyncError", "the object has been modified")


def pod(**facts: Any) -> PodFact:
    return PodFact("vc-nlp", "nlp", "notebooks", "nb", "u", "nb-x", **{"phase": "Pending", **facts})


@pytest.mark.parametrize(
    ("seen", "events", "seconds", "outcome"),
    [
        (None, [], 0, Outcome.WAIT),
        (None, [], 100, Outcome.WAIT),
        (None, [QUOTA], 0, Outcome.FAILED),
        (None, [HICCUP], 1, Outcome.WAIT),
        (None, [HICCUP], SYNC_ERROR_GRACE + 1, Outcome.FAILED),
        (pod(), [HICCUP], SYNC_ERROR_GRACE + 1, Outcome.WAIT),
        (pod(waiting="ContainerCreating"), [], 0, Outcome.WAIT),
        (pod(waiting="ErrImagePull"), [], 0, Outcome.WAIT),
        (pod(waiting="ErrImagePull", waiting_message="x: not found"), [], 0, Outcome.FAILED),
        (pod(waiting="ErrImagePull", waiting_message="i/o timeout"), [], 0, Outcome.WAIT),
        (pod(waiting="ImagePullBackOff"), [], 0, Outcome.FAILED),
        (pod(unscheduled=UNFIT), [], SCHEDULER_GRACE - 1, Outcome.WAIT),
        (pod(unscheduled=UNFIT), [], SCHEDULER_GRACE + 1, Outcome.FAILED),
        (pod(unscheduled=FULL), [], 1000, Outcome.WAIT),
        (pod(phase="Running", ready=False, ip="10.0.0.1"), [], 0, Outcome.WAIT),
        (pod(phase="Running", ready=True), [], 0, Outcome.WAIT),
        (pod(phase="Running", ready=True, ip="10.0.0.1"), [], 0, Outcome.RUNS),
        (pod(phase="Running", exit_code=1), [], 0, Outcome.FAILED),
        (pod(phase="Failed", reason="Evicted"), [], 0, Outcome.FAILED),
        (pod(deleting=True), [], 0, Outcome.FAILED),
    ],
    ids=[
        "just created", "not seen for long", "quota", "a hiccup", "a hiccup that stays", "a hiccup that is over",
        "creating", "first pull failed", "no such image", "registry silent", "pull given up", "labelled soon",
        "no node fits", "no node has room", "not ready", "no address", "runs", "ended", "node evicted it",
        "deleted",
    ],
)  # fmt: skip
def test_waiting_goes_on_while_there_is_hope(
    seen: PodFact | None, events: list[PodEvent], seconds: float, outcome: Outcome
) -> None:
    assert diagnose(seen, events, seconds=seconds).outcome is outcome


def test_events_are_told_by_step() -> None:
    events = [PodEvent("Scheduled", "x"), PodEvent("Pulling", "pulling it")]
    told = pod_messages(pod(node="node1"), events)
    assert told == [("pod", "placed on node node1"), ("image", "pulling it")]


def test_an_event_says_what_it_has() -> None:
    listed = [{"reason": "Pulled", "message": "there"}, {"note": "of a newer API"}, {}]
    assert read_events(listed) == [PodEvent("Pulled", "there"), PodEvent("", "of a newer API"), PodEvent("", "")]


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"phase": "Running"}, "running"),
        ({"phase": "Pending", "waiting": "ContainerCreating"}, "waiting"),
        ({"phase": "Running", "exit_code": 0}, "terminated"),
        ({"phase": "Failed"}, "terminated"),
    ],
)
def test_kubespawner_reads_the_state_of_the_container(facts: dict[str, Any], state: str) -> None:
    shown = pod_as_dict(pod(**facts), 8888)
    assert list(shown["status"]["containerStatuses"][0]["state"]) == [state]
    assert ("deletionTimestamp" in pod_as_dict(pod(deleting=True), 8888)["metadata"]) is True


async def test_steps_are_told_once_from_the_beginning_and_end() -> None:
    start_log = StartLog(clock=iter([0.0, 1.0, 2.5]).__next__)
    start_log.say("quota", "fits")
    start_log.say("quota", "fits")
    start_log.say("pod", "x" * 1000)
    start_log.end()
    told = [event async for event in start_log.follow()]
    parts = {"step": "quota", "text": "fits", "seconds": 1.0, "queue": None}
    assert told[0] == {"progress": 10, "message": "quota: fits (1.0 s)", **parts}
    assert len(told) == 2
    assert len(told[1]["message"]) < 400
    assert start_log.told("pod")
    assert not start_log.told("ready")
