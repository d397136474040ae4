"""Tickets to Kueue's objects and back: pure, over the JSON of a Job and of its Workload."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from aifactory_profiles import Device

from .. import constants
from ..domain.names import label_value, slug
from ..domain.tickets import Ticket, TicketRequest, TicketState

Json = dict[str, Any]

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"
JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"

# The pod template must name an image, but no pod is ever made of it: this one can't be pulled.
_NO_IMAGE = "ticket.invalid/none:1"

_NOISE = (
    re.compile(r"^couldn't assign flavors to pod set \S+: "),
    re.compile(r" \(UID: [^)]*\)"),
    re.compile(r"; preempt(or|ee) path: [^;\s]+"),
)


def job_for(request: TicketRequest, hub: str) -> Json:
    """The suspended Job that is the ticket.

    It asks for devices only: CPU and memory have no quota. Without devices it asks for nothing, and Kueue admits
    it at once. ``node_labels`` make Kueue pass over every flavor but the one whose nodes have them.
    """
    devices = {name: str(count) for name, count in request.resources.devices.items()}
    container = {"name": "ticket", "image": _NO_IMAGE, "resources": {"requests": devices, "limits": devices}}
    pod = {"restartPolicy": "Never", "nodeSelector": dict(request.node_labels), "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": request.name,
            "labels": {
                QUEUE_LABEL: queue_of(request.kind),
                PRIORITY_LABEL: request.priority,
                constants.LABEL_TENANT: request.tenant,
                constants.LABEL_OWNER_KIND: request.kind,
                constants.LABEL_OWNER: request.owner,
                constants.LABEL_USER: slug(request.user),
                constants.LABEL_PROFILE: label_value(request.profile),
                constants.LABEL_HUB: hub,
                **({constants.LABEL_FLAVOR: request.flavor} if request.flavor else {}),
            },
            "annotations": _annotations(request),
        },
        "spec": {
            "suspend": True,
            "managedBy": constants.TICKET_MANAGED_BY,
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 0,
            "template": {"spec": pod},
        },
    }


def queue_of(kind: str) -> str:
    """The LocalQueue of notebooks' tickets, or of jobs': jobs may borrow, notebooks only where the tenant says so."""
    return constants.LOCAL_QUEUE if kind == constants.KIND_SERVER else constants.JOBS_LOCAL_QUEUE


def ticket_of(tenant: str, job: Json, workload: Json | None) -> Ticket:
    """What a Job and its Workload (None: not made or not known) say of the ticket."""
    metadata = job["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    pod = job["spec"]["template"]["spec"]
    state, message = _state(job, workload)
    return Ticket(
        tenant=tenant,
        name=metadata["name"],
        uid=metadata["uid"],
        state=state,
        kind=labels.get(constants.LABEL_OWNER_KIND, ""),
        owner=labels.get(constants.LABEL_OWNER, ""),
        user=annotations.get(constants.ANNOTATION_USER, ""),
        profile=labels.get(constants.LABEL_PROFILE, ""),
        active=is_held(job),
        devices=_devices(pod, labels.get(constants.LABEL_FLAVOR, "")),
        node_selector=dict(pod.get("nodeSelector") or {}) if state is TicketState.ADMITTED else {},
        message=message,
        filed_at=_seconds(metadata.get("creationTimestamp")),
        admitted_at=_since(workload, "Admitted"),
        max_seconds=_whole(annotations.get(constants.ANNOTATION_MAX_SECONDS)),
        database=annotations.get(constants.ANNOTATION_DATABASE, ""),
        sequence=_whole(annotations.get(constants.ANNOTATION_SEQUENCE)) or 0,
        release_asked=annotations.get(constants.ANNOTATION_RELEASE) == metadata["uid"],
        evicted_at=_since(workload, "Evicted"),
        ended_at=_since(job, "Complete") or _since(job, "Failed"),
        priority=labels.get(PRIORITY_LABEL, ""),
    )


def gone(tenant: str, name: str, uid: str = "") -> Ticket:
    """A ticket that does not exist."""
    return Ticket(tenant, name, uid, TicketState.GONE)


def is_held(job: Json) -> bool:
    """Whether a pod was said to live on it."""
    return bool((job.get("status") or {}).get("active"))


def is_suspended(job: Json) -> bool:
    return bool(job["spec"].get("suspend"))


def has_lost_quota(workload: Json | None) -> bool:
    """Whether Kueue has taken the quota back, or is about to, whatever the Job still says; unknown is no loss."""
    reserved = _condition(workload, "QuotaReserved")
    taken = reserved is not None and reserved["status"] != "True"
    return taken or _true_condition(workload, "Evicted") is not None


def is_ticket_of(job: Json, hub: str) -> bool:
    """Whether the Job is a ticket that this hub filed: anything else of its name is left alone."""
    labels = job["metadata"].get("labels") or {}
    return job["spec"].get("managedBy") == constants.TICKET_MANAGED_BY and labels.get(constants.LABEL_HUB) == hub


def owner_of(job: Json) -> tuple[str, str]:
    """Kind and id of what the ticket was taken for; empty where the Job is no ticket."""
    labels = job["metadata"].get("labels") or {}
    return labels.get(constants.LABEL_OWNER_KIND, ""), labels.get(constants.LABEL_OWNER, "")


def version_of(job: Json) -> int:
    """Orders the states of one Job."""
    return int(job["metadata"]["resourceVersion"])


def position_of(name: str, pending: Iterable[Json]) -> int | None:
    """0-based place of the ticket in Kueue's lists of pending Workloads, those that are served first before the others.

    None when it is in none of them.
    """
    before = 0
    for each in pending:
        items = each.get("items") or ()
        for item in items:
            owners = item["metadata"].get("ownerReferences") or ()
            if any(owner.get("kind") == "Job" and owner.get("name") == name for owner in owners):
                return before + int(item["positionInLocalQueue"])
        before += len(items)
    return None


def _annotations(request: TicketRequest) -> dict[str, str]:
    limit = {} if request.max_seconds is None else {constants.ANNOTATION_MAX_SECONDS: str(request.max_seconds)}
    origin = {}
    if request.database:
        origin = {
            constants.ANNOTATION_DATABASE: request.database,
            constants.ANNOTATION_SEQUENCE: str(request.sequence),
        }
    return {constants.ANNOTATION_USER: request.user, **origin, **limit}


def _since(obj: Json | None, kind: str) -> float | None:
    """Since when the condition is true, if it is."""
    condition = _true_condition(obj, kind)
    return None if condition is None else _seconds(condition.get("lastTransitionTime"))


def _seconds(timestamp: Any) -> float | None:
    """Since 1970, of Kubernetes' RFC 3339 text; None for anything else."""
    try:
        return datetime.fromisoformat(timestamp).timestamp()
    except (TypeError, ValueError):
        return None


