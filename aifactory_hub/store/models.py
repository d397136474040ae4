"""The database's tables. Times are epoch seconds in floats: one meaning in every database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ..domain.search_text import fold

# Rows that are not in the journal as they are.
_NEWS = text("revision > journaled")
# Events that have a number, and that have none yet: one is in one of two indexes, so it is written fast.
_NUMBERED, _UNNUMBERED = text("number IS NOT NULL"), text("number IS NULL")
# Attempts that left a log.
_LOGS = text("log_size IS NOT NULL")


def _searched(row: Mapping[str, Any]) -> str:
    return fold(f"{row['name']}\n{row['command']}")


class Base(DeclarativeBase):
    """All tables of the service."""


class JobRow(Base):
    """See records.JobRecord and domain.job_spec.JobSpec for what the columns mean."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "key", name="uq_jobs_key"),
        # Every list is the newest of one tenant: all, of one owner, of one state.
        Index("ix_jobs_tenant_submitted", "tenant", "submitted_at", "id"),
        Index("ix_jobs_owner_submitted", "tenant", "owner", "submitted_at", "id"),
        Index("ix_jobs_state_submitted", "tenant", "state", "submitted_at", "id"),
        Index("ix_jobs_cleaned", "cleaned_at"),
        Index("ix_jobs_finished", "finished_at"),
        Index("ix_jobs_sweep", "sweep"),
        Index("ix_jobs_input", "input_sha256"),
        Index("ix_jobs_news", "id", sqlite_where=_NEWS, postgresql_where=_NEWS),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    command: Mapped[str] = mapped_column(Text)
    # Name and command, folded: what is searched. Neither ever changes.
    search: Mapped[str] = mapped_column(Text, default=lambda context: _searched(context.get_current_parameters()))
    profile: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    environment: Mapped[dict[str, str]] = mapped_column(JSON)
    outputs: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    input_sha256: Mapped[str | None] = mapped_column(String(64))
    input_size: Mapped[int] = mapped_column(BigInteger)
    # What was asked besides.
    backend: Mapped[str | None] = mapped_column(String(64))
    image: Mapped[str | None] = mapped_column(String(512))
    priority: Mapped[str] = mapped_column(String(16))
    max_seconds: Mapped[int | None] = mapped_column(Integer)
    max_retries: Mapped[int] = mapped_column(Integer)
    retry_backoff: Mapped[float] = mapped_column(Float(53))
    notify: Mapped[list[str]] = mapped_column(JSON)
    nodes: Mapped[int] = mapped_column(Integer)
    template: Mapped[str | None] = mapped_column(String(253))
    parameters: Mapped[dict[str, str]] = mapped_column(JSON)
    source: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    provenance: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    retry_of: Mapped[str | None] = mapped_column(String(40))
    schedule: Mapped[str | None] = mapped_column(String(40))
    sweep: Mapped[str | None] = mapped_column(String(64))
    sweep_parameters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    secrets: Mapped[list[str]] = mapped_column(JSON, default=list)
    # Where it stands.
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    exit_code: Mapped[int | None]
    attempt: Mapped[int] = mapped_column(Integer)
    not_before: Mapped[float | None] = mapped_column(Float(53))
    unreachable_since: Mapped[float | None] = mapped_column(Float(53))
    unreachable: Mapped[str | None] = mapped_column(Text)
    # What people ask of it while it lives.
    cancel_asked_at: Mapped[float | None] = mapped_column(Float(53))
    cancel_asked_by: Mapped[str | None] = mapped_column(String(255))
    cancel_word: Mapped[str | None] = mapped_column(Text)
    suspend_asked_at: Mapped[float | None] = mapped_column(Float(53))
    suspend_asked_by: Mapped[str | None] = mapped_column(String(255))
    submitted_at: Mapped[float] = mapped_column(Float(53))
    finished_at: Mapped[float | None] = mapped_column(Float(53))
    cleaned_at: Mapped[float | None] = mapped_column(Float(53))
    inputs_dropped_at: Mapped[float | None] = mapped_column(Float(53))
    log_dropped_at: Mapped[float | None] = mapped_column(Float(53))
    artifacts_dropped_at: Mapped[float | None] = mapped_column(Float(53))
    revision: Mapped[int] = mapped_column(Integer)
    journaled: Mapped[int] = mapped_column(Integer)


