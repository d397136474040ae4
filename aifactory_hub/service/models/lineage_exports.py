"""Gathers what a version's lineage is exported from."""

from __future__ import annotations

from collections.abc import Collection

from ... import __version__
from ...domain.lineage import Direction, Graph, NodeKind, walk
from ...domain.lineage_export import ExportedJob, VersionExport, address_in
from ...domain.models import ModelFacts, ModelVersion
from ...registry.model import Registry
from ...store import JobRecord, Jobs
from .desk import ModelDesk

_DEPTH = 8


def gather_export(
    desk: ModelDesk,
    jobs: Jobs,
    registry: Registry,
    model: ModelFacts,
    version: ModelVersion,
    tenants: Collection[str],
    now: float,
) -> VersionExport:
    """The lineage above the version, as far as somebody may see who reads ``tenants``; blocks."""
    reader = desk.lineage()
    graph = walk(reader.version_node(version), Direction.UP, _DEPTH, reader.look, tenants)
    return VersionExport(
        model=model,
        version=version,
        files=desk.registry.files(version.id).files,
        graph=graph,
        jobs=_jobs(desk, jobs, graph, version),
        hub=registry.hub,
        service=registry.addresses.service,
        service_version=__version__,
        at=now,
    )


def _jobs(desk: ModelDesk, jobs: Jobs, graph: Graph, version: ModelVersion) -> dict[str, ExportedJob]:
    """The jobs of the graph that there are records of and that are no other team's."""
    ids = [node.id.partition(":")[2] for node in graph.nodes if node.kind is NodeKind.JOB and not node.foreign]
    return {f"job:{job.id}": _job(desk, job, version) for job in jobs.some(ids)} if ids else {}


def _job(desk: ModelDesk, job: JobRecord, version: ModelVersion) -> ExportedJob:
    told = job.spec.provenance or {}
    attempt = version.attempt if job.id == version.job else job.attempt
    branch = told.get("branch")
    return ExportedJob(
        desk.facts_of_job(job, attempt),
        job.state,
        address_in(told.get("repository")),
        branch if isinstance(branch, str) else "",
    )
