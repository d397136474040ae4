"""The service's own memory: jobs in a database, their files in a folder."""

from .database import migrate, open_engine
from .deliveries import Deliveries, Delivery
from .files import DigestMismatch, FileStore, StoredFile, TooLarge
from .jobs import Jobs
from .records import Artifact, JobFilter, JobRecord
from .schedules import Schedule, Schedules
from .spool import LogPiece, LogSpool

__all__ = [
    "Artifact",
    "Deliveries",
    "Delivery",
    "DigestMismatch",
    "FileStore",
    "JobFilter",
    "JobRecord",
    "Jobs",
    "LogPiece",
    "LogSpool",
    "Schedule",
    "Schedules",
    "StoredFile",
    "TooLarge",
    "migrate",
    "open_engine",
]
