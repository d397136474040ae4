"""Makes events of triggers whose time has come."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ...domain.schedules import next_time
from ...store.triggers import Trigger, Triggers
from ..executors import reconciling

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timetable:
    """``tick`` looks at what is due. Of several times that passed while the service was away, one is made up."""

    triggers: Triggers
    clock: Callable[[], float]

    async def tick(self) -> None:
        """Each branch of a trigger that is due gets an event, as it was seen last."""
        now = self.clock()
        for trigger in await reconciling.run(self.triggers.timed, now=now):
            await reconciling.run(self.triggers.come, trigger, now=now, next_time=time_after(trigger, now))


def time_after(trigger: Trigger, now: float) -> float | None:
    """The trigger's first time after ``now``; None where it has none."""
    if not trigger.rules.cron:
        return None
    try:
        return next_time(trigger.rules.cron, trigger.rules.time_zone, after=now)
    except ValueError:  # the tz database of today knows the zone no more
        log.exception("the times of trigger %s can't be read any more; it has none", trigger.id)
        return None
