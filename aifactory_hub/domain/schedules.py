"""When a schedule's jobs are due: cron expressions in a time zone, as Debian's cron reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from .refusals import Refusal, RefusalReason

# A schedule that makes jobs faster than they can be looked at is a mistake. In seconds.
SHORTEST_INTERVAL = 60.0
_LOOK_AHEAD = 20

# Files beside the zones of the tz database: the zone that this machine is set to, or none.
_OF_THIS_MACHINE = frozenset({"localtime", "posixrules", "Factory"})


def next_time(cron: str, time_zone: str, *, after: float) -> float | None:
    """The first time after ``after`` (epoch seconds) that ``cron`` names in ``time_zone``; None when there is none.

    Where the clock is put forward a daily time that is left out comes right after; where it is put back, once.
    Raises ValueError when either can't be read.
    """
    try:
        start = datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(time_zone))
        found = next(CronSim(cron, start), None)
    except (CronSimError, ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(str(error)) from error
    return None if found is None else found.timestamp()


def check_schedule(cron: str, time_zone: str, *, now: float) -> float | Refusal:
    """The first time of a schedule that begins ``now``, or why it can't be taken."""
    try:
        if time_zone in _OF_THIS_MACHINE:
            raise ValueError(time_zone)
        next_time("0 0 * * *", time_zone, after=now)
    except ValueError:
        message = f"There is no time zone {time_zone!r}: write one like Europe/Amsterdam or UTC."
        return Refusal(RefusalReason.BAD_FIELD, message, field="time_zone")
    try:
        if len(cron.split()) != 5:
            raise ValueError("it has not five parts")
        first = next_time(cron, time_zone, after=now)
    except ValueError as error:
        message = f"{cron!r} is not a cron expression ({error}): write minute, hour, day, month, weekday: 0 3 * * 1-5."
        return Refusal(RefusalReason.BAD_FIELD, message, field="cron")
    if first is None:
        return Refusal(RefusalReason.BAD_FIELD, f"{cron!r} names no time that will ever come.", field="cron")
    return first


@dataclass(frozen=True, slots=True)
class Preview:
    """A cron expression in words, and its first times in epoch seconds."""

    words: str
    times: tuple[float, ...]


def preview(cron: str, time_zone: str, *, now: float, count: int) -> Preview | Refusal:
    """What a schedule that begins ``now`` would do, or why it can't be taken."""
    first = check_schedule(cron, time_zone, now=now)
    if isinstance(first, Refusal):
        return first
    words = CronSim(cron, datetime.fromtimestamp(now, UTC)).explain()
    return Preview(words, tuple(islice(_times(cron, time_zone, first), count)))


def _times(cron: str, time_zone: str, first: float) -> Iterator[float]:
    at: float | None = first
    while at is not None:
        yield at
        at = next_time(cron, time_zone, after=at)


def missed(cron: str, time_zone: str, *, due: float, now: float) -> int:
    """How many times after ``due`` have passed by ``now``, counted up to a few: those get no job of their own."""
    count, at = 0, next_time(cron, time_zone, after=due)
    while at is not None and at <= now and count < _LOOK_AHEAD:
        count, at = count + 1, next_time(cron, time_zone, after=at)
    return count
