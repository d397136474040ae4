"""The tables of models: versions, signed statements, what happened to aliases, keys, datasets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class ModelRow(Base):
    """See domain.models.ModelFacts."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("tenant", "name", name="uq_models_name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float(53))
    created_by: Mapped[str] = mapped_column(String(255))


class ModelVersionRow(Base):
    """See domain.models.ModelVersion. ``files`` are lists of name, size and SHA-256."""

    __tablename__ = "model_versions"
    __table_args__ = (
        UniqueConstraint("model", "number", name="uq_model_versions_number"),
        UniqueConstraint("model", "job", "attempt", "digest", name="uq_model_versions_files"),
        Index("ix_model_versions_job", "job"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    model: Mapped[str] = mapped_column(ForeignKey("models.id"))
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    root: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)
    files: Mapped[list[list[Any]]] = mapped_column(JSON)
    job: Mapped[str] = mapped_column(String(40))
    attempt: Mapped[int] = mapped_column(Integer)
    folder: Mapped[str] = mapped_column(String(512))
    by: Mapped[str] = mapped_column(String(255))
    at: Mapped[float] = mapped_column(Float(53))
    note: Mapped[str] = mapped_column(Text)
    formats: Mapped[dict[str, int]] = mapped_column(JSON)
    runs_code: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text)


class ModelMaterialRow(Base):
    """Something that a version was made from, as its signed provenance says: see domain.statements.Material."""

    __tablename__ = "model_materials"
    __table_args__ = (Index("ix_model_materials_digest", "kind", "digest"),)

    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    digest: Mapped[str] = mapped_column(String(128))
    known: Mapped[str] = mapped_column(String(16))


class StatementRow(Base):
    """A signed statement: rows are only ever added, each with a hash that covers the one before.

    ``kind`` is files, provenance, decision or keys; ``subject`` the version's manifest digest or a key's id.
    """

    __tablename__ = "statements"
    __table_args__ = (
        Index("ix_statements_version", "version", "kind", "number"),
        Index("ix_statements_key", "key"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(64))
    version: Mapped[str | None] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Float(53))
    envelope: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))


class AliasMoveRow(Base):
    """See domain.models.AliasMove. ``number`` is that of the statement of it. Rows are only ever added."""

    __tablename__ = "alias_moves"
    __table_args__ = (
        Index("ix_alias_moves_model", "model", "alias", "number"),
        Index("ix_alias_moves_after", "after"),
        Index("ix_alias_moves_approval", "approval"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    model: Mapped[str] = mapped_column(ForeignKey("models.id"))
    alias: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    before: Mapped[str | None] = mapped_column(String(40))
    after: Mapped[str | None] = mapped_column(String(40))
    by: Mapped[str] = mapped_column(String(255))
    at: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str] = mapped_column(Text)
    approval: Mapped[str | None] = mapped_column(String(64))
    bundle: Mapped[str] = mapped_column(String(64))


class SigningKeyRow(Base):
    """See signing.keys.KeyFacts: the public part. The private one is in the keeping of whatever signs."""

    __tablename__ = "signing_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    public: Mapped[str] = mapped_column(Text)
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[float] = mapped_column(Float(53))
    revoked: Mapped[float | None] = mapped_column(Float(53))
    why: Mapped[str] = mapped_column(Text)


class ModelUseRow(Base):
    """Somebody or a job took a version's files. ``job`` is empty where no job did."""

    __tablename__ = "model_uses"
    __table_args__ = (Index("ix_model_uses_job", "job"),)

    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    first_at: Mapped[float] = mapped_column(Float(53))
    last_at: Mapped[float] = mapped_column(Float(53))


class DatasetRow(Base):
    """A dataset of a team: a name for its versions. See domain.datasets.Dataset."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("tenant", "name", name="uq_datasets_name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    uri: Mapped[str] = mapped_column(Text)
    data_class: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float(53))
    created_by: Mapped[str] = mapped_column(String(255))


class DatasetVersionRow(Base):
    """A dataset as it was: see domain.datasets.DatasetVersion."""

    __tablename__ = "dataset_versions"
    __table_args__ = (
        UniqueConstraint("dataset", "number", name="uq_dataset_versions_number"),
        UniqueConstraint("dataset", "kind", "digest", name="uq_dataset_versions_digest"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    dataset: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(128))
    count: Mapped[int | None] = mapped_column(BigInteger)
    size: Mapped[int | None] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column(String(255))
    at: Mapped[float] = mapped_column(Float(53))


class JobDataRow(Base):
    """A job was submitted with a version of a dataset. ``known`` is declared or verified."""

    __tablename__ = "job_data"
    __table_args__ = (Index("ix_job_data_version", "version"),)

    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[str] = mapped_column(String(40), primary_key=True)
    known: Mapped[str] = mapped_column(String(16))
    at: Mapped[float] = mapped_column(Float(53))


class DatasetEntryRow(Base):
    """One thing that happened to datasets: a row that was added to the table of its ``kind``. See dataset_journal."""

    __tablename__ = "dataset_entries"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    row: Mapped[dict[str, Any]] = mapped_column(JSON)


# Tables whose rows nobody changes or removes: the database itself refuses it.
APPEND_ONLY = ("statements", "alias_moves")
# Of these it refuses to remove rows, and to change any column but those named.
CHANGING = {"model_versions": ("state", "why")}
