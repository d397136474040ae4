"""A version with all that it was made of, as a bill of materials for machine learning: CycloneDX 1.6.

The form is that of http://cyclonedx.org/schema/bom-1.6.schema.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from .formatting import iso_millis
from .lineage import Node, NodeKind
from .lineage_export import ExportedJob, VersionExport

_OWN = "aifactory-hub:"
_SHA256, _MD5 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")
_TYPES = {
    NodeKind.DATA: "data",
    NodeKind.VERSION: "machine-learning-model",
    NodeKind.FILES: "file",
    NodeKind.IMAGE: "container",
    NodeKind.TEMPLATE: "application",
    NodeKind.COMMIT: "application",
}


def bill_of_materials(export: VersionExport) -> dict[str, Any]:
    """The document. What the job said of itself, such as metrics, is marked as claimed."""
    own = export.graph.nodes[0]
    parts = [node for node in export.graph.nodes[1:] if node.kind in _TYPES]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid5(NAMESPACE_URL, f"{export.service}#{export.version.id}").urn,
        "version": 1,
        "metadata": {
            "timestamp": iso_millis(export.at),
            "tools": {
                "components": [{"type": "application", "name": "aifactory-hub", "version": export.service_version}]
            },
            "component": _model(export, own),
        },
        "components": [_component(export, node) for node in parts],
        "dependencies": [_dependency(export, node) for node in (own, *parts)],
        "formulation": [{"bom-ref": "formula", "workflows": list(_workflows(export))}],
    }


def _model(export: VersionExport, node: Node) -> dict[str, Any]:
    """The version itself, with its files and what the job claims of it."""
    files = [
        {
            "type": "file",
            "bom-ref": f"file:{number}",
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": file.sha256}],
            "properties": _properties({"size": file.size}),
        }
        for number, file in enumerate(export.files, 1)
    ]
    job = next((export.jobs[each.id] for each in export.before(node.id) if each.id in export.jobs), None)
    card: dict[str, Any] = {"modelParameters": {"datasets": [{"ref": each.id} for each in _data(export, node)]}}
    metrics = {} if job is None else job.facts.claims.get("metrics", {})
    if metrics:
        told = [{"type": name, "value": str(value)} for name, value in metrics.items()]
        card["quantitativeAnalysis"] = {"performanceMetrics": told}
    more = {"metrics": "claimed by the job"} if metrics else {}
    made = {"manifestDigest": export.version.digest, "team": export.model.tenant, "registeredBy": export.version.by}
    described = {"description": export.model.description} if export.model.description else {}
    return {
        **_named(export, node),
        **described,
        "components": files,
        "modelCard": card,
        "properties": _properties({"known": node.known, **made, **more}),
    }


def _data(export: VersionExport, node: Node) -> Iterator[Node]:
    return (each for each in _materials(export, node) if each.kind is NodeKind.DATA)


def _materials(export: VersionExport, node: Node) -> Iterator[Node]:
    """What went into the jobs that made a version; nothing for what is no version."""
    for job in export.before(node.id):
        if job.kind is NodeKind.JOB:
            yield from (each for each in export.before(job.id) if each.kind in _TYPES)


def _component(export: VersionExport, node: Node) -> dict[str, Any]:
    found = {**_named(export, node), "properties": _properties({"known": node.known})}
    if (hashes := _hashes(node)) is not None:
        found["hashes"] = hashes
    elif node.digest:
        found["properties"] += _properties({"digest": node.digest})
    if node.kind is NodeKind.DATA and not node.foreign:
        found["data"] = [{"type": "dataset", "name": node.label, "classification": str(node.about.get("class", ""))}]
    if node.kind is NodeKind.COMMIT:
        urls = {job.repository for id, job in export.jobs.items() if node in export.before(id)}
        found["externalReferences"] = [{"type": "vcs", "url": url} for url in sorted(urls) if url]
    return found


def _named(export: VersionExport, node: Node) -> dict[str, Any]:
    name = node.about.get("model") or node.about.get("dataset") or node.label
    version = node.about.get("version") or (node.digest if node.kind in (NodeKind.COMMIT, NodeKind.IMAGE) else "")
    named = {"type": _TYPES[node.kind], "bom-ref": node.id, "name": str(name)}
    return {**named, "version": str(version)} if version else named


def _hashes(node: Node) -> list[dict[str, str]] | None:
    """The digest where it is one of the content itself; of a listing, a commit or a manifest it is not."""
    if node.kind in (NodeKind.FILES, NodeKind.IMAGE) or node.about.get("kind") == "content":
        return [{"alg": "SHA-256", "content": node.digest}] if _SHA256.fullmatch(node.digest) else None
    if node.about.get("kind") == "dvc" and _MD5.fullmatch(node.digest):
        return [{"alg": "MD5", "content": node.digest}]
    return None


def _dependency(export: VersionExport, node: Node) -> dict[str, Any]:
    return {"ref": node.id, "dependsOn": list(dict.fromkeys(each.id for each in _materials(export, node)))}


def _workflows(export: VersionExport) -> Iterator[dict[str, Any]]:
    for id, job in export.jobs.items():
        inputs = [{"resource": {"ref": each.id}} for each in export.before(id) if each.kind in _TYPES]
        outputs = [{"type": "artifact", "resource": {"ref": each.id}} for each in export.made_by(id)]
        yield {**_workflow(id, job), "inputs": inputs, "outputs": outputs}


def _workflow(id: str, job: ExportedJob) -> dict[str, Any]:
    facts = job.facts
    told = {name: value for name, value in facts.parameters.items() if value not in (None, "", [], {})}
    times = {"timeStart": facts.started, "timeEnd": facts.finished}
    return {
        "bom-ref": id,
        "uid": str(job.uuid),
        "name": str(facts.parameters.get("name") or facts.job),
        "taskTypes": ["build"],
        **{name: iso_millis(time) for name, time in times.items() if time is not None},
        "properties": _properties({"job": facts.job, "attempt": facts.attempt, "owner": facts.owner, **told}),
    }


def _properties(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"name": f"{_OWN}{name}", "value": _text(value)} for name, value in values.items()]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
