"""Functions that are called with each change of something, however many there are."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Listener = Callable[[T], object]

log = logging.getLogger(__name__)


class Listeners(Generic[T]):
    """Safe in any thread. ``what`` names the changes in the log."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = threading.Lock()
        # Replaced as a whole, so that one may come or go while the others are called.
        self._listeners: tuple[tuple[object, Listener[T]], ...] = ()

    def __len__(self) -> int:
        return len(self._listeners)

    def add(self, listener: Listener[T]) -> Callable[[], None]:
        """Call ``listener`` with each change from now on, in the thread that tells of it.

        Returns the function that ends it; a second call of that does nothing. A listener that is added twice is called
        twice, until both are ended.
        """
        mark = object()
        with self._lock:
            self._listeners = (*self._listeners, (mark, listener))

        def end() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each[0] is not mark)

        return end

    def tell(self, change: T) -> None:
        """Call all, in the order in which they came. What one raises is logged, and the others are called."""
        for _, listener in self._listeners:
            try:
                listener(change)
            except Exception:
                log.exception("a listener to %s failed", self._what)
