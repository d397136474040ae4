"""Watches the host's pods and tells the ledger what they hold."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from ..clusters import HostWatch, PodChange
from ..clusters.listwatch import Source as Told
from ..domain.pod_usage import Heard, facts_of, facts_of_gone
from ..domain.pods import PodFact
from ..domain.usage import FactKind, Possession, Source, UsageFact
from ..store.ledger import Ledger, Position

log = logging.getLogger(__name__)

# Facts of this long are written together, in seconds: one transaction of the database for many pods.
_GATHER = 0.05
# How often the position is written while nothing happens, in seconds: after a crash no more than this is not known.
_NOTE_EVERY = 5.0
_PAUSE = 1.0
_SOURCES = {Told.WATCH: Source.WATCH, Told.LIST: Source.LIST, Told.REPLAY: Source.REPLAY}


# Makes a blocking call elsewhere than in the event loop, with its arguments.
Blocking = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Facts of one pod that wait to be written. ``pod`` is as it was then: to ask whose it is."""

    pod: PodFact | None
    facts: tuple[UsageFact, ...]


class Witness:
    """Writes into the ledger what one watch of the host's pods sees. ``start`` it, then ``run`` it.

    A fact that can't be written waits and is tried again, and the position waits with it: nothing is lost by a
    database that is away, or by a kill.
    """

    def __init__(
        self,
        watch: HostWatch,
        ledger: Ledger,
        possession: Callable[[PodFact], Awaitable[Possession | None]],
        run: Blocking,
        now: Callable[[], float] | None = None,
    ) -> None:
        """``run`` makes calls that block. ``now`` is the host's clock; by default what the host's answers say."""
        self._watch = watch
        self._ledger = ledger
        self._possession = possession
        self._run = run
        self._clock = now or (lambda: told if (told := watch.host_time()) is not None else time.time())
        self._waiting: list[_Seen] = []
        self._news = asyncio.Event()
        # Pods of which the ledger knows, or will know, that they hold something, and what was told of each.
        self._told: dict[str, set[FactKind]] = {}
        self._open: set[str] = set()
        self._heard_before = 0
        self._noted: Position | None = None
        self._since: str | None = None
        self._compared = False

    async def start(self) -> None:
        """Listen, and let the watch begin where the ledger has come to."""
        position: Position | None = await self._run(self._ledger.position)
        self._noted = position
        self._heard_before = 0 if position is None else position.heard_at
        self._since = None if position is None else position.version
        self._open = {hold.pod for hold in await self._run(self._ledger.going_on)}
        self._told = {pod: {FactKind.BOUND} for pod in self._open}
        self._watch.subscribe(self._changed, replays=True)
        self._watch.start(self._since)

    def heard_at(self) -> int:
        """The second, by the host's clock, up to which the ledger knows everything."""
        return self._noted.heard_at if self._noted is not None else 0

    @property
    def lag(self) -> float:
        """How many seconds the ledger is behind the host's clock."""
        return max(0.0, self._now() - self.heard_at())

    async def run(self) -> None:
        """Write what was seen, for ever, until cancelled."""
        while True:
            await self._wait()
            try:
                await self.write()
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("what pods hold could not be written; it waits and is tried again")
                await asyncio.sleep(_PAUSE)

    async def write(self) -> int:
        """Write what waits, and how far the watch has come; how many facts were new."""
        self._compare()
        seen, self._waiting = self._waiting, []
        position = self._position()
        try:
            facts = [fact for each in seen for fact in await self._owned(each)]
            if not facts and position == self._noted:
                return 0
            new: int = await self._run(self._ledger.append, facts, position)
        except BaseException:
            self._waiting = [*seen, *self._waiting]
            raise
        self._noted = position
        return new

    async def _wait(self) -> None:
        """Until there is something to write, or it is time to note the position."""
        try:
            async with asyncio.timeout(_NOTE_EVERY):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()
        await asyncio.sleep(_GATHER)

    def _changed(self, change: PodChange) -> None:
        heard, replaced = self._heard(change), change.before
        if change.after is None:
            pod = change.last or change.before
            if pod is not None:
                self._take(pod, facts_of_gone(pod, heard))
            return
        if replaced is not None and replaced.uid != change.after.uid:
            self._take(replaced, facts_of_gone(replaced, heard))
        self._take(change.after, facts_of(change.after, heard))

    def _take(self, pod: PodFact, facts: list[UsageFact]) -> None:
        told = self._told.setdefault(pod.uid, set())
        new = tuple(fact for fact in facts if fact.kind not in told)
        told |= {fact.kind for fact in new}
        if not told or told & {FactKind.ENDED, FactKind.GONE}:
            # It ended, or held nothing: what may still be told of it is dropped by the ledger.
            self._told.pop(pod.uid, None)
        if new:
            self._waiting.append(_Seen(pod, new))
            self._news.set()

    def _heard(self, change: PodChange) -> Heard:
        now = self._now()
        if change.source is Told.WATCH:
            return Heard(Source.WATCH, now, now)
        age = self._watch.age
        before = self._heard_before if age is None else int(now - age)
        return Heard(_SOURCES[change.source], now, before)

    def _now(self) -> int:
        """By the host's clock, on which the times of pods are, too."""
        return int(self._clock())

    def _position(self) -> Position | None:
        """How far the watch has come. What follows from the first list has to be known before that is noted."""
        version, age = self._watch.position, self._watch.age
        if version is None or age is None or not self._compared:
            return self._noted
        return Position(version, int(self._now() - age))

    def _compare(self) -> None:
        """Once, when the watch has told all that happened while nobody listened: what is not there then has gone."""
        if self._compared or self._watch.last_sync is None or self._watch.stale:
            return
        if self._since is not None and self._watch.resumed is None:
            return
        self._compared = True
        now, there = self._now(), {pod.uid for pod in self._watch.pods()}
        earliest = min(self._heard_before, now)
        # Of those that are not in `_told` any more, the end was told meanwhile.
        for pod in sorted((self._open & self._told.keys()) - there):
            gone = UsageFact.between(pod, FactKind.GONE, Source.LIST, earliest, now)
            self._waiting.append(_Seen(None, (gone,)))
            del self._told[pod]
        self._open = set()

    async def _owned(self, seen: _Seen) -> list[UsageFact]:
        """The facts, with whose the pod is where it begins. None of a pod that is not metered."""
        if not any(fact.kind is FactKind.BOUND for fact in seen.facts) or seen.pod is None:
            return list(seen.facts)
        whose = await self._possession(seen.pod)
        if whose is None:
            self._told.pop(seen.pod.uid, None)
            return []
        return [replace(f, possession=whose) if f.kind is FactKind.BOUND else f for f in seen.facts]
