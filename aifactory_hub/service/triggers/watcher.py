"""Asks repositories for their refs: at once after a delivery, and every few minutes, because deliveries get lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ...domain.git_refs import BadRefs, SeenRef, watched
from ...git import GitFailed, GitLimits, GitRefused, Remote, ls_remote
from ...registry.model import Registry
from ...store.triggers import Trigger, Triggers
from ..executors import git, reconciling
from .keys import TriggerKeys

log = logging.getLogger(__name__)

# Repositories that are asked at the same time, of as many hosts: one that hangs does not hold up the others.
_AT_ONCE = 4
# Of the pause between two looks, so that not all come at the same time.
_JITTER = 0.2
# Asked again after a failure, in seconds; every one after it waits twice as long, up to the usual pause.
_AGAIN = 15.0


@dataclass(frozen=True)
class Watcher:
    """``tick`` starts what is due; ``settle`` waits for it. For one event loop."""

    triggers: Triggers
    keys: TriggerKeys
    get_registry: Callable[[], Registry]
    clock: Callable[[], float]
    limits: GitLimits = field(default_factory=lambda: GitLimits(seconds=30.0))
    _looks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _failures: dict[str, int] = field(default_factory=dict)

    async def tick(self) -> None:
        """Ask the repositories that are due, each once for all triggers that may see it alike."""
        for place, task in [*self._looks.items()]:
            if task.done():
                del self._looks[place]
        due: dict[str, list[Trigger]] = {}
        for trigger in await reconciling.run(self.triggers.due, now=self.clock()):
            # With a credential of its own a trigger may see what others may not.
            due.setdefault(trigger.id if trigger.has_token else trigger.url, []).append(trigger)
        for place, some in due.items():
            if place not in self._looks and len(self._looks) < _AT_ONCE:
                self._looks[place] = asyncio.create_task(self._look(place, some), name=f"look at {some[0].id}")

    async def settle(self) -> None:
        """Wait for the looks that are under way."""
        await asyncio.gather(*self._looks.values())

    async def _look(self, place: str, triggers: list[Trigger]) -> None:
        try:
            refs = await git.run(self._refs, triggers[0])
        except (GitFailed, GitRefused) as error:
            await self._failed(place, triggers, str(error))
            return
        except Exception:
            log.exception("the repository of trigger %s could not be asked", triggers[0].id)
            await self._failed(place, triggers, "the service failed at this; its log says why")
            return
        self._failures.pop(place, None)
        for trigger in triggers:
            await self._seen(trigger, refs)

    def _refs(self, trigger: Trigger) -> Mapping[str, SeenRef]:
        remote: Remote = self.keys.remote(trigger)
        return ls_remote(remote, self.limits)

    async def _seen(self, trigger: Trigger, refs: Mapping[str, SeenRef]) -> None:
        try:
            found = watched(refs.values(), trigger.rules.branches, trigger.rules.tags)
        except BadRefs as error:
            await self._failed(trigger.id, [trigger], str(error))
            return
        await reconciling.run(self.triggers.seen, trigger, found, now=self.clock(), next_look=self._next())

    async def _failed(self, place: str, triggers: Iterable[Trigger], problem: str) -> None:
        """Nothing is concluded from it: what was pushed meanwhile is found later."""
        count = self._failures[place] = self._failures.get(place, 0) + 1
        wait = min(_AGAIN * 2.0 ** min(count - 1, 16), float(self.get_registry().git.poll))
        ids = [trigger.id for trigger in triggers]
        now = self.clock()
        await reconciling.run(self.triggers.unreachable, ids, problem, now=now, next_look=now + wait)

    def _next(self) -> float:
        pause = float(self.get_registry().git.poll)
        return self.clock() + pause * random.uniform(1.0 - _JITTER, 1.0 + _JITTER)  # noqa: S311
