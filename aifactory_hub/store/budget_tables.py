"""The tables of budgets. Amounts are whole numbers or exact text, never floats."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class ReservationRow(Base):
    """What a job may cost at most, in all, from when it was taken in until nothing of it is left.

    ``gpu`` are parts of GPU-seconds, ``money`` millionths of the currency's unit: see reservations.
    ``place`` counts the team's reservations: who has read up to the last one knows of all.
    """

    __tablename__ = "budget_reservations"
    __table_args__ = (Index("ix_budget_reservations_team", "tenant", "place"),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    gpu: Mapped[int] = mapped_column(BigInteger)
    money: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(Integer)
    place: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Float(53))


class GrantRow(Base):
    """More of a budget: see domain.budgets.Grant. ``amount`` is an exact number as text. Rows are only ever
    added; ``user`` changes with a handover."""

    __tablename__ = "budget_grants"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(String(64))
    budget: Mapped[str] = mapped_column(String(63))
    user: Mapped[str] = mapped_column(String(255))
    amount: Mapped[str] = mapped_column(String(64))
    until: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[str] = mapped_column(String(255))
    at: Mapped[float] = mapped_column(Float(53))


class BudgetNoticeRow(Base):
    """It was told that a budget has reached ``share`` per cent in the time that begins at ``start``."""

    __tablename__ = "budget_notices"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    budget: Mapped[str] = mapped_column(String(63), primary_key=True)
    user: Mapped[str] = mapped_column(String(255), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String(16), primary_key=True)
    share: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[float] = mapped_column(Float(53))
