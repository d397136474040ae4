"""How long a ticket takes on Kueue: filed to admitted, alone and 50 at once, with an empty queue and a long one."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aifactory_hub.admission import KueueAdmission
from aifactory_hub.clusters import KubeApi
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import Tenant
from aifactory_hub.domain.tickets import TicketRequest, TicketState
from aifactory_profiles import Resources
from tests.support.kube_objects import LARGE, SMALL, make_tenant
from tests.support.real_cluster import KUEUE, as_admin, own_queues

from .frame import Report, summary

ALONE = AT_ONCE = 50
# How many tickets that can never be admitted wait in the queue.
WAITING = (0, 500)
TENANT = replace(make_tenant("nlp"), quota=Quota({SMALL: AT_ONCE, LARGE: 0}))


def _ask(name: str, *, large: bool = False) -> TicketRequest:
    device = LARGE if large else SMALL
    resources = Resources(devices={device.resource: 1})
    return TicketRequest("nlp", name, "server", name, "ada", "p", resources, "batch", flavor=device.flavor)


async def _admitted_after(admission: KueueAdmission, name: str) -> float:
    """Milliseconds from filing until the watch shows it admitted."""
    began = time.perf_counter()
    await admission.request(_ask(name))
    async for ticket in admission.watch("nlp", name):
        if ticket.state is TicketState.ADMITTED:
            return (time.perf_counter() - began) * 1000
    raise RuntimeError(f"{name} was never admitted")


async def _alone(admission: KueueAdmission) -> list[float]:
    times = []
    for _ in range(ALONE):
        name = f"a{secrets.token_hex(4)}"
        times.append(await _admitted_after(admission, name))
        await admission.release("nlp", name)
    return times


async def _at_once(admission: KueueAdmission) -> list[float]:
    names = [f"b{secrets.token_hex(4)}" for _ in range(AT_ONCE)]
    times = await asyncio.gather(*(_admitted_after(admission, name) for name in names))
    await asyncio.gather(*(admission.release("nlp", name) for name in names))
    return list(times)


async def _all_wait(host: KubeApi, tenant: Tenant, many: int) -> None:
    """Until Kueue itself counts them as waiting, so that it is not still busy with taking them in."""
    async with asyncio.timeout(120):
        while (await host.get(f"{KUEUE}/clusterqueues/{tenant.vcluster.namespace}"))["status"][
            "pendingWorkloads"
        ] != many:
            await asyncio.sleep(0.5)


async def _measure(waiting: Sequence[int]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    raw: dict[str, Any] = {}
    async with as_admin() as host, own_queues(host, {"nlp": TENANT}) as tenants:
        admission = KueueAdmission(host, tenants, "bench")
        filed = 0
        for many in waiting:
            for number in range(filed, many):
                await admission.request(_ask(f"w{number}", large=True))
            filed = many
            await _all_wait(host, tenants["nlp"], many)
            for what, run in (("alone", _alone), (f"{AT_ONCE} at once", _at_once)):
                times = await run(admission)
                rows.append({"tickets": what, "waiting": many, **summary(times, digits=0)})
                raw[f"{what}, {many} waiting"] = times
        await admission.close()
    return rows, raw


def main() -> None:
    """``ARGS="0"`` measures with an empty queue only."""
    waiting = [int(each) for each in sys.argv[1:]] or list(WAITING)
    rows, raw = asyncio.run(_measure(waiting))
    Report(
        "admission",
        "milliseconds from filing a ticket until it is admitted",
        rows,
        raw,
        simulated=["the GPU slices; no pod is made"],
    ).finish()


if __name__ == "__main__":
    main()
