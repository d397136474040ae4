"""The service's files: what was uploaded for jobs, and what they gave back.

Every name below the folder is made of a job's id, a digest or our own words, never of a user's text.
A file appears under its name whole or not at all: it is written aside, flushed to disk and renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_JOB_ID = re.compile(r"[a-z][a-z0-9]{4,38}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TooLarge(Exception):
    """More bytes came than ``limit``."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} bytes")
        self.limit = limit


class DigestMismatch(Exception):
    """What arrived has another SHA-256 than was announced: it was damaged on the way."""

    def __init__(self, announced: str, found: str) -> None:
        super().__init__(f"SHA-256 is {found}, announced was {announced}")
        self.announced = announced
        self.found = found


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A whole file in the store; ``size`` in bytes."""

    path: Path
    size: int
    sha256: str


class Incoming:
    """A file on its way in. ``write`` raises TooLarge; leaving the ``with`` block drops what was not kept."""

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / secrets.token_hex(12)
        self._file = self._path.open("xb")
        self._digest = hashlib.sha256()
        self._limit = limit
        self.size = 0

    def __enter__(self) -> Incoming:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def write(self, chunk: bytes) -> None:
        """Add ``chunk``."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise TooLarge(self._limit)
        self._digest.update(chunk)
        self._file.write(chunk)

    def keep(self, target: Path, *, announced: str | None = None) -> StoredFile:
        """Move what was written to ``target``, if it has the ``announced`` digest. Raises DigestMismatch."""
        found = self._digest.hexdigest()
        if announced is not None and announced != found:
            raise DigestMismatch(announced, found)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.replace(target)
        return StoredFile(target, self.size, found)

    def drop(self) -> None:
        """Forget what was not kept."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class FileStore:
    """The folder. Uploads belong to one tenant and user; a job gets its own link to what it runs with."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self._incoming, ignore_errors=True)

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    def incoming(self, limit: int) -> Incoming:
        """Begin a file of at most ``limit`` bytes."""
        return Incoming(self._incoming, limit)

    def upload(self, tenant: str, owner: str, sha256: str) -> Path:
        """Where this user's upload with this digest is, or would be."""
        if _SHA256.fullmatch(sha256) is None:
            raise ValueError(f"{sha256!r} is not a SHA-256 digest")
        # A digest of both names: an upload is nobody else's to run, and user names are no file names.
        whose = hashlib.sha256(f"{len(tenant)}:{tenant}{owner}".encode("utf-8", "surrogatepass")).hexdigest()
        return self._root / "uploads" / whose[:32] / f"{sha256}.tar.gz"

    def take_upload(self, upload: Path, job_id: str, *, sha256: str | None = None) -> StoredFile | None:
        """Give the job its own link to ``upload``, which outlives the upload; None when that is not there.

        ``upload`` may be another job's input too, whose digest is ``sha256``.
        """
        target = self.input(job_id)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.link(upload, target)
        except FileExistsError:
            pass
        except FileNotFoundError:
            return None
        return StoredFile(target, target.stat().st_size, sha256 or upload.name.removesuffix(".tar.gz"))

    def input(self, job_id: str) -> Path:
        """The job's input archive."""
        return self._job(job_id) / "input.tar.gz"

    def log(self, job_id: str) -> Path:
        """The job's log."""
        return self._job(job_id) / "log"

    def attempt_log(self, job_id: str, attempt: int) -> Path:
        """The log of an attempt that another one followed."""
        return self._job(job_id) / f"log-{attempt}"

    def set_log_aside(self, job_id: str, attempt: int) -> None:
        """Make the job's log the one of ``attempt``, so that the next has its own. Again: no change."""
        with contextlib.suppress(FileNotFoundError):
            self.log(job_id).replace(self.attempt_log(job_id, attempt))

    def artifact(self, job_id: str, name: str) -> Path:
        """The file that holds the job's artifact ``name``."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self._job(job_id) / "artifacts" / digest

    def drop_job(self, job_id: str) -> None:
        """Remove all files of a job."""
        shutil.rmtree(self._job(job_id), ignore_errors=True)

    def drop(self, job_id: str, kind: str) -> None:
        """Remove a job's ``kind`` (inputs, log, artifacts)."""
        folder = self._job(job_id)
        match kind:
            case "inputs":
                self.input(job_id).unlink(missing_ok=True)
            case "log":
                for path in folder.glob("log*"):
                    path.unlink(missing_ok=True)
            case "artifacts":
                shutil.rmtree(folder / "artifacts", ignore_errors=True)
            case _:
                raise ValueError(f"{kind!r} is not kept of a job")

    def job_ids(self, *, older_than: float) -> list[str]:
        """Ids of jobs that have files last touched before ``older_than`` (epoch seconds)."""
        return [path.name for path in _children(self._root / "jobs") if _touched(path) < older_than]

    def drop_uploads(self, *, older_than: float) -> int:
        """Remove uploads that came before ``older_than`` (epoch seconds); jobs keep their own links. How many went."""
        old = [
            upload
            for whose in _children(self._root / "uploads")
            for upload in _children(whose)
            if _touched(upload) < older_than
        ]
        for upload in old:
            upload.unlink(missing_ok=True)
        return len(old)

    def journal_write(self, number: int, content: bytes) -> None:
        """Keep a batch of the journal, whole or not at all."""
        with self.incoming(len(content)) as incoming:
            incoming.write(content)
            incoming.keep(self._journal(number))

    def journal_read(self, number: int) -> bytes:
        """A batch of the journal."""
        return self._journal(number).read_bytes()

    def journal_numbers(self) -> list[int]:
        """The numbers of the batches that are kept, in order."""
        return sorted(int(path.stem) for path in _children(self._root / "journal") if path.suffix == ".jsonl")

    def journal_drop(self, *, older_than: float) -> int:
        """Remove batches written before ``older_than`` (epoch seconds), never the last one; how many went."""
        old = [n for n in self.journal_numbers()[:-1] if _touched(self._journal(n)) < older_than]
        for number in old:
            self._journal(number).unlink(missing_ok=True)
        return len(old)

    def _journal(self, number: int) -> Path:
        return self._root / "journal" / f"{number:012d}.jsonl"

    def secret(self, name: str) -> bytes:
        """Random bytes that are made once and then stay, e.g. the key that jobs' tokens are derived from."""
        path = self._root / f"{name}.secret"
        if not path.exists():
            with self.incoming(64) as incoming:
                incoming.write(secrets.token_bytes(32))
                incoming.keep(path)
            path.chmod(0o600)
        return path.read_bytes()

    def _job(self, job_id: str) -> Path:
        if _JOB_ID.fullmatch(job_id) is None:
            raise ValueError(f"{job_id!r} is not a job's id")
        return self._root / "jobs" / job_id


def _children(folder: Path) -> Iterable[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
