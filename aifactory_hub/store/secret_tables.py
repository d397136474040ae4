"""Tables of secrets: values are encrypted, and what they were used for is only ever added to."""

from __future__ import annotations

from sqlalchemy import Boolean, Float, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class SecretRow(Base):
    """A secret of a team (``owner`` empty) or of one person in a team. ``sealed`` is its value, encrypted."""

    __tablename__ = "secrets"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    revision: Mapped[int] = mapped_column(Integer)
    changed_at: Mapped[float] = mapped_column(Float(53))
    changed_by: Mapped[str] = mapped_column(String(255))


class SecretUseRow(Base):
    """A job was given a secret."""

    __tablename__ = "secret_uses"
    __table_args__ = (Index("ix_secret_uses_secret", "tenant", "owner", "name", "at"),)

    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    team: Mapped[bool] = mapped_column(Boolean)
    revision: Mapped[int] = mapped_column(Integer)
    user: Mapped[str] = mapped_column(String(255))
    at: Mapped[float] = mapped_column(Float(53))
