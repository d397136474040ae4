"""The log of a start, step by step, for everybody who waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from aifactory_hub.domain.formatting import wait_words
from aifactory_hub.domain.menu import Place
from aifactory_hub.domain.quota import Usage
from aifactory_hub.domain.spawns import SpawnPlan

# Percent at which each step stands in the page's bar; the hub itself sets 100.
_PROGRESS = {"quota": 10, "rules": 12, "queue": 20, "pod": 45, "image": 65, "ready": 90}

# An event of the cluster can fill the page.
_LONGEST = 300
# Names in a queue that are told one by one.
_MOST_AHEAD = 5


class StartLog:
    """What was said of a start so far, for any number of readers, each from the beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        # Seconds until something was said of a step for the first time.
        self.reached: dict[str, float] = {}
        self._said: list[dict[str, Any]] = []
        self._texts: set[str] = set()
        self._over = False
        self._news = asyncio.Event()

    def begin(self) -> None:
        """The seconds count from here."""
        self._began = self._clock()

    def say(self, step: str, text: str, queue: Mapping[str, str] | None = None) -> None:
        """Tell something once; a repetition is dropped. ``queue`` is where it stands while it waits there."""
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
        line = f"{step}: {text}"
        if line in self._texts:
            return
        self._texts.add(line)
        seconds = self._clock() - self._began
        self.reached.setdefault(step, seconds)
        event = {"progress": _PROGRESS[step], "message": f"{line} ({seconds:.1f} s)"}
        parts = {"step": step, "text": text, "seconds": seconds, "queue": dict(queue) if queue else None}
        self._said.append(event | parts)
        self._wake()

    def told(self, step: str) -> bool:
        """Whether anything was said of a step."""
        return any(line.startswith(f"{step}: ") for line in self._texts)

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._wake()

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        """All that was and will be said, until the end."""
        told = 0
        while True:
            news = self._news
            for event in self._said[told:]:
                # A copy: the hub's handler changes what it gets.
                yield dict(event)
                told += 1
            if self._over and told == len(self._said):
                return
            await news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def quota_text(plan: SpawnPlan, usage: Usage) -> str:
    """The numbers that the start was allowed on."""
    team, devices = plan.tenant, plan.profile.takes
    if not devices:
        return f"{plan.profile.name} takes no GPU of team {team.name}"
    numbers = (
        f"asks {asked} of {device}, {usage.used.get(device, 0)} of {team.quota.limit(device)} are used"
        for device, asked in devices.items()
    )
    return f"{plan.profile.name} {', '.join(numbers)} in team {team.name}"


def queue_words(tenant: str, place: Place) -> dict[str, str]:
    """Where a start stands in the queue, as the sentences of the page."""
    names = [f"{ticket.user} ({ticket.profile})" for ticket in place.ahead]
    more = f" and {len(names) - _MOST_AHEAD} more" if len(names) > _MOST_AHEAD else ""
    ahead = f"Before you: {', '.join(names[:_MOST_AHEAD])}{more}." if names else "Nobody is before you."
    return {
        "place": f"Position {place.position} of {place.total} in the queue of team {tenant}.",
        "ahead": ahead,
        "wait": f"Expected wait: {wait_words(place.wait)}.",
    }
