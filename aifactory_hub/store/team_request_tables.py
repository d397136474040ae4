"""The tables of requests for teams. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base

_WAITING, _GRANTED = text("state = 'WAITING'"), text("state = 'GRANTED' AND kind = 'new'")


def _unique(name: str, where: Any, *columns: str) -> Index:
    return Index(name, *columns, unique=True, sqlite_where=where, postgresql_where=where)


class TeamRequestRow(Base):
    """See domain.team_wishes.TeamRequest. Of one team at most one request of a kind waits, and one has made it."""

    __tablename__ = "team_requests"
    __table_args__ = (
        _unique("uq_team_requests_waiting", _WAITING, "name", "kind"),
        _unique("uq_team_requests_granted", _GRANTED, "name"),
        Index("ix_team_requests_asked_by", "asked_by", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    wish: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    asked_by: Mapped[str] = mapped_column(String(255))
    asked_at: Mapped[float] = mapped_column(Float(53))
    state: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[float] = mapped_column(Float(53))


class TeamRequestEntryRow(Base):
    """One thing that happened to a request. Rows are only ever added."""

    __tablename__ = "team_request_entries"

    request: Mapped[str] = mapped_column(ForeignKey("team_requests.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[float] = mapped_column(Float(53))
    who: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text)
