"""Datasets, and what their journal brings back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, delete, inspect, select

from aifactory_hub.domain.datasets import DataClass, Dataset, DatasetVersion
from aifactory_hub.store import FileStore, migrate
from aifactory_hub.store.database import altering, migrations
from aifactory_hub.store.dataset_journal import DatasetJournal
from aifactory_hub.store.datasets import Datasets
from aifactory_hub.store.model_tables import DatasetEntryRow, DatasetRow, DatasetVersionRow, JobDataRow

CLAIMS = Dataset("d1", "nlp", "claims", "s3://data/claims", DataClass.PERSONAL, "", 1.0, "ada")


def version(id: str, digest: str) -> DatasetVersion:
    return DatasetVersion(id, "d1", 0, "content", digest * 64, 3, None, "ada", 2.0)


def fill(db: Engine) -> Datasets:
    """A dataset with two versions, of which a job was given one."""
    datasets = Datasets(db)
    assert datasets.add(CLAIMS) == (CLAIMS, True)
    first, _ = datasets.add_version(version("v1", "a"))
    datasets.add_version(version("v2", "b"))
    datasets.give("j1", [first], 3.0)
    return datasets


def kinds(db: Engine) -> list[tuple[int, str]]:
    columns = DatasetEntryRow.__table__.c
    with db.connect() as connection:
        return [tuple(row) for row in connection.execute(select(columns.number, columns.kind).order_by(columns.number))]


def test_each_change_is_an_entry_and_what_is_there_already_is_none(db: Engine) -> None:
    datasets = fill(db)
    assert datasets.add(CLAIMS)[1] is False
    assert datasets.add_version(version("v9", "a"))[1] is False
    assert kinds(db) == [(1, "dataset"), (2, "version"), (3, "version"), (4, "given")]


def test_a_database_from_before_takes_from_the_journal_what_it_lacks(db: Engine, tmp_path: Path) -> None:
    datasets = fill(db)
    journal = DatasetJournal(db, FileStore(tmp_path))
    assert (journal.flush(), journal.flush()) == (4, 0)
    datasets.add_version(version("v3", "c"))
    assert journal.flush() == 1
    before = datasets.versions("d1"), datasets.of_jobs(["j1"])
    with db.begin() as connection:
        for table in (JobDataRow, DatasetVersionRow):
            connection.execute(delete(table))
        connection.execute(delete(DatasetEntryRow).where(DatasetEntryRow.number > 1))
    assert datasets.versions("d1") == []
    assert DatasetJournal(db, FileStore(tmp_path)).recover() == 4
    assert DatasetJournal(db, FileStore(tmp_path)).recover() == 0
    assert (datasets.versions("d1"), datasets.of_jobs(["j1"])) == before
    assert datasets.add_version(version("v4", "d"))[0].number == 4
    assert DatasetJournal(db, FileStore(tmp_path)).flush() == 1


def test_an_empty_database_takes_all(open_it: Callable[[], Engine], db: Engine, tmp_path: Path) -> None:
    found = fill(db)
    DatasetJournal(db, FileStore(tmp_path)).flush()
    told = found.versions("d1"), found.find("nlp", "claims")
    with db.begin() as connection:
        for table in (JobDataRow, DatasetVersionRow, DatasetRow, DatasetEntryRow):
            connection.execute(delete(table))
    assert DatasetJournal(db, FileStore(tmp_path)).recover() == 4
    assert (found.versions("d1"), found.find("nlp", "claims")) == told


def test_datasets_of_an_older_version_get_entries_and_the_way_back_leaves_them(db: Engine) -> None:
    datasets = fill(db)
    told = datasets.versions("d1")
    with altering(db) as connection:
        command.downgrade(migrations(connection), "0026")
    assert "dataset_entries" not in inspect(db).get_table_names()
    assert "cached" not in {column["name"] for column in inspect(db).get_columns("pipeline_steps")}
    migrate(db)
    assert sorted(kind for _, kind in kinds(db)) == ["dataset", "given", "version", "version"]
    assert kinds(db)[0] == (1, "dataset")
    assert datasets.versions("d1") == told
