"""The tables of idle servers. Times are epoch seconds in floats."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class IdleActRow(Base):
    """One step that was taken with a server, see domain.idle_ladder.IdleAct. Rows are only ever added.

    ``pod`` is the host pod's uid, ``server`` the name of the server. ``evidence`` is what showed that it was idle, and
    ``note`` why the hub did not stop it. ``by`` is who kept it; empty: the service.
    """

    __tablename__ = "idle_acts"
    __table_args__ = (
        Index("ix_idle_acts_pod", "pod", "seq"),
        Index("ix_idle_acts_tenant", "tenant", "at"),
    )

    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    act: Mapped[str] = mapped_column(String(16))
    at: Mapped[float] = mapped_column(Float(53))
    until: Mapped[float | None] = mapped_column(Float(53))
    since: Mapped[float | None] = mapped_column(Float(53))
    pod: Mapped[str] = mapped_column(String(64))
    tenant: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(255))
    server: Mapped[str] = mapped_column(String(255))
    profile: Mapped[str] = mapped_column(String(253))
    evidence: Mapped[list[Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(255))


class HoldPeaksRow(Base):
    """The most that a pod was seen to use, see domain.right_size.Peaks: what advice follows from, and no bill."""

    __tablename__ = "hold_peaks"

    pod: Mapped[str] = mapped_column(String(64), primary_key=True)
    seconds: Mapped[int] = mapped_column(BigInteger)
    memory: Mapped[int | None] = mapped_column(BigInteger)
    engine: Mapped[float | None] = mapped_column(Float(53))
    at: Mapped[float] = mapped_column(Float(53))


# Tables whose rows nobody changes or removes: the database itself refuses it.
APPEND_ONLY = ("idle_acts",)
