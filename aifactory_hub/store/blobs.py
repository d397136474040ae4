"""Where files are kept under keys: a folder, or a bucket of object storage by the S3 API. Same contract, same tests.

A key is made of our own words, ids and digests, never of a user's text. What is under a key is there whole or not at
all. All methods block.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from obstore.store import S3Store

_CHUNK = 256 * 1024
# Above this a file goes to object storage in parts, in bytes.
_PART = 8 * 2**20
# What an S3 server is asked to delete at once; the API's own limit.
_AT_ONCE = 1000
_RETRIES = 4


class BlobMissing(Exception):
    """Nothing is kept under this key."""


class BlobsUnavailable(Exception):
    """Object storage did not answer, or refused us. Nothing may be concluded; try again."""


@dataclass(frozen=True, slots=True)
class BlobFact:
    """What is kept under ``key``: ``size`` in bytes, ``modified`` in epoch seconds."""

    key: str
    size: int
    modified: float


class Reading(Protocol):
    """What is under a key, as it comes. ``size`` in bytes, of all of it."""

    size: int

    def next(self) -> bytes:
        """The next piece; b"" at the end."""

    def close(self) -> None:
        """Let go of it."""


class Blobs(Protocol):
    """Every method raises BlobsUnavailable when the storage does not answer."""

    def put(self, key: str, source: Path) -> None:
        """Keep ``source`` under ``key`` in place of what was there. The file ``source`` is used up."""

    def size(self, key: str) -> int | None:
        """In bytes; None when nothing is there."""

    def open(self, key: str) -> Reading:
        """Read it in pieces. Raises BlobMissing."""

    def read(self, key: str, start: int = 0, most: int | None = None) -> bytes:
        """Up to ``most`` bytes from ``start`` on. Raises BlobMissing."""

    def delete(self, keys: Iterable[str]) -> None:
        """Remove them; what is not there already is no problem."""

    def list(self, prefix: str) -> Iterator[BlobFact]:
        """All whose key begins with ``prefix``, which ends in "/"."""


class FolderBlobs:
    """See Blobs: a folder, where a key is a path."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, source: Path) -> None:
        """``source`` must be in the same file system, and flushed to disk."""
        target = self._root / key
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.replace(target)

    def size(self, key: str) -> int | None:
        """See Blobs."""
        try:
            return (self._root / key).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, key: str) -> Reading:
        """See Blobs."""
        return _OpenFile(self._opened(key))

    def read(self, key: str, start: int = 0, most: int | None = None) -> bytes:
        """See Blobs."""
        with self._opened(key) as file:
            file.seek(start)
            return bytes(file.read(-1 if most is None else most))

    def delete(self, keys: Iterable[str]) -> None:
        """Folders that become empty go too, so that a job leaves none behind."""
        for key in keys:
            path = self._root / key
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                for parent in list(path.relative_to(self._root).parents)[:-2]:
                    (self._root / parent).rmdir()

    def list(self, prefix: str) -> Iterator[BlobFact]:
        """See Blobs."""
        for place, _, names in os.walk(self._root / prefix):
            for name in names:
                path = Path(place) / name
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    yield BlobFact(path.relative_to(self._root).as_posix(), status.st_size, status.st_mtime)

    def _opened(self, key: str) -> Any:
        try:
            return (self._root / key).open("rb")
        except FileNotFoundError as error:
            raise BlobMissing(key) from error


class _OpenFile:
    def __init__(self, file: Any) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def next(self) -> bytes:
        return bytes(self._file.read(_CHUNK))

    def close(self) -> None:
        self._file.close()


class S3Blobs:
    """See Blobs: a bucket, by the S3 API. Files are streamed both ways, large ones in parts."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    @classmethod
    def at(cls, address: str) -> S3Blobs:
        """At ``s3://<bucket>/<prefix>``. Raises ValueError.

        Endpoint, region and credentials come as AWS's own tools have them: AWS_* variables, a web identity token or the
        node's role.
        """
        from obstore.store import S3Store

        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        plain = {"client_options": {"allow_http": True}} if endpoint.startswith("http://") else {}
        named: dict[str, Any] = {"endpoint": endpoint, **plain} if endpoint else {}
        # A service that waits minutes for storage helps nobody: who asked is told, and asks again.
        retry: Any = {"max_retries": _RETRIES, "retry_timeout": _seconds(20)}
        try:
            return cls(S3Store(bucket, prefix=prefix.strip("/") or None, retry_config=retry, **named))
        except Exception as error:
            raise ValueError(_first_line(error)) from error

    def check(self) -> None:
        """Raises BlobsUnavailable when the bucket can't be read."""
        self.size("check")

    def put(self, key: str, source: Path) -> None:
        """See Blobs."""
        import obstore

        with _told():
            obstore.put(self._store, key, source, use_multipart=source.stat().st_size > _PART, chunk_size=_PART)
        source.unlink()

    def size(self, key: str) -> int | None:
        """See Blobs."""
        import obstore

        try:
            with _told():
                return int(obstore.head(self._store, key)["size"])
        except BlobMissing:
            return None

    def open(self, key: str) -> Reading:
        """See Blobs."""
        import obstore

        with _told():
            return _Download(obstore.get(self._store, key))

    def read(self, key: str, start: int = 0, most: int | None = None) -> bytes:
        """See Blobs."""
        import obstore

        size = self.size(key)
        if size is None:
            raise BlobMissing(key)
        length = max(0, size - start) if most is None else max(0, min(most, size - start))
        if not length:  # no range that S3 knows
            return b""
        with _told():
            return bytes(obstore.get_range(self._store, key, start=start, length=length))

    def delete(self, keys: Iterable[str]) -> None:
        """See Blobs."""
        import obstore

        wanted = list(keys)
        for begin in range(0, len(wanted), _AT_ONCE):
            with _told(), contextlib.suppress(BlobMissing), _told():
                obstore.delete(self._store, wanted[begin : begin + _AT_ONCE])

    def list(self, prefix: str) -> Iterator[BlobFact]:
        """See Blobs."""
        import obstore

        with _told():
            for page in obstore.list(self._store, prefix, chunk_size=_AT_ONCE):
                for found in page:
                    yield BlobFact(found["path"], found["size"], found["last_modified"].timestamp())


class _Download:
    def __init__(self, answer: Any) -> None:
        self.size = int(answer.meta["size"])
        self._pieces = iter(answer.stream(min_chunk_size=_CHUNK))

    def next(self) -> bytes:
        with _told():
            return bytes(next(self._pieces, b""))

    def close(self) -> None:
        self._pieces = iter(())


@contextmanager
def _told() -> Iterator[None]:
    """obstore's errors as ours. Only the first line: the rest repeats addresses and answers at length."""
    from obstore.exceptions import BaseError, NotFoundError

    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise BlobMissing(_first_line(error)) from error
    except (BaseError, OSError, ValueError) as error:
        raise BlobsUnavailable(f"object storage does not answer: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _seconds(number: int) -> Any:
    from datetime import timedelta

    return timedelta(seconds=number)


def remove_leftovers(folder: Path) -> None:
    """What a process before this one had half written."""
    shutil.rmtree(folder, ignore_errors=True)
