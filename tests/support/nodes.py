"""Nodes without a machine: the real scheduler places pods on them, and nothing ever runs there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aifactory_hub.clusters import KubeApi

from .kube_objects import Json

NODES = "/api/v1/nodes"


@asynccontextmanager
async def simulated_node(
    host: KubeApi, name: str, labels: Mapping[str, str], resources: Mapping[str, str]
) -> AsyncIterator[None]:
    """A node that says of itself that it is ready and has ``resources`` besides CPU, memory and room for pods."""
    has = {"cpu": "4", "memory": "8Gi", "pods": "50", **resources}
    ready = {"type": "Ready", "status": "True", "reason": "Simulated", "message": "no machine"}
    try:
        await host.create(NODES, {"metadata": {"name": name, "labels": dict(labels)}})
        await host.merge_patch(
            f"{NODES}/{name}/status", {"status": {"capacity": has, "allocatable": has, "conditions": [ready]}}
        )
        await _untainted(host, name)
        yield
    finally:
        await host.delete(f"{NODES}/{name}")


async def _untainted(host: KubeApi, name: str) -> None:
    """Every new node is kept free of pods until the node controller has seen that it is ready."""
    async with asyncio.timeout(30):
        while (await host.get(f"{NODES}/{name}"))["spec"].get("taints"):
            await asyncio.sleep(0.2)


async def placed(host: KubeApi, path: str, body: Json, *, seconds: float = 20) -> str:
    """Create the pod and wait until it is on a node, whose name this is, or refused: what the scheduler says then."""
    await host.create(path, body)
    async with asyncio.timeout(seconds):
        while True:
            pod = await host.get(f"{path}/{body['metadata']['name']}")
            if node := pod["spec"].get("nodeName"):
                return str(node)
            for each in (pod.get("status") or {}).get("conditions") or ():
                if each["type"] == "PodScheduled" and each["status"] == "False":
                    return str(each["message"])
            await asyncio.sleep(0.2)
