"""A hub that does random steps on the real Kueue until it is killed, and a tenant that makes pods past it.

Pods are real objects, counted by the tenant's real ResourceQuota, but nothing schedules them: each has a gate.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aifactory_hub.admission import AdmissionUnavailable, KueueAdmission, NotAdmitted, UserLimitReached
from aifactory_hub.clusters import ApiError, ApiUnreachable, KubeApi
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import Repair, TicketState, repair_of
from aifactory_profiles import Device

from ..support.kube_objects import LARGE, SMALL
from .steps import NAMES, Walk

HUB = "steps"
# On every pod: who made it.
WHOSE = "test.aifactory-hub.io/whose"
OURS, THEIRS = "hub", "tenant"
GATE = "test.aifactory-hub.io/never"
# Servers that the hub works on at once.
AT_ONCE = 12
# The hub dies at one of so many moments between two calls. Those that matter most come seldom, so more often there.
DIES = 60
DIES_AT = {"between ticket and pod": 6, "while the pod is made": 12, "while repairing": 20}

Log = Callable[[str], object]


class RefusedByTheCeiling(Exception):
    """The tenant's ResourceQuota has no room for the pod."""


@dataclass
class Pods:
    """The pods of one maker in the tenants' namespaces."""

    host: KubeApi
    tenants: Mapping[str, Tenant]
    whose: str

    def path(self, tenant: str, name: str = "") -> str:
        namespace = self.tenants[tenant].vcluster.namespace
        return f"/api/v1/namespaces/{namespace}/pods" + (f"/{name}" if name else "")

    async def names(self, tenant: str) -> set[str]:
        found = await self.host.get(self.path(tenant), {"labelSelector": f"{WHOSE}={self.whose}"})
        return {item["metadata"]["name"] for item in found["items"]}

    async def is_there(self, tenant: str, name: str) -> bool:
        try:
            await self.host.get(self.path(tenant, name))
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def create(self, tenant: str, name: str, devices: Mapping[Device, int]) -> None:
        """Raises RefusedByTheCeiling. One that is there is left as it is."""
        try:
            await self.host.create(self.path(tenant), _pod(name, self.whose, devices))
        except ApiError as error:
            if error.status == 403 and "exceeded quota" in error.message:
                raise RefusedByTheCeiling(error.message) from error
            if error.status != 409:
                raise

    async def delete(self, tenant: str, name: str) -> None:
        await self.host.delete(self.path(tenant, name))


def _pod(name: str, whose: str, devices: Mapping[Device, int]) -> dict[str, Any]:
    counts = {device.resource: str(count) for device, count in devices.items()}
    container = {"name": "c", "image": "none.invalid/none:1", "resources": {"requests": counts, "limits": counts}}
    spec = {"schedulingGates": [{"name": GATE}], "containers": [container], "automountServiceAccountToken": False}
    return {"metadata": {"name": name, "labels": {WHOSE: whose}}, "spec": spec}


