"""Reads many Jobs and Workloads at once: only the fields that a ticket needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from ..clusters.decoding import Metadata
from ..clusters.errors import ApiUnreachable
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


class _Named(msgspec.Struct, gc=False):
    uid: str = ""
    resourceVersion: str = ""


class _Labelled(_Named):
    labels: dict[str, str] | None = None


class _JobHead(msgspec.Struct, gc=False):
    metadata: _Named


class _WorkloadHead(msgspec.Struct):
    metadata: _Labelled


class _Items(msgspec.Struct):
    # Needed: an answer without it is no list, and says of nothing that it has gone.
    items: list[msgspec.Raw] | None


_items = msgspec.json.Decoder(_Items)
_job_head, _workload_head = msgspec.json.Decoder(_JobHead), msgspec.json.Decoder(_WorkloadHead)
_job, _workload = msgspec.json.Decoder(JobShape), msgspec.json.Decoder(WorkloadShape)
# A Workload's version, and itself.
_Explains = tuple[str, msgspec.Raw | bytes]
_UNEXPLAINED: _Explains = ("", b"")


class TicketReader:
    """Reads a tenant's two lists, again and again: what is as it was the last time is not read anew."""

    def __init__(self, tenant: str, server: str) -> None:
        self._tenant = tenant
        self._server = server
        self._known: Mapping[tuple[str, str, str], Ticket] = {}

    def read(self, jobs: bytes, workloads: bytes) -> list[Ticket]:
        """The tickets of two whole lists as the server sent them.

        Thousands take a tenth of a second, in small steps: to be called in a thread, so that others are served
        meanwhile. Raises ApiUnreachable also of a single Job that can't be read: left out, it would look as if it had
        gone.
        """
        try:
            explained = dict(_explanations(workloads))
            found = {}
            for raw in _items.decode(jobs).items or ():
                job = _job_head.decode(raw).metadata
                version, workload = explained.get(job.uid, _UNEXPLAINED)
                key = (job.uid, job.resourceVersion, version)
                found[key] = self._known.get(key) or self._read(raw, workload)
        except UNDECODABLE as error:
            raise ApiUnreachable(f"{self._server} shows a ticket that can't be read: {error}") from error
        self._known = found
        return list(found.values())

    def _read(self, job: msgspec.Raw, workload: msgspec.Raw | bytes) -> Ticket:
        explained: Json | None = None
        if workload:
            with suppress(*UNDECODABLE):  # it only explains
                explained = slim_workload(_workload.decode(workload))
        return ticket_of(self._tenant, slim_job(_job.decode(job)), explained)


def _explanations(workloads: bytes) -> Iterator[tuple[str, _Explains]]:
    """By the uid of the Job."""
    for raw in _items.decode(workloads).items or ():
        try:
            head = _workload_head.decode(raw).metadata
        except msgspec.DecodeError:
            continue
        yield (head.labels or {}).get(JOB_UID_LABEL, ""), (head.resourceVersion, raw)
