"""The tables of verdicts and overrides: rows are only ever added. Times are epoch seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Float, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base

# SQLite counts by itself in a column of this type only.
COUNTED = BigInteger().with_variant(Integer, "sqlite")


class VerdictRow(Base):
    """What the rules said to one question that was asked in earnest: ``findings`` and ``view`` are JSON.

    ``subject`` is the id of the job that was asked about, also of one that was refused and so never was. ``number``
    counts in the order in which rows were added, whatever the clock said.
    """

    __tablename__ = "policy_verdicts"
    __table_args__ = (
        UniqueConstraint("id", name="uq_policy_verdicts_id"),
        Index("ix_policy_verdicts_tenant", "tenant", "number"),
        Index("ix_policy_verdicts_at", "at"),
        Index("ix_policy_verdicts_subject", "subject", "number"),
    )

    number: Mapped[int] = mapped_column(COUNTED, primary_key=True)
    id: Mapped[str] = mapped_column(String(40))
    at: Mapped[float] = mapped_column(Float(53))
    tenant: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(255))
    verb: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    bundle: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    findings: Mapped[str] = mapped_column(Text)
    view: Mapped[str] = mapped_column(Text)


class OverrideRow(Base):
    """See domain.gates.Override."""

    __tablename__ = "policy_overrides"
    __table_args__ = (
        Index("ix_policy_overrides_tenant", "tenant", "made_at", "id"),
        Index("ix_policy_overrides_until", "until"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(40))
    rule: Mapped[str] = mapped_column(String(64))
    tenant: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64))
    by: Mapped[str] = mapped_column(String(255))
    reason: Mapped[str] = mapped_column(Text)
    made_at: Mapped[float] = mapped_column(Float(53))
    until: Mapped[float] = mapped_column(Float(53))
