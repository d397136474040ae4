"""Which smaller slice would do, from the most that was used: pure, and silent where too little is known.

Memory is taken at its highest: PyTorch and others keep what they have allocated, so it is more than is needed and never
less, but a use of some seconds between two samples is not seen. That is what the reserve is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from aifactory_profiles import Catalogue, Profile
from aifactory_profiles.catalogue import menu_slices
from aifactory_profiles.placement import memory_bytes

from ..constants import KIND_SERVER
from .formatting import money
from .possessions import gpu_part

# Seconds held at least, and how much of them has to have samples.
LEAST_HELD = 8 * 3600
COVERAGE = Fraction(9, 10)
# So many pods, or so long from the first to the last of them, in seconds.
LEAST_PODS = 5
LEAST_SPAN = 7 * 86400
# Of memory so much more than the highest, and of a slice's compute at most so much.
MEMORY_RESERVE = Fraction(115, 100)
MOST_COMPUTE = Fraction(8, 10)
MONTH = 30 * 86400


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most that one pod was seen to use. ``seconds`` of its hold had samples; ``memory`` in bytes; ``engine`` is
    the highest part of its slice's compute that it used in 95 % of ten minutes. None: nothing was seen."""

    seconds: int = 0
    memory: int | None = None
    engine: float | None = None


def more(one: Peaks, other: Peaks) -> Peaks:
    """Both together, of one pod at two times."""
    memories = [each for each in (one.memory, other.memory) if each is not None]
    engines = [each for each in (one.engine, other.engine) if each is not None]
    return Peaks(one.seconds + other.seconds, max(memories, default=None), max(engines, default=None))


@dataclass(frozen=True, slots=True)
class Held:
    """One pod of the profile: from when on, for how many seconds, and what it used."""

    start: int
    seconds: int
    peaks: Peaks


@dataclass(frozen=True, slots=True)
class Size:
    """A slice on the team's menu: ``compute`` in the card's slices, ``memory`` in bytes, ``part`` of a whole GPU."""

    profile: str
    model: str
    compute: int
    memory: int
    part: Fraction
    per_hour: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """``profile`` would do in the place of ``instead_of``. ``month`` is how much less a month like this one would cost,
    None where prices are not known; ``gpu_seconds`` is how much of GPUs it would leave to others."""

    instead_of: str
    profile: str
    memory: int
    engine: float
    month: Decimal | None
    gpu_seconds: int
    currency: str = ""

    @property
    def text(self) -> str:
        """For people."""
        used = f"{self.memory / 1e9:.1f} GB of GPU memory and {self.engine:.0%} of the slice's compute"
        saved = "" if not self.month else f", for {money(self.month, self.currency)} a month less"
        return f"The most that was used in 30 days is {used}: {self.profile} would do{saved}."


def sizes(menu: Iterable[str], catalogue: Catalogue) -> list[Size]:
    """The slices of a menu. What is no slice, or has figures that are not known, is left out."""
    pieces = {(card.name, piece.name): (card, piece) for card, piece in menu_slices(catalogue.cards).values()}
    found = []
    for name in menu:
        profile: Profile | None = catalogue.profiles.get(name)
        pair = None if profile is None else pieces.get((profile.gpu_model or "", profile.slice or ""))
        part = None if profile is None else gpu_part(profile, catalogue)
        if profile is None or pair is None or part is None:
            continue
        memory, _ = memory_bytes(*pair)
        price = profile.price_per_hour
        found.append(Size(name, pair[0].name, pair[1].compute, memory, part, price, profile.currency))
    return found


def advise(held: Sequence[Held], now: Size, menu: Sequence[Size]) -> Advice | None:
    """What to choose instead of ``now`` after these pods; None: stay, or nobody can say."""
    seconds = sum(each.seconds for each in held)
    if not _enough(held, seconds):
        return None
    memory = max((each.peaks.memory or 0 for each in held), default=0)
    engine = max((each.peaks.engine or 0.0 for each in held), default=0.0)
    fits = [size for size in menu if _fits(size, now, memory, engine)]
    if not fits:
        return None
    best = min(fits, key=lambda size: (size.part, size.memory, size.profile))
    prices = (now.per_hour, best.per_hour)
    less = None if None in prices else (prices[0] or Decimal(0)) - (prices[1] or Decimal(0))
    month = None if less is None else (less * seconds / 3600).quantize(Decimal("0.01"))
    if month is not None and month < 0:
        return None
    saved = int((now.part - best.part) * seconds)
    return Advice(now.profile, best.profile, memory, engine, month, saved, best.currency)


def _enough(held: Sequence[Held], seconds: int) -> bool:
    """Whether all of it was seen, and for long enough."""
    if seconds < LEAST_HELD or any(each.peaks.memory is None or each.peaks.engine is None for each in held):
        return False
    covered = sum(min(each.seconds, each.peaks.seconds) for each in held)
    span = max(each.start + each.seconds for each in held) - min(each.start for each in held)
    return covered >= COVERAGE * seconds and (len(held) >= LEAST_PODS or span >= LEAST_SPAN)


def _fits(size: Size, now: Size, memory: int, engine: float) -> bool:
    if size.model != now.model or size.part >= now.part:
        return False
    enough = size.memory >= MEMORY_RESERVE * memory
    return enough and Fraction(engine) * now.compute <= MOST_COMPUTE * size.compute


def server_advice(answer: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """What to say of servers by team and size, from the job service's answer about a person.

    Raises KeyError or TypeError for an answer that is none.
    """
    return {
        (each["tenant"], each["instead_of"]): str(each["text"])
        for each in answer["advice"]
        if each["kind"] == KIND_SERVER
    }
