"""The service's own memory: jobs in a database, their files in a folder."""

from .database import migrate, open_engine
from .deliveries import Deliveries, Delivery
from .files import DigestMismatch, FileStore, StoredFile, TooLarge
from .jobs import Jobs
from .journal import DatabaseReplaced, Journal
from .lease import Lease, LeaseLost, LeaseTaken
from .records import Artifact, JobFilter, JobRecord
from .schedules import Schedule, Schedules
from .spool import LogPiece, LogSpool

__all__ = [
    "Artifact",
    "DatabaseReplaced",
    "Deliveries",
    "Delivery",
    "DigestMismatch",
    "FileStore",
    "JobFilter",
    "JobRecord",
    "Jobs",
    "Journal",
    "Lease",
    "LeaseLost",
    "LeaseTaken",
    "LogPiece",
    "LogSpool",
    "Schedule",
    "Schedules",
    "StoredFile",
    "TooLarge",
    "migrate",
    "open_engine",
]