def _whole(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() else None


def _state(job: Json, workload: Json | None) -> tuple[TicketState, str]:
    ended = _true_condition(job, "Complete") or _true_condition(job, "Failed")
    if ended is not None:
        return TicketState.FINISHED, ended.get("message", "")
    # The Job alone decides. Its Workload is another object, seen a little earlier or later, and only explains.
    if not is_suspended(job):
        return TicketState.ADMITTED, ""
    if is_held(job):
        return TicketState.EVICTED, _why_evicted(workload)
    # Evicted before any pod lived on it: it lost nothing and waits again.
    return TicketState.QUEUED, _why_waiting(workload)


def _why_waiting(workload: Json | None) -> str:
    reserved = _condition(workload, "QuotaReserved")
    if reserved is None or reserved["status"] == "True":
        return ""
    return _readable(str(reserved.get("message", "")))


def _why_evicted(workload: Json | None) -> str:
    condition = _true_condition(workload, "Evicted")
    return "its admission was taken back" if condition is None else _readable(str(condition.get("message", "")))


def _readable(message: str) -> str:
    """Kueue's sentence without what only its developers can use, such as the ids of other tenants' tickets."""
    for noise in _NOISE:
        message = noise.sub("", message)
    return message


def _true_condition(obj: Json | None, kind: str) -> Mapping[str, Any] | None:
    condition = _condition(obj, kind)
    return condition if condition is not None and condition["status"] == "True" else None


def _condition(obj: Json | None, kind: str) -> Mapping[str, Any] | None:
    for condition in ((obj or {}).get("status") or {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Mapping[str, Any] = condition
            return found
    return None


def _devices(pod: Json, flavor: str) -> dict[Device, int]:
    requests = (pod["containers"][0].get("resources") or {}).get("requests") or {}
    return {Device(flavor, name): int(count) for name, count in requests.items() if "/" in name}