@dataclass
class Hub:
    """One process of a hub, until it dies. What it did goes to ``log`` at once, so that it outlives it.

    A line is a word and what it is about: "step", "died", or "repaired" with the tickets given back and, in seconds,
    how long ago ``since`` was.
    """

    host: KubeApi
    tenants: Mapping[str, Tenant]
    dice: random.Random
    log: Log
    mortal: bool = True
    since: float = field(default_factory=time.time)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Not long: while Kueue is away other steps go on.
        self.admission = KueueAdmission(self.host, self.tenants, HUB, timeout=1.0)
        self.pods = Pods(self.host, self.tenants, OURS)
        self._asks = Walk(self.admission, self.tenants, self.dice)

    async def run(self) -> None:
        """Repair what an earlier process left, then do steps until killed."""
        given_back = await self.clear_up(everything=False)
        self.log(f"repaired {given_back} {time.time() - self.since:.2f}")
        await asyncio.gather(*(self._worker() for _ in range(AT_ONCE)))

    async def clear_up(self, *, everything: bool) -> int:
        """As a start of the hub does: a ticket without a pod goes, and a pod without a right to run.

        Returns how many tickets went.
        """
        return sum(await asyncio.gather(*(self._cleared(tenant, everything) for tenant in self.tenants)))

    async def _cleared(self, tenant: str, everything: bool) -> int:
        while True:
            try:
                return await self._clear(tenant, everything)
            except (AdmissionUnavailable, ApiUnreachable, ApiError):
                await asyncio.sleep(0.5)

    async def _clear(self, tenant: str, everything: bool) -> int:
        pods = await self.pods.names(tenant)
        for name in pods if everything else ():
            await self.pods.delete(tenant, name)
        left = [t.name for t in await self.admission.tickets(tenant) if everything or t.name not in pods]
        for name in left:
            await self.admission.release(tenant, name)
            self._may_die("while repairing")
        return len(left)

    async def _worker(self) -> None:
        while True:
            tenant, name = self.dice.choice(list(self.tenants)), f"t{self.dice.randrange(NAMES)}"
            what = self.dice.choice(("request", "request", "start", "start", "stop", "look"))
            async with self._locks.setdefault(f"{tenant}/{name}", asyncio.Lock()):
                self.log(f"step {await self._outcome(what, getattr(self, f'_{what}')(tenant, name))}")

    async def _outcome(self, what: str, doing: Awaitable[None]) -> str:
        try:
            await doing
        except UserLimitReached:
            return "one person's limit"
        except NotAdmitted:
            return "not admitted"
        except RefusedByTheCeiling:
            return "the ceiling refused the pod"
        except (AdmissionUnavailable, ApiUnreachable):
            await asyncio.sleep(0.2)
            return "Kueue or the API was away"
        return what

    async def _request(self, tenant: str, name: str) -> None:
        if not await self.pods.is_there(tenant, name):
            await self.admission.request(self._asks.request(tenant, name))
            self._may_die("after filing")

    async def _start(self, tenant: str, name: str) -> None:
        if await self.pods.is_there(tenant, name):
            return
        devices = await self._admitted(tenant, name)
        self._may_die("before holding")
        await self.admission.hold(tenant, name)
        self._may_die("between ticket and pod")
        making = asyncio.ensure_future(self.pods.create(tenant, name, devices))
        # So long that the request is under way: whether it gets there, nobody knows who died of it.
        await asyncio.sleep(self.dice.uniform(0, 0.02))
        self._may_die("while the pod is made")
        try:
            await making
        except RefusedByTheCeiling:
            await self.admission.release(tenant, name)
            raise
        self._may_die("after the pod")

    async def _admitted(self, tenant: str, name: str) -> Mapping[Device, int]:
        """Its devices once it is admitted. Raises NotAdmitted as soon as Kueue has said why it waits."""
        await self.admission.request(self._asks.request(tenant, name))
        for _ in range(10):
            ticket = await self.admission.get(tenant, name)
            if ticket.state is TicketState.ADMITTED:
                return ticket.devices
            if ticket.message:
                break
            await asyncio.sleep(0.2)
        raise NotAdmitted(name)

    async def _stop(self, tenant: str, name: str) -> None:
        await self.pods.delete(tenant, name)
        self._may_die("before giving back")
        await self.admission.release(tenant, name)

    async def _look(self, tenant: str, name: str) -> None:
        if not await self.pods.is_there(tenant, name):
            return
        ticket = await self.admission.get(tenant, name)
        if repair_of(ticket) is Repair.GIVE_WAY:
            await self._stop(tenant, name)

    def _may_die(self, where: str) -> None:
        if self.mortal and not self.dice.randrange(DIES_AT.get(where, DIES)):
            self.log(f"died {where}")
            os.kill(os.getpid(), signal.SIGKILL)


async def make_pods_past_the_hub(pods: Pods, dice: random.Random, log: Log) -> None:
    """What somebody with kubectl does beside us until it is cancelled: pods with devices, no ticket, and no hurry."""
    made: list[tuple[str, str]] = []
    number = 0
    while True:
        await asyncio.sleep(dice.uniform(0.1, 0.5))
        if made and (len(made) > 2 or dice.random() < 0.5):
            await pods.delete(*made.pop(0))
            log("beside deleted")
            continue
        tenant, number = dice.choice(list(pods.tenants)), number + 1
        try:
            await pods.create(tenant, f"theirs{number}", {dice.choice((SMALL, SMALL, LARGE)): dice.choice((1, 2))})
        except RefusedByTheCeiling:
            log("beside refused by the ceiling")
        except ApiUnreachable:
            log("beside not answered")
        else:
            made.append((tenant, f"theirs{number}"))
            log("beside created")
