"""Datasets in the database, and which jobs were submitted with them."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, select

from ..domain.datasets import DataClass, Dataset, DatasetVersion
from .database import writing
from .dataset_journal import DATASET, ENTRIES, GIVEN, VERSION, add_rows
from .model_tables import DatasetRow, DatasetVersionRow, JobDataRow

_DATASETS, _VERSIONS = DatasetRow.__table__, DatasetVersionRow.__table__
DECLARED, VERIFIED = "declared", "verified"


@dataclass(frozen=True, slots=True)
class JobData:
    """A job was given a version of a dataset; ``known``: see domain.statements.Material."""

    job: str
    dataset: Dataset
    version: DatasetVersion
    known: str


class Datasets:
    """Datasets of all teams. Methods block and are safe in any thread."""

    def __init__(self, db: Engine) -> None:
        self._db = db

    def of_teams(self, tenants: Collection[str]) -> list[tuple[Dataset, DatasetVersion | None]]:
        """The datasets of these teams by name, each with its newest version."""
        query = select(_DATASETS).where(DatasetRow.tenant.in_(tenants)).order_by(DatasetRow.tenant, DatasetRow.name)
        with self._db.connect() as connection:
            datasets = [_dataset(row._mapping) for row in connection.execute(query)]
            last = select(DatasetVersionRow.dataset, func.max(DatasetVersionRow.number).label("number"))
            newest = last.group_by(DatasetVersionRow.dataset).subquery()
            same = (_VERSIONS.c.dataset == newest.c.dataset) & (_VERSIONS.c.number == newest.c.number)
            rows = connection.execute(select(_VERSIONS).join(newest, same))
            versions = {row.dataset: DatasetVersion(**row._mapping) for row in rows}
        return [(dataset, versions.get(dataset.id)) for dataset in datasets]

    def find(self, tenant: str, name: str) -> Dataset | None:
        """The team's dataset of this name."""
        query = select(_DATASETS).where(DatasetRow.tenant == tenant, DatasetRow.name == name)
        with self._db.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _dataset(row._mapping)

    def add(self, dataset: Dataset) -> tuple[Dataset, bool]:
        """Add a dataset, or return the team's of this name; whether it is new."""
        with ENTRIES, writing(self._db) as connection:
            query = select(_DATASETS).where(DatasetRow.tenant == dataset.tenant, DatasetRow.name == dataset.name)
            row = connection.execute(query).one_or_none()
            if row is not None:
                return _dataset(row._mapping), False
            values = {name: getattr(dataset, name) for name in Dataset.__slots__}
            add_rows(connection, DATASET, [{**values, "data_class": dataset.data_class.value}])
        return dataset, True

    def versions(self, dataset: str) -> list[DatasetVersion]:
        """The newest first."""
        query = select(_VERSIONS).where(DatasetVersionRow.dataset == dataset).order_by(DatasetVersionRow.number.desc())
        with self._db.connect() as connection:
            return [DatasetVersion(**row._mapping) for row in connection.execute(query)]

    def add_version(self, version: DatasetVersion) -> tuple[DatasetVersion, bool]:
        """Add a version with the next number, or return the one with this digest; whether it is new."""
        with ENTRIES, writing(self._db) as connection:
            mine = DatasetVersionRow.dataset == version.dataset
            same = (DatasetVersionRow.kind == version.kind, DatasetVersionRow.digest == version.digest)
            row = connection.execute(select(_VERSIONS).where(mine, *same)).one_or_none()
            if row is not None:
                return DatasetVersion(**row._mapping), False
            last = int(connection.scalar(select(func.max(DatasetVersionRow.number)).where(mine)) or 0)
            values = {name: getattr(version, name) for name in DatasetVersion.__slots__} | {"number": last + 1}
            add_rows(connection, VERSION, [values])
        return DatasetVersion(**values), True

    def give(self, job: str, versions: Sequence[DatasetVersion], at: float) -> None:
        """Record, before the job is stored, what it is submitted with: a kill between the two loses nothing."""
        if versions:
            rows = [{"job": job, "version": version.id, "known": DECLARED, "at": at} for version in versions]
            with ENTRIES, writing(self._db) as connection:
                add_rows(connection, GIVEN, rows)

    def of_jobs(self, jobs: Collection[str]) -> list[JobData]:
        """What these jobs were given, in order of the datasets' names."""
        return self._given(JobDataRow.job.in_(jobs))

    def jobs_with(self, versions: Collection[str], *, limit: int) -> list[JobData]:
        """Which jobs were given these versions, the newest first."""
        return self._given(JobDataRow.version.in_(versions), newest_first=True, limit=limit)

    def _given(self, where: Any, *, newest_first: bool = False, limit: int | None = None) -> list[JobData]:
        data = JobDataRow.__table__
        wide = [column.label(f"{table}_{column.name}") for table, of in _WIDE for column in of.c]
        query = select(data.c.job, data.c.known, *wide)
        query = query.join(_VERSIONS, _VERSIONS.c.id == data.c.version)
        query = query.join(_DATASETS, _DATASETS.c.id == _VERSIONS.c.dataset).where(where)
        order = (data.c.at.desc(),) if newest_first else (_DATASETS.c.name, _VERSIONS.c.number)
        with self._db.connect() as connection:
            rows = connection.execute(query.order_by(*order).limit(limit)).all()
        return [_job_data(row._mapping) for row in rows]


_WIDE = (("d", _DATASETS), ("v", _VERSIONS))


def _dataset(row: Any) -> Dataset:
    return Dataset(**{**row, "data_class": DataClass(row["data_class"])})


def _job_data(row: Any) -> JobData:
    dataset = _dataset({column.name: row[f"d_{column.name}"] for column in _DATASETS.c})
    version = DatasetVersion(**{column.name: row[f"v_{column.name}"] for column in _VERSIONS.c})
    return JobData(row["job"], dataset, version, row["known"])


def new_dataset_id() -> str:
    """A fresh id."""
    return f"d{secrets.token_hex(6)}"
