"""Why a pod that was created does not start: what waiting does not heal, and what it may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .pods import PodFact

# The syncer's event when the host refuses the pod; the virtual pod then stays Pending without another word.
SYNC_ERROR = "SyncError"
# The Job controller's event when the tenant's own API refuses the pod.
FAILED_CREATE = "FailedCreate"
# Seconds for which any other SyncError may be one of the syncer's own hiccups.
SYNC_ERROR_GRACE = 5.0
# What no retry of the syncer heals by itself.
FINAL_WORDS = ("is forbidden", "exceeded quota", "violates podsecurity", "denied the request", "is invalid")
# Of these, what another pod's end heals.
_TAKEN = ("exceeded quota",)
# Container states that a wait does not heal. An image that can't be pulled is tried once more before ImagePullBackOff.
HOPELESS = (
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
)
_NORMAL_WAITING = frozenset({"ContainerCreating", "PodInitializing"})
# Seconds that a refusal is given, in case that somebody is just changing the rule.
REFUSED_GRACE = 20.0


class Blocked(StrEnum):
    """REFUSED by admission, which says the same again; STUCK on something that may mend: a registry, a full node."""

    REFUSED = "refused"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a pod has not started, in words; ``blocked`` None while that is usual."""

    reason: str | None = None
    blocked: Blocked | None = None


@dataclass(frozen=True, slots=True)
class StartEvent:
    """An event of a pod, or of what makes pods. ``about`` is that object's name."""

    reason: str
    message: str
    about: str = ""


def read_events(listed: Iterable[Mapping[str, Any]], name: str) -> list[StartEvent]:
    """Of core/v1 events those about objects that are called ``name`` or ``name-...``, oldest first."""
    found = []
    for item in listed:
        about = str((item.get("involvedObject") or {}).get("name") or "")
        if about == name or about.startswith(f"{name}-"):
            found.append(StartEvent(str(item.get("reason") or ""), str(item.get("message") or ""), about))
    return found


def wait_of_pod(pod: PodFact | None) -> Wait:
    """What the host's pod says."""
    if pod is None:
        return Wait()
    if pod.waiting is not None and pod.waiting not in _NORMAL_WAITING:
        reason = f"{pod.waiting}: {pod.waiting_message}" if pod.waiting_message else pod.waiting
        return Wait(reason, Blocked.STUCK if pod.waiting in (*HOPELESS, "ErrImagePull") else None)
    if pod.unscheduled is not None:
        return Wait(f"no node takes its pod: {pod.unscheduled.split('. ', 1)[0].rstrip('.')}", Blocked.STUCK)
    return Wait()


def wait_of_events(events: Iterable[StartEvent]) -> Wait:
    """What events say of a pod that the host does not show; the newest counts."""
    told = [event for event in events if event.reason in (SYNC_ERROR, FAILED_CREATE)]
    if not told:
        return Wait()
    message = told[-1].message
    whose = "the host cluster" if told[-1].reason == SYNC_ERROR else "the team's vCluster"
    text = message.lower()
    final = any(word in text for word in FINAL_WORDS) and not any(word in text for word in _TAKEN)
    return Wait(f"{whose} does not take its pod: {message}", Blocked.REFUSED if final else Blocked.STUCK)
