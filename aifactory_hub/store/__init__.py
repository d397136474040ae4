"""The service's own memory: jobs in a database, their files in a folder."""

from .database import migrate, open_engine
from .files import DigestMismatch, FileStore, StoredFile, TooLarge
from .jobs import Jobs
from .records import Artifact, JobFilter, JobRecord
from .spool import LogPiece, LogSpool

__all__ = [
    "Artifact",
    "DigestMismatch",
    "FileStore",
    "JobFilter",
    "JobRecord",
    "Jobs",
    "LogPiece",
    "LogSpool",
    "StoredFile",
    "TooLarge",
    "migrate",
    "open_engine",
]
