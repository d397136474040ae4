"""Runs the job's command, passes its output on and keeps the end of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

# After the first signal the command has this long, in seconds; the rest of the pod's grace is for bringing things home.
_GRACE = 15.0
# A process that the command left behind may hold its output open for ever.
_LINGER = 2.0


class LogTail:
    """The last ``limit`` bytes of what was written, in a file that never grows beyond twice that."""

    def __init__(self, path: Path, limit: int) -> None:
        self._file: IO[bytes] = path.open("w+b")
        self._limit = limit
        self._dropped = 0

    def write(self, chunk: bytes) -> None:
        """Add ``chunk``."""
        self._file.write(chunk)
        if self._file.tell() > 2 * self._limit:
            self._shorten()

    def read(self) -> bytes:
        """The end of the log, with a first line that says how much is missing, if any is."""
        if self._file.tell() > self._limit:
            self._shorten()
        self._file.seek(0)
        kept = self._file.read()
        if not self._dropped:
            return kept
        mark = f"[the first {self._dropped} bytes are not kept]\n".encode()
        return mark + kept[len(mark) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _shorten(self) -> None:
        self._dropped += self._file.tell() - self._limit
        self._file.seek(-self._limit, os.SEEK_END)
        kept = self._file.read()
        self._file.seek(0)
        self._file.truncate()
        self._file.write(kept)


class Command:
    """One ``sh -c`` in its own process group."""

    def __init__(self, command: str, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._told_at: float | None = None

    @property
    def told_to_stop(self) -> bool:
        """Whether a signal was passed on to the command."""
        return self._told_at is not None

    def stop(self, signum: int) -> None:
        """Pass a signal on to everything that the command started. Safe in a signal handler."""
        if self._told_at is None:
            self._told_at = time.monotonic()
        self._signal(signum)

    def wait(self, sink: Callable[[bytes], None]) -> int:
        """Wait for the end; ``sink`` gets the output as it comes. The exit code, 128 + n after signal n."""
        pump = threading.Thread(target=self._pump, args=(sink,), daemon=True)
        pump.start()
        code = self._wait_with_grace()
        pump.join(_LINGER)
        # What the command left running would go on with the person's files and GPU after the job's end.
        self._signal(signal.SIGKILL)
        pump.join(_LINGER)
        return 128 - code if code < 0 else code

    def _wait_with_grace(self) -> int:
        while True:
            try:
                return self._process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if self._told_at is not None and time.monotonic() - self._told_at > _GRACE:
                    self._signal(signal.SIGKILL)

    def _pump(self, sink: Callable[[bytes], None]) -> None:
        pipe = self._process.stdout
        assert pipe is not None  # asked for above
        with pipe:
            while chunk := os.read(pipe.fileno(), 65536):
                sink(chunk)

    def _signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signum)
