"""Kueue itself in the test cluster: killed, back again, and with settings that only one test wants.

``python -m tests.support.kueue COMMAND ...``, in the cluster's network, runs a command while Kueue shares fairly.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ruamel.yaml import YAML

from aifactory_hub.clusters import KubeApi, connect_host
from aifactory_hub.registry.output import yaml_documents

from .kube_objects import Json
from .real_cluster import FAIR, running_cluster

NAMESPACE = "/api/v1/namespaces/kueue-system"
SETTINGS = f"{NAMESPACE}/configmaps/kueue-manager-config"
KEY = "controller_manager_config.yaml"
# What docs/quota.md tells a site to add.
FAIR_SHARING = {"fairSharing": {"preemptionStrategies": ["LessThanOrEqualToFinalShare", "LessThanInitialShare"]}}


async def kill_kueue(host: KubeApi) -> int:
    """End Kueue's only pod at once, without a chance to say goodbye. Returns how many that were."""
    pods = f"{NAMESPACE}/pods"
    found = (await host.get(pods))["items"]
    for pod in found:
        at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        await host._call("DELETE", f"{pods}/{pod['metadata']['name']}", None, at_once)
    return len(found)


async def kueue_is_back(host: KubeApi) -> None:
    """Wait until Kueue's pod is ready, for whoever needs it next."""
    async with asyncio.timeout(120):
        while True:
            pods = (await host.get(f"{NAMESPACE}/pods"))["items"]
            if pods and all(_is_ready(pod) for pod in pods):
                return
            await asyncio.sleep(0.5)


@asynccontextmanager
async def kueue_with(host: KubeApi, more: Json) -> AsyncIterator[None]:
    """Kueue started anew with ``more`` in its settings, and at the end anew without.

    Whatever an earlier run left of these, when it was killed, goes at the end as well.
    """
    try:
        await _start_anew(host, {**await _settings(host), **more})
        yield
    finally:
        own = {key: value for key, value in (await _settings(host)).items() if key not in more}
        await _start_anew(host, own)


async def _settings(host: KubeApi) -> Json:
    return dict(YAML(typ="safe", pure=True).load((await host.get(SETTINGS))["data"][KEY]))


async def _start_anew(host: KubeApi, settings: Json) -> None:
    await host.merge_patch(SETTINGS, {"data": {KEY: yaml_documents([settings])}})
    await kill_kueue(host)
    # The dead one's lease would keep the next from its work for 15 s.
    await host.delete(f"/apis/coordination.k8s.io/v1/namespaces/kueue-system/leases/{_lease(settings)}")
    await kueue_is_back(host)


def _lease(settings: Json) -> str:
    return str(settings["leaderElection"]["resourceName"])


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


async def _while_sharing_fairly(argv: list[str]) -> int:
    api = await connect_host(str(running_cluster().admin_kubeconfig))
    try:
        async with kueue_with(api, FAIR_SHARING):
            environment = os.environ | {FAIR: "yes"}
            return await (await asyncio.create_subprocess_exec(*argv, env=environment)).wait()
    finally:
        await api.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(_while_sharing_fairly(sys.argv[1:])))
