"""On which of the cluster's nodes a run was seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.domain.pods import PodFact
from aifactory_hub.engines.base import Site
from aifactory_hub.engines.kubernetes_job import KubernetesJobEngine
from aifactory_hub.engines.kubernetes_job.translate import render_job

from ..support.tenants import make_tenant
from ..support.typed_api import TypedApi
from .runs import HUB, SPEC

FAILED = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}


@pytest.mark.parametrize("status", [{}, FAILED], ids=["runs", "failed and its pod's end is read"])
@pytest.mark.parametrize(
    ("seen", "nodes"), [((), ()), ((None,), ()), (("gpu-2", None, "gpu-1", "gpu-2"), ("gpu-1", "gpu-2"))]
)
async def test_the_nodes_of_a_run_are_those_of_its_pods(
    status: dict[str, Any], seen: tuple[str | None, ...], nodes: tuple[str, ...]
) -> None:
    async def get(path: str) -> dict[str, Any]:
        lists = path.endswith(("/pods", "/events"))
        return {"items": []} if lists else {**render_job(SPEC, HUB), "status": status}

    async def api(_tenant: str) -> Any:
        return TypedApi(get)

    base = PodFact("vc-nlp", "nlp", "jobs", "", "u", "h", "Running")
    pods = [base._replace(name=f"job-j0123456789ab-x7k2{n}", node=node) for n, node in enumerate(seen)]
    watch: Any = SimpleNamespace(stale=False, pods=lambda _vcluster: pods)
    clients: Any = SimpleNamespace(api=api)
    engine = KubernetesJobEngine(Site(HUB, {"nlp": make_tenant("nlp")}, clients, watch))
    assert (await engine.get("nlp", SPEC.run_id)).nodes == nodes
