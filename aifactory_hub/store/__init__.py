"""The service's own memory: jobs in a database, their files in a folder."""

from .blobs import BlobMissing, Blobs, BlobsUnavailable, FolderBlobs, S3Blobs
from .database import migrate, open_db
from .deliveries import Deliveries, Delivery
from .files import DigestMismatch, FileStore, Incoming, StoredFile, TooLarge
from .identity import database_id
from .jobs import Jobs
from .journal import DatabaseReplaced, Journal
from .lease import Lease, LeaseLost, LeaseTaken
from .metrics import StoredMetrics, StoredSeries
from .outbox import JobEvent, Outbox
from .records import Artifact, JobFilter, JobRecord
from .schedules import Schedule, Schedules
from .snapshots import FilesMissing, SizeMismatch, Snapshot, SnapshotMissing, Snapshots
from .spool import LogPiece, LogSpool
from .triggers import Trigger, Triggers

__all__ = [
    "Artifact",
    "BlobMissing",
    "Blobs",
    "BlobsUnavailable",
    "DatabaseReplaced",
    "Deliveries",
    "Delivery",
    "DigestMismatch",
    "FileStore",
    "FilesMissing",
    "FolderBlobs",
    "Incoming",
    "JobEvent",
    "JobFilter",
    "JobRecord",
    "Jobs",
    "Journal",
    "Lease",
    "LeaseLost",
    "LeaseTaken",
    "LogPiece",
    "LogSpool",
    "Outbox",
    "S3Blobs",
    "Schedule",
    "Schedules",
    "SizeMismatch",
    "Snapshot",
    "SnapshotMissing",
    "Snapshots",
    "StoredFile",
    "StoredMetrics",
    "StoredSeries",
    "TooLarge",
    "Trigger",
    "Triggers",
    "database_id",
    "migrate",
    "open_db",
]
