"""The tables of pipelines' runs. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class PipelineRunRow(Base):
    """See pipeline_runs.PipelineRun for what the columns mean."""

    __tablename__ = "pipeline_runs"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "key", name="uq_pipeline_runs_key"),
        Index("ix_pipeline_runs_tenant", "tenant", "created_at", "id"),
        Index("ix_pipeline_runs_state", "state"),
        Index("ix_pipeline_runs_trigger", "trigger", "created_at"),
        Index("ix_pipeline_runs_name", "tenant", "name", "created_at", "id"),
        Index("ix_pipeline_runs_finished", "finished_at", "id"),
        Index("ix_pipeline_runs_retry_of", "retry_of"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    files: Mapped[str | None] = mapped_column(String(64))
    trigger: Mapped[str | None] = mapped_column(String(40))
    cause: Mapped[dict[str, Any]] = mapped_column(JSON)
    retry_of: Mapped[str | None] = mapped_column(String(40))
    cache: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    cancel_asked_at: Mapped[float | None] = mapped_column(Float(53))
    cancel_asked_by: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))


class PipelineStepRow(Base):
    """One job of a run: see pipeline_runs.RunStep for what the columns mean."""

    __tablename__ = "pipeline_steps"
    __table_args__ = (
        Index("ix_pipeline_steps_job", "job_id"),
        Index("ix_pipeline_steps_cache_key", "cache_key"),
        Index("ix_pipeline_steps_taken_from", "taken_from"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("pipeline_runs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    job_id: Mapped[str | None] = mapped_column(String(40))
    taken_from: Mapped[str | None] = mapped_column(String(40))
    cache_key: Mapped[str | None] = mapped_column(String(64))
    cached: Mapped[bool] = mapped_column(Boolean)
    cache_parts: Mapped[dict[str, str] | None] = mapped_column(JSON)
    cache_reason: Mapped[str | None] = mapped_column(Text)
    metrics: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    started_at: Mapped[float | None] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))
