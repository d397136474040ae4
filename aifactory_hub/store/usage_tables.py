"""The tables of the ledger. Times are whole seconds since 1970, money is text: nothing in them is a float."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from .models import Base

# What the holds of one line of a bill share.
_LINE = ("tenant", "user", "profile", "kind", "simulated", "gpus")


class UsageEventRow(Base):
    """One fact: see domain.usage.UsageFact. Rows are only ever added; ``hash`` covers the row and the hash before it.

    ``number`` tells several of an administrator's facts of one pod from each other, and is 0 for all others.
    """

    __tablename__ = "usage_events"
    __table_args__ = (UniqueConstraint("pod", "kind", "source", "number", name="uq_usage_events"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    pod: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(16))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[int] = mapped_column(BigInteger)
    earliest: Mapped[int] = mapped_column(BigInteger)
    latest: Mapped[int] = mapped_column(BigInteger)
    observed_at: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(String(64))


class HoldRow(Base):
    """What follows from a pod's events: see domain.usage.Hold. ``changed`` is the event that changed it last.

    The index of lines has all that a bill asks, in a bill's order: a month is summed up from it alone.
    """

    __tablename__ = "usage_holds"
    __table_args__ = (
        Index("ix_usage_holds_line", *_LINE, "start", "end", "latest_end", "void"),
        Index("ix_usage_holds_tenant", "tenant", "start"),
        Index("ix_usage_holds_end", "end"),
        Index("ix_usage_holds_owner", "owner"),
        Index("ix_usage_holds_user", "user", "start"),
        Index("ix_usage_holds_changed", "changed"),
    )

    pod: Mapped[str] = mapped_column(String(64), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    user: Mapped[str] = mapped_column(String(255))
    profile: Mapped[str] = mapped_column(String(253))
    kind: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(253))
    name: Mapped[str] = mapped_column(String(253))
    node: Mapped[str] = mapped_column(String(253))
    devices: Mapped[str] = mapped_column(Text)
    gpus: Mapped[str | None] = mapped_column(String(64))
    attribution: Mapped[str] = mapped_column(String(16))
    simulated: Mapped[bool]
    start: Mapped[int] = mapped_column(BigInteger)
    end: Mapped[int | None] = mapped_column(BigInteger)
    latest_end: Mapped[int | None] = mapped_column(BigInteger)
    running_from: Mapped[int | None] = mapped_column(BigInteger)
    ended_by: Mapped[str | None] = mapped_column(String(16))
    source: Mapped[str | None] = mapped_column(String(16))
    void: Mapped[bool]
    note: Mapped[str] = mapped_column(Text)
    changed: Mapped[int] = mapped_column(BigInteger)


class UsagePositionRow(Base):
    """How far a watch has come: its resourceVersion, and when the host was heard last, by the host's clock."""

    __tablename__ = "usage_positions"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(64))
    heard_at: Mapped[int] = mapped_column(BigInteger)


class UsageHandoverRow(Base):
    """An account was handed over at ``at``: what its name held before is the former owner's."""

    __tablename__ = "usage_handovers"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    former: Mapped[str] = mapped_column(String(255))


class PriceRow(Base):
    """A version of a profile's price: see domain.prices.PriceVersion. Rows are only ever added."""

    __tablename__ = "usage_prices"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    profile: Mapped[str] = mapped_column(String(253))
    effective_from: Mapped[int] = mapped_column(BigInteger)
    per_hour: Mapped[str | None] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(8))


class UsageMonthRow(Base):
    """A closed month: of which events it was made, its digest, and by whom it was closed. ``checked`` is the event up
    to which it was looked at for late facts."""

    __tablename__ = "usage_months"

    name: Mapped[str] = mapped_column(String(8), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger)
    end: Mapped[int] = mapped_column(BigInteger)
    zone: Mapped[str] = mapped_column(String(64))
    closed_at: Mapped[int] = mapped_column(BigInteger)
    closed_by: Mapped[str] = mapped_column(String(255))
    through: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    checked: Mapped[int] = mapped_column(BigInteger)


class BillRow(Base):
    """A line of a closed month as it was billed, or a correction of one. Rows are only ever added.

    ``record`` is original, retraction or restatement; a correction is booked in the month that was open then.
    """

    __tablename__ = "usage_bill_rows"
    __table_args__ = (Index("ix_usage_bill_rows_booked", "booked_in"),)

    month: Mapped[str] = mapped_column(String(8), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    record: Mapped[str] = mapped_column(String(16))
    booked_in: Mapped[str] = mapped_column(String(8))
    booked_at: Mapped[int] = mapped_column(BigInteger)
    tenant: Mapped[str] = mapped_column(String(64))
    line: Mapped[str] = mapped_column(Text)


# Tables whose rows nobody changes or removes: the database itself refuses it.
APPEND_ONLY = ("usage_events", "usage_prices", "usage_bill_rows")
