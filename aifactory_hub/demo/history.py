"""Months of use that never were, so that the demo's bills and pages have something to show. They are marked as made."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

from ..constants import KIND_JOB, KIND_SERVER
from ..domain.months import Span, before, days, month_of
from ..domain.possessions import gpu_part
from ..domain.usage import Attribution, FactKind, Possession, Source, UsageFact
from ..registry import Registry
from ..store.ledger import Ledger
from .site import LARGE, OLDER, SMALL

MADE = "made for the demo"


@dataclass(frozen=True, slots=True)
class Routine:
    """When somebody works: on weekdays from about ``begins`` (hour of the day) for about ``hours``; on every so many
    days of a hundred, ``nights`` of which a job of the night follows, and at weekends seldom."""

    name: str
    tenant: str
    profile: str
    begins: int
    hours: float
    nights: int = 0
    weekends: int = 5


ROUTINES = (
    Routine("ada", "nlp", SMALL, 9, 6.5, nights=20),
    Routine("noor", "nlp", OLDER, 13, 3.0),
    Routine("mika", "nlp", SMALL, 10, 4.0),
    Routine("lena (simulated)", "nlp", SMALL, 8, 7.5, weekends=20),
    Routine("ines (simulated)", "nlp", LARGE, 18, 2.0, nights=60, weekends=40),
    Routine("kai", "vision", SMALL, 9, 7.0, nights=30),
    Routine("jun (simulated)", "vision", SMALL, 11, 5.0),
    Routine("tess (simulated)", "vision", LARGE, 10, 5.5, nights=35),
    Routine("mads (simulated)", "vision", OLDER, 7, 8.0, weekends=30),
)


@dataclass(frozen=True, slots=True)
class _Work:
    """One pod from ``start`` to ``end``, seconds since 1970."""

    pod: str
    kind: str
    start: int
    end: int


def made_history(registry: Registry, now: int) -> Iterator[UsageFact]:
    """The facts of the two months before this one and of this one up to ``now``, the same for the same arguments.

    The first of them is closed on every day of this one, and each person has held something in this one.
    """
    zone = registry.billing.zone
    this = month_of(now, zone)
    first = before(before(this, zone), zone)
    for routine in ROUTINES:
        left = 0
        for work in _past(routine, first.start, now, zone):
            left = work.end
            yield from _life(work, _possession(registry, routine, work.kind))
        if left <= this.start:
            yield from _life(_lately(routine, left, now), _possession(registry, routine, KIND_SERVER))


def fill(ledger: Ledger, registry: Registry, now: int) -> int:
    """Write the made history into a ledger that has nothing yet; how many facts. Blocks."""
    return ledger.append(list(made_history(registry, now))) if ledger.head() == 0 else 0


def _past(routine: Routine, start: int, now: int, zone: ZoneInfo) -> Iterator[_Work]:
    for day in days(start, now, zone):
        chance = random.Random(f"{routine.name} {day.name}")  # noqa: S311 - nothing secret
        yield from (work for work in _day(routine, day, chance, zone) if work.end < now)


def _day(routine: Routine, day: Span, chance: random.Random, zone: ZoneInfo) -> Iterator[_Work]:
    weekend = datetime.fromtimestamp(day.start, zone).weekday() >= 5
    if chance.randrange(100) >= (routine.weekends if weekend else 92):
        return
    pod = f"made-{_short(routine)}-{day.name}"
    start = day.start + routine.begins * 3600 + chance.randrange(-2400, 2400)
    end = start + int(routine.hours * 3600 * chance.uniform(0.6, 1.2))
    yield _Work(f"{pod}-0", KIND_SERVER, start, end)
    if chance.randrange(100) < routine.nights:
        begin = end + chance.randrange(60, 1800)
        yield _Work(f"{pod}-1", KIND_JOB, begin, begin + chance.randrange(1200, 6 * 3600))


def _lately(routine: Routine, left: int, now: int) -> _Work:
    """A server of the last two hours, for who has held nothing in this month: it is young."""
    return _Work(f"made-{_short(routine)}-lately", KIND_SERVER, max(left, now - 7200), now - 60)


def _life(work: _Work, whose: Possession) -> Iterator[UsageFact]:
    pod, start, end = work.pod, work.start, work.end
    yield UsageFact.exact(pod, FactKind.BOUND, Source.OPERATOR, start, start, possession=whose, note=MADE)
    yield UsageFact.exact(pod, FactKind.STARTED, Source.OPERATOR, start + 12, start + 12, note=MADE)
    yield UsageFact.exact(pod, FactKind.ENDED, Source.OPERATOR, end, end, note=MADE)


def _short(routine: Routine) -> str:
    return routine.name.split()[0]


def _possession(registry: Registry, routine: Routine, kind: str) -> Possession:
    profile = registry.catalogue.profile(routine.profile)
    return Possession(
        tenant=routine.tenant,
        user=routine.name,
        profile=profile.name,
        kind=kind,
        owner=f"made-{_short(routine)}",
        name=f"made-{kind}-{_short(routine)}",
        devices={f"{device.flavor}/{device.resource}": count for device, count in profile.takes.items()},
        gpus=gpu_part(profile, registry.catalogue) or Fraction(0),
        attribution=Attribution.TICKET,
        simulated=True,
    )
