"""What came from what."""

from __future__ import annotations

import json
import re

from ... import constants
from ...domain.datasets import matches
from ...domain.lineage import Direction, Graph, Node, NodeKind, walk
from ...domain.lineage_export import VersionExport
from ...domain.mlbom import bill_of_materials
from ...domain.models import number_of
from ...domain.openlineage import events
from ...store.datasets import DECLARED, JobData
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field
from ..executors import uploads
from ..model_answer_types import LineageAnswer, LineageExportAnswer
from ..model_request_types import LineageExportQuery, LineageQuery
from ..models.desk import ModelDesk
from ..models.lineage import data_node
from ..models.lineage_exports import gather_export
from .base import run_sync
from .models import OfModels
from .operations import operation

# What can be asked for by a digest alone, and how that looks.
_DIGESTS = {
    NodeKind.COMMIT: re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
    NodeKind.FILES: re.compile(r"[0-9a-f]{64}"),
    NodeKind.IMAGE: re.compile(r"(?:sha256:)?[0-9a-f]{64}"),
    NodeKind.APPROVAL: re.compile(r"[A-Za-z0-9-]{1,64}"),
    NodeKind.KEY: re.compile(r"[0-9a-f]{64}"),
}
_FORMS = (
    "model:<name>@<alias or number>, job:<id>, dataset:<name>@<number>, deployment:<name>, approval:<id>, "
    "commit:, files:, image: or key: with a digest"
)


class Lineage(OfModels):
    """The graph around one thing."""

    @operation(
        "getLineage",
        "What something came from and what came from it: models, deployments, jobs, data, commits, images, keys.",
        answer=LineageAnswer,
        query=LineageQuery,
    )
    async def get(self) -> None:
        """Other teams' nodes are shown by their digests alone."""
        asked = self.query(LineageQuery)
        caller = await self.caller()
        tenant = self.tenant_for(caller, constants.SCOPE_READ, asked.tenant)
        self.open_for(caller, [tenant])
        start = await self._start(caller, tenant, asked.of)
        readable = caller.tenants(constants.SCOPE_READ, self.context.registry.tenants)
        graph: Graph = await run_sync(
            walk, start, Direction(asked.direction), asked.depth, self.context.models.lineage().look, readable
        )
        self.answer(lineage_answer(asked.of, graph))

    async def _start(self, caller: Caller, tenant: str, text: str) -> Node:
        kind, _, rest = text.partition(":")
        if kind == "model":
            return await self._model(caller, tenant, rest)
        if kind == "job":
            job = await self.job_for(caller, rest)
            (node,) = await run_sync(self.context.models.lineage().job_nodes, [job.id])
            return node
        if kind == "deployment":
            deployment = await run_sync(self.context.deployments.stored.find, tenant, rest)
            if deployment is None:
                message = f"Team {tenant} has no deployment {rest[:80]!r}."
                raise ServiceError(404, "unknown-deployment", message, field="of")
            return self.context.models.lineage().deployment_node(deployment)
        if kind == "dataset":
            found: Node | None = await run_sync(_dataset, self.context.models, tenant, rest)
            if found is None:
                message = f"Team {tenant} has no dataset {rest!r}: write dataset:<name>@<number or digest>."
                raise ServiceError(404, "unknown-dataset", message, field="of")
            return found
        pattern = _DIGESTS.get(NodeKind(kind)) if kind in set(NodeKind) else None
        if pattern is None or pattern.fullmatch(rest) is None:
            raise bad_field("of", f"of is {text[:80]!r}: write one of {_FORMS}.")
        digest = rest.removeprefix("sha256:")
        return Node(NodeKind(kind), f"{kind}:{digest}", digest[:12], digest)

    async def _model(self, caller: Caller, tenant: str, text: str) -> Node:
        name, at, place = text.partition("@")
        model = await self.model_for(caller, name, tenant, constants.SCOPE_READ)
        reader, registry = self.context.models.lineage(), self.context.models.registry
        if at and number_of(place) is None and place != "latest":
            alias = await run_sync(registry.alias, model.id, place)
            if alias.held:
                return reader.alias_node(model, alias)
        return reader.version_node(await self.version_for(model, place or "latest"))


class VersionLineage(OfModels):
    """What a version came from, for other programs."""

    @operation(
        "exportModelLineage",
        "What a version came from, as a list of events of OpenLineage or a bill of materials in CycloneDX 1.6.",
        answer=LineageExportAnswer,
        query=LineageExportQuery,
    )
    async def get(self, model: str, version: str) -> None:
        """Other teams' things are named by their digests alone."""
        caller, asked = await self.caller(), self.query(LineageExportQuery)
        facts = await self.model_for(caller, model, asked.tenant, constants.SCOPE_READ)
        found = await self.version_for(facts, version)
        registry = self.context.registry
        readable = caller.tenants(constants.SCOPE_READ, registry.tenants)
        gathered = (self.context.models, self.context.jobs, registry, facts, found, readable, self.context.clock())
        export: VersionExport = await uploads.run(gather_export, *gathered)
        made: object = events(export) if asked.format == "openlineage" else bill_of_materials(export)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(json.dumps(made))


def _dataset(desk: ModelDesk, tenant: str, text: str) -> Node | None:
    name, _, place = text.partition("@")
    dataset = desk.datasets.find(tenant, name)
    for version in [] if dataset is None else desk.datasets.versions(dataset.id):
        if dataset is not None and (not place or place == "latest" or matches(version, place)):
            return data_node(JobData("", dataset, version, DECLARED))
    return None


def lineage_answer(of: str, graph: Graph) -> LineageAnswer:
    """A graph as JSON."""
    return {
        "of": of,
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind,
                "label": node.label,
                "digest": node.digest,
                "known": node.known,
                "tenant": node.tenant,
                "foreign": node.foreign,
                "about": {name: value for name, value in node.about.items() if name != "model_id"},
            }
            for node in graph.nodes
        ],
        "edges": [
            {"before": edge.before, "after": edge.after, "how": edge.how, "known": edge.known} for edge in graph.edges
        ],
        "cut": graph.cut,
    }
