"""The database's tables. Times are epoch seconds in floats: one meaning in every database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the service."""


class JobRow(Base):
    """See records.JobRecord for what the columns mean."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "key", name="uq_jobs_key"),
        Index("ix_jobs_tenant_submitted", "tenant", "submitted_at", "id"),
        Index("ix_jobs_cleaned", "cleaned_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    command: Mapped[str] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    environment: Mapped[dict[str, str]] = mapped_column(JSON)
    outputs: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    input_sha256: Mapped[str | None] = mapped_column(String(64))
    input_size: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    exit_code: Mapped[int | None]
    token_hash: Mapped[str | None] = mapped_column(String(64))
    cancel_asked_at: Mapped[float | None] = mapped_column(Float(53))
    cancel_asked_by: Mapped[str | None] = mapped_column(String(255))
    run_intended_at: Mapped[float | None] = mapped_column(Float(53))
    run_created_at: Mapped[float | None] = mapped_column(Float(53))
    run_uid: Mapped[str | None] = mapped_column(String(64))
    submitted_at: Mapped[float] = mapped_column(Float(53))
    queued_at: Mapped[float | None] = mapped_column(Float(53))
    starting_at: Mapped[float | None] = mapped_column(Float(53))
    running_at: Mapped[float | None] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))
    cleaned_at: Mapped[float | None] = mapped_column(Float(53))
    log_size: Mapped[int | None] = mapped_column(BigInteger)
    log_sha256: Mapped[str | None] = mapped_column(String(64))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ArtifactRow(Base):
    """One file that a job gave back."""

    __tablename__ = "artifacts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Float(53))
