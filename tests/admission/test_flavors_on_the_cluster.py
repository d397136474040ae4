"""Two GPU models with a slice of one name: on a real Kueue each ticket takes the quota of its own model only."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest

from aifactory_hub.admission import KueueAdmission
from aifactory_hub.clusters import KubeApi
from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_profiles import Device, Resources
from aifactory_profiles.catalogue import PRODUCT_LABEL

from ..support.kube_objects import SMALL, make_tenant
from ..support.real_cluster import KUEUE, as_admin, own_queues

pytestmark = pytest.mark.cluster


def ask(name: str, flavor: str) -> TicketRequest:
    resources = Resources(devices={SMALL.resource: 1})
    request = TicketRequest("nlp", name, "server", name, "ada", "p", resources, "batch", {PRODUCT_LABEL: flavor})
    return replace(request, flavor=flavor)


async def until_decided(admission: KueueAdmission, name: str) -> Ticket:
    async with asyncio.timeout(30):
        while True:
            ticket = await admission.get("nlp", name)
            if ticket.state is TicketState.ADMITTED or ticket.message:
                return ticket
            await asyncio.sleep(0.2)


async def test_a_ticket_takes_the_flavor_of_its_model() -> None:
    mark = secrets.token_hex(3)
    h100, a100 = f"h100-{mark}", f"a100-{mark}"
    quota = Quota({Device(h100, SMALL.resource): 1, Device(a100, SMALL.resource): 1})
    async with as_admin() as host:
        flavors = f"{KUEUE}/resourceflavors"
        try:
            for name in (h100, a100):
                body = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": name}}
                await host.create(flavors, body | {"spec": {"nodeLabels": {PRODUCT_LABEL: name}}})
            async with own_queues(host, {"nlp": replace(make_tenant("nlp"), quota=quota)}) as tenants:
                admission = KueueAdmission(host, tenants, "flavors")
                for name, flavor in (("first", h100), ("second", a100), ("third", h100)):
                    await admission.request(ask(name, flavor))
                    ticket = await until_decided(admission, name)
                    if name == "third":
                        assert ticket.state is TicketState.QUEUED, "the other model is no way out"
                        assert f"in flavor {h100}" in ticket.message
                    else:
                        assert ticket.node_selector == {PRODUCT_LABEL: flavor}
                used = (await admission.usage("nlp")).used
                assert used == quota.nominal
                assert await held_by_kueue(host, tenants["nlp"].vcluster.namespace) == {h100: "1", a100: "1"}
                await admission.close()
        finally:
            for name in (h100, a100):
                await host.delete(f"{flavors}/{name}")


async def held_by_kueue(host: KubeApi, queue: str) -> dict[str, str]:
    """What Kueue itself says that each flavor of the queue holds; it says so a second late."""
    async with asyncio.timeout(30):
        while True:
            status = (await host.get(f"{KUEUE}/clusterqueues/{queue}"))["status"]
            held = {f["name"]: f["resources"][0]["total"] for f in status["flavorsReservation"]}
            if sum(map(int, held.values())) == 2:
                return held
            await asyncio.sleep(0.2)


async def test_whole_gpus_are_counted_one_by_one() -> None:
    whole = Device(SMALL.flavor, "nvidia.com/gpu")
    tenant = replace(make_tenant("nlp"), quota=Quota({whole: 3}))
    async with as_admin() as host, own_queues(host, {"nlp": tenant}) as tenants:
        admission = KueueAdmission(host, tenants, "whole")
        for name, count, state in (
            ("two", 2, TicketState.ADMITTED),
            ("two-more", 2, TicketState.QUEUED),
            ("one", 1, TicketState.ADMITTED),
        ):
            request = replace(ask(name, whole.flavor), resources=Resources(devices={whole.resource: count}))
            await admission.request(replace(request, node_labels={}))
            assert (await until_decided(admission, name)).state is state, name
        assert (await admission.usage("nlp")).used == {whole: 3}
        await admission.close()
