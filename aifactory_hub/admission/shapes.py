"""What is read of Jobs and Workloads where there are many of them: a tenth of what Kubernetes says."""

from __future__ import annotations

from typing import Any

import msgspec

from ..clusters.api import ApiUnreachable
from ..clusters.decoding import Decoder, Metadata, Unreadable
from ..clusters.listwatch import UNDECODABLE
from ..domain.tickets import Ticket
from .translate import JOB_UID_LABEL, ticket_of

Json = dict[str, Any]


class TicketMetadata(Metadata):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creationTimestamp: str | None = None


class JobShape(msgspec.Struct):
    metadata: TicketMetadata = msgspec.field(default_factory=TicketMetadata)
    spec: Json = {}
    status: Json | None = None


class WorkloadShape(msgspec.Struct):
    metadata: TicketMetadata = msgspec.field(default_factory=TicketMetadata)
    status: Json | None = None


def slim_job(job: JobShape) -> Json:
    """What ``ticket_of`` reads of a Job. Raises KeyError for what is no Job."""
    metadata = job.metadata
    return {
        "metadata": {
            "name": metadata.name,
            "uid": metadata.uid,
            "resourceVersion": metadata.resourceVersion,
            "labels": metadata.labels or {},
            "annotations": metadata.annotations or {},
            "creationTimestamp": metadata.creationTimestamp,
        },
        "spec": {"suspend": job.spec.get("suspend"), "template": {"spec": job.spec["template"]["spec"]}},
        "status": job.status or {},
    }


def slim_workload(workload: WorkloadShape) -> Json:
    """The conditions of a Workload and whose it is; what belongs to no Job belongs to the empty uid."""
    labels = workload.metadata.labels or {}
    return {
        "metadata": {"labels": {JOB_UID_LABEL: labels.get(JOB_UID_LABEL, "")}},
        "status": {"conditions": (workload.status or {}).get("conditions") or []},
    }


def read_tickets(tenant: str, server: str, jobs: bytes, workloads: bytes) -> list[Ticket]:
    """The tickets of two whole lists as ``server`` sent them.

    Thousands take a tenth of a second, in small steps: to be called in a thread, so that others are served meanwhile.
    Raises ApiUnreachable also of a single Job that can't be read: left out, it would look as if it had gone.
    """
    explained = {}
    for workload in Decoder(WorkloadShape, server).page(workloads).items:
        if not isinstance(workload, Unreadable):
            slim = slim_workload(workload)
            explained[slim["metadata"]["labels"][JOB_UID_LABEL]] = slim
    try:
        return [
            ticket_of(tenant, slim_job(job), explained.get(job.metadata.uid))
            for job in map(_readable, Decoder(JobShape, server).page(jobs).items)
        ]
    except UNDECODABLE as error:
        raise ApiUnreachable(f"{server} shows a ticket that can't be read: {error}") from error


def _readable(job: JobShape | Unreadable) -> JobShape:
    if isinstance(job, Unreadable):
        raise ValueError(f"{job.metadata.name}: {job.why}")
    return job
