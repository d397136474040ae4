"""Gathers what lies around the nodes of a lineage, level by level, from the records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from ...domain.deployments import Deployment, Release, ReleaseState
from ...domain.lineage import Direction, Edge, Found, Node, NodeKind
from ...domain.models import Alias, ModelFacts, ModelVersion, number_of
from ...domain.statements import BuildFacts, Material
from ...signing.oms import MANIFEST_DIGEST
from ...store import JobRecord, Jobs
from ...store.datasets import Datasets, JobData
from ...store.deployments import Deployments
from ...store.model_registry import ModelRegistry
from ...store.model_tables import AliasMoveRow, ModelMaterialRow, ModelUseRow, ModelVersionRow, StatementRow
from ...store.models import JobRow

# As many neighbours of one level are looked at; a walk has its own bound.
_MOST = 500
_MATERIALS = {kind.value: kind for kind in (NodeKind.COMMIT, NodeKind.FILES, NodeKind.IMAGE, NodeKind.TEMPLATE)}


class LineageReader:
    """Looks around nodes. Methods block."""

    def __init__(
        self,
        registry: ModelRegistry,
        jobs: Jobs,
        datasets: Datasets,
        facts_of_job: Callable[[JobRecord, int], BuildFacts],
    ) -> None:
        self._registry = registry
        self._jobs = jobs
        self._datasets = datasets
        self._facts_of_job = facts_of_job
        self._db = registry.db
        self._models: dict[str, ModelFacts] = {}
        self._deployments = Deployments(registry.db)

    def look(self, nodes: Sequence[Node], way: Direction) -> Found:
        """See domain.lineage.Look."""
        by_kind: dict[NodeKind, list[Node]] = {}
        for node in nodes:
            by_kind.setdefault(node.kind, []).append(node)
        looks = _UP if way is Direction.UP else _DOWN
        parts = [looks[kind](self, some) for kind, some in by_kind.items() if kind in looks]
        found: dict[str, Node] = {}
        for part in parts:
            found |= {node.id: node for node in part.nodes if node.id not in found}
        return Found(list(found.values()), [edge for part in parts for edge in part.edges])

    def version_node(self, version: ModelVersion) -> Node:
        """The node of a version."""
        model = self._model(version.model)
        about = {
            "model": model.name,
            "version": version.number,
            "state": version.state.value,
            "by": version.by,
            "job": version.job,
        }
        return Node(
            NodeKind.VERSION,
            f"version:{version.id}",
            f"{model.name}@{version.number}",
            version.digest,
            tenant=model.tenant,
            about=about,
        )

    def alias_node(self, model: ModelFacts, alias: Alias) -> Node:
        """The node of an alias."""
        about = {"model": model.name, "alias": alias.name, "model_id": model.id, "frozen": alias.frozen is not None}
        return Node(
            NodeKind.ALIAS,
            f"alias:{model.id}@{alias.name}",
            f"{model.name}@{alias.name}",
            tenant=model.tenant,
            about=about,
        )

    def job_nodes(self, ids: Iterable[str]) -> list[Node]:
        """The nodes of these jobs, without those that there is no record of."""
        columns = (JobRow.id, JobRow.tenant, JobRow.owner, JobRow.name, JobRow.state, JobRow.profile)
        with self._db.connect() as connection:
            rows = connection.execute(select(*columns).where(JobRow.id.in_(sorted(set(ids))[:_MOST])))
            return [
                Node(
                    NodeKind.JOB,
                    f"job:{row.id}",
                    row.name,
                    tenant=row.tenant,
                    about={"job": row.id, "owner": row.owner, "state": row.state, "profile": row.profile},
                )
                for row in rows
            ]

    def deployment_node(self, deployment: Deployment) -> Node:
        """The node of a deployment."""
        about = {
            "deployment": deployment.name,
            "model": self._model(deployment.model).name,
            "at": deployment.at,
            "by": deployment.by,
            "stopped": deployment.stopped_at is not None,
            "model_id": deployment.model,
        }
        id = f"deployment:{deployment.id}"
        return Node(NodeKind.DEPLOYMENT, id, deployment.name, tenant=deployment.tenant, about=about)

    def _model(self, id: str) -> ModelFacts:
        if id not in self._models:
            found = self._registry.model(id)
            assert found is not None  # a foreign key holds it
            self._models[id] = found
        return self._models[id]

    def _versions(self, *where: Any) -> list[ModelVersion]:
        with self._db.connect() as connection:
            ids = list(connection.scalars(select(ModelVersionRow.id).where(*where).limit(_MOST)))
        return self._registry.some_versions(ids)

    def _alias_up(self, nodes: list[Node]) -> Found:
        found, edges = [], []
        for node in nodes:
            model = self._model(node.about["model_id"])
            alias = self._registry.alias(model.id, node.about["alias"])
            version = None if alias.version is None else self._registry.version(alias.version)
            if version is not None:
                found.append(self.version_node(version))
                edges.append(Edge(found[-1].id, node.id, "leads to"))
            for move in self._registry.moves(model.id, alias.name)[-1:]:
                if move.approval is not None:
                    found.append(_approval_node(move.approval, model.tenant))
                    edges.append(Edge(found[-1].id, node.id, "approved"))
        return Found(found, edges)

    def _version_up(self, nodes: list[Node]) -> Found:
        jobs = self.job_nodes(node.about["job"] for node in nodes)
        there = {job.id for job in jobs}
        edges = []
        for node in nodes:
            job = f"job:{node.about['job']}"
            if job not in there:
                jobs.append(Node(NodeKind.JOB, job, node.about["job"], known="missing", tenant=node.tenant))
                there.add(job)
            edges.append(Edge(job, node.id, "made"))
        return Found(jobs, edges)

    def _job_up(self, nodes: list[Node]) -> Found:
        ids = [node.id.partition(":")[2] for node in nodes][:_MOST]
        found, edges = [], []
        for job in self._jobs.some(ids):
            for material in self._facts_of_job(job, job.attempt).materials:
                kind = _MATERIALS.get(material.kind)
                if kind is not None:
                    found.append(_material_node(kind, material, job.tenant))
                    edges.append(Edge(found[-1].id, f"job:{job.id}", "went into", material.known))
        given = self._data_edges(self._datasets.of_jobs(ids))
        used = self._used(ModelUseRow.job.in_(ids))
        return Found([*found, *given.nodes, *used.nodes], [*edges, *given.edges, *used.edges])

    def _used(self, where: Any) -> Found:
        """Versions that jobs have loaded."""
        query = select(ModelUseRow.version, ModelUseRow.job).where(where, ModelUseRow.job != "").limit(_MOST)
        with self._db.connect() as connection:
            rows = connection.execute(query).all()
        versions = self._registry.some_versions({row.version for row in rows})
        edges = [Edge(f"version:{row.version}", f"job:{row.job}", "was loaded by") for row in rows]
        return Found([self.version_node(version) for version in versions], edges)

    def _data_edges(self, given: Iterable[JobData]) -> Found:
        nodes, edges = [], []
        for each in given:
            nodes.append(data_node(each))
            edges.append(Edge(nodes[-1].id, f"job:{each.job}", "went into", each.known))
        return Found(nodes, edges)

    def _material_down(self, nodes: list[Node]) -> Found:
        digests = {node.digest: node for node in nodes if node.digest}
        query = (
            select(ModelMaterialRow.digest, ModelMaterialRow.known, ModelVersionRow.job)
            .join(ModelVersionRow, ModelVersionRow.id == ModelMaterialRow.version)
            .where(ModelMaterialRow.kind == nodes[0].kind.value, ModelMaterialRow.digest.in_(digests))
        )
        with self._db.connect() as connection:
            rows = connection.execute(query.limit(_MOST)).all()
        edges = [Edge(digests[row.digest].id, f"job:{row.job}", "went into", row.known) for row in rows]
        return Found(self.job_nodes(row.job for row in rows), edges)

    def _data_down(self, nodes: list[Node]) -> Found:
        given = self._datasets.jobs_with([node.id.partition(":")[2] for node in nodes], limit=_MOST)
        edges = [Edge(f"data:{each.version.id}", f"job:{each.job}", "went into", each.known) for each in given]
        return Found(self.job_nodes(each.job for each in given), edges)

    def _job_down(self, nodes: list[Node]) -> Found:
        versions = self._versions(ModelVersionRow.job.in_([node.id.partition(":")[2] for node in nodes]))
        edges = [Edge(f"job:{version.job}", f"version:{version.id}", "made") for version in versions]
        return Found([self.version_node(version) for version in versions], edges)

    def _version_down(self, nodes: list[Node]) -> Found:
        ids = [node.id.partition(":")[2] for node in nodes]
        query = select(AliasMoveRow.model, AliasMoveRow.alias).where(AliasMoveRow.after.in_(ids)).distinct()
        with self._db.connect() as connection:
            moved = connection.execute(query.limit(_MOST)).all()
        found, edges = [], []
        for model_id, name in moved:
            alias, model = self._registry.alias(model_id, name), self._model(model_id)
            found.append(self.alias_node(model, alias))
            for id in ids:
                if id in alias.held:
                    how = "leads to" if alias.version == id else "led to before"
                    edges.append(Edge(f"version:{id}", found[-1].id, how))
        used = self._used(ModelUseRow.version.in_(ids))
        jobs = self.job_nodes(edge.after.partition(":")[2] for edge in used.edges)
        serving = self._deployments.of_version(ids)
        served = [self.deployment_node(deployment) for deployment, _ in serving]
        return Found([*found, *jobs, *served], [*edges, *used.edges, *(_served(*each) for each in serving)])

    def _alias_down(self, nodes: list[Node]) -> Found:
        found, edges = [], []
        for node in nodes:
            for deployment in self._deployments.following(node.about["model_id"], [node.about["alias"]]):
                found.append(self.deployment_node(deployment))
                edges.append(Edge(node.id, found[-1].id, "is followed by"))
        return Found(found, edges)

    def _deployment_up(self, nodes: list[Node]) -> Found:
        served = self._deployments.served_by([node.id.partition(":")[2] for node in nodes])
        versions = self._registry.some_versions({release.version for _, release in served})
        found, edges = [self.version_node(each) for each in versions], [_served(*each) for each in served]
        for node in nodes:
            if number_of(node.about["at"]) is None and not node.about["stopped"]:
                model = self._model(node.about["model_id"])
                found.append(self.alias_node(model, self._registry.alias(model.id, node.about["at"])))
                edges.append(Edge(found[-1].id, node.id, "is followed by"))
        return Found(found, edges)

    def _key_down(self, nodes: list[Node]) -> Found:
        keys = [node.id.partition(":")[2] for node in nodes]
        query = select(StatementRow.version, StatementRow.key).where(StatementRow.key.in_(keys))
        with self._db.connect() as connection:
            rows = connection.execute(query.where(StatementRow.kind == "files").limit(_MOST)).all()
        versions = self._registry.some_versions({row.version for row in rows})
        edges = [Edge(f"key:{row.key}", f"version:{row.version}", "signed") for row in rows]
        return Found([self.version_node(version) for version in versions], edges)

    def _approval_down(self, nodes: list[Node]) -> Found:
        ids = [node.id.partition(":")[2] for node in nodes]
        query = select(AliasMoveRow.model, AliasMoveRow.alias, AliasMoveRow.approval)
        with self._db.connect() as connection:
            rows = connection.execute(query.where(AliasMoveRow.approval.in_(ids)).limit(_MOST)).all()
        found, edges = [], []
        for row in rows:
            model = self._model(row.model)
            found.append(self.alias_node(model, self._registry.alias(model.id, row.alias)))
            edges.append(Edge(f"approval:{row.approval}", found[-1].id, "approved"))
        return Found(found, edges)


_Looks = Mapping[NodeKind, Callable[[LineageReader, list[Node]], Found]]
_UP: _Looks = {
    NodeKind.DEPLOYMENT: LineageReader._deployment_up,
    NodeKind.ALIAS: LineageReader._alias_up,
    NodeKind.VERSION: LineageReader._version_up,
    NodeKind.JOB: LineageReader._job_up,
}
_DOWN: _Looks = {
    NodeKind.COMMIT: LineageReader._material_down,
    NodeKind.FILES: LineageReader._material_down,
    NodeKind.IMAGE: LineageReader._material_down,
    NodeKind.DATA: LineageReader._data_down,
    NodeKind.JOB: LineageReader._job_down,
    NodeKind.VERSION: LineageReader._version_down,
    NodeKind.ALIAS: LineageReader._alias_down,
    NodeKind.KEY: LineageReader._key_down,
    NodeKind.APPROVAL: LineageReader._approval_down,
}


def _served(deployment: Deployment, release: Release) -> Edge:
    how = "is served by" if release.state is ReleaseState.SERVING else "was served by"
    return Edge(f"version:{release.version}", f"deployment:{deployment.id}", how)


def data_node(given: JobData) -> Node:
    """The node of a version of a dataset."""
    dataset, version = given.dataset, given.version
    about = {
        "dataset": dataset.name,
        "version": version.number,
        "kind": version.kind,
        "class": dataset.data_class.value,
    }
    label = f"{dataset.name}@{version.number}"
    return Node(NodeKind.DATA, f"data:{version.id}", label, version.digest, given.known, dataset.tenant, about)


def material_of(given: JobData) -> Material:
    """A version of a dataset as provenance has it."""
    dataset, version = given.dataset, given.version
    algorithm = {"dvc": "md5", "lakefs": "lakefsCommit", "listing": "listingSha256"}.get(version.kind, "sha256")
    about = {"class": dataset.data_class.value, "kind": version.kind, "uri": dataset.uri}
    return Material("data", f"{dataset.name}@{version.number}", {algorithm: version.digest}, given.known, about)


def model_material(model: ModelFacts, version: ModelVersion) -> Material:
    """A model that a job was given, as provenance has it: its runner has checked every byte."""
    return Material("model", f"{model.name}@{version.number}", {MANIFEST_DIGEST: version.digest})


def _material_node(kind: NodeKind, material: Material, tenant: str) -> Node:
    digest = next(iter(material.digest.values()), "")
    own = f"{tenant}/{material.name}"
    return Node(kind, f"{kind.value}:{digest or own}", material.name, digest, material.known)


def _approval_node(id: str, tenant: str) -> Node:
    return Node(NodeKind.APPROVAL, f"approval:{id}", id, tenant=tenant)
