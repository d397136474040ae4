"""The tables of triggers. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class TriggerRow(Base):
    """See triggers.Trigger for what the columns mean."""

    __tablename__ = "triggers"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "key", name="uq_triggers_key"),
        UniqueConstraint("hook", name="uq_triggers_hook"),
        Index("ix_triggers_tenant", "tenant", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    hook: Mapped[str] = mapped_column(String(64))
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(255))
    provider: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(Text)
    username: Mapped[str] = mapped_column(String(255))
    has_token: Mapped[bool] = mapped_column(Boolean)
    pipeline: Mapped[str] = mapped_column(Text)
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float(53))
    paused: Mapped[bool] = mapped_column(Boolean)
    problem: Mapped[str | None] = mapped_column(Text)
    generation: Mapped[int] = mapped_column(Integer)
    rotated_at: Mapped[float | None] = mapped_column(Float(53))
    watched_at: Mapped[float | None] = mapped_column(Float(53))
    next_look: Mapped[float] = mapped_column(Float(53))
    unreachable_since: Mapped[float | None] = mapped_column(Float(53))
    refused: Mapped[int] = mapped_column(Integer)
    refused_at: Mapped[float | None] = mapped_column(Float(53))
    tells: Mapped[bool] = mapped_column(Boolean, server_default=false())
    next_time: Mapped[float | None] = mapped_column(Float(53))


class HeadRow(Base):
    """What a ref was when it was seen last; ``commit_id`` null: it was deleted."""

    __tablename__ = "trigger_heads"

    trigger: Mapped[str] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True)
    ref: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    commit_id: Mapped[str | None] = mapped_column(String(64))


class TriggerEventRow(Base):
    """One change of a ref: see domain.triggers.RefEvent for what the columns mean."""

    __tablename__ = "trigger_events"
    __table_args__ = (Index("ix_trigger_events_seen", "trigger", "seen_at"), Index("ix_trigger_events_state", "state"))

    trigger: Mapped[str] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True)
    ref: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    old: Mapped[str | None] = mapped_column(String(64))
    new: Mapped[str | None] = mapped_column(String(64))
    seen_at: Mapped[float] = mapped_column(Float(53))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    run: Mapped[str | None] = mapped_column(String(40))
    by: Mapped[str | None] = mapped_column(String(255))
    forced: Mapped[bool | None] = mapped_column(Boolean)
    scheduled: Mapped[bool] = mapped_column(Boolean, server_default=false())


class DeliveryRow(Base):
    """One delivery of a Git host that was signed rightly; the newest of each trigger are kept."""

    __tablename__ = "trigger_deliveries"
    __table_args__ = (Index("ix_trigger_deliveries_trigger", "trigger", "seq"),)

    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    trigger: Mapped[str] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"))
    at: Mapped[float] = mapped_column(Float(53))
    delivery: Mapped[str] = mapped_column(String(255))
    event: Mapped[str] = mapped_column(String(255))
    ref: Mapped[str] = mapped_column(String(255))
    by: Mapped[str] = mapped_column(String(255))
    pushed: Mapped[list[str]] = mapped_column(JSON)
    forced: Mapped[bool | None] = mapped_column(Boolean)


class CommitStatusRow(Base):
    """See commit_statuses.OpenStatus for what the columns mean; ``next_at`` null: nothing more is told."""

    __tablename__ = "commit_statuses"
    __table_args__ = (Index("ix_commit_statuses_next", "next_at"),)

    trigger: Mapped[str] = mapped_column(ForeignKey("triggers.id", ondelete="CASCADE"), primary_key=True)
    ref: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    commit_id: Mapped[str] = mapped_column(String(64))
    run: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    told: Mapped[str | None] = mapped_column(String(16))
    tries: Mapped[int] = mapped_column(Integer)
    problem: Mapped[str | None] = mapped_column(Text)
    next_at: Mapped[float | None] = mapped_column(Float(53))
