"""The simulated fleet's neighbours: team mates who take slices and give them back, through the real quota."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aifactory_profiles import Catalogue

from .. import constants
from ..admission import GatedAdmission, NotAdmitted
from ..domain.names import server_id
from ..domain.tickets import TicketRequest, TicketState
from .site import LARGE, OLDER, SMALL

log = logging.getLogger(__name__)

# Seconds between two looks at what the neighbours want.
TICK = 1.0


@dataclass(frozen=True, slots=True)
class Habit:
    """A neighbour's habit: of every ``period`` seconds they work ``busy`` seconds, on one slice of ``profile``."""

    name: str
    tenant: str
    profile: str
    period: float
    busy: float

    @property
    def user(self) -> str:
        """Their name at the hub, which says what they are."""
        return f"{self.name} (simulated)"


# ``calm`` has always room, and lena keeps a slice and does nothing with it; ``busy`` has sometimes none, ``full``
# hardly ever. ``fragmented`` has small slices free on every side while each large one is taken. In ``miscut`` more
# small ones are wanted than there are, and nobody wants a large one.
SCENARIOS: Mapping[str, tuple[Habit, ...]] = {
    "calm": (
        Habit("lena", "nlp", SMALL, 36_000, 36_000),
        Habit("jun", "vision", SMALL, 300, 150),
    ),
    "busy": (
        Habit("lena", "nlp", SMALL, 240, 240),
        Habit("omar", "nlp", SMALL, 180, 120),
        Habit("ines", "nlp", LARGE, 300, 150),
        Habit("jun", "vision", SMALL, 300, 200),
        Habit("tess", "vision", LARGE, 240, 160),
        Habit("mads", "vision", OLDER, 280, 140),
    ),
    "full": (
        Habit("lena", "nlp", SMALL, 240, 225),
        Habit("omar", "nlp", SMALL, 300, 285),
        Habit("ruth", "nlp", SMALL, 360, 345),
        Habit("ines", "nlp", LARGE, 300, 280),
        Habit("jun", "vision", SMALL, 240, 225),
        Habit("timo", "vision", SMALL, 300, 285),
        Habit("yara", "vision", SMALL, 360, 345),
        Habit("tess", "vision", LARGE, 300, 280),
        Habit("petra", "nlp", OLDER, 240, 220),
        Habit("mads", "vision", OLDER, 360, 340),
    ),
    "fragmented": (
        Habit("lena", "nlp", SMALL, 240, 240),
        Habit("ines", "nlp", LARGE, 600, 600),
        Habit("petra", "nlp", OLDER, 600, 600),
        Habit("jun", "vision", SMALL, 300, 300),
        Habit("tess", "vision", LARGE, 600, 600),
        Habit("mads", "vision", OLDER, 600, 600),
    ),
    "miscut": (
        Habit("lena", "nlp", SMALL, 36_000, 36_000),
        Habit("omar", "nlp", SMALL, 36_000, 36_000),
        Habit("ruth", "nlp", SMALL, 36_000, 36_000),
        Habit("ines", "nlp", SMALL, 36_000, 36_000),
        Habit("petra", "nlp", SMALL, 36_000, 36_000),
        Habit("jun", "vision", SMALL, 36_000, 36_000),
        Habit("timo", "vision", SMALL, 36_000, 36_000),
        Habit("yara", "vision", SMALL, 36_000, 36_000),
        Habit("mads", "vision", SMALL, 36_000, 36_000),
    ),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """A slice that a neighbour wants to hold now. ``turn`` counts their periods, so each has a ticket of its own."""

    habit: Habit
    turn: int

    @property
    def ticket(self) -> str:
        return f"neighbour-{self.habit.name}-{self.turn}"


def wishes(scenario: str, seconds: float, seed: int = 0) -> frozenset[Wish]:
    """Who wants what, ``seconds`` after the demo's start. The same arguments give the same answer."""
    found = set()
    for habit in SCENARIOS[scenario]:
        turn, within = divmod(seconds + _shift(habit, seed), habit.period)
        if within < habit.busy:
            found.add(Wish(habit, int(turn)))
    return frozenset(found)


def _shift(habit: Habit, seed: int) -> float:
    """How far into their first period a neighbour is at the start: always at work, but not all for equally long."""
    digest = hashlib.sha256(f"{seed}:{habit.name}".encode()).digest()
    return digest[0] / 256 * habit.busy * 0.9


class Neighbours:
    """Carries the wishes out. ``speed`` is how many seconds pass for them in one of ours; 0 stops their time."""

    def __init__(
        self,
        admission: GatedAdmission,
        catalogue: Catalogue,
        *,
        scenario: str,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admission = admission
        self._catalogue = catalogue
        self._scenario = scenario
        self._speed = speed
        self._clock = clock
        self._began = clock()
        self._asked: set[Wish] = set()

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            try:
                await self.step()
            except Exception:
                log.exception("the neighbours stumbled; they go on")
            await asyncio.sleep(TICK)

    async def step(self) -> None:
        """Give back what is not wanted any more, ask for what is new, hold what was granted."""
        wanted = wishes(self._scenario, (self._clock() - self._began) * self._speed)
        for wish in self._asked - wanted:
            await self._admission.release(wish.habit.tenant, wish.ticket)
        for wish in sorted(wanted, key=lambda wish: wish.ticket):
            await self._take(wish)
        self._asked = set(wanted)

    async def _take(self, wish: Wish) -> None:
        ticket = await self._admission.request(self._request(wish))
        if ticket.state is TicketState.ADMITTED and not ticket.active:
            try:
                await self._admission.hold(ticket.tenant, ticket.name)
            except NotAdmitted:
                log.info("%s lost their place and waits again", wish.habit.name)
        elif ticket.state is TicketState.EVICTED:
            await self._admission.release(ticket.tenant, ticket.name)

    def _request(self, wish: Wish) -> TicketRequest:
        profile = self._catalogue.profile(wish.habit.profile)
        return TicketRequest(
            tenant=wish.habit.tenant,
            name=wish.ticket,
            kind="server",
            owner=server_id(wish.habit.user, ""),
            user=wish.habit.user,
            profile=profile.name,
            resources=profile.requests,
            priority=constants.PRIORITY_NOTEBOOK,
            node_labels=profile.node_labels,
            flavor=profile.flavor,
            max_seconds=round(wish.habit.busy / self._speed) if self._speed else None,
        )