class AttemptRow(Base):
    """One attempt of a job, from its first step on. See domain.attempts.Attempt for what the columns mean."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_logs", "job_id", "log_size", sqlite_where=_LOGS, postgresql_where=_LOGS),)

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    queued_at: Mapped[float | None] = mapped_column(Float(53))
    starting_at: Mapped[float | None] = mapped_column(Float(53))
    running_at: Mapped[float | None] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    kind: Mapped[str | None] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    exit_code: Mapped[int | None]
    nodes: Mapped[list[str]] = mapped_column(JSON, default=list)
    devices: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    token_hash: Mapped[str | None] = mapped_column(String(64))
    run_intended_at: Mapped[float | None] = mapped_column(Float(53))
    run_created_at: Mapped[float | None] = mapped_column(Float(53))
    run_uid: Mapped[str | None] = mapped_column(String(64))
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    progress_percent: Mapped[float | None] = mapped_column(Float(53))
    eta_seconds: Mapped[float | None] = mapped_column(Float(53))
    metrics: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    progress_at: Mapped[float | None] = mapped_column(Float(53))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    log_size: Mapped[int | None] = mapped_column(BigInteger)
    log_sha256: Mapped[str | None] = mapped_column(String(64))


class MetricRow(Base):
    """One series of an attempt's metrics: see domain.metrics.Series. ``changed`` is the number of the report that
    changed it last, counted for the job; ``rebuilt`` that of the last one from which on it is kept thinner."""

    __tablename__ = "metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    stride: Mapped[int] = mapped_column(BigInteger)
    lowest_number: Mapped[int | None] = mapped_column(BigInteger)
    lowest: Mapped[float | None] = mapped_column(Float(53))
    highest_number: Mapped[int | None] = mapped_column(BigInteger)
    highest: Mapped[float | None] = mapped_column(Float(53))
    not_finite: Mapped[int | None] = mapped_column(BigInteger)
    changed: Mapped[int] = mapped_column(Integer)
    rebuilt: Mapped[int] = mapped_column(Integer)


class MetricPointRow(Base):
    """One point of a series: see domain.metrics.Point. ``batch`` is the number of the report that brought it; a null
    ``value`` is NaN."""

    __tablename__ = "metric_points"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    step: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float] = mapped_column(Float(53))
    value: Mapped[float | None] = mapped_column(Float(53))
    batch: Mapped[int] = mapped_column(Integer)


class ArtifactRow(Base):
    """One file that a job gave back."""

    __tablename__ = "artifacts"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(512), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[float] = mapped_column(Float(53))


class PackRow(Base):
    """Files that somebody sent, as one archive; ``content`` is what they are unpacked, in bytes."""

    __tablename__ = "packs"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "sha256", name="uq_packs"),
        Index("ix_packs_used", "used_at"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[int] = mapped_column(BigInteger)
    used_at: Mapped[float] = mapped_column(Float(53))


class PackFileRow(Base):
    """One file's content in a pack."""

    __tablename__ = "pack_files"
    __table_args__ = (Index("ix_pack_files_pack", "pack_id"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    pack_id: Mapped[int] = mapped_column(ForeignKey("packs.id", ondelete="CASCADE"), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)


class SnapshotRow(Base):
    """A folder as it was: see snapshots.Snapshot. ``stored`` is the size of its manifest on disk, in bytes."""

    __tablename__ = "snapshots"
    __table_args__ = (Index("ix_snapshots_used", "used_at"),)

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    packs: Mapped[list[str]] = mapped_column(JSON)
    used_at: Mapped[float] = mapped_column(Float(53))
    stored: Mapped[int | None] = mapped_column(BigInteger)


class ScheduleRow(Base):
    """See schedules.Schedule for what the columns mean."""

    __tablename__ = "schedules"
    __table_args__ = (
        UniqueConstraint("tenant", "owner", "key", name="uq_schedules_key"),
        Index("ix_schedules_next", "next_at"),
        Index("ix_schedules_tenant", "tenant", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(128))
    request_digest: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    cron: Mapped[str] = mapped_column(String(128))
    time_zone: Mapped[str] = mapped_column(String(64))
    overlap: Mapped[str] = mapped_column(String(16))
    paused: Mapped[bool]
    created_at: Mapped[float] = mapped_column(Float(53))
    next_at: Mapped[float | None] = mapped_column(Float(53))
    last_at: Mapped[float | None] = mapped_column(Float(53))
    last_job: Mapped[str | None] = mapped_column(String(40))
    problem: Mapped[str | None] = mapped_column(Text)


class DeliveryRow(Base):
    """One message to one address, until it is delivered or given up. See deliveries.Delivery.

    ``job_id`` is null for one that is about no job."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("ix_deliveries_next", "next_at"), Index("ix_deliveries_job", "job_id"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    event: Mapped[str] = mapped_column(String(32))
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float(53))
    tries: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[float | None] = mapped_column(Float(53))
    delivered_at: Mapped[float | None] = mapped_column(Float(53))
    problem: Mapped[str | None] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(String(16), default="standard")


class JobEventRow(Base):
    """A job came into a state: see outbox.JobEvent. It stays when its job goes, until every consumer has passed it."""

    __tablename__ = "job_events"
    __table_args__ = (
        Index("ix_job_events_number", "number", unique=True, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED),
        Index("ix_job_events_new", "id", sqlite_where=_UNNUMBERED, postgresql_where=_UNNUMBERED),
    )

    # SQLite counts up integers only.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    number: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[str] = mapped_column(String(40))
    attempt: Mapped[int] = mapped_column(Integer)
    from_state: Mapped[str | None] = mapped_column(String(16))
    to_state: Mapped[str] = mapped_column(String(16))
    at: Mapped[float] = mapped_column(Float(53))
    reason: Mapped[str | None] = mapped_column(Text)


class ConsumerRow(Base):
    """The number of the last event that a consumer of events has passed."""

    __tablename__ = "consumers"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class MarkRow(Base):
    """A named place that the service has come to, e.g. in its journal."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class AccountRow(Base):
    """How many times an account was handed over to another person, as far as it was carried out here."""

    __tablename__ = "accounts"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    generation: Mapped[int] = mapped_column(Integer)


class LeavingRow(Base):
    """Since when the owner of live jobs or schedules is known not to be a member of their team."""

    __tablename__ = "leaving"

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    since: Mapped[float] = mapped_column(Float(53))
