"""The tables of approvals. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base

_OPEN = text("state = 'OPEN'")


class ApprovalRow(Base):
    """See domain.approvals.Approval for what the columns mean. Of one thing at most one approval is open."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index("uq_approvals_open", "kind", "subject", "verb", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_approvals_subject", "subject", "kind"),
        Index("ix_approvals_tenant", "tenant", "asked_at", "id"),
        Index("ix_approvals_state", "state", "asked_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(16))
    title: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    parts: Mapped[dict[str, str]] = mapped_column(JSON)
    needs: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    reasons: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    asked_by: Mapped[str] = mapped_column(String(255))
    excluded: Mapped[list[str]] = mapped_column(JSON)
    asked_at: Mapped[float] = mapped_column(Float(53))
    expires_at: Mapped[float] = mapped_column(Float(53))
    state: Mapped[str] = mapped_column(String(16))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    why: Mapped[str | None] = mapped_column(Text)
    reminded: Mapped[bool]


class VoteRow(Base):
    """See domain.approvals.Vote. Rows are only ever added: who changes their mind votes again."""

    __tablename__ = "votes"

    approval: Mapped[str] = mapped_column(ForeignKey("approvals.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    voter: Mapped[str] = mapped_column(String(255))
    yes: Mapped[bool]
    comment: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Float(53))
    emergency: Mapped[bool]
