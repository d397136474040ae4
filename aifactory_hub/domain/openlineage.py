"""A version's lineage as events of OpenLineage: one run for each job, with what went in and what came out.

The form is that of https://openlineage.io/spec/2-0-2/OpenLineage.json; facets are the standard's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .formatting import iso_millis
from .jobs import JobState
from .lineage import Node, NodeKind
from .lineage_export import ExportedJob, VersionExport

_SPEC = "https://openlineage.io/spec"
_EVENT = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = {
    "executionParameters": "1-0-0/ExecutionParametersRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "ownership": "1-0-1/OwnershipJobFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "datasetType": "1-0-1/DatasetTypeDatasetFacet",
}
_ENDS = {JobState.SUCCEEDED: "COMPLETE", JobState.FAILED: "FAIL", JobState.CANCELLED: "ABORT"}
# What a dataset's name begins with, by what it is.
_FOLDERS = {
    NodeKind.DATA: "datasets",
    NodeKind.VERSION: "models",
    NodeKind.FILES: "files",
    NodeKind.IMAGE: "images",
    NodeKind.TEMPLATE: "templates",
    NodeKind.COMMIT: "commits",
}
_TOLD = ("command", "profile", "nodes", "engine", "template")


def events(export: VersionExport) -> list[dict[str, Any]]:
    """The events of all jobs above the version, in the order of time."""
    found = [event for id, job in export.jobs.items() for event in _events(export, id, job)]
    return sorted(found, key=lambda event: str(event["eventTime"]))


def _events(export: VersionExport, node_id: str, job: ExportedJob) -> Iterator[dict[str, Any]]:
    facts = job.facts
    common = {"producer": export.service, "schemaURL": _EVENT, "job": _job(export, node_id, job)}
    run = {"runId": str(job.uuid), "facets": _run_facets(export, job)}
    if facts.started is not None:
        yield {**common, "eventType": "START", "eventTime": iso_millis(facts.started), "run": run}
    if job.state in _ENDS and facts.finished is not None:
        yield {
            **common,
            "eventType": _ENDS[job.state],
            "eventTime": iso_millis(facts.finished),
            "run": run,
            "inputs": [_dataset(export, node) for node in export.before(node_id) if not _is_source(node, job)],
            "outputs": [_dataset(export, node) for node in export.made_by(node_id)],
        }


def _run_facets(export: VersionExport, job: ExportedJob) -> dict[str, Any]:
    told = {"attempt": job.facts.attempt} | {name: job.facts.parameters.get(name) for name in _TOLD}
    parameters = [{"key": name, "value": str(value)} for name, value in told.items() if value not in (None, "")]
    return {
        "processing_engine": _facet(export, "processing_engine", name="AIFactory Hub", version=export.service_version),
        "executionParameters": _facet(export, "executionParameters", parameters=parameters),
    }


def _job(export: VersionExport, node_id: str, job: ExportedJob) -> dict[str, Any]:
    facts = job.facts
    kind = {"processingType": "BATCH", "integration": "AIFACTORY_HUB", "jobType": "JOB"}
    facets = {
        "jobType": _facet(export, "jobType", **kind),
        "ownership": _facet(export, "ownership", owners=[{"name": f"user:{facts.owner}", "type": "OWNER"}]),
    }
    commit = next((node for node in export.before(node_id) if _is_source(node, job)), None)
    if commit is not None:
        place = {"type": "git", "url": job.repository, "repoUrl": job.repository, "version": commit.digest}
        branch = {"branch": job.branch} if job.branch else {}
        facets["sourceCodeLocation"] = _facet(export, "sourceCodeLocation", **place, **branch)
    name = str(facts.parameters.get("name") or facts.job)
    return {"namespace": _namespace(export, facts.tenant), "name": name, "facets": facets}


def _is_source(node: Node, job: ExportedJob) -> bool:
    """Whether it is the commit of a repository that is known: where the code is, and no data."""
    return node.kind is NodeKind.COMMIT and job.repository != ""


def _dataset(export: VersionExport, node: Node) -> dict[str, Any]:
    version = ":".join(str(part) for part in (node.about.get("version"), node.digest) if part)
    facets = {"datasetType": _facet(export, "datasetType", datasetType=node.kind.value.upper(), subType=node.known)}
    if version:
        facets["version"] = _facet(export, "version", datasetVersion=version)
    if node.foreign:
        return {"namespace": _namespace(export), "name": node.id, "facets": facets}
    folder = _FOLDERS.get(node.kind, node.kind.value)
    return {
        "namespace": _namespace(export, node.tenant or export.model.tenant),
        "name": f"{folder}/{_name(node)}",
        "facets": facets,
    }


def _name(node: Node) -> str:
    """What it is called, whatever its version; files have no other name than their digest."""
    if node.kind is NodeKind.FILES and node.digest:
        return node.digest
    return str(node.about.get("dataset") or node.about.get("model") or node.label)


def _namespace(export: VersionExport, tenant: str = "") -> str:
    return f"aifactory-hub://{export.hub}" + (f"/{tenant}" if tenant else "")


def _facet(export: VersionExport, facet: str, /, **said: Any) -> Mapping[str, Any]:
    place = _FACETS[facet]
    url = f"{_SPEC}/facets/{place}.json#/$defs/{place.rpartition('/')[2]}"
    return {"_producer": export.service, "_schemaURL": url, **said}
