"""The tables of deployments. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base

_LIVE = text("cleaned_at IS NULL")


class DeploymentRow(Base):
    """See domain.deployments.Deployment. A deployment that was stopped keeps its row, and its name its history."""

    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("tenant", "name", name="uq_deployments_name"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(ForeignKey("models.id"))
    at: Mapped[str] = mapped_column(String(64))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[float] = mapped_column(Float(53))
    changed_at: Mapped[float] = mapped_column(Float(53))
    stopped_at: Mapped[float | None] = mapped_column(Float(53))
    problem: Mapped[str] = mapped_column(Text)


class ReleaseRow(Base):
    """See domain.deployments.Release. ``token_hash`` is that of the token with which its pods fetch the files."""

    __tablename__ = "releases"
    __table_args__ = (
        UniqueConstraint("deployment", "number", name="uq_releases_number"),
        Index("ix_releases_live", "deployment", postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index("ix_releases_version", "version"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    deployment: Mapped[str] = mapped_column(ForeignKey("deployments.id"))
    number: Mapped[int] = mapped_column(Integer)
    version: Mapped[str] = mapped_column(ForeignKey("model_versions.id"))
    digest: Mapped[str] = mapped_column(String(64))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    cause: Mapped[str] = mapped_column(String(16))
    by: Mapped[str] = mapped_column(String(255))
    why: Mapped[str] = mapped_column(Text)
    created_at: Mapped[float] = mapped_column(Float(53))
    wish_at: Mapped[float] = mapped_column(Float(53))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    problem: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[str | None] = mapped_column(String(64))
    intended_at: Mapped[float | None] = mapped_column(Float(53))
    started_at: Mapped[float | None] = mapped_column(Float(53))
    serving_at: Mapped[float | None] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    cleaned_at: Mapped[float | None] = mapped_column(Float(53))


class ReleaseRequestsRow(Base):
    """Requests that a release was asked in one minute: see domain.deployment_usage.Minute."""

    __tablename__ = "release_requests"

    release: Mapped[str] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    minute: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    asked: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    buckets: Mapped[list[int]] = mapped_column(JSON)
