"""Ends jobs whose owners have left their teams, and separates what belonged to the former owner of an account."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ...domain.membership_policy import LiveJob, Policy, jobs_to_end, leaving_since
from ...store import Jobs
from ...store.owners import HANDED_OVER, Owners
from ..auth.memberships import MOST_NAMES, Members, Membership
from ..errors import ServiceError
from ..executors import reconciling

log = logging.getLogger(__name__)

LEFT_TEAM = "the hub: its owner is no member of the team any more"


@dataclass
class Handovers:
    """Carries out each handover of an account once, before anything is done for its new owner."""

    owners: Owners
    jobs: Jobs
    clock: Callable[[], float]
    _done: dict[str, int] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def carry_out(self, generations: Mapping[str, int]) -> None:
        """``generations`` maps accounts to how many handovers the hub knows of."""
        if not any(generations.values()):
            return
        async with self._turn:
            if self._done is None:
                self._done = await reconciling.run(self.owners.generations)
            for name, generation in generations.items():
                if generation > self._done.get(name, 0):
                    await self._retire(name, generation)
                    self._done[name] = generation

    async def _retire(self, name: str, generation: int) -> None:
        now = self.clock()
        going = await reconciling.run(self.owners.retire, name, generation, now=now)
        self.jobs.budgets.refresh()
        log.warning("account %s was handed over: %d jobs of its former owner are cancelled", name, len(going))
        for job_id in going:  # recorded already; this wakes whoever works on it
            await reconciling.run(self.jobs.ask_cancel, job_id, by=HANDED_OVER, now=now)


@dataclass(frozen=True)
class LeftOwners:
    """Looks after the owners of live jobs: by what runs now and what the hub says now."""

    owners: Owners
    jobs: Jobs
    members: Members
    policy: Callable[[], Policy]
    clock: Callable[[], float]

    async def look(self) -> None:
        """End what is to end. A hub that does not answer ends nothing."""
        watched, live = await reconciling.run(self._live)
        try:
            memberships = await self._memberships(watched)
        except ServiceError as error:
            log.info("owners of live jobs: %s", error)
            return
        now = self.clock()
        known = await reconciling.run(self.owners.leaving)
        left = left_places(live, memberships, known, now)
        await reconciling.run(self.owners.set_leaving, left)
        for job in jobs_to_end(live, left, self.policy(), now):
            log.warning(
                "job %s in %s: %s is no member of the team any more; it is cancelled", job.id, job.tenant, job.owner
            )
            await reconciling.run(self.jobs.ask_cancel, job.id, by=LEFT_TEAM, now=now)

    def _live(self) -> tuple[list[str], list[LiveJob]]:
        return self.jobs.live_owners(), self.owners.live()

    async def _memberships(self, names: list[str]) -> dict[str, Membership]:
        found: dict[str, Membership] = {}
        for start in range(0, len(names), MOST_NAMES):
            found.update(await self.members.of(names[start : start + MOST_NAMES], watch=True))
        return found


def left_places(
    jobs: Iterable[LiveJob],
    memberships: Mapping[str, Membership],
    known: Mapping[tuple[str, str], float],
    now: float,
) -> dict[tuple[str, str], float]:
    """(owner, tenant) -> since when the owner is no member there, for the places in which jobs of theirs are live."""
    places: dict[str, set[str]] = {}
    for job in jobs:
        places.setdefault(job.owner, set()).add(job.tenant)
    left: dict[tuple[str, str], float] = {}
    for owner, tenants in places.items():
        membership = memberships.get(owner)
        roles = None if membership is None else membership.last
        mine = {tenant: at for (name, tenant), at in known.items() if name == owner}
        left |= {(owner, tenant): at for tenant, at in leaving_since(tenants, roles, mine, now).items()}
    return left
