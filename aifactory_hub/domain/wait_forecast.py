"""How long a request for devices will wait: pure, from who holds them, who waits before it, and how long runs took.

The future is played many times. In each play every run ends at a time that fits what is known of it; the wait is when
enough devices are free and everybody ahead has been served. The middle four fifths of the answers are the range.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

# Fewer ended runs than these say nothing about the next one.
ENOUGH_HISTORY = 5
# A run that must give way does so within its grace period and its pod's end, in seconds.
GIVES_WAY = (5.0, 60.0)
# How often the future is played, and the share of plays below and above the range.
_PLAYS = 120
_TAIL = 0.1


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds. ``low`` to ``high`` is where four waits of five end; None when there is no history to say so.

    ``most`` is the longest that it can be by the runs' maximum durations; None when one of them has none.
    """

    low: float | None = None
    high: float | None = None
    most: float | None = None

    @property
    def known(self) -> bool:
        return self.high is not None or self.most is not None


UNKNOWN = Wait()


@dataclass(frozen=True, slots=True)
class Running:
    """Something that holds ``count`` devices, for ``age`` seconds so far (None: not known).

    ``left`` is how many more seconds it may run at most, None without a limit. ``lengths`` are the seconds that such
    runs took before. ``gives_way`` says that the request that is asked about takes its devices at once.
    """

    count: int
    age: float | None = None
    left: float | None = None
    lengths: Sequence[float] = ()
    gives_way: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that is served before the request, and then holds ``count`` devices for at most ``most`` seconds."""

    count: int
    most: float | None = None
    lengths: Sequence[float] = ()


def expected_wait(asked: int, free: int, running: Sequence[Running], ahead: Sequence[Waiting]) -> Wait:
    """The wait for ``asked`` devices when ``free`` are free now. Same arguments, same answer.

    UNKNOWN when nothing is known of the runs that would have to end first.
    """
    if asked <= free and not ahead:
        return Wait(0.0, 0.0, 0.0)
    most = _play(asked, free, [_longest(run) for run in running], [(w.count, _or_inf(w.most)) for w in ahead])
    low, high = _range(asked, free, running, ahead)
    if high is not None and most < high:
        high = most
        low = None if low is None else min(low, high)
    return Wait(low, high, None if most == inf else most)


def _range(
    asked: int, free: int, running: Sequence[Running], ahead: Sequence[Waiting]
) -> tuple[float | None, float | None]:
    # A seed of its own makes it a function of its arguments.
    dice = random.Random(_PLAYS)  # noqa: S311 - nothing is kept secret by it
    first = [(_left_of(run), run.count) for run in running]
    if free < asked + sum(w.count for w in ahead) and all(spell is _ENDLESS for spell, _ in first):
        # Something has to end, and of nothing is it known when.
        return None, None
    then = [(w.count, _whole(w)) for w in ahead]
    waits = []
    for _ in range(_PLAYS):
        ends = [(spell.draw(dice.random()), count) for spell, count in first]
        waits.append(_play(asked, free, ends, [(count, spell.draw(dice.random())) for count, spell in then]))
    waits.sort()
    low, high = waits[int(_PLAYS * _TAIL)], waits[ceil(_PLAYS * (1 - _TAIL)) - 1]
    return (None, None) if high == inf else (low, high)


def _play(asked: int, free: int, ends: Sequence[tuple[float, int]], ahead: Sequence[tuple[int, float]]) -> float:
    """When ``asked`` devices are free, if runs end so (seconds from now, devices) and each of ``ahead`` goes first."""
    heap, now = list(ends), 0.0
    heapq.heapify(heap)
    for count, length in (*ahead, (asked, 0.0)):
        while free < count:
            if not heap or heap[0][0] == inf:
                return inf
            ended, given_back = heapq.heappop(heap)
            now, free = max(now, ended), free + given_back
        free -= count
        heapq.heappush(heap, (now + length, count))
    return now


def _longest(run: Running) -> tuple[float, int]:
    return (GIVES_WAY[1] if run.gives_way else _or_inf(run.left)), run.count


def _or_inf(seconds: float | None) -> float:
    return inf if seconds is None else seconds


@dataclass(frozen=True, slots=True)
class _Spell:
    """How long something takes: one of the ``ordered`` seconds, or up to ``beyond`` more, but never over ``most``."""

    ordered: Sequence[float]
    beyond: float
    most: float = inf

    def draw(self, luck: float) -> float:
        """Seconds for a ``luck`` between 0 and 1."""
        place = luck * (len(self.ordered) + 1)
        index = int(place)
        if index < len(self.ordered):
            return min(self.ordered[index], self.most)
        last = self.ordered[-1] if self.ordered else 0.0
        return min(last + (place - index) * self.beyond, self.most)


# Nothing is known of its kind.
_ENDLESS = _Spell((), inf)


def _left_of(run: Running) -> _Spell:
    """What is left of it. What runs for longer than all before may well run as long again."""
    if run.gives_way:
        return _Spell(GIVES_WAY, 0.0)
    if len(run.lengths) < ENOUGH_HISTORY:
        return _ENDLESS
    age = run.age or 0.0
    longer = sorted(length - age for length in run.lengths if length > age)
    return _Spell(longer, max(age, max(run.lengths)), _or_inf(run.left))


def _whole(waiting: Waiting) -> _Spell:
    """All of it: it has not begun."""
    if len(waiting.lengths) < ENOUGH_HISTORY:
        return _ENDLESS
    return _Spell(sorted(waiting.lengths), max(waiting.lengths), _or_inf(waiting.most))
