"""Whether a pod that starts may still come up, and what its owner is told meanwhile: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from aifactory_hub.domain.blocked_pods import FINAL_WORDS, HOPELESS, SYNC_ERROR, SYNC_ERROR_GRACE
from aifactory_hub.domain.pods import PodFact, exit_code

# What the scheduler says of a node that no waiting turns into a fitting one. Seconds for which a node that is
# being labelled may still be one.
_NO_CURE = ("didn't match Pod's node affinity/selector", "had volume node affinity conflict")
SCHEDULER_GRACE = 8.0
# What is said of an image and will be said again: the second try and the pause before it would only cost time.
_NO_IMAGE = (
    "not found", "no such host", "manifest unknown", "name unknown", "denied", "unauthorized", "invalid ref", "x509",
    "connection refused", "unreachable", "no route to host",
)  # fmt: skip
_IMAGE_EVENTS = ("Pulling", "Pulled")
_POD_EVENTS = ("FailedMount", "FailedAttachVolume")


@dataclass(frozen=True, slots=True)
class PodEvent:
    """An event of the virtual pod."""

    reason: str
    message: str


class Outcome(Enum):
    """What a look at a starting pod says: wait on, it runs, or it never will."""

    WAIT = "wait"
    RUNS = "runs"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``text`` says why it failed."""

    outcome: Outcome
    text: str = ""


def read_events(listed: Iterable[Mapping[str, Any]]) -> list[PodEvent]:
    """Events of core/v1."""
    return [
        PodEvent(str(item.get("reason") or ""), str(item.get("message") or item.get("note") or "")) for item in listed
    ]


def diagnose(pod: PodFact | None, events: Sequence[PodEvent], *, seconds: float) -> Diagnosis:
    """Whether the pod runs, never will, or has to be waited for. ``seconds`` since it was created.

    ``pod`` None means that the host does not show it (yet).
    """
    if pod is None:
        return _diagnose_unseen(events, seconds)
    code = exit_code(pod)
    if code is not None:
        why = pod.message or pod.reason or "no reason given"
        return Diagnosis(Outcome.FAILED, f"the server's process ended with exit code {code}: {why}")
    if pod.deleting:
        return Diagnosis(Outcome.FAILED, "the pod was deleted while it started")
    if pod.waiting in HOPELESS or (pod.waiting == "ErrImagePull" and _says(_NO_IMAGE, pod.waiting_message)):
        return Diagnosis(Outcome.FAILED, f"the container can't start, {pod.waiting}: {pod.waiting_message or ''}")
    if pod.phase == "Running" and pod.ready and pod.ip:
        return Diagnosis(Outcome.RUNS)
    if pod.unscheduled and seconds > SCHEDULER_GRACE and never_fits(pod.unscheduled):
        return Diagnosis(Outcome.FAILED, f"no node of the cluster can ever take it: {reason_of(pod.unscheduled)}")
    return Diagnosis(Outcome.WAIT)


def _says(words: Iterable[str], text: str | None) -> bool:
    return any(word in (text or "").lower() for word in words)


def reason_of(unscheduled: str) -> str:
    """The scheduler's reasons without its thoughts on preemption."""
    return unscheduled.split(". ", 1)[0].rstrip(".")


def never_fits(unscheduled: str) -> bool:
    """Whether every node is unfit for a reason that waiting does not cure: "0/3 nodes are available: 3 <reason>"."""
    head, colon, reasons = reason_of(unscheduled).partition(": ")
    if not colon or not head.endswith("nodes are available"):
        return False
    return all(any(cure in reason for cure in _NO_CURE) for reason in reasons.split(", "))


def _diagnose_unseen(events: Iterable[PodEvent], seconds: float) -> Diagnosis:
    for event in events:
        if event.reason != SYNC_ERROR:
            continue
        if _says(FINAL_WORDS, event.message) or seconds > SYNC_ERROR_GRACE:
            return Diagnosis(Outcome.FAILED, f"the host cluster did not take the pod: {event.message}")
    return Diagnosis(Outcome.WAIT)


def pod_messages(pod: PodFact | None, events: Iterable[PodEvent]) -> list[tuple[str, str]]:
    """What the start's log says of the pod, as (step, text)."""
    told = [("pod", f"placed on node {pod.node}")] if pod is not None and pod.node else []
    for event in events:
        if event.reason in _IMAGE_EVENTS:
            told.append(("image", event.message))
        elif event.reason in _POD_EVENTS:
            told.append(("pod", f"waiting, {event.message}"))
        elif event.reason == SYNC_ERROR:
            told.append(("pod", f"the host cluster says: {event.message}"))
    if pod is not None and pod.unscheduled:
        told.append(("pod", f"waiting for a node, {reason_of(pod.unscheduled)}"))
    if pod is not None and pod.waiting == "ErrImagePull":
        told.append(("image", f"could not be pulled, trying again: {pod.waiting_message or ''}"))
    return told
