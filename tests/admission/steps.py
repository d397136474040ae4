"""Random steps on a quota engine, and what must hold after each: counted here anew, not by the product's own rules.

``python -m tests.admission.steps 1000000`` runs them on the engine in the process.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from aifactory_hub.admission import Admission, InProcessAdmission, NotAdmitted, UserLimitReached
from aifactory_hub.constants import KIND_JOB, KIND_SERVER
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Device, Resources

from ..support.kube_objects import LARGE, SMALL, make_tenant

USERS = ("ada", "bob", "eve")
# More names than this would only fill the queue.
NAMES = 6
NOTHING: Mapping[str, Mapping[Device, int]] = {}


def three_tenants() -> dict[str, Tenant]:
    """One that borrows and lends, one that lends little and limits its people, one that owns nothing."""
    quotas = {
        "nlp": Quota({SMALL: 3, LARGE: 1}, {SMALL: 3}),
        "vision": Quota({SMALL: 3, LARGE: 1}, {LARGE: 1}, lending={SMALL: 1}, per_user={SMALL: 2}),
        "guests": Quota({}, {SMALL: 2, LARGE: 1}, notebooks_borrow=True),
    }
    return {name: replace(make_tenant(name), quota=quota) for name, quota in quotas.items()}


def counted(tickets: Iterable[Ticket], kind: str | None = None) -> dict[str, Counter[Device]]:
    """What each tenant holds, or what of it servers or jobs hold: admitted, or held by something that runs."""
    held: dict[str, Counter[Device]] = {}
    for ticket in tickets:
        if kind not in (None, ticket.kind):
            continue
        if ticket.state is TicketState.ADMITTED or (ticket.active and ticket.state is TicketState.EVICTED):
            held.setdefault(ticket.tenant, Counter()).update(ticket.devices)
    return held


Held = Mapping[str, Mapping[Device, int]]


def violations(quotas: Mapping[str, Quota], held: Held, notebooks: Held = NOTHING) -> list[str]:
    """Every promise that is broken when the tenants hold this, and their notebooks that part of it."""
    found: list[str] = []
    for device in (SMALL, LARGE):
        holds = {name: held.get(name, {}).get(device, 0) for name in quotas}
        own = {name: quota.nominal.get(device, 0) for name, quota in quotas.items()}
        lends = {name: min(own[name], quota.lending.get(device, own[name])) for name, quota in quotas.items()}
        if sum(holds.values()) > sum(own.values()):
            found.append(f"{device}: {holds} is more than the {sum(own.values())} that there are")
        for name, quota in quotas.items():
            if holds[name] > own[name] + quota.borrowing.get(device, 0):
                found.append(f"{device}: {name} holds {holds[name]}, over its limit")
        found += [
            f"{device}: notebooks of {name} hold {count}, over its own {own[name]}"
            for name, count in ((name, notebooks.get(name, {}).get(device, 0)) for name in quotas)
            if count > own[name] and not quotas[name].notebooks_borrow
        ]
        shared = sum(max(0, holds[name] - (own[name] - lends[name])) for name in quotas)
        if shared > sum(lends.values()):
            found.append(f"{device}: {holds} takes what a tenant keeps for itself")
    return found


@dataclass
class Walk:
    """Random steps on ``engine``; ``done`` counts what was done, ``broken`` what did not hold."""

    engine: Admission
    tenants: Mapping[str, Tenant]
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    async def step(self) -> None:
        """One thing that a hub does."""
        tenant, name = self.dice.choice(list(self.tenants)), f"t{self.dice.randrange(NAMES)}"
        what = self.dice.choice(("request", "request", "hold", "release", "give-way"))
        try:
            match what:
                case "request":
                    await self.engine.request(self.request(tenant, name))
                case "hold":
                    await self.engine.hold(tenant, name)
                case "release":
                    await self.engine.release(tenant, name)
                case "give-way":
                    ticket = await self.engine.get(tenant, name)
                    if ticket.state is not TicketState.EVICTED:
                        return
                    await self.engine.release(tenant, name)
        except UserLimitReached:
            what = "limited"
        except NotAdmitted:
            what = "not admitted"
        self.done[what] += 1

    def request(self, tenant: str, name: str) -> TicketRequest:
        device = self.dice.choice((SMALL, SMALL, LARGE))
        # One name always asks alike: asked again, it is the same ticket.
        user = USERS[int(name[1:]) % len(USERS)]
        priority = "notebook" if int(name[1:]) % 2 else "batch"
        resources = Resources(devices={device.resource: self.dice.choice((1, 1, 2)) if device is SMALL else 1})
        kind = KIND_SERVER if priority == "notebook" else KIND_JOB
        return TicketRequest(tenant, name, kind, name, user, "p", resources, priority, flavor=device.flavor)

    async def check(self) -> None:
        """Look at all tickets, between two steps."""
        tickets = [ticket for name in self.tenants for ticket in await self.engine.tickets(name)]
        quotas = {name: tenant.quota for name, tenant in self.tenants.items()}
        held = counted(tickets)
        notebooks = counted(tickets, KIND_SERVER)
        self.broken += violations(quotas, held, notebooks)
        self.broken += self._persons(tickets) + self._owners(tickets, held, notebooks)
        self.broken += [f"{t.tenant}/{t.name}, a notebook, was evicted" for t in tickets if self._lost(t)]
        self.done["evicted seen"] += sum(t.state is TicketState.EVICTED for t in tickets)

    def _persons(self, tickets: list[Ticket]) -> list[str]:
        has: Counter[tuple[str, str, Device]] = Counter()
        for ticket in tickets:
            for device, count in ticket.devices.items():
                has[(ticket.tenant, ticket.user, device)] += count
        return [
            f"{user} of {tenant} has {count} of {device}"
            for (tenant, user, device), count in has.items()
            if count > self.tenants[tenant].quota.per_user.get(device, count)
        ]

    def _lost(self, ticket: Ticket) -> bool:
        """Whether a notebook lost what was its tenant's own."""
        borrow = self.tenants[ticket.tenant].quota.notebooks_borrow
        return ticket.kind == KIND_SERVER and ticket.state is TicketState.EVICTED and not borrow

    def _owners(self, tickets: list[Ticket], held: Held, notebooks: Held) -> list[str]:
        """Whoever waits for its own waits for something that has been asked to go, and for nothing else."""
        if any(t.state is TicketState.EVICTED for t in tickets):
            return []
        return [
            f"{t.tenant}/{t.name} waits for what is its own"
            for t in tickets
            if t.state is TicketState.QUEUED
            and all(
                (notebooks if t.kind == KIND_SERVER else held).get(t.tenant, {}).get(d, 0) + n
                <= self.tenants[t.tenant].quota.nominal.get(d, 0)
                for d, n in t.devices.items()
            )
        ]


async def walk_in_process(steps: int, seed: int) -> Walk:
    """``steps`` steps on the engine in the process, checked after each."""
    tenants = three_tenants()
    walk = Walk(InProcessAdmission(tenants), tenants, random.Random(seed))
    for number in range(steps):
        await walk.step()
        await walk.check()
        if walk.broken:
            raise AssertionError(f"seed {seed}, step {number}: {walk.broken}")
    return walk


def main() -> None:
    """As many steps as asked for, in walks of 10,000 with a seed each."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    began, done = time.monotonic(), Counter[str]()
    for seed in range(max(1, steps // 10_000)):
        done += asyncio.run(walk_in_process(min(steps, 10_000), seed)).done
    print(f"{steps} steps in {time.monotonic() - began:.0f} s, 0 violations: {dict(done)}")


if __name__ == "__main__":
    main()
