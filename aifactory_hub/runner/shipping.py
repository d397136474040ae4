"""Sends what the command prints, and how far it says it is, while it runs: so that people can follow it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from .reporter import NotDelivered, Reporter

# What waits to be sent is at most this, in bytes; beyond it the oldest is dropped, never the command held up.
_BUFFER = 8 * 2**20
_PIECE = 256 * 1024
# Lines come in bursts, and one request takes a burst. In seconds.
_GATHER = 0.5


class Shipper:
    """A thread that sends. ``add`` and ``progress`` return at once and never raise; nothing here fails a job."""

    def __init__(self, reporter: Reporter, *, buffer: int = _BUFFER, gather: float = _GATHER) -> None:
        self._reporter = reporter
        self._limit = buffer
        self._gather = gather
        self._waiting = bytearray()
        self._offset = 0  # of what waits, in all that was printed
        self._progress: dict[str, Any] | None = None
        self._closing = False
        self._given_up = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._thread.start()

    def add(self, chunk: bytes) -> None:
        """The command printed ``chunk``."""
        with self._news:
            self._waiting += chunk
            beyond = len(self._waiting) - self._limit
            if beyond > 0:
                del self._waiting[:beyond]
                self._offset += beyond
            self._news.notify()

    def progress(self, said: Mapping[str, Any]) -> None:
        """The command said how far it is; only the newest word of it is sent."""
        with self._news:
            self._progress = {**(self._progress or {}), **said}
            self._news.notify()

    def close(self, timeout: float) -> None:
        """Send what is left, for ``timeout`` seconds at most."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(timeout)
        self._given_up.set()

    def _run(self) -> None:
        pause = self._gather
        while True:
            with self._news:
                self._news.wait_for(lambda: self._closing or self._waiting or self._progress)
                if self._closing and not self._waiting and not self._progress:
                    return
                self._news.wait_for(partial(self._enough, pause), timeout=pause)
            if self._send():
                pause = self._gather
                continue
            pause = min(pause * 2, 5.0)
            # At the end nothing else makes a service wait that can't take it now.
            if self._closing and self._given_up.wait(self._gather):
                return

    def _enough(self, pause: float) -> bool:
        """Whether to send now: a whole piece is there, and nothing says that the service needs a rest."""
        return self._closing or (pause <= self._gather and len(self._waiting) >= _PIECE)

    def _send(self) -> bool:
        """One piece and one word; whether both arrived. What did not is sent again, joined by what came since."""
        with self._news:
            offset, piece = self._offset, bytes(self._waiting[:_PIECE])
            said, self._progress = self._progress, None
        try:
            if said:
                self._reporter.post_progress(said)
                said = None
            if piece:
                self._reporter.post_piece(offset, piece)
        except NotDelivered:
            with self._news:
                if said:
                    self._progress = {**said, **(self._progress or {})}
            return False
        with self._news:
            # Some of it may have been dropped for want of room meanwhile.
            arrived = offset + len(piece) - self._offset
            if arrived > 0:
                del self._waiting[:arrived]
                self._offset += arrived
        return True
