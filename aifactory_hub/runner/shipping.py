"""Sends what the command prints, and how far it says it is, while it runs: so that people can follow it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from .metric_buffer import Batch, MetricBuffer
from .reporter import NotDelivered, Refused, Reporter

# What waits to be sent is at most this, in bytes; beyond it the oldest is dropped, never the command held up.
_BUFFER = 8 * 2**20
_PIECE = 256 * 1024
# Lines come in bursts, and one request takes a burst. In seconds.
_GATHER = 0.5
# A command may report each step; the service hears of it this often, in seconds, and at the end.
_EVERY = 5.0


class Shipper:
    """A thread that sends. ``add`` and ``progress`` return at once and never raise; nothing here fails a job."""

    def __init__(
        self, reporter: Reporter, *, buffer: int = _BUFFER, gather: float = _GATHER, every: float = _EVERY
    ) -> None:
        self._reporter = reporter
        self._limit = buffer
        self._gather = gather
        self._every = every
        self._waiting = bytearray()
        self._offset = 0  # of what waits, in all that was printed
        self._progress: dict[str, Any] = {}
        self._metrics = MetricBuffer()
        self._told_at: float | None = None
        self._closing = False
        self._given_up = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._thread.start()

    @property
    def left_out(self) -> bool:
        """Whether metrics were left out because the command has reported too many names."""
        return self._metrics.left_out

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
        """The command said how far it is: the newest word of that is sent, and all points of its metrics."""
        with self._news:
            plain = {name: value for name, value in said.items() if name not in ("metrics", "steps")}
            self._progress = {**self._progress, **plain}
            self._metrics.add(said.get("metrics") or {}, said.get("steps") or {})
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
                while not (self._closing or self._waiting or self._due() == 0):
                    self._news.wait(self._due())
                if self._closing and not self._waiting and not self._said:
                    return
                self._news.wait_for(partial(self._enough, pause), timeout=pause)
            if self._send():
                pause = self._gather
                continue
            pause = min(pause * 2, 5.0)
            # At the end nothing else makes a service wait that can't take it now.
            if self._closing and self._given_up.wait(self._gather):
                return

    @property
    def _said(self) -> bool:
        return bool(self._progress or self._metrics)

    def _due(self) -> float | None:
        """In how many seconds what the command said may be sent; None when it said nothing."""
        if not self._said:
            return None
        if self._closing or self._told_at is None:
            return 0
        return max(0, self._told_at + self._every - time.monotonic())

    def _enough(self, pause: float) -> bool:
        """Whether to send now: a whole piece is there, and nothing says that the service needs a rest."""
        return self._closing or (pause <= self._gather and len(self._waiting) >= _PIECE)

    def _send(self) -> bool:
        """One piece and one word; whether both arrived. What did not is sent again, joined by what came since."""
        with self._news:
            offset, piece = self._offset, bytes(self._waiting[:_PIECE])
        try:
            self._send_word()
            if piece:
                self._reporter.post_piece(offset, piece)
        except NotDelivered:
            return False
        with self._news:
            # Some of it may have been dropped for want of room meanwhile.
            arrived = offset + len(piece) - self._offset
            if arrived > 0:
                del self._waiting[:arrived]
                self._offset += arrived
        return True

    def _send_word(self) -> None:
        """What the command said, if it is time. Raises NotDelivered; then it waits again.

        What the service refuses is dropped: sent again it would be refused again, and hold up the log.
        """
        with self._news:
            if self._due() != 0:
                return
            said, self._progress = self._progress, {}
            batch: Batch = self._metrics.take()
            word = {**said, "metrics": self._metrics.last, "series": self._metrics.told(batch)}
            self._told_at = time.monotonic()
        try:
            self._reporter.post_progress(word if batch else said)
        except Refused:
            return
        except NotDelivered:
            with self._news:
                self._progress = {**said, **self._progress}
                self._metrics.put_back(batch)
                self._told_at = None
            raise
