"""MIG's single strategy, where every slice is called a GPU and only the node's label says which: on the real parts."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.admission import KueueAdmission
from aifactory_hub.clusters import KubeApi
from aifactory_hub.constants import KIND_JOB, KIND_SERVER, PRIORITY_BATCH, PRIORITY_NOTEBOOK
from aifactory_hub.domain.tickets import Ticket, TicketRequest, TicketState
from aifactory_hub.registry import Registry, load_registry
from aifactory_hub.registry.render import cluster_objects
from aifactory_profiles import Device

from ..registry.files import GOOD
from ..support.nodes import placed, simulated_node
from ..support.real_cluster import KUEUE, as_admin, own_queues
from .test_flavors_on_the_cluster import until_decided

pytestmark = pytest.mark.cluster

GPU = "nvidia.com/gpu"
PRODUCT = "NVIDIA-H100-80GB-HBM3-MIG"
CARD = """\
name: {name}
display_name: NVIDIA H100 80GB
products: [{product}]
compute_slices: 7
memory_slices: 8
sources: {{products: s, compute_slices: s, memory_slices: s, compute: s, memory: s, max: s, starts: s, resource: s}}
slices:
  - {{name: {slice}, compute: {compute}, memory: {memory}, max: {max}, starts: {starts}, usable_gib: unknown,
     resource: nvidia.com/gpu}}
"""
SLICES: dict[str, dict[str, Any]] = {
    "1g.10gb": {"compute": 1, "memory": 1, "max": 7, "starts": [0, 1, 2, 3, 4, 5, 6]},
    "3g.40gb": {"compute": 3, "memory": 4, "max": 2, "starts": [0, 4]},
}


def site(folder: Path, mark: str) -> Registry:
    """A site with nodes cut into 1g.10gb and nodes cut into 3g.40gb; nlp has two of each."""
    names = {slice_: f"h100-{slice_[:2]}-{mark}" for slice_ in SLICES}
    for slice_, figures in SLICES.items():
        product = f"{PRODUCT}-{slice_}-{mark}"
        (folder / f"{slice_}.yaml").write_text(
            CARD.format(name=names[slice_], product=product, slice=slice_, **figures)
        )
    small, large = (f"{name}:gpu" for name in names.values())
    text = GOOD[: GOOD.index("  vision:\n")]
    for old, new in (
        ("[h100-80gb]", f"[{', '.join(names.values())}]\n  cards: [1g.10gb.yaml, 3g.40gb.yaml]"),
        ("{mig-1g.10gb: 7, mig-3g.40gb: 2}", f"{{{small}: 7, {large}: 2}}"),
        ("[cpu-small, mig-1g.10gb, mig-3g.40gb]", f"[{small}, {large}]"),
        ("quota: {mig-1g.10gb: 3, nvidia.com/mig-3g.40gb: 1}", f"quota: {{{small}: 2, {large}: 2}}"),
        ("    borrowing: {mig-1g.10gb: 2}\n", ""),
        ("  mig-1g.10gb: {cpu: 500m, memory: 2Gi, price_per_hour: 0.40}\n", ""),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    (folder / "tenants.yaml").write_text(text)
    return load_registry(folder / "tenants.yaml")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    """With its flavors on the cluster, and a node for each that has as many as one GPU gives."""
    mark = secrets.token_hex(3)
    made = site(tmp_path, mark)
    flavors = [each for each in cluster_objects(made) if each["kind"] == "ResourceFlavor"]
    async with as_admin() as host, AsyncExitStack() as stack:
        for flavor, figures in zip(flavors, SLICES.values(), strict=True):
            path = f"{KUEUE}/resourceflavors"
            await host.create(path, flavor)
            stack.push_async_callback(host.delete, f"{path}/{flavor['metadata']['name']}")
            labels, counts = flavor["spec"]["nodeLabels"], {GPU: str(figures["max"])}
            await stack.enter_async_context(simulated_node(host, flavor["metadata"]["name"], labels, counts))
        yield made


def asked(registry: Registry, kind: str, name: str, profile_name: str) -> TicketRequest:
    profile = registry.catalogue.profile(profile_name)
    priority = PRIORITY_NOTEBOOK if kind == KIND_SERVER else PRIORITY_BATCH
    labels, flavor = profile.node_labels, profile.flavor
    return TicketRequest(
        "nlp", name, kind, name, "ada", profile.name, profile.requests, priority, labels, flavor=flavor
    )


def pod(ticket: Ticket) -> dict[str, Any]:
    """As spawner and jobs make it: what the ticket holds, on the nodes that the ticket names."""
    counts = {device.resource: str(count) for device, count in ticket.devices.items()}
    container = {"name": "c", "image": "none.invalid/none:1", "resources": {"requests": counts, "limits": counts}}
    selector = dict(ticket.node_selector)
    spec = {"nodeSelector": selector, "automountServiceAccountToken": False, "containers": [container]}
    return {"metadata": {"name": ticket.name}, "spec": spec}


async def test_a_notebook_and_a_job_of_each_slice_are_counted_apart_and_placed_where_their_slice_is(
    registry: Registry,
) -> None:
    small, large = (profile for profile in registry.tenants["nlp"].profiles)
    async with as_admin() as host, own_queues(host, {"nlp": registry.tenants["nlp"]}) as tenants:
        admission = KueueAdmission(host, tenants, "single")
        pods = f"/api/v1/namespaces/{tenants['nlp'].vcluster.namespace}/pods"
        for kind, name, profile in (
            (KIND_SERVER, "notebook-small", small),
            (KIND_JOB, "job-small", small),
            (KIND_SERVER, "notebook-large", large),
            (KIND_JOB, "job-large", large),
        ):
            await admission.request(asked(registry, kind, name, profile))
            ticket = await until_decided(admission, name)
            flavor = registry.catalogue.profile(profile).flavor
            assert (ticket.state, ticket.devices) == (TicketState.ADMITTED, {Device(flavor, GPU): 1}), ticket
            assert await placed(host, pods, pod(ticket)) == flavor
        await waits_for_its_own_slice(admission, registry, large)
        await delete_all(host, pods)
        await admission.close()


async def waits_for_its_own_slice(admission: KueueAdmission, registry: Registry, large: str) -> None:
    """The large slice's quota is used up: a job waits for it, free small ones and their like name notwithstanding."""
    await admission.release("nlp", "job-small")
    await admission.request(asked(registry, KIND_JOB, "one-more", large))
    ticket = await until_decided(admission, "one-more")
    assert ticket.state is TicketState.QUEUED
    assert GPU in ticket.message and registry.catalogue.profile(large).flavor in ticket.message
    one, other = (registry.catalogue.profile(name).flavor for name in registry.tenants["nlp"].profiles)
    assert (await admission.usage("nlp")).used == {Device(one, GPU): 1, Device(other, GPU): 2}


async def delete_all(host: KubeApi, pods: str) -> None:
    """At once: no kubelet is there to say that they have ended."""
    for each in (await host.get(pods))["items"]:
        at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        await host._call("DELETE", f"{pods}/{each['metadata']['name']}", None, at_once)
