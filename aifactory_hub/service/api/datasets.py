"""Datasets of teams: names with versions by digest."""

from __future__ import annotations

from ... import constants
from ...domain.datasets import DataClass, Dataset, DatasetVersion, digest_problem
from ...domain.formatting import iso_millis
from ...domain.models import name_problem
from ...store.datasets import new_dataset_id
from ..auth.permissions import Caller
from ..errors import ServiceError, bad_field
from ..model_answer_types import DatasetAnswer, DatasetDetail, DatasetList, DatasetVersionAnswer
from ..model_request_types import DatasetRequest, DatasetVersionRequest, ModelListQuery
from ..request_types import TenantQuery
from .base import Handler, run_sync
from .operations import operation


class DatasetRoutes(Handler):
    """Finds datasets for a caller."""

    async def dataset_for(self, caller: Caller, name: str, asked: str | None, scope: str) -> Dataset:
        """The team's dataset of this name. Raises ServiceError."""
        tenant = self.tenant_for(caller, scope, asked)
        found: Dataset | None = await run_sync(self.context.models.datasets.find, tenant, name)
        if found is None:
            message = f"Team {tenant} has no dataset {name!r}."
            raise ServiceError(404, "unknown-dataset", message, field="dataset")
        return found


class DatasetRows(DatasetRoutes):
    """All that the caller may see."""

    @operation("listDatasets", "The datasets of the caller's teams, by name.", answer=DatasetList, query=ModelListQuery)
    async def get(self) -> None:
        """With their newest versions."""
        caller = await self.caller()
        tenants = self.tenants_to_read(caller, self.query(ModelListQuery).tenant)
        found = await run_sync(self.context.models.datasets.of_teams, tenants)
        self.answer({"datasets": [_dataset(dataset, newest) for dataset, newest in found]})

    @operation(
        "makeDataset",
        "Name a dataset of the team: 201 for a new one, 200 for one that is there and says the same.",
        answer=DatasetAnswer,
        body=DatasetRequest,
        statuses=(200, 201),
    )
    async def post(self) -> None:
        """What it says does not change later: the class of data that models came from must not."""
        caller = await self.caller(fresh=True)
        asked = await self.body(DatasetRequest, caller.name)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, asked.tenant)
        if (problem := name_problem(asked.name)) is not None:
            raise bad_field("name", f"name is {asked.name!r}: {problem}.")
        wanted = Dataset(
            new_dataset_id(),
            tenant,
            asked.name,
            asked.uri,
            DataClass(asked.data_class),
            asked.description,
            self.context.clock(),
            caller.name,
        )
        made, new = await run_sync(self.context.models.datasets.add, wanted)
        if (made.uri, made.data_class) != (wanted.uri, wanted.data_class):
            message = f"Team {tenant} has a dataset {asked.name!r} with another uri or data_class: take another name."
            raise ServiceError(409, "dataset-exists", message, field="name")
        self.answer(_dataset(made, None), 201 if new else 200)


class DatasetOne(DatasetRoutes):
    """One dataset."""

    @operation("getDataset", "A dataset and its versions, the newest first.", answer=DatasetDetail, query=TenantQuery)
    async def get(self, dataset: str) -> None:
        """All of them."""
        asked = self.query(TenantQuery).tenant
        found = await self.dataset_for(await self.caller(), dataset, asked, constants.SCOPE_READ)
        versions = await run_sync(self.context.models.datasets.versions, found.id)
        newest = versions[0] if versions else None
        self.answer({"dataset": _dataset(found, newest), "versions": [_version(each) for each in versions]})


class DatasetVersions(DatasetRoutes):
    """Where versions are named."""

    @operation(
        "makeDatasetVersion",
        "Name a version of a dataset by its digest: 201 for a new one, 200 for one that is there already.",
        answer=DatasetVersionAnswer,
        body=DatasetVersionRequest,
        query=TenantQuery,
        statuses=(200, 201),
    )
    async def post(self, dataset: str) -> None:
        """The service does not read the data: the digest is what whoever names it says."""
        caller, team = await self.caller(fresh=True), self.query(TenantQuery).tenant
        found = await self.dataset_for(caller, dataset, team, constants.SCOPE_SUBMIT)
        asked = await self.body(DatasetVersionRequest, caller.name)
        if (problem := digest_problem(asked.kind, asked.digest)) is not None:
            raise bad_field("digest", f"{problem}.")
        now = self.context.clock()
        wanted = DatasetVersion(
            new_dataset_id(), found.id, 0, asked.kind, asked.digest, asked.count, asked.size, caller.name, now
        )
        made, new = await run_sync(self.context.models.datasets.add_version, wanted)
        self.answer(_version(made), 201 if new else 200)


def _version(version: DatasetVersion) -> DatasetVersionAnswer:
    return {
        "version": version.number,
        "kind": version.kind,
        "digest": version.digest,
        "count": version.count,
        "size": version.size,
        "by": version.by,
        "at": iso_millis(version.at),
    }


def _dataset(dataset: Dataset, newest: DatasetVersion | None) -> DatasetAnswer:
    return {
        "tenant": dataset.tenant,
        "name": dataset.name,
        "uri": dataset.uri,
        "data_class": dataset.data_class,
        "description": dataset.description,
        "created_by": dataset.created_by,
        "created_at": iso_millis(dataset.created_at),
        "newest": None if newest is None else _version(newest),
    }
