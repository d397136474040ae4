"""What live jobs print, as it comes: pieces by their place in the output, the oldest dropped beyond a limit.

Always a folder of the service's own, whatever keeps finished logs: pieces come by the second, and once a job has
ended its log is stored whole. A piece that comes twice changes nothing.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_RUN = re.compile(r"[a-z0-9]{1,60}")
# Pieces are joined up to this size, in bytes, so that a day of short lines is no folder of a million files.
_JOINED = 256 * 1024


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Output from byte ``start`` on. ``start`` is past the place that was asked for when what was there is gone."""

    start: int
    content: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.content)


class LogSpool:
    """One folder a run. ``limit`` is how many of the last bytes of each are kept, at least."""

    def __init__(self, root: Path, *, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._held: dict[str, int] | None = None
        self._lock = threading.Lock()

    def set_limit(self, limit: int) -> None:
        """Use another limit from the next piece on."""
        self._limit = limit

    def append(self, run_id: str, offset: int, chunk: bytes) -> int:
        """Add what was printed at ``offset``; the place that the next piece is expected at.

        What is there already is passed over. A piece past the end leaves a gap: its sender had to drop something.
        """
        folder = self._folder(run_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pieces = _pieces(folder)
        end = _end(pieces)
        if offset < end:
            chunk, offset = chunk[end - offset :], end
        if not chunk:
            return end
        last = pieces[-1] if pieces else None
        joins = last is not None and offset == end and last[1] < _JOINED
        path = folder / f"{last[0] if joins and last is not None else offset:018d}"
        with path.open("ab") as file:
            file.write(chunk)
        room = self._shorten(folder)
        with self._lock:
            if self._held is not None:
                self._held[run_id] = room
        return offset + len(chunk)

    def read(self, run_id: str, offset: int, *, most: int) -> LogPiece:
        """Up to ``most`` bytes from ``offset`` on; empty when nothing more has come."""
        folder = self._folder(run_id)
        for start, size in _pieces(folder):
            if start + size <= offset:
                continue
            begin = max(start, offset)
            try:
                with (folder / f"{start:018d}").open("rb") as file:
                    file.seek(begin - start)
                    return LogPiece(begin, file.read(most))
            except FileNotFoundError:
                continue  # dropped just now
        return LogPiece(offset, b"")

    def size(self, run_id: str) -> int:
        """How many bytes have been printed, as far as is known."""
        return _end(_pieces(self._folder(run_id)))

    def tail(self, run_id: str, *, most: int) -> bytes:
        """The last bytes that came, up to ``most``."""
        folder = self._folder(run_id)
        kept = b"".join(
            path.read_bytes() for start, _ in _pieces(folder) if (path := folder / f"{start:018d}").exists()
        )
        return kept[-most:]

    def drop(self, run_id: str) -> None:
        """Forget a run's output."""
        shutil.rmtree(self._folder(run_id), ignore_errors=True)
        with self._lock:
            if self._held is not None:
                self._held.pop(run_id, None)

    def held(self) -> dict[str, int]:
        """How many bytes there are of each run's output. The folder is looked through once, the first time."""
        with self._lock:
            if self._held is None:
                names = [path.name for path in self._root.iterdir()] if self._root.is_dir() else []
                self._held = {name: sum(size for _, size in _pieces(self._root / name)) for name in names}
            return dict(self._held)

    def runs(self, *, older_than: float) -> list[str]:
        """Runs whose output last grew before ``older_than`` (epoch seconds)."""
        if not self._root.is_dir():
            return []
        return [path.name for path in self._root.iterdir() if _grew(path) < older_than]

    def _shorten(self, folder: Path) -> int:
        """Remove the oldest pieces that are beyond the limit; how many bytes are left."""
        pieces = _pieces(folder)
        room = sum(size for _, size in pieces)
        for start, size in pieces:
            if room - size < self._limit:
                break
            room -= size
            (folder / f"{start:018d}").unlink(missing_ok=True)
        return room

    def _folder(self, run_id: str) -> Path:
        if _RUN.fullmatch(run_id) is None:
            raise ValueError(f"{run_id!r} is not a run's id")
        return self._root / run_id


def _pieces(folder: Path) -> list[tuple[int, int]]:
    """Places and sizes, in order."""
    return sorted(_each(folder))


def _each(folder: Path) -> Iterator[tuple[int, int]]:
    try:
        for path in folder.iterdir():
            yield int(path.name), path.stat().st_size
    except FileNotFoundError:
        return


def _end(pieces: list[tuple[int, int]]) -> int:
    return pieces[-1][0] + pieces[-1][1] if pieces else 0


def _grew(folder: Path) -> float:
    try:
        return max((path.stat().st_mtime for path in folder.iterdir()), default=folder.stat().st_mtime)
    except FileNotFoundError:
        return float("inf")
