"""List, then watch, for ever: a faithful copy of one collection, decoded as it arrives."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from ..listeners import Listener, Listeners
from .answers import AnswerTooLarge
from .api import KubeApi
from .connection import Params
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


class Source(StrEnum):
    """How a change was heard of."""

    WATCH = "watch"
    # Found by comparing a list with what was known: the change happened some time before.
    LIST = "list"
    # Happened before the list at the start, and was asked for by ``since``.
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """``before`` None: new. ``after`` None: gone. An object made anew under its name has other uids in both.

    ``last`` is the state in which an object went, if the API said it: it may say more than ``before``, such as when a
    container ended. ``version`` is the resourceVersion at which this was so.
    """

    before: T | None
    after: T | None
    last: T | None = None
    source: Source = Source.WATCH
    version: str = ""


class ListWatch(Generic[S, T]):
    """Keeps ``items`` (by namespace and name) equal to a collection, however often the API goes away.

    - It never gives up: pauses double with jitter up to ``pace.longest_pause``, and start small again after an answer.
    - 410 and anything unexpected lead to a new list; what is missing from it was deleted meanwhile.
    - ``decode`` makes an item of what the API shows in ``shape``. An object that has another shape, or that it can't
      read, is skipped and counted. What was known of it before is kept.
    - ``last_sync`` is when the API last said anything; before the first whole list it is None.
    - Any number may listen to the changes. They are told in order, in the event loop, and have to be quick. One that
      raises is logged, and the others are still told.
    - ``position`` is the version up to which all changes have been told. ``start(since)`` with one also tells what
      happened after it and before the first list, as replays, which change no ``items``. ``resumed`` is then True, or
      False where the API no longer keeps such old changes.
    """

    def __init__(
        self,
        api: KubeApi,
        path: str,
        shape: type[S],
        decode: Callable[[S], T],
        *,
        params: Params | None = None,
        on_change: Listener[Change[T]] | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.items: dict[Key, T] = {}
        self.last_sync: float | None = None
        self.last_error: str | None = None
        self.skipped = 0
        self.position: str | None = None
        self.resumed: bool | None = None
        # Each is named in the log once: a tenant can change an object of its own as often as it likes.
        self._skipped: set[Key] = set()
        self._api = api
        self._path = path
        self._params = dict(params or {})
        self._decoder = Decoder(shape, api.server)
        self._decode = decode
        self._listeners = Listeners[Change[T]](f"changes of {path}")
        # The listeners among them that asked for replays.
        self._replay_listeners = Listeners[Change[T]](f"changes of {path}")
        if on_change is not None:
            self._listeners.add(on_change)
        self._pace = pace or Pace()
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._resume: str | None = None
        self._since: str | None = None
        # The version of the list up to which events are replays.
        self._replayed_until: str | None = None
        self._synced = asyncio.Event()
        self._news = asyncio.Event()
        self._version = 0

    def start(self, since: str | None = None) -> None:
        """Begin in the background; a second call does nothing. ``since`` is a ``position`` of an earlier process."""
        if self._task is None:
            self._since = since
            self._task = asyncio.create_task(self._run(), name=f"watch {self._path}")

    async def stop(self) -> None:
        """End it; ``items`` stay as they are."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def subscribe(self, listener: Listener[Change[T]], *, replays: bool = False) -> Callable[[], None]:
        """Call ``listener`` with each change, with ``replays`` also with those from before the first list.

        Returns the function that ends it.
        """
        ends = [self._listeners.add(listener), *([self._replay_listeners.add(listener)] if replays else [])]

        def end() -> None:
            for each in ends:
                each()

        return end

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
            listed = await self._list()
            since, self._since = self._since, None
            # A replay that could not go on where it was.
            self._end_replay(complete=False)
            self._replayed_until = None if since is None else listed
            self._resume = self.position = listed if since is None else since
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
            self._forget(key, Source.LIST, page.version)
        for key, fact in listed.items():
            self._learn(key, fact, Source.LIST, page.version)
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
            self._resume = self._replayed_until
            self._end_replay(complete=False)
        self._heard()

    def take(self, lines: memoryview) -> None:
        """Apply events of the watch, one a line. Raises ApiError when one says that the watch has ended."""
        items = self.items
        for event in self._decoder.events(lines):
            kind, item = event.type, event.object
            metadata = item.metadata
            if self._replayed_until and kind != "ERROR" and self._is_replay(kind, metadata.resourceVersion):
                self._replay(kind, item)
            elif kind == "MODIFIED" or kind == "ADDED":
                read = self._read(item)
                key = (metadata.namespace, metadata.name)
                # Most events change nothing that is kept.
                if read is not None and items.get(key) != read:
                    self._learn(key, read, Source.WATCH, metadata.resourceVersion)
            elif kind == "DELETED":
                self._forget(_key(metadata), Source.WATCH, metadata.resourceVersion, item)
            elif kind == "ERROR":
                raise self._decoder.end(lines)
            self._resume = metadata.resourceVersion or self._resume
        self.position = self._resume
        self._heard()
        self._tell()

    def _is_replay(self, kind: str, version: str) -> bool:
        """Whether an event of this version is older than the list. The first that is not ends the replay."""
        try:
            ahead = int(self._replayed_until or 0) - int(version)
        except ValueError:
            log.warning("%s has a version that is no number: %r", self._path, version)
            ahead = -1
        if ahead > 0 or (ahead == 0 and kind != "BOOKMARK"):
            return True
        self._end_replay(complete=True)
        return False

    def _end_replay(self, *, complete: bool) -> None:
        if self._replayed_until is not None:
            self.resumed, self._replayed_until = complete, None

    def _replay(self, kind: str, item: S | Unreadable) -> None:
        """Tell a change from before the list. What is known now stays."""
        read = None if isinstance(item, Unreadable) else self._read(item)
        if read is None or kind not in ("ADDED", "MODIFIED", "DELETED"):
            return
        gone, version = kind == "DELETED", item.metadata.resourceVersion
        change = Change(None, None if gone else read, read if gone else None, Source.REPLAY, version)
        self._replay_listeners.tell(change)

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

    def _learn(self, key: Key, item: T, source: Source, version: str) -> None:
        before = self.items.get(key)
        if before != item:
            self.items[key] = item
            self._listeners.tell(Change(before, item, None, source, version))

    def _forget(self, key: Key, source: Source, version: str, item: S | Unreadable | None = None) -> None:
        before = self.items.pop(key, None)
        if before is not None:
            last = None if item is None or isinstance(item, Unreadable) else self._read(item)
            self._listeners.tell(Change(before, None, last, source, version))

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
