"""The tables of notifications that wait for a message, and of what people chose. Times are epoch seconds in floats."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Float, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base


class NotificationRow(Base):
    """See domain.notifications.Notification. A row is removed with the message that tells it."""

    __tablename__ = "notifications"
    __table_args__ = (Index("ix_notifications_audience", "audience", "name", "number"),)

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    audience: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(32))
    tenant: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)
    at: Mapped[float] = mapped_column(Float(53))
    path: Mapped[str] = mapped_column(String(255))
    sweep: Mapped[str | None] = mapped_column(String(64))


class NotificationLevelRow(Base):
    """How much a person wants to be told by mail; who has none takes the site's default."""

    __tablename__ = "notification_levels"

    person: Mapped[str] = mapped_column(String(255), primary_key=True)
    level: Mapped[str] = mapped_column(String(16))
    changed_at: Mapped[float] = mapped_column(Float(53))


class NotificationKindRow(Base):
    """One kind of which a person wants to be told, or not, whatever their level says."""

    __tablename__ = "notification_kinds"

    person: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    told: Mapped[bool] = mapped_column(Boolean)
