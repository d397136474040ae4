"""List, then watch, for ever: a faithful copy of one collection, decoded as it arrives."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .answers import AnswerTooLarge
from .api import KubeApi, Params
from .decoding import Decoder, HasMetadata, Key, Metadata, Unreadable
from .errors import ApiError, ApiUnreachable
from .text import LONGEST_ERROR, printable

S = TypeVar("S", bound=HasMetadata)
T = TypeVar("T")

log = logging.getLogger(__name__)

# What an object of another shape than expected raises while it is decoded.
UNDECODABLE = (LookupError, TypeError, ValueError, AttributeError)
_PAGE = 500
# A version from the future (a restored etcd) is answered by timeouts, so a watch that can't be resumed is listed anew.
_RESUMES = 3
# Objects that can't be read and are remembered as such.
_MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. A watch is ended by the server after ``watch`` and resumed where it was, so that even a quiet cluster
    shows every ``watch`` seconds that it is alive; one that says nothing for ``silence`` is taken for dead."""

    watch: int = 25
    silence: float = 30.0
    first_pause: float = 0.2
    longest_pause: float = 10.0


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """``before`` None: new. ``after`` None: gone. An object made anew under its name has other uids in both."""

    before: T | None
    after: T | None


class ListWatch(Generic[S, T]):
    """Keeps ``items`` (by namespace and name) equal to a collection, however often the API goes away.

    - It never gives up: pauses double with jitter up to ``pace.longest_pause``, and start small again after an answer.
    - 410 and anything unexpected lead to a new list; what is missing from it was deleted meanwhile.
    - ``decode`` makes an item of what the API shows in ``shape``. An object that has another shape, or that it can't
      read, is skipped and counted. What was known of it before is kept.
    - ``last_sync`` is when the API last said anything; before the first whole list it is None.
    """

    def __init__(
        self,
        api: KubeApi,
        path: str,
        shape: type[S],
        decode: Callable[[S], T],
        *,
        params: Params | None = None,
        on_change: Callable[[Change[T]], None] | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.items: dict[Key, T] = {}
        self.last_sync: float | None = None
        self.last_error: str | None = None
        self.skipped = 0
        # Each is named in the log once: a tenant can change an object of its own as often as it likes.
        self._skipped: set[Key] = set()
        self._api = api
        self._path = path
        self._params = dict(params or {})
        self._decoder = Decoder(shape, api.server)
        self._decode = decode
        self._on_change = on_change
        self._pace = pace or Pace()
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._resume: str | None = None
        self._synced = asyncio.Event()
        self._news = asyncio.Event()
        self._version = 0

    def start(self) -> None:
        """Begin in the background; a second call does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"watch {self._path}")

    async def stop(self) -> None:
        """End it; ``items`` stay as they are."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def synced(self, timeout: float) -> bool:
        """Whether a whole list has been read, waiting up to ``timeout`` seconds for the first one."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError:
            return False
        return True

    def age(self) -> float | None:
        """Seconds since the API last said anything; None before the first whole list."""
        return None if self.last_sync is None else self._clock() - self.last_sync

    @property
    def version(self) -> int:
        """Counts changes and lists. Compare, or hand to ``changed``."""
        return self._version

    async def changed(self, since: int, timeout: float) -> int:
        """The version once it differs from ``since``, or after ``timeout`` seconds. Misses nothing between calls."""
        try:
            async with asyncio.timeout(timeout):
                while self._version == since:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._version

    async def _run(self) -> None:
        pause, failures = self._pace.first_pause, 0
        while True:
            heard = self.last_sync
            try:
                await self._list_or_follow()
                continue
            except ApiUnreachable as error:
                self._failed(error.reason)
            except ApiError as error:
                self._resume = None
                self._failed(str(error))
            except Exception:
                self._resume = None
                log.exception("the watch of %s failed, listing again", self._path)
            if self.last_sync != heard:
                pause, failures = self._pace.first_pause, 0
            failures += 1
            if failures >= _RESUMES:
                self._resume = None
            # Jitter, so that hubs which lost one API server together don't come back together.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
            pause = min(pause * 2, self._pace.longest_pause)

    async def _list_or_follow(self) -> None:
        if self._resume is None:
            self._resume = await self._list()
        await self._follow(self._resume)

    async def _list(self) -> str:
        listed: dict[Key, T] = {}
        params: dict[str, str | int] = {**self._params, "limit": _PAGE}
        while True:
            try:
                page = self._decoder.page(await self._api.read(self._path, params))
            except AnswerTooLarge:
                # Objects may be of any size up to 1.5 MiB: fewer of them fit.
                if int(params["limit"]) == 1:
                    raise
                params["limit"] = max(1, int(params["limit"]) // 4)
                continue
            for item in page.items:
                if (read := self._read(item)) is not None:
                    listed[_key(item.metadata)] = read
            if not page.more:
                break
            params["continue"] = page.more
        for key in self.items.keys() - listed.keys():
            self._forget(key)
        for key, fact in listed.items():
            self._learn(key, fact)
        self._heard()
        self._synced.set()
        self._tell()
        return page.version

    async def _follow(self, version: str) -> None:
        """Apply changes until the server ends the watch in order; ``_resume`` says from where to go on."""
        params = {**self._params, "resourceVersion": version}
        pace = self._pace
        try:
            async for lines in self._api.watch(self._path, params, seconds=pace.watch, silence=pace.silence):
                self.take(lines)
        except ApiError as error:
            if error.status != 410:
                raise
            # The changes since `version` are no longer kept: the next list tells what became of them.
            self._resume = None
        self._heard()

    def take(self, lines: memoryview) -> None:
        """Apply events of the watch, one a line. Raises ApiError when one says that the watch has ended."""
        items = self.items
        for event in self._decoder.events(lines):
            kind, item = event.type, event.object
            metadata = item.metadata
            if kind == "MODIFIED" or kind == "ADDED":
                read = self._read(item)
                key = (metadata.namespace, metadata.name)
                # Most events change nothing that is kept.
                if read is not None and items.get(key) != read:
                    self._learn(key, read)
            elif kind == "DELETED":
                self._forget(_key(metadata))
            elif kind == "ERROR":
                raise self._decoder.end(lines)
            self._resume = metadata.resourceVersion or self._resume
        self._heard()
        self._tell()

    def _read(self, item: S | Unreadable) -> T | None:
        """The item; for an unreadable one what was known of it before."""
        if isinstance(item, Unreadable):
            return self._skip(item.metadata, item.why)
        try:
            return self._decode(item)
        except UNDECODABLE as error:
            return self._skip(item.metadata, f"{type(error).__name__}: {error}")

    def _skip(self, metadata: Metadata, why: str) -> T | None:
        self.skipped += 1
        key = _key(metadata)
        if key in self._skipped:
            return self.items.get(key)
        if len(self._skipped) < _MOST_NAMED:
            self._skipped.add(key)
        what = printable("/".join(_key(metadata))) if metadata.name else "an object without a name"
        log.warning("skipped %s in %s, which can't be read: %s", what, self._path, printable(why, LONGEST_ERROR))
        return self.items.get(_key(metadata))

    def _learn(self, key: Key, item: T) -> None:
        before = self.items.get(key)
        if before != item:
            self.items[key] = item
            self._report(Change(before, item))

    def _forget(self, key: Key) -> None:
        before = self.items.pop(key, None)
        if before is not None:
            self._report(Change(before, None))

    def _report(self, change: Change[T]) -> None:
        if self._on_change is not None:
            self._on_change(change)

    def _tell(self) -> None:
        self._version += 1
        self._news.set()
        self._news = asyncio.Event()

    def _heard(self) -> None:
        self.last_sync = self._clock()
        self.last_error = None

    def _failed(self, reason: str) -> None:
        if self.last_error is None:
            log.warning("lost the watch of %s: %s", self._path, reason)
        self.last_error = reason


def _key(metadata: Metadata) -> Key:
    return metadata.namespace, metadata.name
