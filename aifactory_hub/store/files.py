"""The service's files: what was uploaded for jobs, and what they gave back.

Every key is made of a job's id, a digest or our own words, never of a user's text. A file is written aside, in the
service's own folder, and flushed to disk before it is kept: so it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from .blobs import Blobs, FolderBlobs, Reading, remove_leftovers

_JOB_ID = re.compile(r"[a-z][a-z0-9]{4,38}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

# Journals, each a folder: of jobs, of the ledger, and of models.
JOURNAL = "journal"
LEDGER_JOURNAL = "ledger"
MODELS_JOURNAL = "models"
BUDGETS_JOURNAL = "budgets"
DATASETS_JOURNAL = "datasets"


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

    key: str
    size: int
    sha256: str


class Incoming:
    """A file on its way in. ``write`` raises TooLarge; leaving the ``with`` block drops what was not kept."""

    def __init__(self, folder: Path, limit: int, blobs: Blobs) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / secrets.token_hex(12)
        self._file = self.path.open("xb")
        self._digest = hashlib.sha256()
        self._limit = limit
        self._blobs = blobs
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

    def complete(self, *, announced: str | None = None) -> str:
        """No more comes: its digest, and the file ``path`` is whole. Raises DigestMismatch."""
        found = self._digest.hexdigest()
        if announced is not None and announced != found:
            raise DigestMismatch(announced, found)
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return found

    def keep(self, key: str, *, announced: str | None = None) -> StoredFile:
        """Keep what was written under ``key``, if it has the ``announced`` digest. Raises DigestMismatch."""
        found = self.complete(announced=announced)
        self._blobs.put(key, self.path)
        return StoredFile(key, self.size, found)

    def drop(self) -> None:
        """Forget what was not kept."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class FileStore:
    """Files by key. ``root`` is the service's own folder, for secrets and for what is half received; ``blobs`` is where
    the rest is kept, by default the same folder."""

    def __init__(self, root: Path, blobs: Blobs | None = None) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._blobs: Blobs = FolderBlobs(root) if blobs is None else blobs
        remove_leftovers(self._incoming)

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    def incoming(self, limit: int) -> Incoming:
        """Begin a file of at most ``limit`` bytes."""
        return Incoming(self._incoming, limit, self._blobs)

    def open(self, key: str) -> Reading:
        """Read what is kept under a key, in pieces. Raises BlobMissing."""
        return self._blobs.open(key)

    def read(self, key: str, start: int = 0, most: int | None = None) -> bytes:
        """Up to ``most`` bytes of it from ``start`` on. Raises BlobMissing."""
        return self._blobs.read(key, start, most)

    def size(self, key: str) -> int | None:
        """In bytes; None when nothing is kept there."""
        return self._blobs.size(key)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove them."""
        self._blobs.delete(keys)

    def disk(self) -> tuple[int, int]:
        """Size of the disk that uploads are written to, and what is free of it, in bytes."""
        usage = shutil.disk_usage(self._root)
        return usage.total, usage.free

    def pack(self, tenant: str, owner: str, sha256: str) -> str:
        """This user's pack of files with this digest."""
        return f"packs/{_whose(tenant, owner)}/{_digest(sha256)}.tar.gz"

    def manifest(self, tenant: str, owner: str, sha256: str) -> str:
        """The manifest of this user's snapshot with this digest."""
        return f"snapshots/{_whose(tenant, owner)}/{_digest(sha256)}.json"

    def log(self, job_id: str, attempt: int) -> str:
        """The log of a job's attempt."""
        return f"{_of_job(job_id)}log-{attempt}"

    def artifact(self, job_id: str, name: str) -> str:
        """The file that holds the job's artifact ``name``."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{_of_job(job_id)}artifacts/{digest}"

    def drop_job(self, job_id: str) -> None:
        """Remove all files of a job."""
        self._drop_all(_of_job(job_id))

    def drop(self, job_id: str, kind: str, *, keep: Collection[str] = ()) -> None:
        """Remove a job's ``kind`` (log, artifacts) but for the keys in ``keep``."""
        match kind:
            case "log":
                kept = self._blobs.list(_of_job(job_id))
                self._blobs.delete([blob.key for blob in kept if blob.key.startswith(f"{_of_job(job_id)}log-")])
            case "artifacts":
                self._drop_all(f"{_of_job(job_id)}artifacts/", keep)
            case _:
                raise ValueError(f"{kind!r} is not kept of a job")

    def job_ids(self, *, older_than: float) -> list[str]:
        """Ids of jobs that have files, all last touched before ``older_than`` (epoch seconds)."""
        touched: dict[str, float] = {}
        for blob in self._blobs.list("jobs/"):
            job_id = blob.key.split("/")[1]
            touched[job_id] = max(blob.modified, touched.get(job_id, 0.0))
        return [job_id for job_id, at in touched.items() if at < older_than]

    def journal_write(self, number: int, content: bytes, *, of: str = JOURNAL) -> None:
        """Keep a batch of a journal, whole or not at all."""
        with self.incoming(len(content)) as incoming:
            incoming.write(content)
            incoming.keep(_journal(of, number))

    def journal_read(self, number: int, *, of: str = JOURNAL) -> bytes:
        """A batch of a journal."""
        return self._blobs.read(_journal(of, number))

    def journal_numbers(self, *, of: str = JOURNAL) -> list[int]:
        """The numbers of the batches that are kept, in order."""
        return sorted(number for number, _ in self._journals(of))

    def journal_drop(self, *, older_than: float, of: str = JOURNAL) -> int:
        """Remove batches written before ``older_than`` (epoch seconds), never the last one; how many went."""
        kept = sorted(self._journals(of))[:-1]
        old = [_journal(of, number) for number, modified in kept if modified < older_than]
        self._blobs.delete(old)
        return len(old)

    def _journals(self, of: str) -> list[tuple[int, float]]:
        found = self._blobs.list(f"{of}/")
        return [(int(Path(blob.key).stem), blob.modified) for blob in found if blob.key.endswith(".jsonl")]

    def secret(self, name: str) -> bytes:
        """Random bytes that are made once and then stay, e.g. the key that jobs' tokens are derived from.

        Always in the service's own folder: who can read the bucket can't speak for a job.
        """
        path = self._root / f"{name}.secret"
        if not path.exists():
            with Incoming(self._incoming, 64, FolderBlobs(self._root)) as incoming:
                incoming.write(secrets.token_bytes(32))
                incoming.path.chmod(0o600)
                incoming.keep(path.name)
        return path.read_bytes()

    def own_folder(self, name: str) -> Path:
        """A folder beside the secrets, always in the service's own one."""
        return self._root / name

    def credential(self, owner: str) -> str | None:
        """What ``owner``, such as a trigger, signs in with elsewhere; None when nothing is kept."""
        path = self._credential(owner)
        return path.read_text(encoding="utf-8") if path.exists() else None

    def keep_credential(self, owner: str, text: str | None) -> None:
        """Keep it in the service's own folder, for its own account alone; None removes it."""
        path = self._credential(owner)
        if text is None:
            path.unlink(missing_ok=True)
            return
        content = text.encode()
        with Incoming(self._incoming, len(content), FolderBlobs(self._root)) as incoming:
            incoming.write(content)
            incoming.path.chmod(0o600)
            incoming.keep(path.relative_to(self._root).as_posix())

    def _credential(self, owner: str) -> Path:
        if _JOB_ID.fullmatch(owner) is None:
            raise ValueError(f"{owner!r} is no id")
        return self._root / "credentials" / f"{owner}.secret"

    def _drop_all(self, prefix: str, keep: Collection[str] = ()) -> None:
        self._blobs.delete([blob.key for blob in self._blobs.list(prefix) if blob.key not in keep])


def _of_job(job_id: str) -> str:
    if _JOB_ID.fullmatch(job_id) is None:
        raise ValueError(f"{job_id!r} is not a job's id")
    return f"jobs/{job_id}/"


def _whose(tenant: str, owner: str) -> str:
    # A digest of both names: an upload is nobody else's to run, and user names are no file names.
    return hashlib.sha256(f"{len(tenant)}:{tenant}{owner}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _digest(sha256: str) -> str:
    if _SHA256.fullmatch(sha256) is None:
        raise ValueError(f"{sha256!r} is not a SHA-256 digest")
    return sha256


def _journal(of: str, number: int) -> str:
    return f"{of}/{number:012d}.jsonl"
