"""The events of changed jobs, made once for all streams: their cost does not grow with the streams."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from ..shared_tasks import has_failed, retrieve_exception

# As many changes as a listener may be behind: see service/change_feed.py.
_REMEMBERED = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it goes over the wire, and the team that it is about; None for one that says nothing of a team."""

    text: str
    tenant: str | None = None


# The events of these jobs as they are now, by id; a job that is gone has none.
Make = Callable[[Collection[str]], Awaitable[Mapping[str, Event]]]


@dataclass(frozen=True, slots=True)
class _Made:
    """``number`` is that of the last change that was there when the reading began."""

    number: int
    events: asyncio.Task[Mapping[str, Event]]

    def good(self, number: int) -> bool:
        """Whether it tells of the change ``number``; what failed tells of none."""
        return self.number >= number and not has_failed(self.events)


class SharedEvents:
    """Keeps the last event of each job that changed lately. To be used in one event loop."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, _Made] = OrderedDict()

    async def of(self, number: int, changes: Mapping[str, int], make: Make) -> list[Event]:
        """The events of jobs, given with the numbers of their last changes; ``number`` is that of the last of all.

        Those that are there or under way are used, ``make`` is asked for the others. Raises what that does. One stream
        that ends meanwhile ends nothing for the others.
        """
        stale = [job for job, change in changes.items() if job not in self._made or not self._made[job].good(change)]
        if stale:
            made = _Made(number, asyncio.create_task(_call(make, stale)))
            made.events.add_done_callback(retrieve_exception)
            for job in stale:
                self._made[job] = made
                self._made.move_to_end(job)
        wanted = {job: self._made[job].events for job in changes}
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)
        found = {job: await asyncio.shield(events) for job, events in wanted.items()}
        return [events[job] for job, events in found.items() if job in events]


async def _call(make: Make, jobs: Collection[str]) -> Mapping[str, Event]:
    return await make(jobs)
